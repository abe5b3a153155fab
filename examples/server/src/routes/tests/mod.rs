//! The routes, over HTTP, on a database of their own.

mod audit;
mod conversions;
mod gateway;
mod handle;
mod hostile;
mod mcp;
mod mcp_org;
mod oauth;
mod people;
mod proxies;
mod sessions;
mod table;
mod team;
mod visitor;
mod workspace;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use gatewright_core::audit::{AuditEvent, AuditSink};
use gatewright_core::gate::{Coherence, Gate};
use gatewright_core::hash::{Argon2Settings, HashPool, Passwords, PoolConfig};
use gatewright_core::jwt::Algorithm;
use gatewright_core::policy::RouteTable;
use gatewright_core::principal::{Tenant, TenantId, TenantKind, UserId};
use gatewright_core::scope::{Scope, ScopeSet};
use gatewright_core::source::TrustedProxies;
use gatewright_core::store::{Account, AccountStore, MembershipStore};
use gatewright_core::time::{Clock, SystemClock};
use gatewright_issuer::{
    AccessTokens, Accounts, Authority, CredentialIssuer, KeyLifetimes, Mail, Mailer, MintRequest,
    SealingKey, Sessions, SigningKeys, guard_tag_keys,
};
use gatewright_sqlx::SqliteStore;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::federation::OrgProviders;
use crate::idp_hosts::IdpHosts;
use crate::mcp::OrgConnectors;
use crate::orgs::{OrgListener, Orgs};
use crate::product::Product;
use crate::realms::{HANDLE, ORG, Realms, WORKSPACE};

pub(super) const PASSWORD: &str = "correct horse battery staple";

/// Keeps what happened, in the order in which it did.
#[derive(Default)]
pub(super) struct Recorded(Mutex<Vec<AuditEvent>>);

impl Recorded {
    /// What was recorded since the last call.
    pub(super) fn take(&self) -> Vec<AuditEvent> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl AuditSink for Recorded {
    fn record(&self, event: AuditEvent) {
        self.0.lock().unwrap().push(event);
    }
}

/// Keeps what is mailed, in the order in which it was.
#[derive(Default)]
pub(super) struct Outbox(Mutex<Vec<Mail>>);

impl Outbox {
    /// What was mailed since the last call.
    pub(super) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Mailer for Outbox {
    fn send(&self, mail: Mail) {
        self.0.lock().unwrap().push(mail);
    }
}

/// A running server with its own database.
pub(super) struct Server {
    pub(super) app: App,
    pub(super) audit: Arc<Recorded>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) table: RouteTable,
    url: String,
    client: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl Server {
    /// Without limits.
    pub(super) async fn start() -> Self {
        Self::start_with(false).await
    }

    pub(super) async fn start_with(limits: bool) -> Self {
        Self::start_behind(None, limits).await
    }

    /// Behind proxies, which the tests are.
    pub(super) async fn start_behind(proxies: Option<TrustedProxies>, limits: bool) -> Self {
        Self::start_among(&[], proxies, limits).await
    }

    /// One that may reach these hosts for keys.
    pub(super) async fn start_beside(host: &str) -> Self {
        Self::start_among(&[host], None, false).await
    }

    async fn start_among(hosts: &[&str], proxies: Option<TrustedProxies>, limits: bool) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gatewright.db");
        let store = Arc::new(SqliteStore::open(path.to_str().unwrap()).await.unwrap());
        let audit = Arc::<Recorded>::default();
        let outbox = Arc::<Outbox>::default();
        let mut app = app(store, &url, limits, audit.clone(), outbox.clone(), hosts).await;
        app.proxies = proxies;
        let (router, table) = super::router(app.clone()).unwrap();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self {
            app,
            audit,
            outbox,
            table,
            url,
            client: reqwest::Client::new(),
            _directory: directory,
        }
    }

    pub(super) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Calls with a bearer (unless it is empty) and a body of JSON (unless it is null).
    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        bearer: &str,
        body: Value,
    ) -> (u16, Value) {
        let mut request = self.request(method, path);
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        answer(request.send().await.unwrap()).await
    }

    pub(super) async fn get(&self, path: &str, bearer: &str) -> (u16, Value) {
        self.call("GET", path, bearer, Value::Null).await
    }

    /// Makes a verified account with [`PASSWORD`].
    pub(super) async fn person(&self, name: &str) -> UserId {
        self.account(name, true).await
    }

    pub(super) async fn account(&self, name: &str, verified: bool) -> UserId {
        let id = UserId::new(format!("usr_{name}")).unwrap();
        let mut account = Account::new(id.clone(), &format!("{name}@acme.test"), 1_700_000_000);
        account.verified = verified;
        let hash = self.app.passwords.hash(PASSWORD.as_bytes()).unwrap().await;
        account.password = hash;
        self.app.store.insert_account(account).await.unwrap();
        id
    }

    /// Makes a workspace whose admin is the user.
    pub(super) async fn workspace(&self, slug: &str, admin: &UserId) -> TenantId {
        self.tenant(&WORKSPACE, slug, "free", admin, "admin").await
    }

    /// Makes a handle whose owner is the user.
    pub(super) async fn handle(&self, slug: &str, plan: &str, owner: &UserId) -> TenantId {
        self.tenant(&HANDLE, slug, plan, owner, "owner").await
    }

