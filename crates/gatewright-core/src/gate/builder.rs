//! How a gate is put together.

use std::sync::{Arc, Mutex};

use super::cache::Cache;
use super::coherence::Watch;
use super::flight::Flights;
use super::opaque::MAX_ANSWER_LIFE_SECS;
use super::shared::Shared;
use super::stats::Counters;
use super::token::SHARED_SCOPES;
use super::{Coherence, Gate};
use crate::audit::{AuditSink, NoAudit};
use crate::credential::Formats;
use crate::hash::{Argon2Settings, HashPool, PoolConfig, ProofKey, TagKeys};
use crate::jwt::TokenCache;
use crate::limit::{FailureLimiter, Limiter, LocalLimiter, Rate};
use crate::policy::Compiler;
use crate::store::{Changes, CredentialStore, MembershipStore, RevocationStore};
use crate::time::{Clock, SystemClock};

/// The longest that a verified token is kept, in seconds; a token that lives longer is verified again.
pub(super) const MAX_TOKEN_LIFE_SECS: u64 = 3600;

/// Puts a [`Gate`] together. What is not said has the default named at its method.
pub struct GateBuilder {
    credentials: Arc<dyn CredentialStore>,
    memberships: Arc<dyn MembershipStore>,
    revocations: Arc<dyn RevocationStore>,
    coherence: Coherence,
    tags: TagKeys,
    formats: Option<Formats>,
    pool: Option<HashPool>,
    clock: Option<Arc<dyn Clock>>,
    changes: Changes,
    audit: Arc<dyn AuditSink>,
    limiter: Option<Arc<dyn Limiter>>,
    cache_capacity: usize,
}

/// Why a gate could not be put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The hashing threads could not be started.
    #[error("the hashing threads could not be started")]
    HashPool(#[source] crate::hash::PoolError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random(#[source] crate::hash::KeyError),
}

impl GateBuilder {
    pub(super) fn new<S>(store: Arc<S>, coherence: Coherence, tags: TagKeys) -> Self
    where
        S: CredentialStore + MembershipStore + RevocationStore + 'static,
    {
        Self {
            credentials: Arc::<S>::clone(&store),
            memberships: Arc::<S>::clone(&store),
            revocations: store,
            coherence,
            tags,
            formats: None,
            pool: None,
            clock: None,
            changes: Changes::new(),
            audit: Arc::new(NoAudit),
            limiter: None,
            cache_capacity: 100_000,
        }
    }

    /// The credential formats to accept; [`Formats::standard`] if not said.
    #[must_use]
    pub fn formats(mut self, formats: Formats) -> Self {
        self.formats = Some(formats);
        self
    }

    /// The threads that hash; a pool with argon2id at 19 MiB, two passes, one lane if not said.
    #[must_use]
    pub fn hash_pool(mut self, pool: HashPool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// The clock; the machine's if not said.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The generations to watch, when something else than this gate's own should share them.
    #[must_use]
    pub fn changes(mut self, changes: Changes) -> Self {
        self.changes = changes;
        self
    }

    /// Where denials are recorded; nowhere if not said.
    #[must_use]
    pub fn audit(mut self, sink: Arc<dyn AuditSink>) -> Self {
        self.audit = sink;
        self
    }

    /// What counts calls; a limiter in this process's memory if not said.
    #[must_use]
    pub fn limiter(mut self, limiter: Arc<dyn Limiter>) -> Self {
        self.limiter = Some(limiter);
        self
    }

    /// How many credential records, verified tokens, tokens of tenants' own providers and memberships to keep in memory, of
    /// each; 100,000 if not said.
    ///
    /// With what an allocator rounds up, a record takes some 570 bytes beside the texts that the store answered (ids, hash,
    /// scopes), and a token some 590 beside its own text; each has 128 more for every few threads that used it besides the
    /// first ones.
    #[must_use]
    pub const fn cache_capacity(mut self, entries: usize) -> Self {
        self.cache_capacity = entries;
        self
    }

    /// The gate.
    ///
    /// # Errors
    /// [`GateError`], when the system gives no threads or no random bytes.
    pub fn build(self) -> Result<Gate, GateError> {
        let pool = match self.pool {
            Some(pool) => pool,
            None => HashPool::start(PoolConfig::new(Argon2Settings::default()))
                .map_err(GateError::HashPool)?,
        };
        Ok(Gate(Arc::new(Shared {
            compiler: Compiler::new(),
            formats: self.formats.unwrap_or_else(Formats::standard),
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            changes: self.changes,
            watch: Watch::new(self.coherence),
            credentials: self.credentials,
            memberships: self.memberships,
            revocations: self.revocations,
            pool,
            tags: self.tags,
            proof_key: ProofKey::generate().map_err(GateError::Random)?,
            wrong: Cache::new(self.cache_capacity.clamp(1, 65_536)),
            records: Cache::new(self.cache_capacity),
            read_flights: Flights::new(),
            proof_flights: Flights::new(),
            tokens: TokenCache::new(self.cache_capacity.max(1), MAX_TOKEN_LIFE_SECS),
            scopes: Cache::new(SHARED_SCOPES),
            externals: TokenCache::new(self.cache_capacity.max(1), MAX_TOKEN_LIFE_SECS),
            introspected: TokenCache::new(self.cache_capacity.max(1), MAX_ANSWER_LIFE_SECS),
            fetches: Flights::new(),
            asking: Flights::new(),
            places: Cache::new(self.cache_capacity),
            tenancies: Cache::new(self.cache_capacity),
            failures: FailureLimiter::new(),
            asks: FailureLimiter::with_rate(Rate::SIXTY_A_MINUTE, 100_000),
            limiter: self
                .limiter
                .unwrap_or_else(|| Arc::new(LocalLimiter::new())),
            audit: self.audit,
            counters: Counters::new(),
            used: Mutex::default(),
            rehashes: Mutex::default(),
        })))
    }
}
