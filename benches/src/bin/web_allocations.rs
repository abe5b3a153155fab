//! How often a warm request asks for memory in each framework, beyond the same request without a gate.

use actix_web::App;
use actix_web::dev::Service as _;
use actix_web::test::init_service;
use actix_web::web::ServiceConfig;
use gatewright_benches::web::{self, Presented};
use gatewright_benches::{World, allocations, ready, record};
use gatewright_core::jwt::Algorithm;
use http::Request;
use tower::Service;

/// So many that what happens now and then does not pass for nothing.
const REQUESTS: u32 = 1_000;

fn main() {
    let world = World::new();
    world.warm();
    let credentials = [
        ("", Presented::key(&world)),
        ("_jwt", Presented::jwt(&world, Algorithm::Rs256)),
    ];
    for (suffix, presented) in &credentials {
        let request = || web::service_request(presented);
        let bare = served(web::service_bare(), request);
        let gated = served(web::service_gated(&world), request);
        record(&format!("alloc_tower{suffix}"), gated - bare, "allocations");

        let request = || presented.request();
        let bare = served(web::bare(), request);
        let gated = served(web::guarded(&world), request);
        record(&format!("alloc_axum{suffix}"), gated - bare, "allocations");

        let bare = app(web::app_bare, presented);
        let routes = web::app_routes(&world);
        let gated = app(|config| routes.register(config), presented);
        record(&format!("alloc_actix{suffix}"), gated - bare, "allocations");
    }
}

fn served<S: Service<Request<Q>>, Q>(mut service: S, request: impl Fn() -> Request<Q>) -> f64 {
    each(request, |request| drop(ready(service.call(request))))
}

fn app(configure: impl FnOnce(&mut ServiceConfig), presented: &Presented) -> f64 {
    let system = actix_web::rt::System::new();
    let service = system.block_on(init_service(App::new().configure(configure)));
    each(
        || web::app_request(presented),
        |request| drop(ready(service.call(request))),
    )
}

/// The mean over many calls, after one that warms up; requests are made outside of the count.
fn each<Q>(request: impl Fn() -> Q, mut call: impl FnMut(Q)) -> f64 {
    call(request());
    let mut count = 0;
    for _ in 0..REQUESTS {
        let request = request();
        count += allocations(|| call(request));
    }
    count as f64 / f64::from(REQUESTS)
}
