//! What stands in front of a handler, in process and without sockets: each framework bare, behind the gate and behind
//! peers. The difference to the bare one is what a request pays.

use std::hint::black_box;
use std::time::Duration;

use actix_web::App;
use actix_web::dev::Service as _;
use actix_web::test::init_service;
use actix_web::web::ServiceConfig;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use gatewright_benches::web::{self, Presented};
use gatewright_benches::{World, ready};
use gatewright_core::jwt::Algorithm;
use http::{Request, Response};
use tower::Service;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = adapters
}
criterion_main!(benches);

/// As many requests as the caches hold: a server, too, has just read the one that it serves.
const BATCH: BatchSize = BatchSize::NumIterations(64);

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn adapters(criterion: &mut Criterion) {
    let world = World::new();
    world.warm();
    let key = Presented::key(&world);
    let jwt = Presented::jwt(&world, Algorithm::Rs256);
    let mut group = criterion.benchmark_group("adapters");
    services(&mut group, &world, &key, &jwt);
    routers(&mut group, &world, &key, &jwt);
    apps(&mut group, &world, &key, &jwt);
    group.finish();
}

fn services(group: &mut Group<'_>, world: &World, key: &Presented, jwt: &Presented) {
    let request = |presented: &Presented| {
        let presented = presented.clone();
        move || web::service_request(&presented)
    };
    serve(group, "tower_bare", web::service_bare(), request(key));
    serve(
        group,
        "tower_gate_key",
        web::service_gated(world),
        request(key),
    );
    serve(
        group,
        "tower_gate_jwt",
        web::service_gated(world),
        request(jwt),
    );
}

fn routers(group: &mut Group<'_>, world: &World, key: &Presented, jwt: &Presented) {
    // Some of the peers ask for a runtime to be there; none of them waits for it.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let request = |presented: &Presented| {
        let presented = presented.clone();
        move || presented.request()
    };
    serve(group, "axum_bare", web::bare(), request(key));
    serve(group, "axum_least", web::least(), request(key));
    serve(group, "axum_gate_key", web::guarded(world), request(key));
    serve(
        group,
        "axum_gate_pat",
        web::guarded(world),
        request(&Presented::pat(world)),
    );
    serve(group, "axum_gate_jwt", web::guarded(world), request(jwt));
    serve(
        group,
        "axum_jwt_auth",
        web::axum_jwt_auth(world),
        request(jwt),
    );
    serve(
        group,
        "axum_oauth_resource_server",
        web::oauth_resource_server(world),
        request(jwt),
    );

    let request = |presented: &Presented| {
        let presented = presented.clone();
        move || web::axum07_request(&presented)
    };
    serve(group, "axum07_bare", web::axum07_bare(), request(key));
    let rival = runtime.block_on(web::jwt_authorizer(world));
    serve(group, "axum07_jwt_authorizer", rival, request(jwt));
}

/// Calls an `http` service again and again, as a server does that has read a request.
fn serve<S, Q, P>(
    group: &mut Group<'_>,
    name: &str,
    mut service: S,
    request: impl Fn() -> Request<Q>,
) where
    S: Service<Request<Q>, Response = Response<P>>,
    S::Error: std::fmt::Debug,
{
    let first = ready(service.call(request())).expect("an answer");
    assert_eq!(first.status(), 200, "{name}");
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            &request,
            |request| black_box(ready(service.call(request)).is_ok()),
            BATCH,
        );
    });
}

fn apps(group: &mut Group<'_>, world: &World, key: &Presented, jwt: &Presented) {
    app(group, "actix_bare", web::app_bare, key);
    let routes = web::app_routes(world);
    app(
        group,
        "actix_gate_key",
        |config| routes.register(config),
        key,
    );
    app(
        group,
        "actix_gate_jwt",
        |config| routes.register(config),
        jwt,
    );
    app(group, "actix_middleware_key", web::app_gated(world), key);
    app(group, "actix_middleware_jwt", web::app_gated(world), jwt);
    let decoding = web::app_decoding(world, Algorithm::Rs256);
    app(group, "actix_httpauth", decoding, jwt);
}

fn app(
    group: &mut Group<'_>,
    name: &str,
    configure: impl FnOnce(&mut ServiceConfig),
    presented: &Presented,
) {
    let system = actix_web::rt::System::new();
    let service = system.block_on(init_service(App::new().configure(configure)));
    let first = ready(service.call(web::app_request(presented))).expect("an answer");
    assert_eq!(first.status(), 200, "{name}");
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || web::app_request(presented),
            |request| black_box(ready(service.call(request)).is_ok()),
            BATCH,
        );
    });
}
