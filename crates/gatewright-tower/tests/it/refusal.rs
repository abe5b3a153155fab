//! How refusals become responses.

use std::convert::Infallible;

use bytes::Bytes;
use gatewright_core::dialect::Dialect;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::policy::{CompiledPolicy, Policy, Realm};
use gatewright_tower::{GateLayer, Guard, HandlerRefusal, RenderRefusal};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::authority;

/// Trailers-only answers, whose body no `From<Bytes>` makes.
struct Grpc;

#[derive(Debug, PartialEq)]
struct GrpcBody;

impl RenderRefusal<GrpcBody> for Grpc {
    fn render(&self, error: &AuthError, _: &CompiledPolicy, _: bool) -> Response<GrpcBody> {
        let status = if error.status() == 401 { "16" } else { "7" };
        Response::builder()
            .header("grpc-status", status)
            .body(GrpcBody)
            .unwrap()
    }
}

#[tokio::test]
async fn rendering_is_a_parameter() {
    let authority = authority().await;
    let policy = authority
        .gate()
        .compile(&Policy::pat(), &Realm::builder("api").build())
        .unwrap();
    let guard = Guard::rendering(authority.gate().clone(), policy, Grpc);
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
