//! A gate, a store that can be made to misbehave, and an issuer over both.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use gatewright_core::audit::{AuditEvent, AuditKind, AuditSink};
use gatewright_core::credential::{Field, Secret, SecretKind};
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::gate::{Arrival, Coherence, Gate};
use gatewright_core::hash::{Argon2Settings, HashPool, PoolConfig, SecretHash, TagKey, TagKeys};
use gatewright_core::jwt::{Algorithm, Verifier};
use gatewright_core::policy::{CompiledPolicy, Policy, Realm, TokenTrust};
use gatewright_core::principal::{
    CredentialId, Principal, SessionId, Tenant, TenantId, TenantKind, UserId, Verified,
};
use gatewright_core::role::Roles;
use gatewright_core::scope::{ScopeCatalog, ScopeSet};
use gatewright_core::store::{
    BoxFuture, CredentialFilter, CredentialRecord, CredentialStore, InsertOutcome, MembershipStore,
    MemoryStore, NewCredential, Page, PageRequest, RevokeOutcome, RotateOutcome, Rotation,
    StoreError, StoredSecret, Unpublished, Use,
};
use gatewright_core::time::Timestamp;
use gatewright_issuer::{
    AccessTokens, Authority, CredentialIssuer, Grant, KeyLifetimes, MintRequest, MintedCredential,
    SealingKey, SigningKeys,
};
use gatewright_testing::FakeClock;

pub(crate) const NOW: Timestamp = 1_700_000_000;
const WORKSPACE: TenantKind = TenantKind::from_static("workspace");

pub(crate) struct World {
    pub(crate) clock: FakeClock,
    pub(crate) store: Arc<Unruly>,
    pub(crate) gate: Gate,
    pub(crate) realm: Realm,
    pub(crate) issuer: CredentialIssuer,
    pub(crate) catalog: Arc<ScopeCatalog>,
    pub(crate) events: Arc<Events>,
    pub(crate) tokens: AccessTokens,
    pub(crate) acme: TenantId,
    pub(crate) globex: TenantId,
    pub(crate) alice: UserId,
    pub(crate) bob: UserId,
    policy: Arc<CompiledPolicy>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_queue(64).await
    }

    pub(crate) async fn with_queue(jobs: usize) -> Self {
        let clock = FakeClock::at(NOW);
        let memory = MemoryStore::new();
        let (acme, globex) = (tenant("ten_acme"), tenant("ten_globex"));
        let (alice, bob) = (user("usr_alice"), user("usr_bob"));
        let pool = PoolConfig::new(Argon2Settings::insecure_for_tests()).with_queue(jobs);
        let gate = Gate::builder(
            Arc::new(memory.clone()),
            Coherence::SingleProcess,
            TagKeys::new(TagKey::generate(1).unwrap(), []).unwrap(),
        )
        .hash_pool(HashPool::start(pool).unwrap())
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
        for (id, slug) in [(&acme, "acme"), (&globex, "globex")] {
            let row = Tenant::new(id.clone(), WORKSPACE, slug, "free");
            let created = memory.create_tenant(row, &alice, "owner").await.unwrap();
            gate.changes().publish(created);
            let joined = memory.put_member(id, &bob, "operator").await.unwrap();
            gate.changes().publish(joined);
        }
        let sealing = SealingKey::new(&[7; 32]).unwrap();
        let keys = SigningKeys::open(
            Arc::new(memory.clone()),
            sealing,
            Algorithm::EdDsa,
            KeyLifetimes::new(600, 3_600),
            NOW,
        );
        let keys = Arc::new(keys.await.unwrap());
        let verifier = Verifier::builder("https://issuer.example", "https://api.example")
            .algorithms([Algorithm::EdDsa])
            .rfc9068()
            .private_claims()
            .build()
            .unwrap();
        let roles = Roles::builder()
            .role("creator", scopes("links.read"))
            .role("operator", scopes("links.write"))
            .role("owner", scopes("links.* billing"))
            .build()
            .unwrap();
        let realm = Realm::builder("api")
            .roles(roles)
            .tenant_kind(WORKSPACE)
            .trust(TokenTrust::new(verifier, Arc::clone(keys.live())))
            .build();
        let policy = Policy::api_key().or(Policy::pat()).or(Policy::jwt());
        let policy = gate.compile(&policy, &realm).unwrap();
        let store = Arc::new(Unruly::over(memory));
        let catalog = Arc::new(catalog());
        let events = Arc::new(Events::default());
        let issuer = CredentialIssuer::new(
            gate.clone(),
            Arc::<Unruly>::clone(&store),
            Arc::clone(&catalog),
            Arc::<Events>::clone(&events),
        );
        let tokens = AccessTokens::new("https://issuer.example", keys, 300);
        Self {
            clock,
            store,
            gate,
            realm,
            issuer,
            catalog,
            events,
            tokens,
            acme,
            globex,
            alice,
            bob,
            policy,
        }
    }

    /// A request for an API key of Alice's in `acme`.
    pub(crate) fn key(&self, asked: &str) -> MintRequest {
        let (acme, alice) = (self.acme.clone(), self.alice.clone());
        MintRequest::new("tnx", acme, alice, scopes(asked))
    }

    /// An API key of Alice's in `acme`, minted by the operator.
    pub(crate) async fn minted(&self, asked: &str) -> MintedCredential {
        let operator = Authority::operator();
        self.issuer.mint(self.key(asked), &operator).await.unwrap()
    }

    pub(crate) async fn enter(&self, secret: &Secret) -> Result<Verified<Principal>, AuthError> {
        self.enter_by(secret, &self.policy).await
    }

    pub(crate) async fn enter_by(
        &self,
        secret: &Secret,
        policy: &Arc<CompiledPolicy>,
    ) -> Result<Verified<Principal>, AuthError> {
        let bearer = format!("Bearer {}", secret.expose());
        let fields: &[(Field, &[u8])] = &[(Field::Authorization, bearer.as_bytes())];
        let admission = self.gate.authenticate(fields, policy, &Arrival::new());
        admission
            .decided()
            .await
            .map(|admitted| admitted.principal.unwrap())
    }

    /// What the gate says of a secret: `Ok`, or the code that its presenter gets.
    pub(crate) async fn verdict(&self, secret: &Secret) -> Result<(), ErrorCode> {
        self.enter(secret)
            .await
            .map(drop)
            .map_err(|refusal| refusal.code())
    }

    pub(crate) async fn authority(&self, secret: &Secret) -> Authority {
        Authority::of(&self.enter(secret).await.unwrap(), &self.realm)
    }

    /// The authority of a person who is logged in to a tenant.
    pub(crate) async fn logged_in(&self, user: &UserId, tenant: &TenantId) -> Authority {
        let session = SessionId::new("ses_1").unwrap();
        let grant = Grant::user(user, "app", "https://api.example", 0, session);
        let token = self
            .tokens
            .issue(&grant.in_tenant(tenant.clone()), self.now())
            .unwrap();
        self.authority(&token.access_token).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.gate.clock().now()
    }
}

