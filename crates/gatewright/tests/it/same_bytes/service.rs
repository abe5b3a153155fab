//! The service that every framework serves: its families of routes, each in a realm of its own.

use gatewright::cors::Cors;
use gatewright::dialect::{Dialect, ErrorBody};
use gatewright::error::ErrorCode;
use gatewright::limit::Rate;
use gatewright::policy::{Limits, Plans, Policy, Realm};
use gatewright::principal::Principal;
use gatewright::role::Roles;
use gatewright::scope::ScopeSet;
use gatewright::source::TrustedProxies;

use super::world::{HANDLE, HANDLE_AUDIENCE, WORKSPACE, WORKSPACE_AUDIENCE, World};

/// Routes under one prefix, in one realm.
pub(crate) struct Family {
    pub(crate) prefix: &'static str,
    pub(crate) realm: Realm,
    /// Who is believed about where requests came from.
    pub(crate) proxies: Option<TrustedProxies>,
    pub(crate) routes: Vec<Route>,
}

pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) methods: Vec<(Verb, Policy, Handler)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
}

/// What a handler does; each framework says it in its own words.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handler {
    /// Says who calls: `Authenticated`.
    Caller,
    /// Says who calls, or that nobody said: `MaybeAuthenticated`.
    Visitor,
    /// Asks nothing of its caller.
    Fine,
    /// Refuses by itself.
    Refuses(ErrorCode),
    /// Answers with [`FIELDS`] of its own.
    Says,
    /// Refuses by itself, with [`FIELDS`] of its own.
    RefusesAndSays(ErrorCode),
}

/// Fields that a handler sets: they must stay, but for those that describe a body that was replaced.
pub(crate) const FIELDS: [(&str, &str); 4] = [
    ("cache-control", "private, max-age=60"),
    ("content-language", "en"),
    ("set-cookie", "seen=1; HttpOnly"),
    ("vary", "accept"),
];

/// The realm of unknown paths outside of every family.
pub(crate) fn root() -> Realm {
    Realm::builder("root").build()
}

