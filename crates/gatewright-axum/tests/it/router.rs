//! Routes, unknown paths and methods.

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use gatewright_axum::{Authenticated, GuardedRouter, get};
use gatewright_core::dialect::Dialect;
use gatewright_core::error::Cause;
use gatewright_core::limit::Rate;
use gatewright_core::policy::{Limits, Policy, Realm};
use gatewright_core::source::TrustedProxies;
use gatewright_testing::TestAuthority;
use tower::Service as _;

use crate::answer::{bearer, send};
use crate::{HANDLE, authority};

const NOT_FOUND: &str = r#"{"error":{"code":"not_found","message":"Not found","statusCode":404}}"#;
const NOT_FOUND_DETAIL: &str = r#"{"detail":"Not found","code":"not_found"}"#;

/// `/links` and, in the detail dialect, everything under `/api`.
fn service(authority: &TestAuthority) -> Router {
    let api = Realm::builder("api").dialect(Dialect::Detail).build();
    let inner = GuardedRouter::new(authority.gate().clone(), api)
        .route("/keys", get(Policy::api_key(), async || "keys"))
        .route("/open", get(Policy::public(), async || "open"));
    let realm = Realm::builder("links").build();
    let (router, _) = GuardedRouter::new(authority.gate().clone(), realm)
        .route(
            "/links",
            get(
                Policy::pat().scope("links.read"),
                async |caller: Authenticated| caller.scopes().to_string(),
            )
            .put(Policy::pat().scope("links.write"), async || "put"),
        )
        .nest("/api", inner)
        .finish()
        .unwrap();
    router
}

#[tokio::test]
async fn each_method_has_its_own_policy() {
    let authority = authority().await;
    let router = service(&authority);
    let reader = bearer(&authority.pat("creator", "links.read").await);

    let passed = send(&router, "GET /links", &[&reader]).await;
    assert_eq!((passed.status, passed.body.as_str()), (200, "links.read"));
    assert_eq!(passed.field("cache-control"), Some("no-store"));

    let refused = send(&router, "PUT /links", &[&reader]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.body,
        r#"{"error":{"code":"insufficient_scope","message":"Token does not have the required scope: links.write","statusCode":403}}"#
    );
    assert_eq!(
        refused.field("www-authenticate"),
        Some(
            r#"Bearer realm="links", error="insufficient_scope", error_description="Token does not have the required scope: links.write", scope="links.write""#
        )
    );
    assert_eq!(refused.cause(), Some(Cause::MissingScope));
}

#[tokio::test]
async fn a_nested_realm_has_its_own_credentials() {
    let authority = authority().await;
    let router = service(&authority);
    let key = format!("x-api-key: {}", authority.key("creator", "*").await);
    let passed = send(&router, "GET /api/keys", &[&key]).await;
    assert_eq!((passed.status, passed.body.as_str()), (200, "keys"));
    let refused = send(&router, "GET /links", &[&key]).await;
    assert_eq!(
        (refused.status, refused.cause()),
        (403, Some(Cause::WrongModeSecret))
    );
    let refused = send(&router, "GET /api/keys", &[]).await;
    assert_eq!(
        refused.body,
        r#"{"detail":"No credential was presented","code":"missing_bearer_token"}"#
    );
}

#[tokio::test]
async fn nothing_presented_is_challenged_without_an_error_code() {
    let authority = authority().await;
    let answer = send(&service(&authority), "GET /links", &[]).await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.field("www-authenticate"),
        Some(r#"Bearer realm="links""#)
    );
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!(answer.cause(), Some(Cause::NothingPresented));
}

#[tokio::test]
async fn a_token_in_the_query_is_refused() {
    let authority = authority().await;
    let pat = authority.pat("creator", "links.read").await;
    let answer = send(
        &service(&authority),
        &format!("GET /links?access_token={pat}"),
        &[],
    )
    .await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.cause(), Some(Cause::TokenInQuery));
}

