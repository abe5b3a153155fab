//! The endpoints of the authorization server over HTTP.

use std::net::IpAddr;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use gatewright_core::error::ErrorCode;
use gatewright_issuer::{AuthorizationServer, OAuthAnswer, OAuthRequest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::routes::Site;
use crate::web::{Failure, arrived, settled, source};

/// `POST /oauth/token` (RFC 6749 §4.4)
pub(super) async fn token(State(site): State<Site>, request: Request) -> Response {
    let received = match Received::of(&site, request).await {
        Ok(received) => received,
        Err(refusal) => return refusal,
    };
    answered(
        received
            .ask(async |request| site.oauth.token(&request).await)
            .await,
    )
}

/// `POST /oauth/revoke` (RFC 7009). It goes through even if the client hangs up.
pub(super) async fn revoke(
    State(site): State<Site>,
    request: Request,
) -> Result<Response, Failure> {
    let received = match Received::of(&site, request).await {
        Ok(received) => received,
        Err(refusal) => return Ok(refusal),
    };
    let oauth: AuthorizationServer = site.oauth.clone();
    let revoking = async move {
        let ask = received.ask(async |request| oauth.revoke(&request).await);
        Ok(ask.await)
    };
    settled(site.app.under_way.clone(), revoking)
        .await
        .map(answered)
}

/// `POST /oauth/introspect` (RFC 7662)
pub(super) async fn introspect(State(site): State<Site>, request: Request) -> Response {
    let received = match Received::of(&site, request).await {
        Ok(received) => received,
        Err(refusal) => return refusal,
    };
    answered(
        received
            .ask(async |request| site.oauth.introspect(&request).await)
            .await,
    )
}

/// What the authorization endpoint answers everybody.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnsupportedResponseType {
    /// `unsupported_response_type`
    #[schema(value_type = String)]
    error: &'static str,
    #[schema(value_type = String)]
    error_description: &'static str,
}

/// `GET` and `POST /oauth/authorize`: no response type is supported. The answer is for whoever called: no client has
/// registered a URI that anybody might be sent back to (RFC 6749 §4.1.2.1).
pub(super) async fn authorize() -> (StatusCode, axum::Json<UnsupportedResponseType>) {
    let refusal = UnsupportedResponseType {
        error: "unsupported_response_type",
        error_description: "There is no authorization by users here: ask for a token with client_credentials",
    };
    (StatusCode::BAD_REQUEST, axum::Json(refusal))
}

/// A request that has arrived whole.
struct Received {
    parts: Parts,
    body: Bytes,
    source: Option<IpAddr>,
}

impl Received {
    /// Reads no more than such a request can have.
    async fn of(site: &Site, request: Request) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let mut request = Request::new(body);
        DefaultBodyLimit::max(OAuthRequest::MAX_BODY).apply(&mut request);
        let body = arrived(request, &()).await.map_err(|failure| {
            // This dialect has one word for whatever is wrong with a body (RFC 6749 §5.2).
            answered(site.oauth.refusal(failure.error()))
        })?;
        let source = source(&site.app, &parts);
        Ok(Self {
            parts,
            body,
            source,
        })
    }

    async fn ask<F>(&self, endpoint: F) -> OAuthAnswer
    where
        F: AsyncFnOnce(OAuthRequest<'_>) -> OAuthAnswer,
    {
        let headers = &self.parts.headers;
        let lines = headers.get_all(AUTHORIZATION).iter();
        let lines: Vec<&[u8]> = lines.map(HeaderValue::as_bytes).collect();
        // Of several nobody knows which one is meant.
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let content_type = types.next().filter(|_| types.next().is_none());
        let request = OAuthRequest::post(&self.body)
            .method(self.parts.method.as_str())
            .authorization(&lines)
            .content_type(content_type.map(HeaderValue::as_bytes))
            .query(self.parts.uri.query())
            .source(self.source);
        endpoint(request).await
    }
}

fn answered(answer: OAuthAnswer) -> Response {
    let Ok(status) = StatusCode::from_u16(answer.status) else {
        return Failure::from(ErrorCode::InternalError).into_response();
    };
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = status;
    for (name, value) in answer.fields {
        match HeaderValue::try_from(value) {
            Ok(value) => {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
            Err(error) => return Failure::internal(error).into_response(),
        }
    }
    response
}
