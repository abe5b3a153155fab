//! How refusals become responses.

use std::convert::Infallible;

use bytes::Bytes;
use gatewright_core::dialect::Dialect;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::policy::{Policy, Realm};
use gatewright_tower::{GateLayer, GrpcRefusal, Guard, HandlerRefusal};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::authority;

/// A body that no `From<Bytes>` makes.
#[derive(Debug, Default, PartialEq)]
struct GrpcBody;

#[tokio::test]
async fn rendering_is_a_parameter() {
    let authority = authority().await;
    let policy = authority
        .gate()
        .compile(&Policy::pat(), &Realm::builder("api").build())
        .unwrap();
    let guard = Guard::rendering(authority.gate().clone(), policy, GrpcRefusal::default());
    let service = GateLayer::guarding(guard).layer(service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(GrpcBody))
    }));
    let answer = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["grpc-status"]),
        (200, &"16".parse().unwrap())
    );
    let error: &AuthError = answer.extensions().get().unwrap();
    assert_eq!(error.cause(), Some(Cause::NothingPresented));
}

async fn conflict(_: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("replaced"));
    let refusal = HandlerRefusal::new(ErrorCode::Conflict.into());
    response.extensions_mut().insert(refusal);
    Ok(response)
}

/// The guard next to the handler renders its refusal; those further out leave it alone.
#[tokio::test]
async fn a_services_refusal_is_rendered_once_by_the_nearest_guard() {
    let authority = authority().await;
    let layer = |dialect| {
        let realm = Realm::builder("api").dialect(dialect).build();
        let policy = authority.gate().compile(&Policy::public(), &realm).unwrap();
        GateLayer::new(authority.gate().clone(), policy)
    };
    let inner = layer(Dialect::Detail).layer(service_fn(conflict));
    let service = layer(Dialect::Canonical).layer(inner);
    let answer = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(answer.status(), 409);
    assert_eq!(
        answer.extensions().get::<AuthError>().unwrap().code(),
        ErrorCode::Conflict
    );
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(br#"{"detail":"#), "{body:?}");
}

/// RFC 9110 §9.3.2: no body, and the length that the body of a `GET` would have.
#[tokio::test]
async fn a_refused_head_has_no_body() {
    let authority = authority().await;
    let layer = |policy| {
        let realm = Realm::builder("api").build();
        let policy = authority.gate().compile(&policy, &realm).unwrap();
        GateLayer::new(authority.gate().clone(), policy)
    };
    for (policy, length) in [(Policy::pat(), 98), (Policy::public(), 103)] {
        let service = layer(policy).layer(service_fn(conflict));
        for (method, sent) in [("GET", length), ("HEAD", 0)] {
            let request = Request::builder().method(method).body(()).unwrap();
            let answer = service.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.headers()["content-length"], length.to_string());
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body.len(), sent, "{method}");
        }
    }
}
