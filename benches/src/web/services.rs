//! A tower service.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Request, Response};
use bytes::Bytes;
use gatewright::tower::GateLayer;
use http_body_util::Full;
use tower::{Layer as _, Service, service_fn};

use super::{ANSWER, PEER, Presented, path};
use crate::World;
use crate::fixture::TENANT;

/// The body of requests and responses.
pub type BoxedBody = Full<Bytes>;

/// The service without anything in front of it.
pub fn service_bare()
-> impl Service<Request<BoxedBody>, Response = Response<BoxedBody>, Error = Infallible> + Clone {
    service_fn(answer)
}

async fn answer(_: Request<BoxedBody>) -> Result<Response<BoxedBody>, Infallible> {
    let mut response = Response::new(Full::from(ANSWER));
    let text = const { HeaderValue::from_static("text/plain; charset=utf-8") };
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

/// The same behind the gate's layer, which reads the tenant out of the path.
pub fn service_gated(
    world: &World,
) -> impl Service<Request<BoxedBody>, Response = Response<BoxedBody>, Error = Infallible> + Clone {
    GateLayer::new(world.gate().clone(), world.policy().clone())
        .tenant_from(tenant)
        .layer(service_fn(answer))
}

fn tenant(parts: &Parts) -> Option<Cow<'_, str>> {
    let (segment, _) = parts.uri.path().strip_prefix("/w/")?.split_once('/')?;
    debug_assert_eq!(segment, TENANT);
    Some(segment.into())
}

/// The request for it.
///
/// # Panics
///
/// Never: the fields are well formed.
#[must_use]
pub fn service_request(presented: &Presented) -> Request<BoxedBody> {
    let mut request = Request::get(path());
    for (name, value) in presented.fields() {
        request = request.header(name, value);
    }
    let request = request.extension(ConnectInfo(PEER));
    request.body(Full::default()).expect("a request")
}