fn catalog() -> ScopeCatalog {
    ScopeCatalog::builder()
        .declare("links.read", "See links")
        .declare("links.write", "Change links")
        .declare("analytics", "Count")
        .declare("billing", "Pay")
        .declare("mcp:call", "Call tools")
        .implies("links.write", "links.read")
        .implies("billing", "analytics")
        .build()
        .unwrap()
}

pub(crate) fn scopes(text: &str) -> ScopeSet {
    text.parse().unwrap()
}

fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<AuditEvent>>);

impl AuditSink for Events {
    fn record(&self, event: AuditEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Events {
    pub(crate) fn take(&self) -> Vec<AuditEvent> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    pub(crate) fn kinds(&self) -> Vec<AuditKind> {
        self.take().iter().map(|event| event.kind).collect()
    }
}

/// A store in memory that collides, fails and loses answers on demand.
pub(crate) struct Unruly {
    pub(crate) memory: MemoryStore,
    /// So many of the next insertions get the id in `taken`.
    pub(crate) collisions: AtomicU32,
    pub(crate) taken: Mutex<Option<CredentialId>>,
    /// Whether every call fails.
    pub(crate) is_down: AtomicBool,
    /// Whether a change is committed and its answer never comes.
    pub(crate) loses_answers: AtomicBool,
}

impl Unruly {
    fn over(memory: MemoryStore) -> Self {
        Self {
            memory,
            collisions: AtomicU32::new(0),
            taken: Mutex::default(),
            is_down: AtomicBool::new(false),
            loses_answers: AtomicBool::new(false),
        }
    }

    async fn answer<T>(&self, call: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable(std::io::Error::other("down")));
        }
        let answer = call.await;
        if self.loses_answers.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        answer
    }

    fn collides(&self) -> bool {
        let left = |count: u32| count.checked_sub(1);
        let order = Ordering::SeqCst;
        self.collisions.try_update(order, order, left).is_ok()
    }
}

impl CredentialStore for Unruly {
    fn find<'a>(
        &'a self,
        kind: SecretKind,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<CredentialRecord>, StoreError>> {
        if self.is_down.load(Ordering::SeqCst) {
            return Box::pin(self.answer(self.memory.find(kind, id)));
        }
        self.memory.find(kind, id)
    }

    fn insert(
        &self,
        mut new: NewCredential,
    ) -> BoxFuture<'_, Result<Unpublished<InsertOutcome>, StoreError>> {
        if self.collides() {
            new.id = self.taken.lock().unwrap().clone().unwrap();
        }
        Box::pin(self.answer(self.memory.insert(new)))
    }

    fn list<'a>(
        &'a self,
        tenant: &'a TenantId,
        filter: &'a CredentialFilter,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<CredentialRecord>, StoreError>> {
        self.memory.list(tenant, filter, page)
    }

    fn revoke<'a>(
        &'a self,
        tenant: &'a TenantId,
        kind: SecretKind,
        id: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<RevokeOutcome>, StoreError>> {
        Box::pin(self.answer(self.memory.revoke(tenant, kind, id, at)))
    }

    fn rotate<'a>(
        &'a self,
        tenant: &'a TenantId,
        kind: SecretKind,
        id: &'a str,
        rotation: Rotation,
    ) -> BoxFuture<'a, Result<Unpublished<RotateOutcome>, StoreError>> {
        Box::pin(self.answer(self.memory.rotate(tenant, kind, id, rotation)))
    }

    fn swap_hash<'a>(
        &'a self,
        kind: SecretKind,
        id: &'a str,
        old: &'a SecretHash,
        new: StoredSecret,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>> {
        self.memory.swap_hash(kind, id, old, new)
    }

    fn touch<'a>(&'a self, uses: &'a [Use]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.memory.touch(uses)
    }
}
