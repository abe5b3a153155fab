//! What all parts of one gate share, and the first rungs of the ladder.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::cache::Cache;
use super::coherence::Watch;
use super::flight::Flights;
use super::place::{Place, PlaceKey};
use super::record::{Record, RecordKey, Usage};
use super::secret::{ProofFlight, ReadFlight, Reading, Verdict};
use super::stats::Counters;
use super::token::Token;
use super::upkeep::Rehash;
use super::{Admission, Arrival};
use crate::audit::AuditSink;
use crate::credential::{
    Credential, Fields, Formats, Malformed, Presented, presented, query_has_token,
};
use crate::error::{AuthError, Cause};
use crate::hash::{HashPool, ProofDigest, ProofKey, TagKeys};
use crate::jwt::TokenCache;
use crate::limit::{FailureLimiter, Limiter};
use crate::policy::{CompiledPolicy, Compiler};
use crate::store::{Changes, CredentialStore, MembershipStore, RevocationStore, Stamp, StoreError};
use crate::time::{Clock, Timestamp};

/// After how many seconds a caller should try again whose secret found the hashing queue full.
pub(super) const HASH_RETRY_SECS: u32 = 1;
/// After how many seconds a caller should try again who found a store out of reach.
const STORE_RETRY_SECS: u32 = 2;

/// Last uses that may wait to be written down.
const MAX_USES: usize = 262_144;

pub(super) struct Shared {
    pub(super) compiler: Compiler,
    pub(super) formats: Formats,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) changes: Changes,
    pub(super) watch: Watch,

    pub(super) credentials: Arc<dyn CredentialStore>,
    pub(super) memberships: Arc<dyn MembershipStore>,
    pub(super) revocations: Arc<dyn RevocationStore>,

    pub(super) pool: HashPool,
    pub(super) tags: TagKeys,
    pub(super) proof_key: ProofKey,
    /// Texts that argon2 refused, with the mark of the hash that they were tried against.
    pub(super) wrong: Cache<u64, (ProofDigest, u64)>,

    pub(super) records: Cache<RecordKey, Arc<Record>>,
    pub(super) read_flights: Flights<ReadFlight, Reading>,
    pub(super) proof_flights: Flights<ProofFlight, Verdict>,
    pub(super) tokens: TokenCache<Arc<Token>>,
    pub(super) places: Cache<PlaceKey, Place>,

    pub(super) failures: FailureLimiter,
    pub(super) limiter: Arc<dyn Limiter>,
    pub(super) audit: Arc<dyn AuditSink>,
    pub(super) counters: Counters,

    /// Uses since the last flush.
    pub(super) used: Mutex<Vec<Arc<Usage>>>,
    /// Hashes under way that shall replace older ones.
    pub(super) rehashes: Mutex<Vec<Rehash>>,
}

/// A request as the rungs after parsing see it.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) policy: &'a Arc<CompiledPolicy>,
    pub(super) tenant: Option<&'a str>,
    pub(super) source: Option<IpAddr>,
    pub(super) now: Timestamp,
}

/// A [`Request`] that outlives its call.
pub(super) struct OwnedRequest {
    pub(super) policy: Arc<CompiledPolicy>,
    tenant: Option<Box<str>>,
    pub(super) source: Option<IpAddr>,
    pub(super) now: Timestamp,
}

impl Request<'_> {
    pub(super) fn to_owned(self) -> OwnedRequest {
        OwnedRequest {
            policy: Arc::clone(self.policy),
            tenant: self.tenant.map(Into::into),
            source: self.source,
            now: self.now,
        }
    }
}

impl OwnedRequest {
    pub(super) fn as_ref(&self) -> Request<'_> {
        Request {
            policy: &self.policy,
            tenant: self.tenant.as_deref(),
            source: self.source,
            now: self.now,
        }
    }
}

impl Shared {
    /// The first rungs: which policy, which field, what shape. Nothing here does I/O.
    pub(super) fn admit<F: Fields + ?Sized>(
        self: &Arc<Self>,
        fields: &F,
        policy: &Arc<CompiledPolicy>,
        arrival: &Arrival<'_>,
    ) -> Admission {
        match self.classify(fields, policy, arrival) {
            Ok((request, Some(Credential::Secret(secret)))) => self.admit_secret(secret, request),
            Ok((request, Some(Credential::Jwt(token)))) => self.admit_token(token, request),
            Ok((request, None)) => self.admit_anonymous(request),
            Err(cause) => Admission::Ready(Err(cause.into())),
        }
    }

    fn classify<'a, F: Fields + ?Sized>(
        &self,
        fields: &'a F,
        policy: &'a Arc<CompiledPolicy>,
        arrival: &Arrival<'a>,
    ) -> Result<(Request<'a>, Option<Credential<'a>>), Cause> {
        if policy.gate() != self.compiler.gate() {
            return Err(Cause::ForeignPolicy);
        }
        // A policy that names a tenant, and an adapter that found none in the path: the service's mistake.
        if policy.tenant_parameter().is_some() && arrival.tenant.is_none() {
            return Err(Cause::PolicyMissing);
        }
        let request = Request {
            policy,
            tenant: arrival.tenant,
            source: arrival.source,
            now: self.clock.now(),
        };
        if policy.is_public() {
            return Ok((request, None));
        }
        if arrival.query.is_some_and(query_has_token) {
            return Err(Cause::TokenInQuery);
        }
        let token = match presented(fields, policy.reads_api_key_field()) {
            Presented::Token { bytes, .. } => bytes,
            Presented::Nothing if policy.admits_anonymous() => return Ok((request, None)),
            Presented::Nothing => return Err(Cause::NothingPresented),
            Presented::Foreign => return Err(Cause::ForeignScheme),
            Presented::Malformed(_) => return Err(Cause::MalformedField),
            Presented::Ambiguous => return Err(Cause::AmbiguousField),
        };
        let credential = self
            .formats
            .classify(token)
            .map_err(|malformed| match malformed {
                Malformed::Checksum => Cause::BadChecksum,
                Malformed::UnknownFormat => Cause::UnknownFormat,
                _ => Cause::MalformedCredential,
            })?;
        Ok((request, Some(credential)))
    }

    /// Whether nothing was published since these stamps were taken.
    pub(super) fn is_current<const N: usize>(&self, stamps: &[Stamp; N]) -> bool {
        stamps.iter().all(|stamp| self.changes.is_current(*stamp))
    }

    /// Puts a credential on the list of those whose last use is to be written down. Past [`MAX_USES`] the use is dropped:
    /// a service that never flushes must not grow for it.
    pub(super) fn used(&self, usage: Arc<Usage>) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() < MAX_USES {
            used.push(usage);
        } else {
            usage.forget();
        }
    }
}

/// A store that does not answer is never an answer about the credential.
pub(super) fn store_failed(error: StoreError) -> AuthError {
    AuthError::from(Cause::StoreUnavailable)
        .with_retry_after(STORE_RETRY_SECS)
        .with_source(error)
}
