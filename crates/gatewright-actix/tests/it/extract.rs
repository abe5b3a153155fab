//! What handlers ask for of their callers.

use actix_web::test::init_service;
use actix_web::{App, FromRequest, Handler, Responder, web};
use gatewright_actix::{
    Authenticated, GuardedRoutes, GuardedScope, MaybeAuthenticated, Refusal, Scoped, get,
};
use gatewright_core::error::Cause;
use gatewright_core::policy::{Policy, Realm};
use gatewright_testing::TestAuthority;

use crate::answer::{answered, bearer, request, send};
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

fn guarded<H, Args>(authority: &TestAuthority, policy: Policy, handler: H) -> GuardedRoutes
where
    H: Handler<Args> + Send + Sync,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    let realm = Realm::builder("api").build();
    let (routes, _) = GuardedScope::new(authority.gate().clone(), realm)
        .route("/", get(policy, handler))
        .finish()
        .unwrap();
    routes
}

#[actix_web::test]
async fn without_a_layer_every_extractor_is_500_and_the_log_says_why() {
    let app = init_service(
        App::new()
            .route("/one", web::get().to(async |_: Authenticated| "passed"))
            .route(
                "/maybe",
                web::get().to(async |_: MaybeAuthenticated| "passed"),
            )
            .route(
                "/scoped",
                web::get().to(async |_: Scoped<LinksRead>| "passed"),
            ),
    )
    .await;
    for path in ["/one", "/maybe", "/scoped"] {
        let answer = answered(&app, request(&format!("GET {path}"), &[]).to_request()).await;
        assert_eq!(answer.status, 500, "{path}");
        assert_eq!(
            answer.body,
            r#"{"error":{"code":"internal_error","message":"Internal error","statusCode":500}}"#
        );
        assert_eq!(answer.cause(), Some(Cause::GateMissing), "{path}");
    }
}

/// Why the documentation says never to ask for it: the mistake of the program is `None` to the handler.
#[actix_web::test]
async fn an_option_hides_that_there_is_no_gate() {
    let handler = async |caller: Option<Authenticated>| format!("{}", caller.is_none());
    let own = async |caller: Result<Authenticated, Refusal>| {
        caller
            .map(|_| "")
            .map_err(|refusal| refusal.error().clone())
            .map_err(Refusal::from)
    };
    let app = init_service(
        App::new()
            .route("/option", web::get().to(handler))
            .route("/result", web::get().to(own)),
    )
    .await;
    let hidden = answered(&app, request("GET /option", &[]).to_request()).await;
    assert_eq!((hidden.status, hidden.body.as_str()), (200, "true"));
    let told = answered(&app, request("GET /result", &[]).to_request()).await;
    assert_eq!((told.status, told.cause()), (500, Some(Cause::GateMissing)));
}

#[actix_web::test]
async fn optional_authentication_passes_nothing_and_refuses_what_is_wrong() {
    let authority = authority().await;
    let routes = guarded(&authority, Policy::pat().or(Policy::public()), optional);
    assert_eq!(send(&routes, "GET /", &[]).await.body, "nobody");
    let pat = authority.pat("creator", "*").await;
    let passed = send(&routes, "GET /", &[&bearer(&pat)]).await;
    assert_eq!(passed.body, "user:usr_1");
    assert_eq!(passed.field("cache-control"), Some("no-store"));
    for wrong in [
        bearer("nonsense"),
        bearer(&pat.replace('.', "")),
        "authorization: Bearer".to_owned(),
        "authorization: Basic YTpi".to_owned(),
    ] {
        let answer = send(&routes, "GET /", &[&wrong]).await;
        assert_eq!(answer.status, 401, "{wrong}");
    }
}

#[actix_web::test]
async fn a_caller_is_asked_for_where_anybody_is_admitted() {
    let authority = authority().await;
    let handler = async |_: Authenticated| "passed";
    let routes = guarded(&authority, Policy::pat().or(Policy::public()), handler);
    let answer = send(&routes, "GET /", &[]).await;
    assert_eq!(
        (answer.status, answer.cause()),
        (401, Some(Cause::NothingPresented))
    );
}

/// A handler that wants a caller on a route that never has one is a mistake of the program, not of the caller.
#[actix_web::test]
async fn a_caller_of_a_public_route_is_500() {
    let authority = authority().await;
    let routes = guarded(
        &authority,
        Policy::public(),
        async |_: Authenticated| "passed",
    );
    let pat = bearer(&authority.pat("creator", "*").await);
    let answer = send(&routes, "GET /", &[&pat]).await;
    assert_eq!(
        (answer.status, answer.cause()),
        (500, Some(Cause::PolicyMissing))
    );
}

#[actix_web::test]
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
