//! Routes, unknown paths and methods.

use std::future::{Future as _, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use actix_web::dev::Service as _;
use actix_web::guard::{GuardContext, fn_guard};
use actix_web::middleware::{NormalizePath, TrailingSlash};
use actix_web::test::init_service;
use actix_web::{App, HttpMessage as _, HttpRequest, HttpResponse, Route, web};
use gatewright_actix::{
    Authenticated, GateMiddleware, GuardedRoutes, GuardedScope, MaybeAuthenticated, get, head,
};
use gatewright_core::dialect::Dialect;
use gatewright_core::error::Cause;
use gatewright_core::limit::Rate;
use gatewright_core::policy::{Limits, Policy, Realm};
use gatewright_core::source::TrustedProxies;
use gatewright_testing::TestAuthority;

use crate::answer::{answered, bearer, request, send, send_from};
use crate::authority;

const NOT_FOUND: &str = r#"{"error":{"code":"not_found","message":"Not found","statusCode":404}}"#;
const NOT_FOUND_DETAIL: &str = r#"{"detail":"Not found","code":"not_found"}"#;

/// `/links` and, in the detail dialect, everything under `/api`.
fn service(authority: &TestAuthority) -> GuardedRoutes {
    let api = Realm::builder("api").dialect(Dialect::Detail).build();
    let inner = GuardedScope::new(authority.gate().clone(), api)
        .route("/keys", get(Policy::api_key(), async || "keys"))
        .route("/open", get(Policy::public(), async || "open"));
    let realm = Realm::builder("links").build();
    let (routes, _) = GuardedScope::new(authority.gate().clone(), realm)
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
    routes
}

#[actix_web::test]
async fn each_method_has_its_own_policy() {
    let authority = authority().await;
    let routes = service(&authority);
    let reader = bearer(&authority.pat("creator", "links.read").await);

    let passed = send(&routes, "GET /links", &[&reader]).await;
    assert_eq!((passed.status, passed.body.as_str()), (200, "links.read"));
    assert_eq!(passed.field("cache-control"), Some("no-store"));

    let refused = send(&routes, "PUT /links", &[&reader]).await;
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

#[actix_web::test]
async fn a_nested_realm_has_its_own_credentials() {
    let authority = authority().await;
    let routes = service(&authority);
    let key = format!("x-api-key: {}", authority.key("creator", "*").await);
    let passed = send(&routes, "GET /api/keys", &[&key]).await;
    assert_eq!((passed.status, passed.body.as_str()), (200, "keys"));
    let refused = send(&routes, "GET /links", &[&key]).await;
    assert_eq!(
        (refused.status, refused.cause()),
        (403, Some(Cause::WrongModeSecret))
    );
    let refused = send(&routes, "GET /api/keys", &[]).await;
    assert_eq!(
        refused.body,
        r#"{"detail":"No credential was presented","code":"missing_bearer_token"}"#
    );
}

#[actix_web::test]
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

#[actix_web::test]
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

#[actix_web::test]
async fn problem_details_on_request() {
    let authority = authority().await;
    let routes = service(&authority);
    for line in [
        "GET /links",
        "GET /nowhere",
        "DELETE /links",
        "GET /api/keys",
    ] {
        let answer = send(&routes, line, &["accept: application/problem+json"]).await;
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

#[actix_web::test]
async fn unknown_paths_are_answered_in_the_dialect_of_their_realm() {
    let authority = authority().await;
    let routes = service(&authority);
    for (line, body) in [
        ("GET /nowhere", NOT_FOUND),
        ("POST /", NOT_FOUND),
        ("GET /api/nowhere", NOT_FOUND_DETAIL),
        ("GET /api", NOT_FOUND_DETAIL),
    ] {
        let answer = send(&routes, line, &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, body), "{line}");
        assert_eq!(
            answer.field("content-type"),
            Some("application/json"),
            "{line}"
        );
    }
}

/// RFC 9110 §15.5.6: a 405 says which methods there are.
#[actix_web::test]
async fn unknown_methods_are_answered_in_the_dialect_with_allow() {
    let authority = authority().await;
    let routes = service(&authority);
    let answer = send(&routes, "DELETE /links", &[]).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.field("allow"), Some("GET,HEAD,PUT"));
    assert_eq!(
        answer.body,
        r#"{"error":{"code":"method_not_allowed","message":"The method is not allowed here","statusCode":405}}"#
    );
    let answer = send(&routes, "POST /api/keys", &[]).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.field("allow"), Some("GET,HEAD"));
    assert_eq!(
        answer.body,
        r#"{"detail":"The method is not allowed here","code":"method_not_allowed"}"#
    );
}

#[actix_web::test]
async fn head_is_judged_by_the_policy_of_get() {
    let authority = authority().await;
    let routes = service(&authority);
    let refused = send(&routes, "HEAD /links", &[]).await;
    assert_eq!(refused.status, 401);
    assert!(refused.field("www-authenticate").is_some());
    let reader = bearer(&authority.pat("creator", "links.read").await);
    let passed = send(&routes, "HEAD /links", &[&reader]).await;
    assert_eq!(passed.status, 200);
}

#[actix_web::test]
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

#[actix_web::test]
async fn what_a_handler_says_of_caching_stands() {
    let authority = authority().await;
    let (routes, _) = GuardedScope::new(authority.gate().clone(), Realm::builder("api").build())
        .route(
            "/",
            get(Policy::pat(), async || {
                HttpResponse::Ok()
                    .insert_header(("cache-control", "private, max-age=5"))
                    .finish()
            }),
        )
        .finish()
        .unwrap();
    let pat = bearer(&authority.pat("creator", "links.read").await);
    let answer = send(&routes, "GET /", &[&pat]).await;
    assert_eq!(answer.field("cache-control"), Some("private, max-age=5"));
}

#[actix_web::test]
async fn limits_are_told_to_admitted_and_refused() {
    let authority = authority().await;
    let limits = Limits::none()
        .per_credential(Rate::new(2, 60, 2).unwrap())
        .per_source(Rate::new(1, 60, 1).unwrap());
    let realm = Realm::builder("api").limits(limits).build();
    let (routes, _) = GuardedScope::new(authority.gate().clone(), realm)
        .source_from(|_| Some([192, 0, 2, 1].into()))
        .route("/", get(Policy::pat(), async || ""))
        .finish()
        .unwrap();
    let pat = bearer(&authority.pat("creator", "links.read").await);

    let first = send(&routes, "GET /", &[&pat]).await;
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
    send(&routes, "GET /", &[&pat]).await;
    let third = send(&routes, "GET /", &[&pat]).await;
    assert_eq!(third.status, 429);
    assert!(
        third
            .field("ratelimit")
            .unwrap()
            .starts_with(r#""credential";r=0;t="#)
    );
    assert!(third.field("retry-after").unwrap().parse::<u32>().unwrap() >= 1);

    // A path that isn't there is charged to the source.
    let missing = send(&routes, "GET /nowhere", &[]).await;
    assert_eq!(missing.status, 404);
    assert!(
        missing
            .field("ratelimit")
            .unwrap()
            .starts_with(r#""source";r=0;t="#)
    );
    assert_eq!(send(&routes, "GET /nowhere", &[]).await.status, 429);
}

/// The socket's peer is the source unless something else is said, in nested scopes too, and no header is believed.
#[actix_web::test]
async fn the_peer_is_the_source() {
    let authority = authority().await;
    let realm = || {
        let limits = Limits::none().per_source(Rate::new(1, 60, 1).unwrap());
        Realm::builder("api").limits(limits).build()
    };
    let inner = || {
        GuardedScope::new(authority.gate().clone(), realm())
            .route("/open", get(Policy::public(), async || ""))
    };
    let outer = || GuardedScope::new(authority.gate().clone(), realm()).nest("/in", inner());

    let (routes, _) = outer().finish().unwrap();
    let mut statuses = Vec::new();
    for last in [1, 1, 2] {
        let answer = send_from(&routes, last, "GET /in/open").await;
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 429, 200]);
    let forwarded = ["x-forwarded-for: 192.0.2.1", "forwarded: for=192.0.2.1"];
    assert_eq!(
        send(&routes, "GET /in/open", &forwarded).await.status,
        200,
        "no address, no charge"
    );

    let (proxied, _) = outer()
        .source_from(|_| Some([192, 0, 2, 9].into()))
        .finish()
        .unwrap();
    assert_eq!(send_from(&proxied, 3, "GET /in/open").await.status, 200);
    assert_eq!(send_from(&proxied, 4, "GET /in/open").await.status, 429);

    let (proxied, _) = outer()
        .behind_proxies(TrustedProxies::x_forwarded_for(1).unwrap())
        .finish()
        .unwrap();
    for (field, status) in [
        ("x-forwarded-for: 192.0.2.20, 192.0.2.21", 200),
        ("x-forwarded-for: 192.0.2.22, 192.0.2.21", 429),
        ("x-forwarded-for: 192.0.2.22", 200),
    ] {
        let answer = send(&proxied, "GET /in/open", &[field]).await;
        assert_eq!(answer.status, status, "{field}");
    }
    // What says nothing is the peer's.
    assert_eq!(send_from(&proxied, 5, "GET /in/open").await.status, 200);
    assert_eq!(send_from(&proxied, 5, "GET /in/open").await.status, 429);
}

#[actix_web::test]
async fn merged_routes_keep_their_realm_and_share_paths() {
    let authority = authority().await;
    let detail = Realm::builder("other").dialect(Dialect::Detail).build();
    let other = GuardedScope::new(authority.gate().clone(), detail)
        .route("/a", gatewright_actix::post(Policy::pat(), async || ""))
        .route("/b", get(Policy::pat(), async || ""));
    let (routes, table) =
        GuardedScope::new(authority.gate().clone(), Realm::builder("api").build())
            .route("/a", get(Policy::pat(), async || ""))
            .merge(other)
            .finish()
            .unwrap();
    let body = async |line| send(&routes, line, &[]).await.body;
    assert!(body("GET /a").await.starts_with(r#"{"error":"#));
    assert!(body("POST /a").await.starts_with(r#"{"detail":"#));
    assert!(body("GET /b").await.starts_with(r#"{"detail":"#));
    assert!(body("DELETE /b").await.starts_with(r#"{"detail":"#));
    assert!(body("GET /c").await.starts_with(r#"{"error":"#));
    assert_eq!(
        send(&routes, "PUT /a", &[]).await.field("allow"),
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

#[actix_web::test]
async fn a_fallback_of_ones_own_is_guarded_and_has_a_row() {
    let authority = authority().await;
    let inner = GuardedScope::new(authority.gate().clone(), Realm::builder("in").build())
        .route("/a", get(Policy::public(), async || ""))
        .fallback(Policy::pat(), async || "fallback");
    let (routes, table) =
        GuardedScope::new(authority.gate().clone(), Realm::builder("api").build())
            .nest("/in", inner)
            .finish()
            .unwrap();
    let pat = bearer(&authority.pat("creator", "links.read").await);
    assert_eq!(send(&routes, "DELETE /in/b", &[]).await.status, 401);
    assert_eq!(
        send(&routes, "DELETE /in/b", &[&pat]).await.body,
        "fallback"
    );
    assert_eq!(send(&routes, "DELETE /b", &[&pat]).await.body, NOT_FOUND);
    let rows: Vec<_> = table
        .rows()
        .iter()
        .map(|row| (&*row.method, &*row.path))
        .collect();
    assert_eq!(rows, [("*", "/in/*"), ("GET", "/in/a")]);
}

/// The app's data is the state of handlers; axum's routers carry it, actix's apps do.
#[actix_web::test]
async fn the_apps_data_reaches_handlers() {
    use actix_web::web::Data;

    let authority = authority().await;
    let make = || GuardedScope::new(authority.gate().clone(), Realm::builder("api").build());
    let echo = async |state: Data<&'static str>| **state;
    let (routes, _) = make()
        .route("/a", get(Policy::public(), echo))
        .merge(make().route("/b", get(Policy::public(), echo)))
        .nest("/in", make().route("/c", get(Policy::public(), echo)))
        .fallback(Policy::public(), echo)
        .finish()
        .unwrap();
    let app = App::new().app_data(Data::new("state"));
    let app = init_service(app.configure(|config| routes.register(config))).await;
    for path in ["/a", "/b", "/in/c", "/nowhere"] {
        let answer = answered(&app, request(&format!("GET {path}"), &[]).to_request()).await;
        assert_eq!(answer.body, "state", "{path}");
    }
}

/// Policies are numbered within their gate: a foreign one must not admit by accident.
#[actix_web::test]
async fn a_router_of_another_gate_admits_nobody() {
    let (ours, theirs) = (authority().await, authority().await);
    let realm = Realm::builder("api").build();
    let inner = GuardedScope::new(theirs.gate().clone(), realm.clone())
        .route("/a", get(Policy::pat(), async || ""));
    let (routes, _) = GuardedScope::new(ours.gate().clone(), realm)
        .nest("/in", inner)
        .finish()
        .unwrap();
    for authority in [&ours, &theirs] {
        let pat = bearer(&authority.pat("creator", "*").await);
        let answer = send(&routes, "GET /in/a", &[&pat]).await;
        assert_eq!(
            (answer.status, answer.cause()),
            (500, Some(Cause::ForeignPolicy))
        );
    }
}

#[actix_web::test]
async fn nested_twice_the_table_has_the_path_that_is_served() {
    let authority = authority().await;
    let make = || GuardedScope::new(authority.gate().clone(), Realm::builder("api").build());
    let innermost = make()
        .route("/", get(Policy::public(), async || "root"))
        .route("/c", get(Policy::public(), async || "leaf"));
    let (routes, table) = make()
        .nest("/a", make().nest("/b", innermost))
        .finish()
        .unwrap();
    let paths: Vec<_> = table.rows().iter().map(|row| &*row.path).collect();
    assert_eq!(paths, ["/a/b", "/a/b/c"]);
    assert_eq!(send(&routes, "GET /a/b", &[]).await.body, "root");
    assert_eq!(send(&routes, "GET /a/b/c", &[]).await.body, "leaf");
}

#[actix_web::test]
async fn merged_routes_keep_their_source() {
    let authority = authority().await;
    let limits = Limits::none().per_source(Rate::new(1, 60, 1).unwrap());
    let realm = Realm::builder("api").limits(limits).build();
    let make = || GuardedScope::new(authority.gate().clone(), realm.clone());
    let leaf = |path| make().route(path, get(Policy::public(), async || ""));
    let proxied = leaf("/b")
        .nest("/in", leaf("/c"))
        .source_from(|_| Some([192, 0, 2, 1].into()));
    let (routes, _) = leaf("/a").merge(proxied).finish().unwrap();
    let mut statuses = Vec::new();
    for path in ["/a", "/a", "/b", "/in/c"] {
        statuses.push(send(&routes, &format!("GET {path}"), &[]).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}

/// However they were declared, and whatever else matches.
#[actix_web::test]
async fn the_more_literal_path_is_served() {
    let authority = authority().await;
    let make = || GuardedScope::new(authority.gate().clone(), Realm::builder("api").build());
    let named = |name: &'static str| get(Policy::public(), move || ready(name));
    let (routes, _) = make()
        .route("/f/{*rest}", named("rest"))
        .route("/{any}", named("any"))
        .route("/{any}/{b}", named("two"))
        .nest("/n", make().route("/{c}", named("nested")))
        .route("/a", named("a"))
        .route("/a/", named("slash"))
        .finish()
        .unwrap();
    for (path, body) in [
        ("/a", "a"),
        ("/a/", "slash"),
        ("/b", "any"),
        ("/b/", NOT_FOUND),
        ("/", NOT_FOUND),
        ("/f", "any"),
        ("/f/", NOT_FOUND),
        ("/f/x", "rest"),
        ("/f/x/y/", "rest"),
        ("/f//", "rest"),
        ("/f/%0A", "rest"),
        ("/n/x", "nested"),
        ("/n", "any"),
        ("/b/x", "two"),
        ("/b/x%2Fy", "two"),
        ("/b/x/y", NOT_FOUND),
        ("//", NOT_FOUND),
    ] {
        assert_eq!(
            send(&routes, &format!("GET {path}"), &[]).await.body,
            body,
            "{path}"
        );
    }
}

/// As axum parts the unknown paths of a nested router from those around it.
#[actix_web::test]
async fn unknown_paths_below_a_prefix_are_its_own() {
    let authority = authority().await;
    let make = |realm| GuardedScope::new(authority.gate().clone(), Realm::builder(realm).build());
    let named = |name: &'static str| move || ready(name);
    let inner = |name| make("in").fallback(Policy::public(), named(name));
    let (routes, _) = make("api")
        .fallback(Policy::public(), named("outer"))
        .nest("/a", inner("a").nest("/b", inner("b")))
        .nest("/q/{p}", inner("p"))
        .nest("/s/", inner("s"))
        .finish()
        .unwrap();
    for (path, body) in [
        ("/", "outer"),
        ("/a", "a"),
        ("/a/", "outer"),
        ("/a/x", "a"),
        ("/a/b", "b"),
        ("/a/b/", "a"),
        ("/a/b/x/", "b"),
        ("/q", "outer"),
        ("/q/ab", "p"),
        ("/q/ab/", "outer"),
        ("/q/ab/x", "p"),
        ("/s", "outer"),
        ("/s/", "s"),
        ("/s/x", "s"),
    ] {
        assert_eq!(
            send(&routes, &format!("PUT {path}"), &[]).await.body,
            body,
            "{path}"
        );
    }
}

/// Whatever a path or a method is spelled like, and wherever the routes were registered, nothing leads around the guard.
#[actix_web::test]
async fn no_spelling_leads_around_the_guard() {
    let authority = authority().await;
    let (routes, _) = GuardedScope::new(authority.gate().clone(), Realm::builder("api").build())
        .route("/links", get(Policy::pat(), async || "ran"))
        .route("/links/{slug}", get(Policy::pat(), async || "ran"))
        .finish()
        .unwrap();
    let twice = |config: &mut web::ServiceConfig| {
        routes.register(config);
        routes.register(config);
    };
    let merged = NormalizePath::new(TrailingSlash::MergeOnly);
    let app = init_service(
        App::new()
            .wrap(merged)
            .service(web::scope("/in").configure(twice))
            .configure(twice),
    )
    .await;
    let plain = init_service(App::new().configure(twice)).await;
    let pat = bearer(&authority.pat("creator", "*").await);
    for prefix in ["", "/in"] {
        for path in [
            "/links",
            "/l%69nks",
            "/%6C%69nks",
            "//links",
            "/links/",
            "/links//",
            "/%2Flinks",
            "/.%2Flinks",
            "/x/../links",
            "/x/%2e%2e/links",
            "/LINKS",
            "/links;a=b",
            "/links%00",
            "/links%2F",
            "/links/x",
            "/links/%2e%2e",
            "/links?a=/links",
            "/links%3Fa",
            "/links%20",
        ] {
            for method in [
                "GET", "HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "get", "BREW",
            ] {
                let line = format!("{method} {prefix}{path}");
                for answer in [
                    answered(&app, request(&line, &[]).to_request()).await,
                    answered(&plain, request(&line, &[]).to_request()).await,
                ] {
                    assert!(
                        [401, 404, 405].contains(&answer.status),
                        "{line}: {}",
                        answer.status
                    );
                    assert!(
                        answer.body.starts_with(r#"{"error":"#),
                        "{line}: {}",
                        answer.body
                    );
                }
            }
        }
        let line = format!("GET {prefix}/l%69nks");
        let passed = answered(&app, request(&line, &[&pat]).to_request()).await;
        assert_eq!(passed.body, "ran", "{line}");
    }
}

/// A handler's caller is the one whom its own route admitted, whatever stands around.
#[actix_web::test]
async fn the_nearest_guard_says_who_calls() {
    let authority = authority().await;
    let gate = authority.gate().clone();
    let realm = Realm::builder("api").build();
    let visitor = async |caller: MaybeAuthenticated| match &*caller {
        Some(caller) => caller.scopes().to_string(),
        None => "nobody".to_owned(),
    };
    let (routes, _) = GuardedScope::new(gate.clone(), realm.clone())
        .route("/public", get(Policy::public(), visitor))
        .route(
            "/mistake",
            get(Policy::public(), async |_: Authenticated| ""),
        )
        .route("/read", get(Policy::pat().scope("links.read"), visitor))
        .finish()
        .unwrap();
    let around = gate.compile(&Policy::pat(), &realm).unwrap();
    let app = App::new().configure(|config| routes.register(config));
    let app = app.route("/unguarded", web::get().to(visitor));
    let app = init_service(app.wrap(GateMiddleware::new(gate, around))).await;
    let reader = bearer(&authority.pat("creator", "links.read").await);
    let writer = bearer(&authority.pat("creator", "links.write").await);
    for (path, pat, status, body) in [
        ("/public", &reader, 200, "nobody"),
        ("/mistake", &reader, 500, ""),
        ("/read", &reader, 200, "links.read"),
        ("/read", &writer, 403, ""),
        ("/unguarded", &writer, 200, "links.write"),
    ] {
        let answer = answered(&app, request(&format!("GET {path}"), &[pat]).to_request()).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(
            body.is_empty() || answer.body == body,
            "{path}: {}",
            answer.body
        );
    }
}

#[actix_web::test]
async fn head_of_its_own_has_its_own_policy() {
    let authority = authority().await;
    let scope = GuardedScope::new(authority.gate().clone(), Realm::builder("api").build());
    let (routes, _) = scope
        .route(
            "/",
            get(Policy::public(), async || "").head(Policy::pat(), async || ""),
        )
        .route("/head", head(Policy::public(), async || ""))
        .finish()
        .unwrap();
    assert_eq!(send(&routes, "HEAD /", &[]).await.status, 401);
    assert_eq!(send(&routes, "GET /", &[]).await.status, 200);
    let refused = send(&routes, "GET /head", &[]).await;
    assert_eq!(
        (refused.status, refused.field("allow")),
        (405, Some("HEAD"))
    );
    let refused = send(&routes, "BREW /", &[]).await;
    assert_eq!(
        (refused.status, refused.field("allow")),
        (405, Some("GET,HEAD"))
    );
}

/// What a guard costs a warm call: one box in the request's extensions. Those cost one more where nothing else made them,
/// less than what actix's own guards of methods put there. Where a limit was charged, its two fields have a value each.
#[actix_web::test]
async fn a_guard_allocates_once_and_twice_more_for_a_limit() {
    let authority = authority().await;
    let handler = || {
        ready(
            HttpResponse::Ok()
                .insert_header(("cache-control", "no-store"))
                .finish(),
        )
    };
    let plenty = Limits::none().per_credential(Rate::per_minute(1_000).unwrap());
    let serve = async |limits| {
        let realm = Realm::builder("api").limits(limits).build();
        let (routes, _) = GuardedScope::new(authority.gate().clone(), realm)
            .route("/{any}", get(Policy::pat().scope("links.read"), handler))
            .finish()
            .unwrap();
        init_service(App::new().configure(|config| routes.register(config))).await
    };
    let pat = bearer(&authority.pat("creator", "links.read").await);
    let guarded = serve(Limits::none()).await;
    let limited = serve(plenty).await;
    let route = |route: Route| init_service(App::new().route("/{any}", route));
    let plain = route(web::get().to(handler)).await;
    let marking = move |request: HttpRequest| {
        request.extensions_mut().insert(());
        handler()
    };
    let gets = |context: &GuardContext<'_>| context.head().method == "GET";
    let marked = route(web::route().guard(fn_guard(gets)).to(marking)).await;
    macro_rules! cost {
        ($app:ident) => {{
            // Once to fill the caches, actix's own pools among them.
            $app.call(request("GET /a", &[&pat]).to_request())
                .await
                .unwrap();
            let request = request("GET /a", &[&pat]).to_request();
            allocation_counter::measure(|| {
                let answer = pin!($app.call(request));
                let Poll::Ready(Ok(response)) =
                    answer.poll(&mut Context::from_waker(Waker::noop()))
                else {
                    panic!("a warm call waits for nothing");
                };
                assert_eq!(response.status(), 200);
            })
            .count_total
        }};
    }
    let policy = Policy::pat().scope("links.read");
    let policy = authority
        .gate()
        .compile(&policy, &Realm::builder("api").build())
        .unwrap();
    let route = web::route().guard(fn_guard(gets)).to(marking);
    let wrapped = init_service(
        App::new()
            .route("/{any}", route)
            .wrap(GateMiddleware::new(authority.gate().clone(), policy)),
    )
    .await;
    let cost = cost!(guarded);
    assert_eq!(cost!(wrapped), cost + 1, "middleware boxes its future");
    assert_eq!(cost, cost!(marked) + 1);
    assert!(cost <= cost!(plain));
    assert_eq!(cost!(limited), cost + 2);
}