pub(crate) fn families(world: &World) -> Vec<Family> {
    use Handler::{Caller, Fine, Refuses, RefusesAndSays, Says, Visitor};
    use Verb::{Delete, Get, Head, Options, Post, Put};

    let key = || Policy::api_key().scope("keys.read");
    let keys = |prefix, realm| Family {
        prefix,
        realm,
        proxies: None,
        routes: vec![route("/keys", [(Get, key(), Caller)])],
    };
    let acme = |name| Realm::builder(name).tenant_kind(WORKSPACE);

    let operators = |scope| {
        Policy::pat()
            .scope(scope)
            .or(Policy::jwt().role("operator"))
            .tenant_from("handle")
    };
    let handles = Family {
        prefix: "/v2",
        realm: Realm::builder("handles")
            .tenant_kind(HANDLE)
            .roles(roles())
            .plans(plans())
            .trust(world.trust(HANDLE_AUDIENCE))
            .build(),
        proxies: None,
        routes: vec![
            route(
                "/handles/{handle}/links",
                [
                    (Get, operators("links.read"), Caller),
                    (Put, operators("links.write"), Caller),
                    (
                        Delete,
                        Policy::jwt().role("owner").tenant_from("handle"),
                        Caller,
                    ),
                ],
            ),
            route(
                "/handles/{handle}/webhooks",
                [(
                    Get,
                    Policy::pat()
                        .scope("webhooks.read")
                        .feature("webhooks")
                        .tenant_from("handle"),
                    Caller,
                )],
            ),
            route(
                "/handles/{handle}/analytics",
                [(
                    Get,
                    Policy::pat()
                        .scope("analytics.*")
                        .scope("links.read")
                        .tenant_from("handle"),
                    Caller,
                )],
            ),
            route("/me", [(Get, Policy::jwt(), Caller)]),
            route("/tokens", [(Get, Policy::pat(), Caller)]),
            route(
                "/visitor",
                [(
                    Get,
                    Policy::jwt().or(Policy::pat()).or(Policy::public()),
                    Visitor,
                )],
            ),
            route(
                "/elsewhere",
                [(Get, Policy::public(), RefusesAndSays(ErrorCode::Conflict))],
            ),
            // The handler insists where the policy does not.
            route(
                "/members",
                [(Get, Policy::jwt().or(Policy::public()), Caller)],
            ),
            // The handler asks for a caller where the policy can have none: a mistake of the program.
            route("/mistake", [(Get, Policy::public(), Caller)]),
            route("/health", [(Get, Policy::public(), Fine)]),
            // `HEAD` has a policy of its own.
            route(
                "/both",
                [(Get, Policy::jwt(), Caller), (Head, Policy::public(), Fine)],
            ),
            route("/head", [(Head, Policy::jwt(), Caller)]),
            // The rest of the path is not the tenant, and the tenant is where it was named.
            route(
                "/handles/{handle}/files/{*rest}",
                [(Get, operators("links.read"), Caller)],
            ),
            route(
                "/conflict",
                [
                    (Get, Policy::public(), Refuses(ErrorCode::Conflict)),
                    (Post, Policy::pat(), Refuses(ErrorCode::InsufficientScope)),
                ],
            ),
        ],
    };
    let workspaces = Family {
        prefix: "/api/v1",
        realm: acme("workspaces")
            .dialect(Dialect::Detail)
            .trust(world.trust(WORKSPACE_AUDIENCE))
            .build(),
        proxies: None,
        routes: vec![
            route(
                "/keys",
                [
                    (Get, key().or(Policy::jwt()), Caller),
                    (Post, Policy::api_key().scope("keys.write"), Caller),
                ],
            ),
            route(
                "/gone",
                [(Get, Policy::public(), Refuses(ErrorCode::NotFound))],
            ),
        ],
    };
    let mcp = Family {
        prefix: "/mcp",
        realm: acme("mcp")
            .dialect(Dialect::JsonRpc)
            .resource_metadata("https://api.example/.well-known/oauth-protected-resource/mcp")
            .build(),
        proxies: None,
        routes: vec![
            route(
                "/call",
                [(Post, Policy::api_key().scope("mcp:call"), Caller)],
            ),
            route(
                "/one",
                [(Post, Policy::api_key().scope("mcp:call:one"), Caller)],
            ),
        ],
    };
    let limited = Family {
        prefix: "/limited",
        realm: acme("limited")
            .limits(Limits::none().per_credential(rate(2)).per_source(rate(3)))
            .build(),
        proxies: None,
        routes: vec![
            route("/keys", [(Get, key(), Caller)]),
            route("/public", [(Get, Policy::public(), Fine)]),
        ],
    };
    let proxied = Family {
        prefix: "/proxied",
        realm: acme("proxied")
            .limits(Limits::none().per_source(rate(1)))
            .build(),
        proxies: TrustedProxies::forwarded(1).ok(),
        routes: vec![route("/public", [(Get, Policy::public(), Fine)])],
    };
    let cors = Cors::origins(["https://app.example", "https://console.example"]).credentials();
    let cors = cors.header("idempotency-key").build().unwrap();
    let open = Cors::any_origin().max_age_secs(60).build().unwrap();
    vec![
        handles,
        workspaces,
        mcp,
        limited,
        proxied,
        keys(
            "/problem",
            acme("problem").dialect(Dialect::Problem).build(),
        ),
        keys("/oauth", acme("oauth").dialect(Dialect::OAuth).build()),
        keys("/bearer", acme("bearer").authorization_only().build()),
        Family {
            prefix: "/cors",
            realm: acme("cors").cors(cors).build(),
            proxies: None,
            routes: vec![
                route("/keys", [(Get, key(), Caller)]),
                route("/cached", [(Get, Policy::public(), Says)]),
                route("/private", [(Get, key(), Says)]),
                route("/gone", [(Get, key(), Refuses(ErrorCode::NotFound))]),
                route(
                    "/at/{handle}",
                    [
                        (Get, key().tenant_from("handle"), Caller),
                        (Options, key().tenant_from("handle"), Caller),
                    ],
                ),
                route("/optional", [(Get, key().or(Policy::public()), Visitor)]),
                route("/options", [(Get, key(), Caller), (Options, key(), Caller)]),
            ],
        },
        keys("/open", acme("open").cors(open).build()),
        Family {
            prefix: "/public",
            realm: Realm::builder("public")
                .tenant_kind(WORKSPACE)
                .visitors(world.visitors())
                .build(),
            proxies: None,
            routes: vec![
                route(
                    "/me",
                    [
                        (Get, Policy::visitor(), Caller),
                        (Post, Policy::visitor(), Caller),
                    ],
                ),
                route(
                    "/page",
                    [(Get, Policy::visitor().scope("pages.read:launch"), Caller)],
                ),
                route("/either", [(Get, Policy::visitor().or(key()), Visitor)]),
                route("/says", [(Get, Policy::visitor(), Says)]),
                route(
                    "/gone",
                    [(Get, Policy::visitor(), Refuses(ErrorCode::NotFound))],
                ),
            ],
        },
        keys(
            "/own",
            acme("own")
                .error_body(|refused| {
                    // What isn't there is said as everywhere.
                    let own = refused.code() != ErrorCode::NotFound;
                    let text = format!("{}: {}\n", refused.code(), refused.message());
                    own.then(|| ErrorBody::new("text/plain; charset=utf-8", text))
                })
                .build(),
        ),
    ]
}

/// What [`Handler::Caller`] and [`Handler::Visitor`] answer.
pub(crate) fn introduced(caller: Option<&Principal>) -> String {
    match caller {
        None => "nobody".to_owned(),
        Some(caller) => {
            let slug = caller.tenant().map_or("no tenant", |tenant| tenant.slug());
            // Of which nothing is known but that it is always another.
            let subject = match caller.visitor() {
                Some(_) => "somebody".to_owned(),
                None => caller.subject().to_string(),
            };
            format!("{subject} by {} of {slug}", caller.mode())
        }
    }
}

fn route<const N: usize>(path: &'static str, methods: [(Verb, Policy, Handler); N]) -> Route {
    Route {
        path,
        methods: methods.into(),
    }
}

fn roles() -> Roles {
    let set = |scopes| ScopeSet::parse(scopes).unwrap();
    Roles::builder()
        .role("creator", set("links.read"))
        .role("operator", set("links.*"))
        .role("owner", set("*"))
        .build()
        .unwrap()
}

fn plans() -> Plans {
    Plans::builder()
        .plan("free", [], None)
        .plan("pro", ["webhooks"], None)
        .build()
}

fn rate(limit: u32) -> Rate {
    Rate::per_minute(limit).unwrap()
}
