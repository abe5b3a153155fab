//! An authorization server over a store that can be put out of reach, and a resource that its tokens are for.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_core::credential::{Field, Formats, SecretFormat, SecretKind};
use gatewright_core::error::ErrorCode;
use gatewright_core::gate::{Arrival, Coherence, Gate};
use gatewright_core::hash::{Argon2Settings, HashPool, PoolConfig, TagKey, TagKeys};
use gatewright_core::jwt::{Algorithm, Verifier};
use gatewright_core::policy::{CompiledPolicy, Policy, Realm, TokenTrust};
use gatewright_core::principal::{Principal, Tenant, TenantId, TenantKind, UserId, Verified};
use gatewright_core::scope::ScopeCatalog;
use gatewright_core::store::{MembershipStore, MemoryStore};
use gatewright_issuer::{
    AccessTokens, Authority, AuthorizationServer, AuthorizationServerBuilder, CredentialIssuer,
    KeyLifetimes, MintedCredential, OAuthAnswer, OAuthClients, OAuthRequest, SealingKey,
    SigningKeys, TenantResource,
};
use gatewright_testing::{FakeClock, Outage};
use serde_json::Value;

use crate::world::{Events, NOW, scopes};

pub(crate) const ISSUER: &str = "https://gateway.example";
pub(crate) const RESOURCE: &str = "https://gateway.example/mcp/acme";
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub(crate) const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const FORM: &[u8] = b"application/x-www-form-urlencoded";
const ORG: TenantKind = TenantKind::from_static("org");

pub(crate) struct Provider {
    pub(crate) clock: FakeClock,
    pub(crate) store: Arc<Outage<MemoryStore>>,
    pub(crate) gate: Gate,
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) clients: OAuthClients,
    pub(crate) server: AuthorizationServer,
    pub(crate) events: Arc<Events>,
    pub(crate) acme: TenantId,
    pub(crate) globex: TenantId,
    pub(crate) alice: UserId,
    policy: Arc<CompiledPolicy>,
}

/// A request under construction.
pub(crate) struct Ask<'a> {
    pub(crate) basic: Option<String>,
    pub(crate) body: String,
    pub(crate) content_type: &'a [u8],
    pub(crate) query: Option<&'a str>,
    pub(crate) from: IpAddr,
}

