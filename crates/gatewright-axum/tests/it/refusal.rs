//! Refusals by handlers.

use axum::http::{HeaderName, StatusCode};
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Router, routing};
use gatewright_axum::{GuardedRouter, Refusal, get};
use gatewright_core::dialect::Dialect;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::policy::{Policy, Realm};
use gatewright_testing::TestAuthority;

use crate::answer::send;
use crate::authority;

const SET_COOKIE: HeaderName = HeaderName::from_static("set-cookie");

async fn conflict() -> Result<(), Refusal> {
    Err(AuthError::new(ErrorCode::Conflict)
        .with_message("The slug is taken")
        .into())
}

async fn with_cookies() -> impl IntoResponse {
    (
        StatusCode::IM_A_TEAPOT,
        AppendHeaders([(SET_COOKIE, "a=1"), (SET_COOKIE, "b=2")]),
        Refusal::from(Cause::RefreshInvalid),
    )
}

fn service(authority: &TestAuthority, dialect: Dialect) -> Router {
    let realm = Realm::builder("api").dialect(dialect).build();
    let (router, _) = GuardedRouter::new(authority.gate().clone(), realm)
        .route("/", get(Policy::public(), conflict))
        .route("/cookies", get(Policy::public(), with_cookies))
        .finish()
        .unwrap();
    router
}

#[tokio::test]
async fn a_handler_refuses_in_the_dialect_of_its_route() {
    let authority = authority().await;
    for (dialect, content_type, body) in [
        (
            Dialect::Canonical,
            "application/json",
            r#"{"error":{"code":"conflict","message":"The slug is taken","statusCode":409}}"#,
        ),
        (
            Dialect::Detail,
            "application/json",
            r#"{"detail":"The slug is taken","code":"conflict"}"#,
        ),
    ] {
        let answer = send(&service(&authority, dialect), "GET /", &[]).await;
        assert_eq!(answer.status, 409);
        assert_eq!(answer.field("content-type"), Some(content_type));
        assert_eq!(
            answer.field("content-length"),
            Some(&*body.len().to_string())
        );
        assert_eq!(answer.body, body);
        assert_eq!(answer.error().code(), ErrorCode::Conflict);
    }
}

#[tokio::test]
async fn a_handler_refuses_with_a_problem_on_request() {
    let authority = authority().await;
    let answer = send(
        &service(&authority, Dialect::Detail),
        "GET /",
        &["accept: text/html, application/problem+json;q=0.5"],
    )
    .await;
    assert_eq!(
        answer.field("content-type"),
        Some("application/problem+json")
    );
    assert!(
        answer.body.contains(r#""code":"conflict""#),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn a_refusal_keeps_the_handlers_cookies_and_its_own_status() {
    let authority = authority().await;
    let answer = send(&service(&authority, Dialect::Detail), "GET /cookies", &[]).await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.starts_with(r#"{"detail":"#));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(
        answer.field("www-authenticate"),
        Some(r#"Bearer realm="api""#)
    );
    assert_eq!(answer.cause(), Some(Cause::RefreshInvalid));
}

#[tokio::test]
async fn outside_of_a_guard_a_refusal_is_canonical() {
    let router = Router::new().route("/", routing::get(conflict));
    let answer = send(&router, "GET /", &["accept: application/problem+json"]).await;
    assert_eq!(answer.status, 409);
    assert_eq!(
        answer.body,
        r#"{"error":{"code":"conflict","message":"The slug is taken","statusCode":409}}"#
    );
    assert_eq!(answer.error().code(), ErrorCode::Conflict);
}
