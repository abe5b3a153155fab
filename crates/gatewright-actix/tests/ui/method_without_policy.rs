//! A method needs a policy.

use gatewright_actix::{GuardedScope, get};
use gatewright_core::policy::Policy;

async fn handler() -> &'static str {
    ""
}

fn routes(scope: GuardedScope) -> GuardedScope {
    scope.route("/a", get(Policy::public(), handler).put(handler))
}

fn main() {
    let _ = routes;
}
