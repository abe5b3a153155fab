//! What `finish` finds before the first request.

use crate::answer::send;
use crate::{HANDLE, authority};
use gatewright_actix::{GuardedScope, get};
use gatewright_core::cors::Cors;
use gatewright_core::policy::{Policy, PolicyError, Realm};

#[actix_web::test]
async fn every_mistake_of_every_route_at_once() {
    let authority = authority().await;
    let realm = Realm::builder("api").tenant_kind(HANDLE).build();
    let make = || GuardedScope::new(authority.gate().clone(), realm.clone());
    let ok = async || "";
    let inner = make()
        .route(
            "/links/{handle}",
            get(Policy::pat().tenant_from("handle"), ok).put(Policy::pat().tenant_from("org"), ok),
        )
        .fallback(Policy::pat().feature("gold"), ok);
    let mistakes = make()
        .route(
            "/a",
            get(Policy::pat().scope("links..read").scope("no spaces"), ok),
        )
        .route("/a", get(Policy::pat(), ok))
        .route("/jwt", get(Policy::jwt().role("king"), ok))
        .nest("/handles/{handle}", inner)
        .merge(make().fallback(Policy::public(), ok))
        .merge(make().fallback(Policy::public(), ok))
        .finish()
        .unwrap_err();
    let found: Vec<_> = mistakes
        .errors()
        .iter()
        .map(|mistake| (&*mistake.method, &*mistake.path, mistake.error.clone()))
        .collect();
    assert_eq!(
        found,
        [
            (
                "GET",
                "/a",
                PolicyError::MalformedScope("links..read".into())
            ),
            ("GET", "/a", PolicyError::MalformedScope("no spaces".into())),
            ("GET", "/a", PolicyError::DuplicateRoute),
            ("GET", "/jwt", PolicyError::NoIssuer),
            ("GET", "/jwt", PolicyError::UnknownRole("king".into())),
            ("*", "/*", PolicyError::DuplicateRoute),
            (
                "*",
                "/handles/{handle}/links/{handle}",
                PolicyError::InvalidPath("two parameters have the same name".into())
            ),
            (
                "GET",
                "/handles/{handle}/links/{handle}",
                PolicyError::TenantParameterTwice("handle".into())
            ),
            (
                "PUT",
                "/handles/{handle}/links/{handle}",
                PolicyError::TenantParameterAbsent("org".into())
            ),
            (
                "*",
                "/handles/{handle}/*",
                PolicyError::UnknownFeature("gold".into())
            ),
        ]
    );
}

#[actix_web::test]
async fn a_method_twice_on_one_path_is_a_mistake_and_no_panic() {
    let authority = authority().await;
    let mistakes = GuardedScope::new(authority.gate().clone(), Realm::builder("api").build())
        .route(
            "/a",
            get(Policy::pat(), async || "").get(Policy::public(), async || ""),
        )
        .finish()
        .unwrap_err();
    assert_eq!(
        mistakes.to_string(),
        format!("GET /a: {}", PolicyError::DuplicateRoute)
    );
}

