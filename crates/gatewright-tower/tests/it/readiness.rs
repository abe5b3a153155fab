//! The contract of `poll_ready`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright_core::policy::{Policy, Realm};
use gatewright_testing::TestAuthority;
use gatewright_tower::{GateLayer, GateService};
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer as _, Service, ServiceExt as _};

use crate::authority;

/// Ready for one call after each `poll_ready`, and its clones are not ready because it is.
#[derive(Default)]
struct ReadyOnce {
    ready: bool,
}

impl Clone for ReadyOnce {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[derive(Debug, PartialEq)]
struct Broken;

impl Service<Request<()>> for ReadyOnce {
    type Response = Response<Full<Bytes>>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Broken>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being ready"
        );
        Box::pin(async move {
            tokio::task::yield_now().await;
            match request.uri().path() {
                "/broken" => Err(Broken),
                _ => Ok(Response::new(Full::default())),
            }
        })
    }
}

fn request(path: &str, key: &str) -> Request<()> {
    Request::get(path)
        .header("x-api-key", key)
        .body(())
        .unwrap()
}

fn guarded(authority: &TestAuthority) -> GateService<ReadyOnce> {
    let policy = authority
        .gate()
        .compile(&Policy::api_key(), &Realm::builder("api").build())
        .unwrap();
    GateLayer::new(authority.gate().clone(), policy).layer(ReadyOnce::default())
}

#[tokio::test]
async fn the_service_that_was_ready_is_called_cold_and_warm() {
    let authority = authority().await;
    let mut service = guarded(&authority);
    let key = authority.key("creator", "*").await;
    for _cold_then_warm in 0..3 {
        let answer = service
            .ready()
            .await
            .unwrap()
            .call(request("/", &key))
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    }
}

/// While one call waits for the gate, the next may be made: nothing is shared but the clone.
#[tokio::test]
async fn calls_that_wait_do_not_stand_in_each_others_way() {
    let authority = authority().await;
    let mut service = guarded(&authority);
    let (one, two) = (
        authority.key("creator", "*").await,
        authority.key("other", "*").await,
    );
    let first = service.ready().await.unwrap().call(request("/", &one));
    let second = service.ready().await.unwrap().call(request("/", &two));
    let third = service
        .ready()
        .await
        .unwrap()
        .call(request("/", "tnx_nonsense"));
    let (third, second, first) = tokio::join!(third, second, first);
    assert_eq!(first.unwrap().status(), 200);
    assert_eq!(second.unwrap().status(), 200);
    assert_eq!(third.unwrap().status(), 401);
}

#[tokio::test]
async fn a_call_that_waits_can_be_dropped() {
    let authority = authority().await;
    let mut service = guarded(&authority);
    let key = authority.key("creator", "*").await;
    let mut dropped = Box::pin(service.ready().await.unwrap().call(request("/", &key)));
    let waits = poll_fn(|context| Poll::Ready(dropped.as_mut().poll(context).is_pending())).await;
    assert!(waits, "a cold key is waited for");
    drop(dropped);
    let answer = service
        .ready()
        .await
        .unwrap()
        .call(request("/", &key))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn the_services_own_error_goes_through() {
    let authority = authority().await;
    let service = guarded(&authority);
    let key = authority.key("creator", "*").await;
    let error = service.oneshot(request("/broken", &key)).await.unwrap_err();
    assert_eq!(error, Broken);
}
