//! One policy around an app, a scope or a resource.

use std::future::ready;

use actix_web::body::to_bytes;
use actix_web::dev::{Service as _, ServiceResponse};
use actix_web::error::ErrorBadGateway;
use actix_web::test::init_service;
use actix_web::{App, Error, HttpRequest, web};
use gatewright_actix::{Authenticated, GateMiddleware, GuardedScope, Refusal, Scoped, get};
use gatewright_core::cors::Cors;
use gatewright_core::dialect::Dialect;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::limit::Rate;
use gatewright_core::policy::{Limits, LivePolicy, Policy, Realm};
use gatewright_core::source::TrustedProxies;
use gatewright_testing::TestAuthority;

use crate::answer::{answered, bearer, request};
use crate::{HANDLE, authority};

gatewright_core::scopes! {
    /// May see links.
    LinksRead = "links.read";
}

fn gate(authority: &TestAuthority, policy: Policy, realm: &Realm) -> GateMiddleware {
    let gate = authority.gate();
    GateMiddleware::new(gate.clone(), gate.compile(&policy, realm).unwrap())
}

#[actix_web::test]
async fn a_whole_app_is_behind_it() {
    let authority = authority().await;
    let realm = Realm::builder("api").dialect(Dialect::Detail).build();
    let policy = Policy::pat().scope("links.read");
    let app = init_service(
        App::new()
            .route(
                "/",
                web::get().to(async |caller: Scoped<LinksRead>| caller.scopes().to_string()),
            )
            .route(
                "/conflict",
                web::get().to(async || Err::<&str, _>(Refusal::from(ErrorCode::Conflict))),
            )
            .wrap(gate(&authority, policy, &realm)),
    )
    .await;
    let pat = bearer(&authority.pat("creator", "links.read").await);

    // Twice: asked for, and known.
    for _ in 0..2 {
        let passed = answered(&app, request("GET /", &[&pat]).to_request()).await;
        assert_eq!((passed.status, passed.body.as_str()), (200, "links.read"));
        assert_eq!(passed.field("cache-control"), Some("no-store"));
    }
    let refused = answered(&app, request("GET /", &[]).to_request()).await;
    assert_eq!(
        (refused.status, refused.cause()),
        (401, Some(Cause::NothingPresented))
    );
    let unknown = answered(&app, request("GET /nowhere", &[]).to_request()).await;
    assert_eq!(unknown.status, 401, "unknown paths are behind it too");
    let other = bearer(&authority.pat("creator", "links.write").await);
    let refused = answered(&app, request("GET /", &[&other]).to_request()).await;
    assert_eq!(
        (refused.status, refused.cause()),
        (403, Some(Cause::MissingScope))
    );
    let conflict = answered(&app, request("GET /conflict", &[&pat]).to_request()).await;
    assert_eq!(
        (conflict.status, conflict.body.as_str()),
        (
            409,
            r#"{"detail":"The request conflicts with the present state","code":"conflict"}"#
        )
    );
}

