//! A gate over a [`Probe`]; two realms, three people, and credentials for them.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;

use gatewright_core::credential::{Field, Secret, SecretKind};
use gatewright_core::dialect::Dialect;
use gatewright_core::error::{AuthError, Cause};
use gatewright_core::gate::{Admission, Admitted, Arrival, Coherence, Gate, GateBuilder};
use gatewright_core::hash::{Argon2Settings, HashPool, Phc, PoolConfig, TagKey, TagKeys};
use gatewright_core::jwt::{
    AccessTokenClaims, Algorithm, KeySet, LiveKeys, SigningKey, Verifier, VerifierBuilder,
};
use gatewright_core::limit::Rate;
use gatewright_core::policy::{CompiledPolicy, Limits, Plans, Policy, Realm, TokenTrust};
use gatewright_core::principal::{CredentialId, SessionId, Tenant, TenantId, TenantKind, UserId};
use gatewright_core::role::Roles;
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::{
    CredentialStore as _, InsertOutcome, MembershipStore as _, NewCredential, RevokeOutcome,
    RotateOutcome, Rotation, StoredSecret,
};
use gatewright_core::time::{Clock as _, Timestamp};
use gatewright_testing::FakeClock;

use crate::probe::Probe;

pub(crate) const NOW: Timestamp = 1_700_000_000;
pub(crate) const ISSUER: &str = "https://auth.example";
pub(crate) const HANDLE_AUDIENCE: &str = "https://api.example/v2";
pub(crate) const WORKSPACE_AUDIENCE: &str = "https://api.example/api/v1";
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub(crate) const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

const HANDLE: TenantKind = TenantKind::from_static("handle");
const WORKSPACE: TenantKind = TenantKind::from_static("workspace");

/// Handles `neo` (plan pro: Alice owns, Bob creates) and `trinity` (plan free: Carol owns); the workspace `acme` (Alice).
pub(crate) struct World {
    pub(crate) store: Arc<Probe>,
    pub(crate) gate: Gate,
    pub(crate) clock: FakeClock,
    pub(crate) signer: SigningKey,
    pub(crate) keys: Arc<LiveKeys>,
    pub(crate) handles: Realm,
    pub(crate) workspaces: Realm,
}

/// A credential that was minted.
pub(crate) struct Key {
    pub(crate) kind: SecretKind,
    pub(crate) id: String,
    pub(crate) text: String,
}

pub(crate) fn pool(queue: usize) -> HashPool {
    let config = PoolConfig::new(Argon2Settings::insecure_for_tests())
        .with_threads(NonZeroUsize::MIN)
        .with_queue(queue);
    HashPool::start(config).unwrap()
}

