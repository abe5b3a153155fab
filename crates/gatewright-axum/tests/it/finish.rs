//! What `finish` finds before the first request.

use std::collections::BTreeSet;

use axum::body::Body;
use gatewright_axum::{GuardedRouter, get};
use gatewright_core::cors::Cors;
use gatewright_core::policy::{Policy, PolicyError, Realm};
use http::Request;
use proptest::prelude::*;
use proptest::{collection, sample};
use tower::ServiceExt as _;

use crate::{HANDLE, authority};

#[tokio::test]
async fn every_mistake_of_every_route_at_once() {
    let authority = authority().await;
    let realm = Realm::builder("api").tenant_kind(HANDLE).build();
    let make = || GuardedRouter::<()>::new(authority.gate().clone(), realm.clone());
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

#[tokio::test]
async fn a_method_twice_on_one_path_is_a_mistake_and_no_panic() {
    let authority = authority().await;
    let mistakes =
        GuardedRouter::<()>::new(authority.gate().clone(), Realm::builder("api").build())
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

/// Some of these make axum panic, and some another framework.
#[tokio::test]
async fn a_path_that_axum_cannot_serve_is_a_mistake_and_no_panic() {
    let authority = authority().await;
    let make = || {
        GuardedRouter::<()>::new(authority.gate().clone(), Realm::builder("api").build())
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
        "/{b-c}",
        "/%62",
        "/{b}/c/{b}",
    ] {
        let mistakes = make().route(path, ok()).finish().unwrap_err();
        let found = &mistakes.errors()[0].error;
        assert!(matches!(found, PolicyError::InvalidPath(_)), "{path:?}");
    }
    let inner = || GuardedRouter::new(authority.gate().clone(), Realm::builder("api").build());
    for prefix in ["", "/", "b", "/:b", "/{*b}", "/{b}", "/{b}/c"] {
        let mistakes = make().nest(prefix, inner()).finish().unwrap_err();
        let found = &mistakes.errors()[0].error;
        assert!(matches!(found, PolicyError::InvalidPath(_)), "{prefix:?}");
    }
    let twice = make().nest("/b", inner()).nest("/b", inner());
    assert_eq!(twice.finish().unwrap_err().errors().len(), 1);
    let apart = make()
        .nest("/b", inner().route("/", ok()))
        .nest("/b/c", inner().route("/{d}", ok()))
        .route("/b/{e}", ok());
    assert!(apart.finish().is_ok());
}

proptest! {
    /// The rules of paths are the core's own. Where they let through what axum can't serve, `finish` panics; where they
    /// refuse more, a service can't be written.
    #[test]
    fn paths_are_refused_where_axum_would_panic(
        paths in collection::vec(
            collection::vec(sample::select(vec!["", "a", "b", "ab", "{x}", "{y}", "{*z}"]), 1..4),
            1..6,
        ),
    ) {
        let paths: BTreeSet<String> = paths.iter().map(|path| format!("/{}", path.join("/"))).collect();
        let twice = paths.iter().any(|path| path.matches("{x}").count() > 1 || path.matches("{y}").count() > 1);
        let mut known = matchit::Router::new();
        let served = paths.iter().all(|path| known.insert(path, ()).is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let authority = runtime.block_on(authority());
        let mut router = GuardedRouter::<()>::new(authority.gate().clone(), Realm::builder("api").build());
        for path in &paths {
            router = router.route(path, get(Policy::public(), async || ""));
        }
        prop_assert_eq!(router.finish().is_ok(), served && !twice, "{:?}", paths);
    }

    /// Nested too: what `finish` lets through, axum serves.
    #[test]
    fn prefixes_are_refused_where_axum_would_panic(
        nested in collection::vec(
            (
                sample::select(vec!["/a", "/a/", "/b", "/a/b", "/{x}", "/{y}", "/{x}/b", "/a//b", "//"]),
                collection::btree_set(
                    sample::select(vec!["/", "/a", "/a/", "/{z}", "/{*r}", "/b/{z}", "//a"]),
                    0..4,
                ),
            ),
            1..4,
        ),
        beside in collection::btree_set(
            sample::select(vec!["/", "/a", "/a/", "/{x}", "/a/b", "/a/{z}", "/b/{*r}", "/{x}/b", "/{*r}"]),
            0..3,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let authority = runtime.block_on(authority());
        let make = |paths: &BTreeSet<&str>| {
            let router = GuardedRouter::<()>::new(authority.gate().clone(), Realm::builder("api").build());
            paths.iter().fold(router, |router, path| router.route(path, get(Policy::public(), async || "")))
        };
        let whole = make(&beside);
        let whole = nested.iter().fold(whole, |whole, (prefix, paths)| whole.nest(prefix, make(paths)));
        let _ = whole.finish();
    }
}

#[tokio::test]
async fn policies_are_replaced_while_the_router_serves_all_or_none() {
    let authority = authority().await;
    let realm = Realm::builder("api").tenant_kind(HANDLE).build();
    let pat = |scope: &str| Policy::pat().scope(scope).tenant_from("handle");
    let (router, table) = GuardedRouter::<()>::new(authority.gate().clone(), realm)
        .route(
            "/handles/{handle}",
            get(pat("links.read"), async || "").put(pat("links.read"), async || ""),
        )
        .finish()
        .unwrap();
    let token = authority.pat("creator", "links.read").await;
    let status = async |method: &str| {
        let request = Request::builder()
            .method(method)
            .uri("/handles/creator")
            .header("x-api-key", &token);
        let request = request.body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
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
    assert_eq!(
        (status("GET").await, status("PUT").await),
        (200.try_into().unwrap(), 403.try_into().unwrap())
    );
}

#[tokio::test]
async fn a_realm_that_lets_pages_call_answers_their_preflights_on_every_path() {
    let authority = authority().await;
    let page = "https://app.example";
    let cors = Cors::origins([page]).build().unwrap();
    let realm = Realm::builder("api").cors(cors).build();
    let (router, _) = GuardedRouter::<()>::new(authority.gate().clone(), realm)
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
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("origin", page)
            .header("access-control-request-method", "GET");
        let request = request.body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(answer.headers()["access-control-allow-origin"], page);
    }
}
