//! The path parameter that names the tenant.

use axum::Router;
use axum::extract::Path;
use gatewright_axum::{Authenticated, GuardedRouter, get};
use gatewright_core::error::Cause;
use gatewright_core::policy::{Policy, Realm};
use gatewright_testing::TestAuthority;

use crate::answer::{bearer, send};
use crate::{HANDLE, authority};

/// `/handles/{handle}/links/{slug}`, the tenant named in the prefix.
fn service(authority: &TestAuthority) -> Router {
    let realm = Realm::builder("api").tenant_kind(HANDLE).build();
    let policy = Policy::pat().scope("links.read").tenant_from("handle");
    let inner = GuardedRouter::new(authority.gate().clone(), realm.clone()).route(
        "/links/{slug}",
        get(
            policy,
            async |caller: Authenticated, Path((handle, slug)): Path<(String, String)>| {
                assert_eq!(
                    caller.tenant().unwrap().slug(),
                    handle,
                    "the gate and `Path` decode alike"
                );
                format!("{handle} {slug}")
            },
        ),
    );
    let (router, _) = GuardedRouter::new(authority.gate().clone(), realm)
        .nest("/handles/{handle}", inner)
        .finish()
        .unwrap();
    router
}

#[tokio::test]
async fn the_tenant_of_a_prefix_is_the_tenant_of_its_routes() {
    let authority = authority().await;
    let router = service(&authority);
    let pat = bearer(&authority.pat("creator", "links.read").await);
    assert_eq!(
        send(&router, "GET /handles/creator/links/x", &[&pat])
            .await
            .body,
        "creator x"
    );
    // The name is compared after decoding.
    assert_eq!(
        send(&router, "GET /handles/cre%61tor/links/x", &[&pat])
            .await
            .body,
        "creator x"
    );
    // Another parameter of the same value isn't the tenant, and a tenant that doesn't exist looks like one that does.
    for path in [
        "/handles/other/links/creator",
        "/handles/nobody/links/x",
        "/handles/Creator/links/x",
    ] {
        let answer = send(&router, &format!("GET {path}"), &[&pat]).await;
        assert_eq!(
            (answer.status, answer.cause()),
            (403, Some(Cause::ForeignTenant)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn escaped_delimiters_are_part_of_the_name() {
    let authority = authority().await;
    let router = service(&authority);
    let pat = bearer(&authority.pat("a/b %c", "links.read").await);
    let passed = send(&router, "GET /handles/a%2Fb%20%25c/links/x", &[&pat]).await;
    assert_eq!((passed.status, passed.body.as_str()), (200, "a/b %c x"));
    // Decoded once, never twice.
    let twice = send(&router, "GET /handles/a%252Fb%20%25c/links/x", &[&pat]).await;
    assert_eq!(
        (twice.status, twice.cause()),
        (403, Some(Cause::ForeignTenant))
    );
}

#[tokio::test]
async fn a_name_that_is_no_text_is_refused_before_the_gate() {
    let authority = authority().await;
    let router = service(&authority);
    let pat = bearer(&authority.pat("creator", "links.read").await);
    for fields in [&[][..], &[&*pat]] {
        let answer = send(&router, "GET /handles/%ff/links/x", fields).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("invalid_request"), "{}", answer.body);
    }
}

/// The parameter that counts is the route's own. One more of its name, in a router put around, makes it a mistake.
#[tokio::test]
async fn a_second_parameter_of_the_name_is_500() {
    let authority = authority().await;
    let pat = bearer(&authority.pat("creator", "links.read").await);
    for (prefix, status, cause) in [
        ("/other", 200, None),
        ("/{handle}", 500, Some(Cause::PolicyMissing)),
    ] {
        let router = Router::new().nest_service(prefix, service(&authority));
        let answer = send(&router, "GET /other/handles/creator/links/x", &[&pat]).await;
        assert_eq!((answer.status, answer.cause()), (status, cause), "{prefix}");
    }
}

/// `/audit?org=`, the tenant named in the query or by the credential itself.
#[tokio::test]
async fn the_tenant_of_a_query_is_the_tenant_of_the_request() {
    let authority = authority().await;
    authority.member("alice", "creator", "owner").await;
    let realm = authority.realm("api").tenant_kind(HANDLE).build();
    let policy = Policy::jwt().or(Policy::pat()).tenant_from_query("org");
    let whose = async |caller: Authenticated| {
        let tenant = caller.tenant();
        tenant.map_or_else(String::new, |tenant| tenant.slug().to_owned())
    };
    let (router, table) = GuardedRouter::new(authority.gate().clone(), realm)
        .route("/audit", get(policy, whose))
        .finish()
        .unwrap();
    assert_eq!(table.rows()[0].tenant_query.as_deref(), Some("org"));
    let pat = bearer(&authority.pat("creator", "*").await);
    let alice = bearer(&authority.token("alice").sign());
    for (query, caller, status, body) in [
        ("", &pat, 200, "creator"),
        ("", &alice, 200, ""),
        ("?page=2", &alice, 200, ""),
        ("?org=creator", &pat, 200, "creator"),
        ("?page=2&o%72g=cre%61tor", &alice, 200, "creator"),
        ("?org=other", &pat, 403, "insufficient_scope"),
        ("?org=nobody", &pat, 403, "insufficient_scope"),
        ("?org=", &pat, 403, "insufficient_scope"),
        ("?org=other", &alice, 404, "not_found"),
        ("?org=nobody", &alice, 404, "not_found"),
        ("?org=", &alice, 404, "not_found"),
        ("?org=creator&org=creator", &pat, 400, "invalid_request"),
        ("?org=creator&%6frg=other", &alice, 400, "invalid_request"),
        ("?org=%ff", &alice, 400, "invalid_request"),
    ] {
        for _cold_then_warm in 0..2 {
            let answer = send(&router, &format!("GET /audit{query}"), &[caller]).await;
            assert_eq!(answer.status, status, "{query}: {}", answer.body);
            let said = status == 200 && answer.body == body || answer.body.contains(body);
            assert!(said, "{query}: {}", answer.body);
        }
    }
}
