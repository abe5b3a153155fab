//! Methods that axum declares have no policies.

use gatewright_axum::GuardedRouter;

async fn handler() {}

fn routes(router: GuardedRouter) -> GuardedRouter {
    router.route("/a", axum::routing::get(handler))
}

fn main() {
    let _ = routes;
}
