//! A policy that is replaced while requests run.

use std::convert::Infallible;

use bytes::Bytes;
use gatewright_core::policy::{LivePolicy, Policy, Realm};
use gatewright_tower::GateLayer;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::authority;

#[tokio::test]
async fn the_next_request_is_judged_by_the_policy_put_in_place() {
    let (authority, other) = (authority().await, authority().await);
    let gate = authority.gate().clone();
    let realm = Realm::builder("api").build();
    let compile = |scope| {
        gate.compile(&Policy::api_key().scope(scope), &realm)
            .unwrap()
    };
    let policy = LivePolicy::new(compile("links.read"));
    let service =
        GateLayer::new(gate.clone(), policy.clone()).layer(service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let key = authority.key("creator", "links.read").await;
    let status = async || {
        let request = Request::get("/")
            .header("x-api-key", &key)
            .body(())
            .unwrap();
        service.clone().oneshot(request).await.unwrap().status()
    };

    assert_eq!(status().await, 200);
    policy.replace(compile("links.write")).unwrap();
    assert_eq!(status().await, 403);

    // One of another gate would admit nobody, so it isn't put in place.
    let foreign = other.gate().compile(&Policy::api_key(), &realm).unwrap();
    policy.replace(foreign).unwrap_err();
    policy.replace(compile("links.*")).unwrap();
    assert_eq!(status().await, 403);
    policy.replace(compile("links.read")).unwrap();
    assert_eq!(status().await, 200);
}