    /// Makes an org whose admin is the user.
    pub(super) async fn org(&self, slug: &str, admin: &UserId) -> TenantId {
        self.tenant(&ORG, slug, "free", admin, "admin").await
    }

    async fn tenant(
        &self,
        kind: &TenantKind,
        slug: &str,
        plan: &str,
        first: &UserId,
        role: &str,
    ) -> TenantId {
        let id = TenantId::new(format!("ten_{slug}")).unwrap();
        let tenant = Tenant::new(id.clone(), kind.clone(), slug, plan);
        let created = self.app.store.create_tenant(tenant, first, role).await;
        self.app.gate.changes().publish(created.unwrap());
        id
    }

    /// Mints a key of the user's that may do everything, and answers its secret.
    pub(super) async fn key_of(&self, user: &UserId, tenant: &TenantId) -> String {
        let all = ScopeSet::from(Scope::ALL);
        let request = MintRequest::new("tnx", tenant.clone(), user.clone(), all);
        let authority = Authority::operator();
        let minted = self.app.credentials.mint(request, &authority);
        minted.await.unwrap().secret.expose().to_owned()
    }

    pub(super) async fn join(&self, tenant: &TenantId, user: &UserId, role: &str) {
        let put = self.app.store.put_member(tenant, user, role).await;
        self.app.gate.changes().publish(put.unwrap());
    }

    pub(super) async fn login(&self, family: &str, name: &str) -> String {
        let path = match family {
            "workspace" => "/api/v1/users/login",
            "gateway" => "/api/auth/login",
            _ => "/v2/auth/login",
        };
        let body = json!({ "email": format!("{name}@acme.test"), "password": PASSWORD });
        let (status, token) = self.call("POST", path, "", body).await;
        assert_eq!(status, 200, "{token}");
        assert_eq!(token["token_type"], "bearer");
        assert_eq!(token["expires_in"], 3600);
        text(&token["access_token"])
    }
}

pub(super) async fn answer(response: Response) -> (u16, Value) {
    // The documents that everybody may have are kept for a while.
    if !response.url().path().starts_with("/.well-known/") {
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    let body = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&body).unwrap()
    };
    (status, body)
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The code of a refusal in the canonical dialect, in that of details or in JSON-RPC.
pub(super) fn refused(answer: (u16, Value)) -> (u16, String) {
    let (status, body) = answer;
    let rpc = body["error"]["data"]["code"].as_str();
    let code = rpc.or(body["error"]["code"].as_str().or(body["code"].as_str()));
    (status, code.unwrap_or_default().to_owned())
}

async fn app(
    store: Arc<SqliteStore>,
    public_url: &str,
    limits: bool,
    audit: Arc<Recorded>,
    outbox: Arc<Outbox>,
    hosts: &[&str],
) -> App {
    let idp_hosts = [&["127.0.0.1:9000"], hosts].concat();
    let now = SystemClock::new().now();
    let signing = SigningKeys::open(
        store.clone(),
        SealingKey::new(&[7; 32]).unwrap(),
        Algorithm::EdDsa,
        KeyLifetimes::new(60, 3_600),
        now,
    );
    let signing = Arc::new(signing.await.unwrap());
    let hashing = || PoolConfig::new(Argon2Settings::insecure_for_tests());
    let tags = guard_tag_keys(&*store).await.unwrap();
    let gate = Gate::builder(store.clone(), Coherence::SingleProcess, tags)
        .formats(crate::start::formats().unwrap())
        .hash_pool(HashPool::start(hashing()).unwrap())
        .audit(audit.clone())
        .build()
        .unwrap();
    let product = Product::open(store.pool().clone()).await.unwrap();
    let visitors = product.visitor_keys().await.unwrap();
    let realms = Realms::new(signing.live(), public_url, limits, visitors).unwrap();
    let realms = Arc::new(realms);
    let catalog = Arc::clone(&realms.catalog);
    let idp_hosts = Arc::new(IdpHosts::parse(&idp_hosts.join(",")).unwrap());
    let registry = Arc::clone(&realms.providers);
    let providers = OrgProviders::new(registry, &idp_hosts, public_url).unwrap();
    let connectors = Arc::<OrgConnectors>::default();
    let listeners: [Arc<dyn OrgListener>; 2] = [Arc::new(providers), connectors.clone()];
    let passwords = Passwords::start(hashing()).unwrap();
    App {
        under_way: crate::web::UnderWay::default(),
        accounts: Accounts::new(
            gate.clone(),
            store.clone(),
            passwords.clone(),
            outbox,
            audit.clone(),
        ),
        password_policy: Arc::new(crate::start::password_policy()),
        sessions: Sessions::new(gate.clone(), store.clone(), audit.clone()),
        credentials: CredentialIssuer::new(gate.clone(), store.clone(), catalog, audit.clone()),
        gate,
        orgs: Arc::new(Orgs::new(product.clone(), listeners)),
        connectors,
        idp_hosts,
        product,
        tokens: AccessTokens::new(public_url, signing.clone(), 3_600),
        store,
        signing,
        passwords,
        realms,
        audit,
        provider: None,
        proxies: None,
        public_url: public_url.into(),
    }
}
