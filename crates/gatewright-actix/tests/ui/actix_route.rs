//! Methods that actix declares have no policies.

use actix_web::web;
use gatewright_actix::GuardedScope;

async fn handler() -> &'static str {
    ""
}

fn routes(scope: GuardedScope) -> GuardedScope {
    scope.route("/a", web::get().to(handler))
}

fn main() {
    let _ = routes;
}