#[tokio::test]
async fn problem_details_on_request() {
    let authority = authority().await;
    let router = service(&authority);
    for line in [
        "GET /links",
        "GET /nowhere",
        "DELETE /links",
        "GET /api/keys",
    ] {
        let answer = send(&router, line, &["accept: application/problem+json"]).await;
        assert_eq!(
            answer.field("content-type"),
            Some("application/problem+json"),
            "{line}"
        );
        assert!(
            answer.body.contains(r#""type":"#),
            "{line}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn unknown_paths_are_answered_in_the_dialect_of_their_realm() {
    let authority = authority().await;
    let router = service(&authority);
    for (line, body) in [
        ("GET /nowhere", NOT_FOUND),
        ("POST /", NOT_FOUND),
        ("GET /api/nowhere", NOT_FOUND_DETAIL),
        ("GET /api", NOT_FOUND_DETAIL),
    ] {
        let answer = send(&router, line, &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, body), "{line}");
        assert_eq!(
            answer.field("content-type"),
            Some("application/json"),
            "{line}"
        );
    }
}

/// RFC 9110 §15.5.6: a 405 says which methods there are.
#[tokio::test]
async fn unknown_methods_are_answered_in_the_dialect_with_allow() {
    let authority = authority().await;
    let router = service(&authority);
    let answer = send(&router, "DELETE /links", &[]).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.field("allow"), Some("GET,HEAD,PUT"));
    assert_eq!(
        answer.body,
        r#"{"error":{"code":"method_not_allowed","message":"The method is not allowed here","statusCode":405}}"#
    );
    let answer = send(&router, "POST /api/keys", &[]).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.field("allow"), Some("GET,HEAD"));
    assert_eq!(
        answer.body,
        r#"{"detail":"The method is not allowed here","code":"method_not_allowed"}"#
    );
}

