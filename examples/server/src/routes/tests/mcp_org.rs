//! The tools of orgs' connectors: who may come, by which credential, and what they may call.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use gatewright_core::audit::AuditKind;
use gatewright_core::error::Cause;
use gatewright_core::jwt::Algorithm;
use gatewright_core::principal::{CredentialId, UserId};
use gatewright_core::scope::ScopeSet;
use gatewright_issuer::{AccessTokens, Authority, Grant, KeyLifetimes, SealingKey, SigningKeys};
use gatewright_sqlx::{SqliteOptions, SqliteStore};
use reqwest::Response;
use serde_json::{Value, json};

use super::{Server, answer, refused, text};
use crate::realms::ORG;

const MCP: &str = "/mcp/acme-corp";
const AUDIENCE: &str = "apexmcp";

/// Somebody who signs tokens: one key, made for this.
struct Signer {
    tokens: AccessTokens,
    jwks: Value,
    now: u64,
}

impl Signer {
    async fn new(issuer: &str, now: u64) -> Self {
        let store = SqliteStore::open_with(&SqliteOptions::in_memory()).await;
        let signing = SigningKeys::open(
            Arc::new(store.unwrap()),
            SealingKey::new(&[9; 32]).unwrap(),
            Algorithm::Es256,
            KeyLifetimes::new(60, 3_600),
            now,
        );
        let signing = Arc::new(signing.await.unwrap());
        Self {
            jwks: signing.jwks(now),
            tokens: AccessTokens::new(issuer, signing, 3_600),
            now,
        }
    }

    fn token(&self, audience: &str, scopes: &str) -> String {
        let client = CredentialId::new("machine").unwrap();
        let scopes = ScopeSet::parse(scopes).unwrap();
        let grant = Grant::client(&client, audience, scopes, 0);
        let issued = self.tokens.issue(&grant, self.now).unwrap();
        issued.access_token.expose().to_owned()
    }
}

