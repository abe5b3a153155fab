//! The service on axum.

use std::net::SocketAddr;

use axum::response::AppendHeaders;
use gatewright::axum::{
    Authenticated, GuardedMethods, GuardedRouter, MaybeAuthenticated, Refusal, delete, get, head,
    options, post, put,
};
use gatewright::gate::Gate;
use gatewright::policy::Policy;

use super::service::{FIELDS, Family, Handler, Verb, introduced, root};

/// Serves it; the task ends with the runtime.
pub(crate) async fn serve(gate: Gate, families: Vec<Family>) -> SocketAddr {
    let mut whole = GuardedRouter::new(gate.clone(), root());
    for Family {
        prefix,
        realm,
        proxies,
        routes,
    } in families
    {
        let mut router = GuardedRouter::new(gate.clone(), realm).behind_proxies(proxies);
        for route in routes {
            for (verb, policy, handler) in route.methods {
                router = router.route(route.path, method(verb, policy, handler));
            }
        }
        whole = whole.nest(prefix, router);
    }
    let (router, _) = whole.finish().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

fn method(verb: Verb, policy: Policy, handler: Handler) -> GuardedMethods {
    match handler {
        Handler::Caller => attach(verb, policy, async |caller: Authenticated| {
            introduced(Some(&caller))
        }),
        Handler::Visitor => attach(verb, policy, async |caller: MaybeAuthenticated| {
            introduced(caller.as_deref())
        }),
        Handler::Fine => attach(verb, policy, async || "fine"),
        Handler::Refuses(code) => attach(verb, policy, move || async move { Refusal::from(code) }),
        Handler::Says => attach(verb, policy, async || (AppendHeaders(FIELDS), "fine")),
        Handler::RefusesAndSays(code) => attach(verb, policy, move || async move {
            (AppendHeaders(FIELDS), Refusal::from(code))
        }),
    }
}

fn attach<H, T>(verb: Verb, policy: Policy, handler: H) -> GuardedMethods
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    match verb {
        Verb::Get => get(policy, handler),
        Verb::Head => head(policy, handler),
        Verb::Options => options(policy, handler),
        Verb::Post => post(policy, handler),
        Verb::Put => put(policy, handler),
        Verb::Delete => delete(policy, handler),
    }
}