pub(crate) fn tags() -> TagKeys {
    TagKeys::new(TagKey::from_bytes(7, [7; 32]), []).unwrap()
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub(crate) fn set(scopes: &str) -> ScopeSet {
    ScopeSet::parse(scopes).unwrap()
}

pub(crate) fn verifier(audience: &str) -> VerifierBuilder {
    Verifier::builder(ISSUER, audience)
        .algorithms([Algorithm::Es256])
        .rfc9068()
        .private_claims()
}

pub(crate) fn roles() -> Roles {
    Roles::builder()
        .role("creator", set("links.read"))
        .role("operator", set("links.* webhooks.*"))
        .role("owner", set("*"))
        .role("platform_admin", set("*"))
        .build()
        .unwrap()
}

pub(crate) fn plans() -> Plans {
    let rate = |limit| Some(Rate::per_minute(limit).unwrap());
    Plans::builder()
        .plan("free", [], rate(60))
        .plan("pro", ["webhooks"], rate(300))
        .plan("business", ["webhooks"], rate(1000))
        .build()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Coherence::SingleProcess, Limits::none(), |builder| builder).await
    }

    pub(crate) async fn with(
        coherence: Coherence,
        limits: Limits,
        configure: impl FnOnce(GateBuilder) -> GateBuilder,
    ) -> Self {
        let store = Arc::new(Probe::default());
        let clock = FakeClock::at(NOW);
        let builder = Gate::builder(Arc::clone(&store), coherence, tags())
            .hash_pool(pool(64))
            .clock(Arc::new(clock.clone()));
        let gate = configure(builder).build().unwrap();
        let signer = SigningKey::generate(Algorithm::Es256).unwrap();
        let keys = Arc::new(LiveKeys::new(
            KeySet::from_keys([signer.verifying_key()]).unwrap(),
        ));
        let trust =
            |audience| TokenTrust::new(verifier(audience).build().unwrap(), Arc::clone(&keys));
        let handles = Realm::builder("handles")
            .tenant_kind(HANDLE)
            .roles(roles())
            .plans(plans())
            .limits(limits)
            .trust(trust(HANDLE_AUDIENCE))
            .build();
        let workspaces = Realm::builder("workspaces")
            .dialect(Dialect::Detail)
            .tenant_kind(WORKSPACE)
            .roles(roles())
            .trust(trust(WORKSPACE_AUDIENCE))
            .build();
        let world = Self {
            store,
            gate,
            clock,
            signer,
            keys,
            handles,
            workspaces,
        };
        world.tenant(HANDLE, "neo", "pro", "alice").await;
        world.tenant(HANDLE, "trinity", "free", "carol").await;
        world.tenant(WORKSPACE, "acme", "free", "alice").await;
        world.put_member("ten_neo", "bob", "creator").await;
        world
    }

    async fn tenant(&self, kind: TenantKind, slug: &str, plan: &str, owner: &str) {
        let new = Tenant::new(tenant(&format!("ten_{slug}")), kind, slug, plan);
        let created = self.store.create_tenant(new, &user(owner), "owner").await;
        self.gate.changes().publish(created.unwrap());
    }

    pub(crate) async fn put_member(&self, id: &str, who: &str, role: &str) {
        let put = self.store.put_member(&tenant(id), &user(who), role).await;
        self.gate.changes().publish(put.unwrap());
    }

    /// A PAT of Alice's for `neo`.
    pub(crate) async fn pat(&self, scopes: &str) -> Key {
        self.mint(SecretKind::Pat, scopes, |_| {}).await
    }

    /// An API key of Alice's for `neo`.
    pub(crate) async fn api_key(&self, scopes: &str) -> Key {
        self.mint(SecretKind::ApiKey, scopes, |_| {}).await
    }

    pub(crate) async fn mint(
        &self,
        kind: SecretKind,
        scopes: &str,
        change: impl FnOnce(&mut NewCredential),
    ) -> Key {
        let brand = if kind == SecretKind::Pat {
            "patv1"
        } else {
            "tnx"
        };
        let minted = self.gate.formats().format(brand).unwrap().mint().unwrap();
        let stored = self.stored(&minted.secret).await;
        let id = CredentialId::new(minted.public_id.as_str()).unwrap();
        let mut new = NewCredential::new(kind, id, tenant("ten_neo"), user("alice"), stored, NOW);
        new.scopes = set(scopes);
        change(&mut new);
        let inserted = self.store.insert(new).await.unwrap();
        assert_eq!(
            self.gate.changes().publish(inserted),
            InsertOutcome::Inserted
        );
        Key {
            kind,
            id: minted.public_id,
            text: minted.secret.expose().to_owned(),
        }
    }

    async fn stored(&self, secret: &Secret) -> StoredSecret {
        let text = secret.expose().as_bytes();
        let hash = self.gate.hash_pool().hash(text).unwrap().await.unwrap();
        StoredSecret::new(hash, Some(self.gate.tag_keys().tag(text)))
    }

    pub(crate) async fn revoke(&self, key: &Key) -> RevokeOutcome {
        let at = self.clock.now();
        let tenant = tenant("ten_neo");
        let revoked = self.store.revoke(&tenant, key.kind, &key.id, at).await;
        self.gate.changes().publish(revoked.unwrap())
    }

    /// Gives the key a new secret; the old one is honoured for `grace` seconds. Answers the new text.
    pub(crate) async fn rotate(&self, key: &Key, grace: u64) -> String {
        let brand = if key.kind == SecretKind::Pat {
            "patv1"
        } else {
            "tnx"
        };
        let format = self.gate.formats().format(brand).unwrap().clone();
        let minted = format.mint_secret_for(&key.id).unwrap();
        let at = self.clock.now();
        let rotation = Rotation::new(self.stored(&minted.secret).await, at + grace, at);
        let tenant = tenant("ten_neo");
        let rotated = self
            .store
            .rotate(&tenant, key.kind, &key.id, rotation)
            .await;
        assert_eq!(
            self.gate.changes().publish(rotated.unwrap()),
            RotateOutcome::Rotated
        );
        minted.secret.expose().to_owned()
    }

    /// A wrong secret for the key, well formed.
    pub(crate) fn wrong(&self, key: &Key) -> String {
        let brand = if key.kind == SecretKind::Pat {
            "patv1"
        } else {
            "tnx"
        };
        let format = self.gate.formats().format(brand).unwrap();
        let minted = format.mint_secret_for(&key.id).unwrap();
        minted.secret.expose().to_owned()
    }

    /// Claims of a user's token for the handle realm, good for an hour.
    pub(crate) fn claims(&self, who: &str, jti: &str) -> AccessTokenClaims {
        let now = self.clock.now();
        AccessTokenClaims::new(ISSUER, who, HANDLE_AUDIENCE, "app", jti, now, now + 3600)
            .with_session_id(format!("sid_{who}"))
    }

    pub(crate) fn sign(&self, claims: &AccessTokenClaims) -> String {
        self.signer.sign("at+jwt", claims).unwrap()
    }

    pub(crate) fn jwt(&self, who: &str) -> String {
        self.sign(&self.claims(who, &format!("jti_{who}")))
    }

    pub(crate) fn compile(&self, policy: Policy) -> Arc<CompiledPolicy> {
        self.gate.compile(&policy, &self.handles).unwrap()
    }

    /// PATs with `links.read`, or operators, of the handle in the path.
    pub(crate) fn read_links(&self) -> Arc<CompiledPolicy> {
        self.compile(
            Policy::pat()
                .scope("links.read")
                .or(Policy::jwt().role("operator"))
                .tenant_from("handle"),
        )
    }

    /// Any mode, no tenant in the path.
    pub(crate) fn anyone(&self) -> Arc<CompiledPolicy> {
        self.compile(Policy::pat().or(Policy::api_key()).or(Policy::jwt()))
    }

    pub(crate) fn admit(
        &self,
        text: &str,
        policy: &Arc<CompiledPolicy>,
        arrival: Arrival<'_>,
    ) -> Admission {
        let line = format!("Bearer {text}");
        let fields = [(Field::Authorization, line.as_bytes())];
        self.gate.authenticate(&fields[..], policy, &arrival)
    }

    /// Asks from [`HOME`], at the path of `neo`.
    pub(crate) async fn ask(
        &self,
        text: &str,
        policy: &Arc<CompiledPolicy>,
    ) -> Result<Admitted, AuthError> {
        self.admit(text, policy, at("neo")).decided().await
    }

    pub(crate) async fn passes(&self, text: &str, policy: &Arc<CompiledPolicy>) {
        let admitted = self.ask(text, policy).await;
        assert!(admitted.is_ok(), "{admitted:?}");
    }

    pub(crate) async fn refused(&self, text: &str, policy: &Arc<CompiledPolicy>) -> Cause {
        cause(self.ask(text, policy).await)
    }

    /// Keeps the one hashing thread busy for a while; what is asked meanwhile queues up.
    pub(crate) fn busy(&self) -> gatewright_core::hash::Answer<bool> {
        let costly = format!(
            "$argon2id$v=19$m=65536,t=10,p=1$c29tZXNhbHRzb21lc2FsdA${:0>42}A",
            1
        );
        let costly: Phc = costly.parse().unwrap();
        self.gate.hash_pool().verify(&costly, b"").unwrap()
    }

    pub(crate) fn hashed(&self) -> u64 {
        self.gate.stats().hashing.verifications
    }

    pub(crate) fn end_session(&self, who: &str) -> SessionId {
        SessionId::new(format!("sid_{who}")).unwrap()
    }
}

pub(crate) fn at(slug: &str) -> Arrival<'_> {
    Arrival::new().tenant(Some(slug)).source(Some(HOME))
}

pub(crate) fn cause(decision: Result<Admitted, AuthError>) -> Cause {
    match decision {
        Ok(_) => panic!("admitted"),
        Err(refusal) => refusal.cause().unwrap(),
    }
}

/// Polls once; whether there is no answer yet.
pub(crate) async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    futures_util::future::poll_immediate(future).await.is_none()
}