/// An identity provider on loopback: its keys as they stand, and how often they were asked for. `None` is an outage.
#[derive(Clone, Default)]
struct Idp {
    jwks: Arc<Mutex<Option<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Idp {
    /// Answers the address that it is at.
    async fn start(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let idp = self.clone();
        let keys = async move || {
            idp.asked.fetch_add(1, Ordering::SeqCst);
            let keys = idp.jwks.lock().unwrap().clone();
            keys.map(axum::Json)
                .ok_or(axum::http::StatusCode::SERVICE_UNAVAILABLE)
        };
        let router = Router::new().route("/jwks", get(keys));
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn publish(&self, jwks: Option<&Value>) {
        *self.jwks.lock().unwrap() = jwks.cloned();
    }
}

/// An org with two connectors, and its admin's token.
struct World {
    server: Server,
    admin: String,
    connectors: [String; 2],
}

impl World {
    async fn new() -> Self {
        Self::of(Server::start().await).await
    }

    async fn of(server: Server) -> Self {
        server.org("acme-corp", &server.person("ada").await).await;
        let admin = server.login("gateway", "ada").await;
        let add = async |name: &str, kind: &str| {
            let body = json!({"name": name, "type": kind});
            let path = "/api/connectors?org=acme-corp";
            let (status, added) = server.call("POST", path, &admin, body).await;
            assert_eq!(status, 201, "{added}");
            text(&added["id"])
        };
        let connectors = [add("Clock", "clock").await, add("Text", "text").await];
        Self {
            server,
            admin,
            connectors,
        }
    }

    async fn key(&self, body: Value) -> String {
        let path = "/api/api-keys?org=acme-corp";
        let (status, minted) = self.server.call("POST", path, &self.admin, body).await;
        assert_eq!(status, 201, "{minted}");
        text(&minted["secret"])
    }

    async fn send(&self, path: &str, bearer: &str, method: &str, params: Value) -> Response {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = self.server.request("POST", path).json(&body);
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        request.send().await.unwrap()
    }

    async fn list(&self, path: &str, bearer: &str) -> (u16, Value) {
        answer(self.send(path, bearer, "tools/list", json!({})).await).await
    }

    async fn tools(&self, bearer: &str) -> Vec<String> {
        let (status, listed) = self.list(MCP, bearer).await;
        assert_eq!(status, 200, "{listed}");
        let tools = listed["result"]["tools"].as_array().unwrap();
        tools.iter().map(|tool| text(&tool["name"])).collect()
    }

    /// The names of the tools, by connector.
    fn names(&self) -> [Vec<String>; 2] {
        let [clock, words] = &self.connectors;
        [
            ["time_now", "seconds_between"].map(|tool| format!("{clock}__{tool}")),
            ["echo", "word_count"].map(|tool| format!("{words}__{tool}")),
        ]
        .map(Vec::from)
    }

    async fn trust(&self, sso: Value) {
        let path = "/api/sso?org=acme-corp";
        let (status, put) = self.server.call("PUT", path, &self.admin, sso).await;
        assert_eq!(status, 200, "{put}");
    }

    fn metadata(&self, org: &str) -> String {
        format!(
            "resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp/{org}\"",
            self.server.app.public_url
        )
    }
}

fn challenge(response: &Response) -> String {
    let all: Vec<_> = response
        .headers()
        .get_all("www-authenticate")
        .iter()
        .collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_sees_and_calls_what_it_is_bound_to() {
    let world = World::new().await;
    let [clock, words] = world.names();
    let open = world.key(json!({"name": "all"})).await;
    assert_eq!(
        world.tools(&open).await,
        [clock.clone(), words.clone()].concat()
    );
    let bound = json!({"name": "one", "connectors": [world.connectors[1]]});
    let bound = world.key(bound).await;
    assert_eq!(world.tools(&bound).await, words);

    let echo = json!({"name": words[0], "arguments": {"text": "hi"}});
    for key in [&open, &bound] {
        let called = world.send(MCP, key, "tools/call", echo.clone()).await;
        let (status, called) = answer(called).await;
        assert_eq!(
            (status, &called["result"]["structuredContent"]["text"]),
            (200, &"hi".into())
        );
    }

    world.server.audit.take();
    let params = json!({"name": clock[0]});
    let poor = world.send(MCP, &bound, "tools/call", params).await;
    assert_eq!(poor.status(), 403);
    let (scope, metadata) = (
        format!("mcp:call:{}", world.connectors[0]),
        world.metadata("acme-corp"),
    );
    let told = challenge(&poor);
    assert!(told.contains("error=\"insufficient_scope\""), "{told}");
    assert!(
        told.ends_with(&format!("scope=\"{scope}\", {metadata}")),
        "{told}"
    );
    let denied = world.server.audit.take();
    assert_eq!(
        denied
            .iter()
            .map(|event| (event.kind, event.cause))
            .collect::<Vec<_>>(),
        [(AuditKind::Denied, Some(Cause::MissingScope))]
    );

    // What is unplugged is gone with the answer.
    let path = format!("/api/connectors/{}?org=acme-corp", world.connectors[1]);
    let (status, _) = world
        .server
        .call("DELETE", &path, &world.admin, Value::Null)
        .await;
    assert_eq!(status, 204);
    assert_eq!(world.tools(&open).await, clock);
    for method in ["GET", "DELETE"] {
        let request = world.server.request(method, MCP).bearer_auth(&open);
        assert_eq!(request.send().await.unwrap().status(), 405, "{method}");
    }
}

#[tokio::test]
async fn nobody_goes_to_another_org_and_challenges_name_the_one_that_was_asked_for() {
    let world = World::new().await;
    let eve = world.server.person("eve").await;
    world.server.org("zoo", &eve).await;
    let key = world.key(json!({"name": "k"})).await;
    for org in ["zoo", "nowhere"] {
        let foreign = world
            .send(&format!("/mcp/{org}"), &key, "tools/list", json!({}))
            .await;
        assert_eq!(foreign.status(), 403, "{org}");
        assert!(challenge(&foreign).ends_with(&world.metadata(org)));
    }
    // Whatever stands in the path, it is one segment of a URL within one parameter of one field.
    for (path, shown) in [
        ("acme-corp", "acme-corp"),
        ("nowhere", "nowhere"),
        ("a%22,%20evil=%22b", "a%22%2C%20evil%3D%22b"),
        ("a%0D%0Ax-evil:%20b", "a%0D%0Ax-evil%3A%20b"),
        ("a%2Fb%3Fc%23d%5C", "a%2Fb%3Fc%23d%5C"),
        ("%C3%A9", "%C3%A9"),
    ] {
        let nobody = world
            .send(&format!("/mcp/{path}"), "", "tools/list", json!({}))
            .await;
        assert_eq!(nobody.status(), 401, "{path}");
        assert!(nobody.headers().get("x-evil").is_none());
        let expected = format!("Bearer realm=\"mcp\", {}", world.metadata(shown));
        assert_eq!(challenge(&nobody), expected);
    }
    let long = format!("/mcp/{}", "a".repeat(129));
    let nobody = world.send(&long, "", "tools/list", json!({})).await;
    assert_eq!(challenge(&nobody), "Bearer realm=\"mcp\"");
}

#[tokio::test]
async fn a_clients_token_is_for_its_org_and_a_login_is_for_none() {
    let world = World::new().await;
    let app = &world.server.app;
    let acme = gatewright_core::principal::TenantId::new("ten_acme-corp").unwrap();
    let clients = app.clients();
    let ada = UserId::new("usr_ada").unwrap();
    let scopes = ScopeSet::parse("mcp:call").unwrap();
    let request = clients.request(acme.clone(), ada, scopes).named("agent");
    let operator = Authority::operator();
    let client = clients.register(request, &operator).await.unwrap().id;
    let token = |org: &str, scopes: &str| {
        let audience = format!("{}/mcp/{org}", app.public_url);
        let scopes = ScopeSet::parse(scopes).unwrap();
        let grant = Grant::client(&client, &audience, scopes, 0).in_tenant(acme.clone());
        let issued = app.tokens.issue(&grant, app.gate.clock().now()).unwrap();
        issued.access_token.expose().to_owned()
    };
    let [clock, words] = world.names();
    assert_eq!(
        world.tools(&token("acme-corp", "mcp:call")).await,
        [clock.clone(), words].concat()
    );
    let one = format!("mcp:call:{}", world.connectors[0]);
    assert_eq!(world.tools(&token("acme-corp", &one)).await, clock);
    for (org, path) in [("zoo", MCP), ("zoo", "/mcp/zoo"), ("acme-corp", "/mcp/zoo")] {
        let (status, _) = world.list(path, &token(org, "mcp:call")).await;
        assert!(matches!(status, 401 | 403), "{org} at {path}: {status}");
    }
    let handle = world.server.login("handle", "ada").await;
    for login in [&world.admin, &handle] {
        let refusal = refused(world.list(MCP, login).await);
        assert_eq!(refusal, (401, "invalid_token".to_owned()));
    }
}

#[tokio::test]
async fn tokens_of_the_orgs_own_provider_go_by_what_it_has_configured_now() {
    let idp = Idp::default();
    let issuer = format!("http://{}", idp.start().await);
    let host = issuer.trim_start_matches("http://");
    let world = World::of(Server::start_beside(host).await).await;
    let now = world.server.app.gate.clock().now();
    let [first, second] = [
        Signer::new(&issuer, now).await,
        Signer::new(&issuer, now).await,
    ];
    idp.publish(Some(&first.jwks));
    let sso = |audience: &str, clients: Value| {
        json!({
            "issuer": issuer, "jwksUri": format!("{issuer}/jwks"), "audience": audience,
            "algorithms": ["ES256"], "allowedClients": clients,
        })
    };
    let token = first.token(AUDIENCE, "mcp:call keys.write");
    let unknown = || (401, "invalid_token".to_owned());
    assert_eq!(refused(world.list(MCP, &token).await), unknown());

    world.trust(sso(AUDIENCE, json!([]))).await;
    assert_eq!(world.tools(&token).await.len(), 4);
    let whoami = "/whoami?org=acme-corp";
    let (status, who) = world.server.get(whoami, &token).await;
    assert_eq!(
        (status, &who["kind"], &who["scopes"]),
        (200, &"external".into(), &json!(["mcp:call"])),
        "{who}"
    );
    assert_eq!(who["tenant"]["slug"], "acme-corp");
    let (status, _) = world.server.get("/whoami", &token).await;
    assert_eq!(status, 401);

    // Of another org nothing changes.
    let zoe = world.server.person("zoe").await;
    world.server.org("zoo", &zoe).await;
    assert_eq!(refused(world.list("/mcp/zoo", &token).await), unknown());

    // Right after the first fetch, and many at once: one fetch more.
    idp.publish(Some(&second.jwks));
    let before = idp.asked.load(Ordering::SeqCst);
    let rotated = second.token(AUDIENCE, "mcp:call");
    let many = (0..20).map(|_| world.list(MCP, &rotated));
    for (status, listed) in futures_util::future::join_all(many).await {
        assert_eq!(status, 200, "{listed}");
    }
    assert_eq!(idp.asked.load(Ordering::SeqCst), before + 1);

    // Other rules hold at the next request, also for tokens that passed before; the keys stay.
    world.trust(sso(AUDIENCE, json!(["another"]))).await;
    let (status, _) = world.list(MCP, &rotated).await;
    assert!(matches!(status, 401 | 403), "{status}");
    world.trust(sso("elsewhere", json!([]))).await;
    assert_eq!(refused(world.list(MCP, &rotated).await), unknown());
    world.trust(sso(AUDIENCE, json!(["machine"]))).await;
    assert_eq!(world.tools(&rotated).await.len(), 4);
    assert_eq!(idp.asked.load(Ordering::SeqCst), before + 1);

    let path = "/api/sso?org=acme-corp";
    let (status, _) = world
        .server
        .call("DELETE", path, &world.admin, Value::Null)
        .await;
    assert_eq!(status, 204);
    assert_eq!(refused(world.list(MCP, &rotated).await), unknown());
}

#[tokio::test]
async fn a_provider_out_of_reach_is_no_fault_of_the_token() {
    let idp = Idp::default();
    let issuer = format!("http://{}", idp.start().await);
    let host = issuer.trim_start_matches("http://");
    let world = World::of(Server::start_beside(host).await).await;
    let signer = Signer::new(&issuer, world.server.app.gate.clock().now()).await;
    let sso = json!({
        "issuer": issuer, "jwksUri": format!("{issuer}/jwks"),
        "audience": AUDIENCE, "algorithms": ["ES256"],
    });
    world.trust(sso).await;
    let token = signer.token(AUDIENCE, "mcp:call");
    let unavailable = world.send(MCP, &token, "tools/list", json!({})).await;
    assert!(unavailable.headers().contains_key("retry-after"));
    assert_eq!(
        refused(answer(unavailable).await),
        (503, "temporarily_unavailable".to_owned())
    );
}

#[tokio::test]
async fn an_org_is_held_to_the_month_of_its_plan_and_each_credential_to_its_rate() {
    let server = Server::start_with(true).await;
    let limits = server.app.realms.mcp_org.limits();
    assert_ne!(*limits, gatewright_core::policy::Limits::none());
    let plans = server.app.realms.mcp_org.plans();
    let quotas = ["free", "pro", "business"].map(|plan| plans.quota(plan).unwrap().limit());
    assert_eq!(quotas, [10_000, 100_000, 1_000_000]);
    let world = World::of(server).await;
    assert_eq!(world.server.app.realms.mcp_org.tenant_kind(), Some(&ORG));
    let key = world.key(json!({"name": "k"})).await;
    let mut refusal = None;
    for _ in 0..61 {
        let (status, body) = world.list(MCP, &key).await;
        if status != 200 {
            refusal = Some(refused((status, body)));
        }
    }
    assert_eq!(refusal, Some((429, "rate_limited".to_owned())));
}
