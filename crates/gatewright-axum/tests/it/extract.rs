//! What handlers ask for of their callers.

use axum::Router;
use axum::routing;
use gatewright_axum::{Authenticated, GuardedRouter, MaybeAuthenticated, Scoped, get};
use gatewright_core::error::Cause;
use gatewright_core::policy::{Policy, Realm};
use gatewright_testing::TestAuthority;

use crate::answer::{bearer, send};
use crate::authority;

gatewright_core::scopes! {
    /// May see links.
    LinksRead = "links.read";
    /// May see one sort of link.
    LinksReadShort = "links.read:short";
}

async fn optional(MaybeAuthenticated(caller): MaybeAuthenticated) -> String {
    caller.map_or("nobody".to_owned(), |caller| caller.subject().to_string())
}

fn guarded<H, T>(authority: &TestAuthority, policy: Policy, handler: H) -> Router
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    let realm = Realm::builder("api").build();
    let (router, _) = GuardedRouter::new(authority.gate().clone(), realm)
        .route("/", get(policy, handler))
        .finish()
        .unwrap();
    router
}

#[tokio::test]
async fn without_a_layer_every_extractor_is_500_and_the_log_says_why() {
    let router = Router::new()
        .route("/one", routing::get(async |_: Authenticated| "passed"))
        .route(
            "/maybe",
            routing::get(async |_: MaybeAuthenticated| "passed"),
        )
        .route(
            "/scoped",
            routing::get(async |_: Scoped<LinksRead>| "passed"),
        );
    for path in ["/one", "/maybe", "/scoped"] {
        let answer = send(&router, &format!("GET {path}"), &[]).await;
        assert_eq!(answer.status, 500, "{path}");
        assert_eq!(
            answer.body,
            r#"{"error":{"code":"internal_error","message":"Internal error","statusCode":500}}"#
        );
        assert_eq!(answer.cause(), Some(Cause::GateMissing), "{path}");
    }
}

/// A plain axum router behind the tower layer serves the same extractors.
#[tokio::test]
async fn the_tower_layer_is_a_gate_too() {
    let authority = authority().await;
    let realm = Realm::builder("api").build();
    let policy = authority
        .gate()
        .compile(&Policy::pat().scope("links.read"), &realm)
        .unwrap();
    let router = Router::new()
        .route(
            "/",
            routing::get(async |caller: Scoped<LinksRead>| caller.scopes().to_string()),
        )
        .layer(gatewright_tower::GateLayer::new(
            authority.gate().clone(),
            policy,
        ));
    let pat = bearer(&authority.pat("creator", "links.read").await);
    assert_eq!(send(&router, "GET /", &[&pat]).await.body, "links.read");
    assert_eq!(send(&router, "GET /", &[]).await.status, 401);
}

#[tokio::test]
async fn optional_authentication_passes_nothing_and_refuses_what_is_wrong() {
    let authority = authority().await;
    let router = guarded(&authority, Policy::pat().or(Policy::public()), optional);
    assert_eq!(send(&router, "GET /", &[]).await.body, "nobody");
    let pat = authority.pat("creator", "*").await;
    let passed = send(&router, "GET /", &[&bearer(&pat)]).await;
    assert_eq!(passed.body, "user:usr_1");
    assert_eq!(passed.field("cache-control"), Some("no-store"));
    for wrong in [
        bearer("nonsense"),
        bearer(&pat.replace('.', "")),
        "authorization: Bearer".to_owned(),
        "authorization: Basic YTpi".to_owned(),
    ] {
        let answer = send(&router, "GET /", &[&wrong]).await;
        assert_eq!(answer.status, 401, "{wrong}");
    }
}

#[tokio::test]
async fn a_caller_is_asked_for_where_anybody_is_admitted() {
    let authority = authority().await;
    let handler = async |_: Authenticated| "passed";
    let router = guarded(&authority, Policy::pat().or(Policy::public()), handler);
    let answer = send(&router, "GET /", &[]).await;
    assert_eq!(
        (answer.status, answer.cause()),
        (401, Some(Cause::NothingPresented))
    );
}

/// A handler that wants a caller on a route that never has one is a mistake of the program, not of the caller.
#[tokio::test]
async fn a_caller_of_a_public_route_is_500() {
    let authority = authority().await;
    let router = guarded(
        &authority,
        Policy::public(),
        async |_: Authenticated| "passed",
    );
    let pat = bearer(&authority.pat("creator", "*").await);
    let answer = send(&router, "GET /", &[&pat]).await;
    assert_eq!(
        (answer.status, answer.cause()),
        (500, Some(Cause::PolicyMissing))
    );
}

#[tokio::test]
async fn an_asserted_scope_is_one_that_every_alternative_requires() {
    let authority = authority().await;
    let handler = async |caller: Scoped<LinksRead>| caller.into_principal().mode().to_string();
    let narrower = async |_: Scoped<LinksReadShort>| "passed";
    let all = bearer(&authority.pat("creator", "*").await);

    let sure = guarded(&authority, Policy::pat().scope("links.read"), handler);
    assert_eq!(send(&sure, "GET /", &[&all]).await.body, "PAT");
    let covered = guarded(&authority, Policy::pat().scope("links.read"), narrower);
    assert_eq!(send(&covered, "GET /", &[&all]).await.body, "passed");

    // A caller with every scope there is doesn't make up for a policy that doesn't ask.
    for policy in [
        Policy::pat(),
        Policy::pat().scope("links.write"),
        Policy::pat().scope("links.read").or(Policy::api_key()),
        Policy::pat().scope("links.read").or(Policy::public()),
    ] {
        let unsure = guarded(&authority, policy, handler);
        let answer = send(&unsure, "GET /", &[&all]).await;
        assert_eq!(
            (answer.status, answer.cause()),
            (500, Some(Cause::PolicyMissing))
        );
        let source = std::error::Error::source(answer.error())
            .unwrap()
            .to_string();
        assert!(source.contains("`links.read`"), "{source}");
        assert!(!answer.body.contains("links.read"));
    }
}