#[actix_web::test]
async fn a_refusal_is_rendered_once_by_the_nearest_guard() {
    let authority = authority().await;
    let outer = Realm::builder("outer").build();
    let inner = Realm::builder("inner").dialect(Dialect::Detail).build();
    let (routes, _) = GuardedScope::new(authority.gate().clone(), inner)
        .route(
            "/",
            get(Policy::public(), async || {
                Err::<&str, _>(Refusal::from(ErrorCode::Conflict))
            }),
        )
        .finish()
        .unwrap();
    let app = init_service(
        App::new()
            .configure(|config| routes.register(config))
            .wrap(gate(&authority, Policy::public(), &outer)),
    )
    .await;
    for (line, code) in [("GET /", "conflict"), ("GET /nowhere", "not_found")] {
        let answer = answered(&app, request(line, &[]).to_request()).await;
        assert!(answer.body.starts_with(r#"{"detail":"#), "{}", answer.body);
        assert!(answer.body.contains(code), "{}", answer.body);
    }
}

/// An error would pass by middleware that looks at responses, and that gave way with `?`.
#[actix_web::test]
async fn refusals_are_responses() {
    let authority = authority().await;
    let realm = Realm::builder("api").build();
    let marks = actix_web::middleware::DefaultHeaders::new().add(("x-seen", "yes"));
    let app = init_service(
        App::new()
            .wrap(gate(&authority, Policy::pat(), &realm))
            .wrap(marks),
    )
    .await;
    let refused = answered(&app, request("GET /", &[]).to_request()).await;
    assert_eq!(
        (refused.status, refused.field("x-seen")),
        (401, Some("yes"))
    );
}

/// Other middleware answers with errors, which actix makes responses of only after the gate let them pass.
#[actix_web::test]
async fn an_error_of_middleware_within_is_answered_as_a_response_would_be() {
    let authority = authority().await;
    let page = "https://app.example";
    let cors = Cors::origins([page]).build().unwrap();
    let realm = Realm::builder("api").dialect(Dialect::Detail).cors(cors);
    let realm = realm.build();
    let app = init_service(
        App::new()
            .route("/", web::get().to(async || ""))
            .wrap_fn(|request, _| {
                let error: Error = match request.path() {
                    "/refused" => Refusal::from(ErrorCode::Conflict).into(),
                    _ => ErrorBadGateway("upstream"),
                };
                ready(Err::<ServiceResponse, _>(error))
            })
            .wrap(gate(&authority, Policy::pat(), &realm)),
    )
    .await;
    let pat = bearer(&authority.pat("creator", "*").await);
    for (path, status, body) in [
        (
            "/refused",
            409,
            r#"{"detail":"The request conflicts with the present state","code":"conflict"}"#,
        ),
        ("/", 502, "upstream"),
    ] {
        let fields = [format!("origin: {page}"), pat.clone()];
        let fields = fields.each_ref().map(|field| &**field);
        let request = request(&format!("GET {path}"), &fields).to_request();
        let error = app.call(request).await.unwrap_err();
        assert!(!error.to_string().is_empty());
        let response = error.error_response();
        assert_eq!(response.status(), status);
        let headers = response.headers();
        assert_eq!(headers.get("cache-control").unwrap(), "no-store");
        assert_eq!(headers.get("access-control-allow-origin").unwrap(), page);
        let Ok(bytes) = to_bytes(response.into_body()).await else {
            panic!("a body");
        };
        assert_eq!(bytes, body);
    }
}

#[actix_web::test]
async fn a_tenant_is_read_where_its_parameter_is_known() {
    let authority = authority().await;
    let realm = Realm::builder("api").tenant_kind(HANDLE).build();
    let policy = || Policy::pat().tenant_from("handle");
    let handler = async |caller: Authenticated| caller.tenant().unwrap().slug().to_owned();
    let header = |request: &HttpRequest| {
        let name = request.headers().get("x-handle")?;
        Some(name.to_str().ok()?.to_owned())
    };
    let app = init_service(
        App::new()
            .service(
                web::scope("/in/{handle}")
                    .wrap(gate(&authority, policy(), &realm))
                    .route("/x", web::get().to(handler)),
            )
            .service(
                web::scope("/out")
                    .wrap(gate(&authority, policy(), &realm))
                    .route("/{handle}", web::get().to(handler)),
            )
            .service(
                web::resource("/own")
                    .wrap(gate(&authority, policy(), &realm).tenant_from(header))
                    .route(web::get().to(handler)),
            ),
    )
    .await;
    let pat = bearer(&authority.pat("creator", "*").await);
    for (line, handle, status, cause) in [
        ("GET /in/creator/x", "", 200, None),
        ("GET /in/other/x", "", 403, Some(Cause::ForeignTenant)),
        ("GET /in/%ff/x", "", 400, None),
        ("GET /out/creator", "", 500, Some(Cause::PolicyMissing)),
        ("GET /own", "creator", 200, None),
        ("GET /own", "other", 403, Some(Cause::ForeignTenant)),
    ] {
        let handle = format!("x-handle: {handle}");
        let answer = answered(&app, request(line, &[&pat, &handle]).to_request()).await;
        assert_eq!((answer.status, answer.cause()), (status, cause), "{line}");
    }
    let nameless = answered(&app, request("GET /own", &[&pat]).to_request()).await;
    assert_eq!(
        (nameless.status, nameless.cause()),
        (500, Some(Cause::PolicyMissing))
    );
}

#[actix_web::test]
async fn limits_go_by_the_peer_or_what_is_said() {
    let authority = authority().await;
    let limits = Limits::none().per_source(Rate::new(1, 60, 1).unwrap());
    let realm = Realm::builder("api").limits(limits).build();
    let policy = || gate(&authority, Policy::public(), &realm);
    let ok = || web::get().to(async || "");
    let said = |_: &HttpRequest| Some([192, 0, 2, 9].into());
    let app = init_service(
        App::new()
            .service(web::resource("/peer").wrap(policy()).route(ok()))
            .service(
                web::resource("/said")
                    .wrap(policy().source_from(said))
                    .route(ok()),
            )
            .service(
                web::resource("/proxied")
                    .wrap(policy().behind_proxies(TrustedProxies::forwarded(1).unwrap()))
                    .route(ok()),
            ),
    )
    .await;
    let mut statuses = Vec::new();
    for (path, last) in [("/peer", 1), ("/peer", 1), ("/said", 2), ("/said", 3)] {
        let peer = std::net::SocketAddr::from(([192, 0, 2, last], 1));
        let request = request(&format!("GET {path}"), &[]).peer_addr(peer);
        statuses.push(answered(&app, request.to_request()).await.status);
    }
    assert_eq!(statuses, [200, 429, 200, 429]);

    for (lines, status) in [
        (&["forwarded: for=192.0.2.20, for=192.0.2.21"][..], 200),
        (&["forwarded: for=\"", "forwarded: for=192.0.2.21"], 429),
        (&["forwarded: for=192.0.2.22"], 200),
        (&["x-forwarded-for: 192.0.2.23"], 429),
    ] {
        let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 1));
        let request = request("GET /proxied", lines).peer_addr(peer);
        let answer = answered(&app, request.to_request()).await;
        assert_eq!(answer.status, status, "{lines:?}");
    }
}