/// Some of these make actix panic, and some it would take for something else than axum does.
#[actix_web::test]
async fn a_path_that_cannot_be_served_is_a_mistake_and_no_panic() {
    let authority = authority().await;
    let make = || {
        GuardedScope::new(authority.gate().clone(), Realm::builder("api").build())
            .route("/a/{x}", get(Policy::public(), async || ""))
    };
    let ok = || get(Policy::public(), async || "");
    for path in [
        "",
        "b",
        "/:b",
        "/*b",
        "/{b",
        "/{}",
        "/{b}c",
        "/{*b}/c",
        "/a/{y}",
        "/a/{*y}",
        "/b{c}",
        "/b*",
        "/{b}*",
        "/{b:[0-9]+}",
        "/{b-c}",
        "/{1}",
        "/{{b}}",
        "/%62",
        "/{b}/c/{b}",
        "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}/{q}",
    ] {
        let mistakes = make().route(path, ok()).finish().unwrap_err();
        let found = &mistakes.errors()[0].error;
        assert!(matches!(found, PolicyError::InvalidPath(_)), "{path:?}");
    }
    let inner = || GuardedScope::new(authority.gate().clone(), Realm::builder("api").build());
    for prefix in ["", "/", "b", "/:b", "/{*b}", "//", "/{b:.}"] {
        let mistakes = make().nest(prefix, inner()).finish().unwrap_err();
        let found = &mistakes.errors()[0].error;
        assert!(matches!(found, PolicyError::InvalidPath(_)), "{prefix:?}");
    }
    for other in ["/b", "/b/", "/b/{c}"] {
        let beside = make().nest("/b", inner()).nest(other, inner());
        assert_eq!(beside.finish().unwrap_err().errors().len(), 1, "{other:?}");
    }
    let apart = make()
        .nest("/b", inner().route("/", ok()))
        .nest("/b/c", inner().route("/{d}", ok()))
        .route("/b/{e}", ok());
    assert!(apart.finish().is_ok());
}

#[actix_web::test]
async fn policies_are_replaced_while_the_router_serves_all_or_none() {
    let authority = authority().await;
    let realm = Realm::builder("api").tenant_kind(HANDLE).build();
    let pat = |scope: &str| Policy::pat().scope(scope).tenant_from("handle");
    let (routes, table) = GuardedScope::new(authority.gate().clone(), realm)
        .route(
            "/handles/{handle}",
            get(pat("links.read"), async || "").put(pat("links.read"), async || ""),
        )
        .finish()
        .unwrap();
    let token = authority.pat("creator", "links.read").await;
    let status = async |method: &str| {
        let key = format!("x-api-key: {token}");
        send(&routes, &format!("{method} /handles/creator"), &[&key])
            .await
            .status
    };
    let path = "/handles/{handle}";

    let mistakes = table
        .replace([
            ("PUT", path, pat("links.write")),
            ("PUT", "/nowhere", pat("links.write")),
            ("GET", path, Policy::pat().tenant_from("org")),
        ])
        .unwrap_err();
    let found: Vec<_> = mistakes
        .errors()
        .iter()
        .map(|mistake| mistake.error.clone())
        .collect();
    assert_eq!(
        found,
        [
            PolicyError::UnknownRoute,
            PolicyError::TenantParameterAbsent("org".into())
        ]
    );
    assert_eq!(status("PUT").await, 200);

    let replaced = table.replace([("PUT", path, pat("links.write"))]).unwrap();
    assert_eq!(replaced.rows()[1].modes[0].scopes, ["links.write"]);
    assert_eq!((status("GET").await, status("PUT").await), (200, 403));
}

#[actix_web::test]
async fn a_realm_that_lets_pages_call_answers_their_preflights_on_every_path() {
    let authority = authority().await;
    let page = "https://app.example";
    let cors = Cors::origins([page]).build().unwrap();
    let realm = Realm::builder("api").cors(cors).build();
    let (routes, _) = GuardedScope::new(authority.gate().clone(), realm)
        .route("/links", get(Policy::pat(), async || ""))
        .finish()
        .unwrap();
    for (method, path, status) in [
        ("OPTIONS", "/links", 204),
        ("OPTIONS", "/nowhere", 204),
        ("GET", "/links", 401),
        ("POST", "/links", 405),
        ("GET", "/nowhere", 404),
    ] {
        let fields = [
            format!("origin: {page}"),
            "access-control-request-method: GET".to_owned(),
        ];
        let fields = fields.each_ref().map(|field| &**field);
        let answer = send(&routes, &format!("{method} {path}"), &fields).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.field("access-control-allow-origin"), Some(page));
        assert_eq!(answer.field("vary"), Some("origin"));
    }
}