impl Ask<'_> {
    /// With `client_secret_basic`.
    pub(crate) fn basic(id: &str, secret: &str, body: &str) -> Self {
        let pair = STANDARD.encode(format!("{id}:{secret}"));
        Self {
            basic: Some(format!("Basic {pair}")),
            ..Self::bare(body)
        }
    }

    /// Without credentials, unless the body has some.
    pub(crate) fn bare(body: &str) -> Self {
        Self {
            basic: None,
            body: body.to_owned(),
            content_type: FORM,
            query: None,
            from: HOME,
        }
    }

    pub(crate) fn of(client: &MintedCredential, body: &str) -> Self {
        Self::basic(client.id.as_str(), client.secret.expose(), body)
    }

    pub(crate) fn from(mut self, source: IpAddr) -> Self {
        self.from = source;
        self
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Endpoint {
    Token,
    Revoke,
    Introspect,
}

impl Provider {
    pub(crate) async fn new() -> Self {
        Self::with(64, |builder| builder).await
    }

    pub(crate) async fn with(
        queue: usize,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let clock = FakeClock::at(NOW);
        let memory = MemoryStore::new();
        let store = Arc::new(Outage::new(Arc::new(memory.clone())));
        let formats = SecretFormat::unnamed(SecretKind::Client, "apx_secret");
        let formats = Formats::standard().with(formats).unwrap();
        let tags = || TagKeys::new(TagKey::from_bytes(1, [1; 32]), []).unwrap();
        let build = |queue| {
            let settings = Argon2Settings::insecure_for_tests();
            let pool = HashPool::start(PoolConfig::new(settings).with_queue(queue)).unwrap();
            Gate::builder(Arc::clone(&store), Coherence::SingleProcess, tags())
                .formats(formats.clone())
                .hash_pool(pool)
                .clock(Arc::new(clock.clone()))
        };
        let gate = build(queue).build().unwrap();
        let acme = TenantId::new("ten_acme").unwrap();
        let globex = TenantId::new("ten_globex").unwrap();
        let alice = UserId::new("usr_alice").unwrap();
        for (id, slug) in [(&acme, "acme"), (&globex, "globex")] {
            let row = Tenant::new(id.clone(), ORG, slug, "free");
            let created = memory.create_tenant(row, &alice, "admin").await.unwrap();
            gate.changes().publish(created);
        }
        let keys = SigningKeys::open(
            Arc::new(memory),
            SealingKey::new(&[7; 32]).unwrap(),
            Algorithm::Es256,
            KeyLifetimes::new(600, 3_600),
            NOW,
        );
        let keys = Arc::new(keys.await.unwrap());
        let tokens = AccessTokens::new(ISSUER, Arc::clone(&keys), 3_600);
        let events = Arc::new(Events::default());
        let resource = TenantResource::under("https://gateway.example/mcp/");
        let builder =
            AuthorizationServer::builder(gate.clone(), Arc::clone(&store), tokens, resource)
                .audit(Arc::<Events>::clone(&events));
        let server = configure(builder).build().unwrap();

        let catalog = ScopeCatalog::builder()
            .declare("mcp:call", "Call tools")
            .declare("audit.read", "See what happened")
            .build()
            .unwrap();
        // Minting hashes in a pool of its own, which never is full; changes are told to the one gate.
        let minting = build(64).changes(gate.changes().clone()).build().unwrap();
        let issuer = CredentialIssuer::new(
            minting,
            Arc::<Outage<MemoryStore>>::clone(&store),
            Arc::new(catalog),
            Arc::<Events>::clone(&events),
        );
        let clients = OAuthClients::new(issuer, Arc::<Outage<MemoryStore>>::clone(&store));

        let verifier = Verifier::builder(ISSUER, RESOURCE)
            .algorithms([Algorithm::Es256])
            .rfc9068()
            .private_claims()
            .build()
            .unwrap();
        let realm = Realm::builder("mcp")
            .tenant_kind(ORG)
            .trust(TokenTrust::new(verifier, Arc::clone(keys.live())))
            .build();
        let policy = Policy::jwt().scope("mcp:call:conn_1").tenant_from("org");
        let policy = gate.compile(&policy, &realm).unwrap();
        Self {
            clock,
            store,
            gate,
            keys,
            clients,
            server,
            events,
            acme,
            globex,
            alice,
            policy,
        }
    }

    /// A client of `acme`, registered by the operator.
    pub(crate) async fn client(&self, asked: &str) -> MintedCredential {
        let (acme, alice) = (self.acme.clone(), self.alice.clone());
        let request = self.clients.request(acme, alice, scopes(asked));
        let operator = Authority::operator();
        self.clients.register(request, &operator).await.unwrap()
    }

    pub(crate) async fn ask(&self, endpoint: Endpoint, ask: Ask<'_>) -> OAuthAnswer {
        let line = ask.basic.as_ref().map(|line| [line.as_bytes()]);
        let lines = line.as_ref().map_or(&[][..], |line| &line[..]);
        let request = OAuthRequest::post(ask.body.as_bytes())
            .content_type(Some(ask.content_type))
            .authorization(lines)
            .query(ask.query)
            .source(Some(ask.from));
        self.send(endpoint, &request).await
    }

    pub(crate) async fn send(&self, endpoint: Endpoint, request: &OAuthRequest<'_>) -> OAuthAnswer {
        match endpoint {
            Endpoint::Token => self.server.token(request).await,
            Endpoint::Revoke => self.server.revoke(request).await,
            Endpoint::Introspect => self.server.introspect(request).await,
        }
    }

    /// A fresh token of the client.
    pub(crate) async fn token(&self, client: &MintedCredential) -> String {
        let ask = Ask::of(client, "grant_type=client_credentials");
        let answer = self.ask(Endpoint::Token, ask).await;
        assert_eq!(answer.status, 200, "{}", json(&answer));
        json(&answer)["access_token"].as_str().unwrap().to_owned()
    }

    /// What the gate of the resource of `acme` says of a token.
    pub(crate) async fn enter(&self, token: &str) -> Result<Verified<Principal>, ErrorCode> {
        let bearer = format!("Bearer {token}");
        let fields: &[(Field, &[u8])] = &[(Field::Authorization, bearer.as_bytes())];
        let arrival = Arrival::new().tenant(Some("acme")).source(Some(HOME));
        let admission = self.gate.authenticate(fields, &self.policy, &arrival);
        let admitted = admission.decided().await;
        admitted
            .map(|admitted| admitted.principal.unwrap())
            .map_err(|refusal| refusal.code())
    }

    pub(crate) fn hashed(&self) -> u64 {
        self.gate.stats().hashing.verifications
    }
}

pub(crate) fn json(answer: &OAuthAnswer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

pub(crate) fn field<'a>(answer: &'a OAuthAnswer, name: &str) -> Option<&'a str> {
    let found = answer.fields.iter().find(|(own, _)| *own == name);
    found.map(|(_, value)| value.as_str())
}
