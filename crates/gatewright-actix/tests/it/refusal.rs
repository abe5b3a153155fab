//! Refusals by handlers.

use actix_web::http::header::{HeaderValue, SET_COOKIE};
use actix_web::test::init_service;
use actix_web::{App, Error, HttpResponse, ResponseError as _, web};
use gatewright_actix::{GuardedRoutes, GuardedScope, Refusal, get};
use gatewright_core::dialect::Dialect;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::policy::{Policy, Realm};
use gatewright_testing::TestAuthority;

use crate::answer::{answered, request, send};
use crate::authority;

async fn conflict() -> Result<&'static str, Refusal> {
    Err(AuthError::new(ErrorCode::Conflict)
        .with_message("The slug is taken")
        .into())
}

/// With `?`, a refusal is one of actix's errors.
async fn boxed() -> Result<&'static str, Error> {
    conflict().await?;
    Ok("passed")
}

async fn with_cookies() -> HttpResponse {
    let mut response = Refusal::from(Cause::RefreshInvalid).error_response();
    for cookie in ["a=1", "b=2"] {
        let cookie = HeaderValue::from_static(cookie);
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

fn service(authority: &TestAuthority, dialect: Dialect) -> GuardedRoutes {
    let realm = Realm::builder("api").dialect(dialect).build();
    let (routes, _) = GuardedScope::new(authority.gate().clone(), realm)
        .route("/", get(Policy::public(), conflict))
        .route("/boxed", get(Policy::public(), boxed))
        .route("/cookies", get(Policy::public(), with_cookies))
        .finish()
        .unwrap();
    routes
}

#[actix_web::test]
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
        for line in ["GET /", "GET /boxed"] {
            let answer = send(&service(&authority, dialect), line, &[]).await;
            assert_eq!(answer.status, 409);
            assert_eq!(answer.field("content-type"), Some(content_type));
            assert_eq!(answer.body, body);
            assert_eq!(answer.error().code(), ErrorCode::Conflict);
        }
    }
}

#[actix_web::test]
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

#[actix_web::test]
async fn a_refusal_keeps_the_handlers_cookies_and_its_own_status() {
    let authority = authority().await;
    let answer = send(&service(&authority, Dialect::Detail), "GET /cookies", &[]).await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.starts_with(r#"{"detail":"#));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(
        answer.field("www-authenticate"),
        Some(r#"Bearer realm="api""#)
    );
    assert_eq!(answer.cause(), Some(Cause::RefreshInvalid));
}

#[actix_web::test]
async fn outside_of_a_guard_a_refusal_is_canonical() {
    let app = init_service(App::new().route("/", web::get().to(conflict))).await;
    let problem = request("GET /", &["accept: application/problem+json"]);
    let answer = answered(&app, problem.to_request()).await;
    assert_eq!(answer.status, 409);
    assert_eq!(
        answer.body,
        r#"{"error":{"code":"conflict","message":"The slug is taken","statusCode":409}}"#
    );
    assert_eq!(answer.error().code(), ErrorCode::Conflict);
}

#[test]
fn an_error_says_what_is_wrong() {
    let refusal = Refusal::from(Cause::MissingScope);
    assert_eq!(refusal.status_code(), 403);
    assert_eq!(
        refusal.to_string(),
        "Token does not have the required scope"
    );
}
