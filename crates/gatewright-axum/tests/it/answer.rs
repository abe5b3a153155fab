//! Requests, and what comes back.

use axum::Router;
use axum::body::Body;
use axum::http::{Extensions, HeaderMap, Request};
use gatewright_core::error::{AuthError, Cause};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    extensions: Extensions,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} stands once");
        Some(value.to_str().unwrap())
    }

    /// The cause that was left for the service's own log.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.extensions.get::<AuthError>()?.cause()
    }

    pub(crate) fn error(&self) -> &AuthError {
        self.extensions.get().unwrap()
    }
}

/// Sends a request with fields written as `name: value`.
pub(crate) async fn send(router: &Router, line: &str, fields: &[&str]) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for field in fields {
        let (name, value) = field.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let response = router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        extensions: parts.extensions,
    }
}

pub(crate) fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}
