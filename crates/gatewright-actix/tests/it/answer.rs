//! Requests, and what comes back.

use std::net::SocketAddr;

use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, Error};
use gatewright_actix::GuardedRoutes;
use gatewright_core::error::{AuthError, Cause};

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    error: Option<AuthError>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name);
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} stands once");
        Some(value.to_str().unwrap())
    }

    /// The cause that was left for the service's own log.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.error.as_ref()?.cause()
    }

    pub(crate) fn error(&self) -> &AuthError {
        self.error.as_ref().unwrap()
    }
}

/// A request with fields written as `name: value`.
pub(crate) fn request(line: &str, fields: &[&str]) -> TestRequest {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = TestRequest::with_uri(path).method(method.parse().unwrap());
    for field in fields {
        request = request.append_header(field.split_once(": ").unwrap());
    }
    request
}

/// Sends a request to an app of these routes.
pub(crate) async fn send(routes: &GuardedRoutes, line: &str, fields: &[&str]) -> Answer {
    let app = init_service(App::new().configure(|config| routes.register(config))).await;
    answered(&app, request(line, fields).to_request()).await
}

/// Sends a request from an address.
pub(crate) async fn send_from(routes: &GuardedRoutes, last: u8, line: &str) -> Answer {
    let app = init_service(App::new().configure(|config| routes.register(config))).await;
    let peer = SocketAddr::from(([192, 0, 2, last], 1));
    answered(&app, request(line, &[]).peer_addr(peer).to_request()).await
}

pub(crate) async fn answered<S, R, B>(app: &S, request: R) -> Answer
where
    S: Service<R, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let response = app.call(request).await.unwrap();
    let (_, response) = response.into_parts();
    let error = response.extensions().get::<AuthError>().cloned();
    let (head, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|_| "a body").unwrap();
    Answer {
        status: head.status().as_u16(),
        headers: head.headers().clone(),
        body: String::from_utf8(body.to_vec()).unwrap(),
        error,
    }
}

pub(crate) fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}
