//! A method needs a policy.

use gatewright_axum::{GuardedRouter, get};
use gatewright_core::policy::Policy;

async fn handler() {}

fn routes(router: GuardedRouter) -> GuardedRouter {
    router.route("/a", get(Policy::public(), handler).put(handler))
}

fn main() {
    let _ = routes;
}
