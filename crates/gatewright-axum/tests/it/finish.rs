//! What `finish` finds before the first request.

use gatewright_axum::{GuardedRouter, get};
use gatewright_core::policy::{Policy, PolicyError, Realm};

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

/// Each of these makes axum panic.
#[tokio::test]
async fn a_path_that_axum_cannot_serve_is_a_mistake_and_no_panic() {
    let authority = authority().await;
    let make = || {
        GuardedRouter::<()>::new(authority.gate().clone(), Realm::builder("api").build())
            .route("/a/{x}", get(Policy::public(), async || ""))
    };
    let ok = || get(Policy::public(), async || "");
    for path in [
        "", "b", "/:b", "/*b", "/{b", "/{}", "/{b}c", "/{*b}/c", "/a/{y}",
    ] {
        let mistakes = make().route(path, ok()).finish().unwrap_err();
        let found = &mistakes.errors()[0].error;
        assert!(matches!(found, PolicyError::InvalidPath(_)), "{path:?}");
    }
    let inner = || GuardedRouter::new(authority.gate().clone(), Realm::builder("api").build());
    for prefix in ["", "/", "b", "/:b", "/{*b}"] {
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