#[actix_web::test]
async fn a_preflight_needs_no_credential_and_every_answer_can_be_read() {
    let authority = authority().await;
    let page = "https://app.example";
    let cors = Cors::origins([page]).build().unwrap();
    let realm = Realm::builder("api").cors(cors).build();
    let app = init_service(App::new().route("/", web::get().to(async || "")).wrap(gate(
        &authority,
        Policy::pat(),
        &realm,
    )))
    .await;
    let pat = bearer(&authority.pat("creator", "*").await);
    let origin = format!("origin: {page}");
    let asks = "access-control-request-method: GET";
    for (line, fields, status) in [
        ("OPTIONS /", &[&*origin, asks][..], 204),
        ("OPTIONS /", &[&*origin], 401),
        ("GET /", &[&*origin], 401),
        ("GET /", &[&*origin, &*pat], 200),
    ] {
        let answer = answered(&app, request(line, fields).to_request()).await;
        assert_eq!(answer.status, status, "{line}");
        assert_eq!(answer.field("access-control-allow-origin"), Some(page));
    }
    let foreign = ["origin: https://evil.example", asks];
    let answer = answered(&app, request("OPTIONS /", &foreign).to_request()).await;
    assert_eq!(answer.field("access-control-allow-origin"), None);
}

#[actix_web::test]
async fn the_next_request_is_judged_by_the_policy_put_in_place() {
    let authority = authority().await;
    let realm = Realm::builder("api").build();
    let gate = authority.gate().clone();
    let compile = |policy: Policy| gate.compile(&policy, &realm).unwrap();
    let live = LivePolicy::new(compile(Policy::public()));
    let app = init_service(
        App::new()
            .route("/", web::get().to(async || ""))
            .wrap(GateMiddleware::new(gate.clone(), live.clone())),
    )
    .await;
    assert_eq!(
        answered(&app, request("GET /", &[]).to_request())
            .await
            .status,
        200
    );
    live.replace(compile(Policy::pat())).unwrap();
    assert_eq!(
        answered(&app, request("GET /", &[]).to_request())
            .await
            .status,
        401
    );
}
