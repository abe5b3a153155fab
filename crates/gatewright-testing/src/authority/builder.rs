//! How an authority is put together.

use std::sync::Arc;

use gatewright_core::gate::{Coherence, Gate, GateBuilder};
use gatewright_core::hash::{Argon2Settings, HashPool, PoolConfig, TagKey, TagKeys};
use gatewright_core::jwt::Algorithm;
use gatewright_core::principal::{Tenant, TenantKind};
use gatewright_core::store::{InsertOutcome, MembershipStore as _, MemoryStore};
use gatewright_core::time::{Clock, SystemClock};

use super::{FIRST, TestAuthority, tenant_id, user_id};
use crate::Outage;
use crate::token::TestKeys;

/// Puts a [`TestAuthority`] together. What is not said has the default named at its method.
///
/// ```
/// use gatewright_core::jwt::Algorithm;
/// use gatewright_core::principal::TenantKind;
/// use gatewright_testing::{FakeClock, TestAuthority};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let clock = FakeClock::at(1_700_000_000);
/// let authority = TestAuthority::builder(TenantKind::from_static("workspace"))
///     .tenant("acme", "pro")
///     .algorithm(Algorithm::Es256)
///     .clock(clock.clone())
///     .build()
///     .await;
/// clock.advance(60);
/// assert_eq!(authority.gate().clock().now(), 1_700_000_060);
/// # }
/// ```
#[must_use = "nothing is made before `build`"]
pub struct TestAuthorityBuilder {
    kind: TenantKind,
    tenants: Vec<(String, String)>,
    issuer: String,
    audience: String,
    algorithm: Algorithm,
    clock: Arc<dyn Clock>,
    coherence: Coherence,
    hashing: Argon2Settings,
    configure: Box<dyn FnOnce(GateBuilder) -> GateBuilder + Send>,
}

impl TestAuthorityBuilder {
    pub(super) fn new(kind: TenantKind) -> Self {
        Self {
            kind,
            tenants: Vec::new(),
            issuer: "https://issuer.example".to_owned(),
            audience: "https://api.example".to_owned(),
            algorithm: Algorithm::Rs256,
            clock: Arc::new(SystemClock::new()),
            coherence: Coherence::SingleProcess,
            hashing: Argon2Settings::insecure_for_tests(),
            configure: Box::new(|gate| gate),
        }
    }

    /// One more tenant, on this plan. There are none if not said.
    pub fn tenant(mut self, slug: &str, plan: &str) -> Self {
        self.tenants.push((slug.to_owned(), plan.to_owned()));
        self
    }

    /// The `iss` of its tokens; `https://issuer.example` if not said.
    pub fn issuer(mut self, issuer: &str) -> Self {
        issuer.clone_into(&mut self.issuer);
        self
    }

    /// The `aud` of its tokens; `https://api.example` if not said.
    pub fn audience(mut self, audience: &str) -> Self {
        audience.clone_into(&mut self.audience);
        self
    }

    /// What its tokens are signed with; RS256 if not said.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The clock of the gate and of the tokens, such as a clone of a [`FakeClock`](crate::FakeClock); the machine's if not
    /// said.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How far the gate trusts its memory; [`Coherence::SingleProcess`] if not said.
    pub fn coherence(mut self, coherence: Coherence) -> Self {
        self.coherence = coherence;
        self
    }

    /// What a hash costs; next to nothing if not said.
    pub fn hashing(mut self, settings: Argon2Settings) -> Self {
        self.hashing = settings;
        self
    }

    /// Changes how the gate is put together: its limiter, its audit sink, its formats. The last one given counts.
    pub fn configure(
        mut self,
        configure: impl FnOnce(GateBuilder) -> GateBuilder + Send + 'static,
    ) -> Self {
        self.configure = Box::new(configure);
        self
    }

    /// The authority.
    ///
    /// # Panics
    /// Where a slug is not a [`TenantId`](gatewright_core::principal::TenantId) or stands twice, the algorithm is HS256, or
    /// no thread can be started.
    pub async fn build(self) -> TestAuthority {
        let store = Arc::new(MemoryStore::new());
        let outage = Arc::new(Outage::new(Arc::clone(&store)));
        let tags = TagKeys::new(TagKey::generate(1).unwrap(), []).unwrap();
        let pool = HashPool::start(PoolConfig::new(self.hashing)).unwrap();
        let gate = Gate::builder(Arc::clone(&outage), self.coherence, tags)
            .hash_pool(pool)
            .clock(self.clock);
        let gate = (self.configure)(gate).build().unwrap();
        let first = user_id(FIRST);
        for (slug, plan) in self.tenants {
            let tenant = Tenant::new(tenant_id(&slug), self.kind.clone(), &*slug, &*plan);
            let created = store.create_tenant(tenant, &first, "owner").await;
            let outcome = gate.changes().publish(created.unwrap());
            assert_eq!(outcome, InsertOutcome::Inserted, "{slug} is there already");
        }
        TestAuthority {
            gate,
            store,
            outage,
            kind: self.kind,
            issuer: self.issuer,
            audience: self.audience,
            keys: Arc::new(TestKeys::new(self.algorithm)),
        }
    }
}
