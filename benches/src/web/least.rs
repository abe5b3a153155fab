//! The least that a guard in axum does, without any gate: a floor.
//!
//! It marks the request by one extension, the handler has one argument that reads it, and the answer gets one field. A credential is
//! not looked at, nor a policy, a path or an address. What a guard costs beyond this is its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use pin_project_lite::pin_project;

use super::{ANSWER, ROUTE};

/// The service behind that.
pub fn least() -> Router {
    let links = Least {
        mark: Mark(Arc::from("somebody")),
        handler: async |_: Mark| ANSWER,
    };
    Router::new().route(ROUTE, get(links)).with_state(())
}

/// What is left with the request: a name that many requests share.
#[derive(Clone)]
struct Mark(#[expect(dead_code, reason = "a handler would look at it")] Arc<str>);

impl<S: Send + Sync> FromRequestParts<S> for Mark {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let mark = parts.extensions.get().cloned();
        mark.ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

#[derive(Clone)]
struct Least<H> {
    mark: Mark,
    handler: H,
}

impl<H, T, S> Handler<T, S> for Least<H>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    type Future = Answering<H::Future>;

    fn call(self, mut request: Request, state: S) -> Self::Future {
        request.extensions_mut().insert(self.mark);
        Answering {
            answered: self.handler.call(request, state),
        }
    }
}

pin_project! {
    struct Answering<F> {
        #[pin]
        answered: F,
    }
}

impl<F: Future<Output = Response>> Future for Answering<F> {
    type Output = Response;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let mut answered = self.project().answered.poll(context);
        if let Poll::Ready(response) = &mut answered {
            let field = const { HeaderValue::from_static("no-store") };
            response.headers_mut().insert(CACHE_CONTROL, field);
        }
        answered
    }
}
