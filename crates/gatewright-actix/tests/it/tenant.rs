//! The path parameter that names the tenant.

use actix_web::test::init_service;
use actix_web::web::Path;
use actix_web::{App, web};
use gatewright_actix::{Authenticated, GuardedRoutes, GuardedScope, get};
use gatewright_core::error::Cause;
use gatewright_core::policy::{Policy, Realm};
use gatewright_testing::TestAuthority;

use crate::answer::{answered, bearer, request, send};
use crate::{HANDLE, authority};

/// `/handles/{handle}/links/{slug}`, the tenant named in the prefix.
fn service(authority: &TestAuthority) -> GuardedRoutes {
    let realm = Realm::builder("api").tenant_kind(HANDLE).build();
    let policy = Policy::pat().scope("links.read").tenant_from("handle");
    let inner = GuardedScope::new(authority.gate().clone(), realm.clone()).route(
        "/links/{slug}",
        get(
            policy,
            async |caller: Authenticated, path: Path<(String, String)>| {
                let (handle, slug) = path.into_inner();
                assert_eq!(
                    caller.tenant().unwrap().slug(),
                    handle,
                    "the gate and `Path` decode alike"
                );
                format!("{handle} {slug}")
            },
        ),
    );
    let (routes, _) = GuardedScope::new(authority.gate().clone(), realm)
        .nest("/handles/{handle}", inner)
        .finish()
        .unwrap();
    routes
}

#[actix_web::test]
async fn the_tenant_of_a_prefix_is_the_tenant_of_its_routes() {
    let authority = authority().await;
    let routes = service(&authority);
    let pat = bearer(&authority.pat("creator", "links.read").await);
    assert_eq!(
        send(&routes, "GET /handles/creator/links/x", &[&pat])
            .await
            .body,
        "creator x"
    );
    // The name is compared after decoding.
    assert_eq!(
        send(&routes, "GET /handles/cre%61tor/links/x", &[&pat])
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
        let answer = send(&routes, &format!("GET {path}"), &[&pat]).await;
        assert_eq!(
            (answer.status, answer.cause()),
            (403, Some(Cause::ForeignTenant)),
            "{path}"
        );
    }
}

#[actix_web::test]
async fn escaped_delimiters_are_part_of_the_name() {
    let authority = authority().await;
    let routes = service(&authority);
    let pat = bearer(&authority.pat("a/b %c", "links.read").await);
    let passed = send(&routes, "GET /handles/a%2Fb%20%25c/links/x", &[&pat]).await;
    assert_eq!((passed.status, passed.body.as_str()), (200, "a/b %c x"));
    // Decoded once, never twice.
    let twice = send(&routes, "GET /handles/a%252Fb%20%25c/links/x", &[&pat]).await;
    assert_eq!(
        (twice.status, twice.cause()),
        (403, Some(Cause::ForeignTenant))
    );
}

#[actix_web::test]
async fn a_name_that_is_no_text_is_refused_before_the_gate() {
    let authority = authority().await;
    let routes = service(&authority);
    let pat = bearer(&authority.pat("creator", "links.read").await);
    for fields in [&[][..], &[&*pat]] {
        let answer = send(&routes, "GET /handles/%ff/links/x", fields).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("invalid_request"), "{}", answer.body);
    }
}

/// actix decodes `%32` first and then finds `%2F`. Handler and gate would disagree about the tenant's name.
#[actix_web::test]
async fn a_name_that_actix_would_decode_twice_is_refused() {
    let authority = authority().await;
    let routes = service(&authority);
    let pat = bearer(&authority.pat("a/b %c", "links.read").await);
    let answer = send(&routes, "GET /handles/a%%32Fb%20%25c/links/x", &[&pat]).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("invalid_request"), "{}", answer.body);
}

/// The parameter that counts is the route's own. One more of its name, in a scope put around, makes it a mistake.
#[actix_web::test]
async fn a_second_parameter_of_the_name_is_500() {
    let authority = authority().await;
    let routes = service(&authority);
    let pat = bearer(&authority.pat("creator", "links.read").await);
    for (prefix, status, cause) in [
        ("/other", 200, None),
        ("/{handle}", 500, Some(Cause::PolicyMissing)),
    ] {
        let scope = web::scope(prefix).configure(|config| routes.register(config));
        let app = init_service(App::new().service(scope)).await;
        let line = "GET /other/handles/creator/links/x";
        let answer = answered(&app, request(line, &[&pat]).to_request()).await;
        assert_eq!((answer.status, answer.cause()), (status, cause), "{prefix}");
    }
}

/// `/audit?org=`, the tenant named in the query or by the credential itself.
#[actix_web::test]
async fn the_tenant_of_a_query_is_the_tenant_of_the_request() {
    let authority = authority().await;
    authority.member("alice", "creator", "owner").await;
    let realm = authority.realm("api").tenant_kind(HANDLE).build();
    let policy = Policy::jwt().or(Policy::pat()).tenant_from_query("org");
    let whose = async |caller: Authenticated| {
        let tenant = caller.tenant();
        tenant.map_or_else(String::new, |tenant| tenant.slug().to_owned())
    };
    let (routes, _) = GuardedScope::new(authority.gate().clone(), realm)
        .route("/audit", get(policy, whose))
        .finish()
        .unwrap();
    let pat = bearer(&authority.pat("creator", "*").await);
    let alice = bearer(&authority.token("alice").sign());
    for (query, caller, status, body) in [
        ("", &pat, 200, "creator"),
        ("", &alice, 200, ""),
        ("?o%72g=cre%61tor", &alice, 200, "creator"),
        ("?org=other", &pat, 403, "insufficient_scope"),
        ("?org=nobody", &alice, 404, "not_found"),
        ("?org=creator&org=creator", &pat, 400, "invalid_request"),
        ("?org=%ff", &alice, 400, "invalid_request"),
    ] {
        let answer = send(&routes, &format!("GET /audit{query}"), &[caller]).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
        let said = status == 200 && answer.body == body || answer.body.contains(body);
        assert!(said, "{query}: {}", answer.body);
    }
}