#[tokio::test]
async fn head_is_judged_by_the_policy_of_get() {
    let authority = authority().await;
    let router = service(&authority);
    let refused = send(&router, "HEAD /links", &[]).await;
    assert_eq!((refused.status, refused.body.as_str()), (401, ""));
    assert!(refused.field("www-authenticate").is_some());
    let reader = bearer(&authority.pat("creator", "links.read").await);
    let passed = send(&router, "HEAD /links", &[&reader]).await;
    assert_eq!((passed.status, passed.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_public_route_looks_at_no_credential() {
    let authority = authority().await;
    let answer = send(
        &service(&authority),
        "GET /api/open",
        &["authorization: Bearer nonsense"],
    )
    .await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "open"));
    assert_eq!(answer.field("cache-control"), None);
}

#[tokio::test]
async fn what_a_handler_says_of_caching_stands() {
    let authority = authority().await;
    let (router, _) = GuardedRouter::new(authority.gate().clone(), Realm::builder("api").build())
        .route(
            "/",
            get(Policy::pat(), async || {
                ([("cache-control", "private, max-age=5")], "")
            }),
        )
        .finish()
        .unwrap();
    let pat = bearer(&authority.pat("creator", "links.read").await);
    let answer = send(&router, "GET /", &[&pat]).await;
    assert_eq!(answer.field("cache-control"), Some("private, max-age=5"));
}

#[tokio::test]
async fn limits_are_told_to_admitted_and_refused() {
    let authority = authority().await;
    let limits = Limits::none()
        .per_credential(Rate::new(2, 60, 2).unwrap())
        .per_source(Rate::new(1, 60, 1).unwrap());
    let realm = Realm::builder("api").limits(limits).build();
    let (router, _) = GuardedRouter::new(authority.gate().clone(), realm)
        .source_from(|_| Some([192, 0, 2, 1].into()))
        .route("/", get(Policy::pat(), async || ""))
        .finish()
        .unwrap();
    let pat = bearer(&authority.pat("creator", "links.read").await);

    let first = send(&router, "GET /", &[&pat]).await;
    assert_eq!(first.status, 200);
    assert_eq!(
        first.field("ratelimit-policy"),
        Some(r#""credential";q=2;w=60"#)
    );
    assert!(
        first
            .field("ratelimit")
            .unwrap()
            .starts_with(r#""credential";r=1;t="#)
    );
    send(&router, "GET /", &[&pat]).await;
    let third = send(&router, "GET /", &[&pat]).await;
    assert_eq!(third.status, 429);
    assert!(
        third
            .field("ratelimit")
            .unwrap()
            .starts_with(r#""credential";r=0;t="#)
    );
    assert!(third.field("retry-after").unwrap().parse::<u32>().unwrap() >= 1);

    // A path that isn't there is charged to the source.
    let missing = send(&router, "GET /nowhere", &[]).await;
    assert_eq!(missing.status, 404);
    assert!(
        missing
            .field("ratelimit")
            .unwrap()
            .starts_with(r#""source";r=0;t="#)
    );
    assert_eq!(send(&router, "GET /nowhere", &[]).await.status, 429);
}

/// The address of axum's `ConnectInfo` is the source unless something else is said, in nested routers too.
#[tokio::test]
async fn the_peer_is_the_source() {
    use std::net::SocketAddr;

    use axum::Extension;
    use axum::extract::ConnectInfo;

    let authority = authority().await;
    let realm = || {
        let limits = Limits::none().per_source(Rate::new(1, 60, 1).unwrap());
        Realm::builder("api").limits(limits).build()
    };
    let inner = || {
        GuardedRouter::new(authority.gate().clone(), realm())
            .route("/open", get(Policy::public(), async || ""))
    };
    let outer = || GuardedRouter::new(authority.gate().clone(), realm()).nest("/in", inner());
    let peer = |router: Router, last: u8| {
        router.layer(Extension(ConnectInfo(SocketAddr::from((
            [192, 0, 2, last],
            1,
        )))))
    };

    let (router, _) = outer().finish().unwrap();
    assert_eq!(
        send(&peer(router.clone(), 1), "GET /in/open", &[])
            .await
            .status,
        200
    );
    assert_eq!(
        send(&peer(router.clone(), 1), "GET /in/open", &[])
            .await
            .status,
        429
    );
    assert_eq!(
        send(&peer(router.clone(), 2), "GET /in/open", &[])
            .await
            .status,
        200
    );
    assert_eq!(
        send(&router, "GET /in/open", &[]).await.status,
        200,
        "no address, no charge"
    );

    let (proxied, _) = outer()
        .source_from(|_| Some([192, 0, 2, 9].into()))
        .finish()
        .unwrap();
    assert_eq!(
        send(&peer(proxied.clone(), 3), "GET /in/open", &[])
            .await
            .status,
        200
    );
    assert_eq!(
        send(&peer(proxied, 4), "GET /in/open", &[]).await.status,
        429
    );

    let (proxied, _) = outer()
        .behind_proxies(TrustedProxies::x_forwarded_for(1).unwrap())
        .finish()
        .unwrap();
    for (field, status) in [
        ("x-forwarded-for: 192.0.2.20, 192.0.2.21", 200),
        ("x-forwarded-for: 192.0.2.22, 192.0.2.21", 429),
        ("x-forwarded-for: 192.0.2.22", 200),
        ("forwarded: for=192.0.2.23", 200),
        ("forwarded: for=192.0.2.24", 429),
    ] {
        let answer = send(&peer(proxied.clone(), 5), "GET /in/open", &[field]).await;
        assert_eq!(answer.status, status, "{field}");
    }

    // What a configuration without proxies gives is said too: the socket, whatever stands around.
    let (unproxied, _) = GuardedRouter::new(authority.gate().clone(), realm())
        .behind_proxies(TrustedProxies::x_forwarded_for(1).unwrap())
        .nest("/in", inner().behind_proxies(None))
        .finish()
        .unwrap();
    for (field, status) in [
        ("x-forwarded-for: 192.0.2.30", 200),
        ("x-forwarded-for: 192.0.2.31", 429),
    ] {
        let answer = send(&peer(unproxied.clone(), 6), "GET /in/open", &[field]).await;
        assert_eq!(answer.status, status, "{field}");
    }
}

#[tokio::test]
async fn merged_routes_keep_their_realm_and_share_paths() {
    let authority = authority().await;
    let detail = Realm::builder("other").dialect(Dialect::Detail).build();
    let other = GuardedRouter::new(authority.gate().clone(), detail)
        .route("/a", gatewright_axum::post(Policy::pat(), async || ""))
        .route("/b", get(Policy::pat(), async || ""));
    let (router, table) =
        GuardedRouter::new(authority.gate().clone(), Realm::builder("api").build())
            .route("/a", get(Policy::pat(), async || ""))
            .merge(other)
            .finish()
            .unwrap();
    let body = async |line| send(&router, line, &[]).await.body;
    assert!(body("GET /a").await.starts_with(r#"{"error":"#));
    assert!(body("POST /a").await.starts_with(r#"{"detail":"#));
    assert!(body("GET /b").await.starts_with(r#"{"detail":"#));
    assert!(body("DELETE /b").await.starts_with(r#"{"detail":"#));
    assert!(body("GET /c").await.starts_with(r#"{"error":"#));
    assert_eq!(
        send(&router, "PUT /a", &[]).await.field("allow"),
        Some("GET,HEAD,POST")
    );
    let rows: Vec<_> = table
        .rows()
        .iter()
        .map(|row| (&*row.method, &*row.path, &*row.realm))
        .collect();
    assert_eq!(
        rows,
        [
            ("GET", "/a", "api"),
            ("POST", "/a", "other"),
            ("GET", "/b", "other")
        ]
    );
}

#[tokio::test]
async fn a_fallback_of_ones_own_is_guarded_and_has_a_row() {
    let authority = authority().await;
    let inner = GuardedRouter::new(authority.gate().clone(), Realm::builder("in").build())
        .route("/a", get(Policy::public(), async || ""))
        .fallback(Policy::pat(), async || "fallback");
    let (router, table) =
        GuardedRouter::new(authority.gate().clone(), Realm::builder("api").build())
            .nest("/in", inner)
            .finish()
            .unwrap();
    let pat = bearer(&authority.pat("creator", "links.read").await);
    assert_eq!(send(&router, "DELETE /in/b", &[]).await.status, 401);
    assert_eq!(
        send(&router, "DELETE /in/b", &[&pat]).await.body,
        "fallback"
    );
    assert_eq!(send(&router, "DELETE /b", &[&pat]).await.body, NOT_FOUND);
    let rows: Vec<_> = table
        .rows()
        .iter()
        .map(|row| (&*row.method, &*row.path))
        .collect();
    assert_eq!(rows, [("*", "/in/*"), ("GET", "/in/a")]);
}

#[tokio::test]
async fn state_reaches_handlers_of_nested_and_merged_routers() {
    use axum::extract::State;

    let authority = authority().await;
    let make = || {
        GuardedRouter::<&'static str>::new(authority.gate().clone(), Realm::builder("api").build())
    };
    let echo = async |State(state): State<&'static str>| state;
    let (router, _) = make()
        .route("/a", get(Policy::public(), echo))
        .merge(make().route("/b", get(Policy::public(), echo)))
        .nest("/in", make().route("/c", get(Policy::public(), echo)))
        .fallback(Policy::public(), echo)
        .with_state("state")
        .finish()
        .unwrap();
    for path in ["/a", "/b", "/in/c", "/nowhere"] {
        assert_eq!(
            send(&router, &format!("GET {path}"), &[]).await.body,
            "state",
            "{path}"
        );
    }
}

/// Policies are numbered within their gate: a foreign one must not admit by accident.
#[tokio::test]
async fn a_router_of_another_gate_admits_nobody() {
    let (ours, theirs) = (authority().await, authority().await);
    let realm = Realm::builder("api").build();
    let inner = GuardedRouter::new(theirs.gate().clone(), realm.clone())
        .route("/a", get(Policy::pat(), async || ""));
    let (router, _) = GuardedRouter::new(ours.gate().clone(), realm)
        .nest("/in", inner)
        .finish()
        .unwrap();
    for authority in [&ours, &theirs] {
        let pat = bearer(&authority.pat("creator", "*").await);
        let answer = send(&router, "GET /in/a", &[&pat]).await;
        assert_eq!(
            (answer.status, answer.cause()),
            (500, Some(Cause::ForeignPolicy))
        );
    }
}

#[tokio::test]
async fn nested_twice_the_table_has_the_path_that_is_served() {
    let authority = authority().await;
    let make = || GuardedRouter::<()>::new(authority.gate().clone(), Realm::builder("api").build());
    let innermost = make()
        .route("/", get(Policy::public(), async || "root"))
        .route("/c", get(Policy::public(), async || "leaf"));
    let (router, table) = make()
        .nest("/a", make().nest("/b", innermost))
        .finish()
        .unwrap();
    let paths: Vec<_> = table.rows().iter().map(|row| &*row.path).collect();
    assert_eq!(paths, ["/a/b", "/a/b/c"]);
    assert_eq!(send(&router, "GET /a/b", &[]).await.body, "root");
    assert_eq!(send(&router, "GET /a/b/c", &[]).await.body, "leaf");
}

#[tokio::test]
async fn merged_routes_keep_their_source() {
    let authority = authority().await;
    let limits = Limits::none().per_source(Rate::new(1, 60, 1).unwrap());
    let realm = Realm::builder("api").limits(limits).build();
    let make = || GuardedRouter::<()>::new(authority.gate().clone(), realm.clone());
    let leaf = |path| make().route(path, get(Policy::public(), async || ""));
    let proxied = leaf("/b")
        .nest("/in", leaf("/c"))
        .source_from(|_| Some([192, 0, 2, 1].into()));
    let (router, _) = leaf("/a").merge(proxied).finish().unwrap();
    let mut statuses = Vec::new();
    for path in ["/a", "/a", "/b", "/in/c"] {
        statuses.push(send(&router, &format!("GET {path}"), &[]).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}

/// What a guard costs a warm call: one box in the request's extensions, and where a limit was charged, the values of its two
/// fields; nothing for the tenant in the path. A handler of no size at all spares axum a box, which its guard then needs.
#[tokio::test]
async fn a_guard_allocates_once_and_twice_more_for_a_limit() {
    let authority = authority().await;
    let answer = || ([("cache-control", "no-store")], "");
    let state = Arc::new(());
    let holding = move || {
        let _ = &state;
        ready(answer())
    };
    let pat = format!("Bearer {}", authority.pat("creator", "links.read").await);
    let request = || {
        let request = Request::get("/creator").header("authorization", &pat);
        request.body(Body::empty()).unwrap()
    };
    let cost = |router: &Router| {
        let (mut router, request) = (router.clone(), request());
        let counted = allocation_counter::measure(|| {
            let answer = pin!(router.call(request));
            let Poll::Ready(Ok(response)) = answer.poll(&mut Context::from_waker(Waker::noop()))
            else {
                panic!("a warm call waits for nothing");
            };
            assert_eq!(response.status(), 200);
        });
        counted.count_total
    };
    let plenty = Rate::per_minute(1_000).unwrap();
    for (limits, allocated) in [
        (Limits::none(), 1),
        (Limits::none().per_credential(plenty), 3),
    ] {
        let guarded = |methods| {
            let realm = Realm::builder("api").tenant_kind(HANDLE);
            let realm = realm.limits(limits.clone()).build();
            let router = GuardedRouter::new(authority.gate().clone(), realm);
            router.route("/{handle}", methods).finish().unwrap().0
        };
        let plain = |methods| Router::new().route("/{handle}", methods);
        let policy = || Policy::pat().scope("links.read").tenant_from("handle");

        let router = guarded(get(policy(), holding.clone()));
        router.clone().call(request()).await.unwrap();
        let own = cost(&plain(axum::routing::get(holding.clone())));
        assert_eq!(cost(&router), own + allocated);

        let router = guarded(get(policy(), async move || answer()));
        router.clone().call(request()).await.unwrap();
        let own = cost(&plain(axum::routing::get(async move || answer())));
        assert_eq!(cost(&router), own + allocated + 1);
    }
}

/// A handler's state is often behind a count of references that all threads write.
#[tokio::test]
async fn a_guard_clones_its_handler_no_more_often_than_axum_does() {
    struct Counted(Arc<AtomicUsize>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }
    let authority = authority().await;
    let clones = Arc::new(AtomicUsize::new(0));
    let counted = Counted(Arc::clone(&clones));
    let handler = move || {
        let _ = &counted;
        ready("")
    };
    let (guarded, _) = GuardedRouter::new(authority.gate().clone(), Realm::builder("api").build())
        .route("/", get(Policy::api_key(), handler.clone()))
        .finish()
        .unwrap();
    let plain = Router::new().route("/", axum::routing::get(handler));
    let key = authority.key("creator", "links.read").await;
    let count = async |router: &Router| {
        let before = clones.load(Ordering::Relaxed);
        let request = Request::get("/").header("x-api-key", &key);
        let request = request.body(Body::empty()).unwrap();
        let answered = router.clone().call(request).await.unwrap();
        assert_eq!(answered.status(), 200);
        clones.load(Ordering::Relaxed) - before
    };
    let own = count(&plain).await;
    // What isn't warm is held back with a clone that stays behind.
    assert_eq!(count(&guarded).await, own + 1);
    assert_eq!(count(&guarded).await, own);
}
