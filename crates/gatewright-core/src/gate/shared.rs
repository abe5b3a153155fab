//! What all parts of one gate share, and the first rungs of the ladder.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::arrival::Source;
use super::cache::Cache;
use super::coherence::Watch;
use super::decide::Answer;
use super::external::{External, FetchFlight, Fetched};
use super::flight::Flights;
use super::opaque::{AskFlight, Asked};
use super::place::{Place, PlaceKey};
use super::record::{Record, RecordKey, Usage};
use super::secret::{ProofFlight, ReadFlight, Reading, Verdict};
use super::stats::Counters;
use super::token::Token;
use super::upkeep::Rehash;
use super::{Admission, Admitted, Arrival};
use crate::audit::AuditSink;
use crate::credential::{
    Credential, Fields, Formats, Glance, Malformed, Presented, begins_as_jwt, candidate,
    is_token68, presented, query_has_token,
};
use crate::error::{AuthError, Cause};
use crate::hash::{HashPool, ProofDigest, ProofKey, TagKeys};
use crate::jwt::TokenCache;
use crate::limit::{FailureLimiter, Limiter};
use crate::policy::{CompiledPolicy, Compiler};
use crate::principal::{Mode, Tenancy, TenantId};
use crate::role::Role;
use crate::scope::ScopeSet;
use crate::store::{Changes, CredentialStore, MembershipStore, RevocationStore, Stamp, StoreError};
use crate::time::{Clock, Moment, Timestamp};

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
    /// What tokens' texts of scopes mean.
    pub(super) scopes: Cache<Box<str>, ScopeSet>,
    /// Tokens of tenants' own providers, apart from ours: no tenant's flood pushes out another issuer's.
    pub(super) externals: TokenCache<Arc<External>>,
    /// What providers answered, by a digest of the token.
    pub(super) introspected: TokenCache<Arc<External>>,
    pub(super) fetches: Flights<FetchFlight, Fetched>,
    pub(super) asking: Flights<AskFlight, Asked>,
    pub(super) places: Cache<PlaceKey, Place>,
    /// Tenants as records and places share them.
    pub(super) tenancies: Cache<(TenantId, Option<Role>), Arc<Tenancy>>,

    pub(super) failures: FailureLimiter,
    /// Those who have tenants' providers asked in vain.
    pub(super) asks: FailureLimiter,
    pub(super) limiter: Arc<dyn Limiter>,
    pub(super) audit: Arc<dyn AuditSink>,
    pub(super) counters: Counters,

    /// Uses since the last flush.
    pub(super) used: Mutex<Vec<Arc<Usage>>>,
    /// Hashes under way that shall replace older ones.
    pub(super) rehashes: Mutex<Vec<Rehash>>,
}

/// A request as the rungs after parsing see it.
pub(super) struct Request<'a> {
    pub(super) policy: &'a Arc<CompiledPolicy>,
    pub(super) tenant: Option<&'a str>,
    source: Source<'a>,
    pub(super) now: Timestamp,
    /// The monotonic clock, read together with `now`.
    pub(super) nanos: u64,
}

/// A [`Request`] that outlives its call.
pub(super) struct OwnedRequest {
    pub(super) policy: Arc<CompiledPolicy>,
    tenant: Option<Box<str>>,
    pub(super) source: Option<IpAddr>,
    pub(super) now: Timestamp,
}

impl Request<'_> {
    #[inline]
    pub(super) const fn moment(&self) -> Moment {
        Moment::new(self.nanos, self.now)
    }

    /// Where the request came from, as far as it is known and trusted.
    pub(super) fn source(&self) -> Option<IpAddr> {
        self.source.address()
    }

    pub(super) fn to_owned(&self) -> OwnedRequest {
        OwnedRequest {
            policy: Arc::clone(self.policy),
            tenant: self.tenant.map(Into::into),
            source: self.source(),
            now: self.now,
        }
    }
}

impl OwnedRequest {
    /// The request as it goes on at a later moment of the monotonic clock.
    pub(super) fn at(&self, nanos: u64) -> Request<'_> {
        Request {
            policy: &self.policy,
            tenant: self.tenant.as_deref(),
            source: Source::Known(self.source),
            now: self.now,
            nanos,
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
        if policy.gate() != self.compiler.gate() {
            return Admission::Ready(Err(Cause::ForeignPolicy.into()));
        }
        // A policy that names a tenant, and an adapter that found none in the path: the service's mistake.
        if policy.tenant_parameter().is_some() && arrival.tenant.is_none() {
            return Admission::Ready(Err(Cause::PolicyMissing.into()));
        }
        if policy.is_public() {
            return self.admit_anonymous(&self.request(policy, arrival));
        }
        if arrival.query.is_some_and(query_has_token) {
            return Admission::Ready(Err(Cause::TokenInQuery.into()));
        }
        if let Some(token) = candidate(fields, policy.reads_api_key_field()) {
            // The same text was verified before, so nothing about its shape is left to be checked.
            let mut answer = Answer::Unknown;
            if begins_as_jwt(token) {
                self.admit_known_token(token, &self.request(policy, arrival), &mut answer);
            }
            let glance = match answer {
                Answer::Unknown => self.formats.glance(token),
                _ => None,
            };
            if let Some(name) = glance.and_then(Glance::name) {
                let request = self.request(policy, arrival);
                self.admit_known_secret(token, name, &request, &mut answer);
            }
            match answer {
                Answer::Unknown => {}
                Answer::Free(caller) => {
                    return Admission::Ready(Ok(Admitted::free(Some(caller))));
                }
                Answer::Other(admission) => return admission,
            }
            match self.formats.classify_after(token, glance) {
                Ok(credential) => {
                    return self.admit_credential(credential, &self.request(policy, arrival));
                }
                // Its characters were right, or it would not have come as far as to the sum over them.
                Err(malformed) if malformed == Malformed::Checksum || is_token68(token) => {
                    return self.admit_unreadable(token, malformed, policy, arrival);
                }
                Err(_) => {}
            }
        }
        self.admit_otherwise(fields, policy, arrival)
    }

    /// Where nothing is presented, or nothing well-formed, or there is more than one line to choose from. Never inlined: it
    /// would make the way of everybody else longer.
    #[inline(never)]
    fn admit_otherwise<F: Fields + ?Sized>(
        self: &Arc<Self>,
        fields: &F,
        policy: &Arc<CompiledPolicy>,
        arrival: &Arrival<'_>,
    ) -> Admission {
        match self.find_token(fields, policy) {
            Ok(Some(token)) => match self.formats.classify(token) {
                Ok(credential) => self.admit_credential(credential, &self.request(policy, arrival)),
                Err(malformed) => self.admit_unreadable(token, malformed, policy, arrival),
            },
            Ok(None) => {
                let request = self.request(policy, arrival);
                match policy.visitors() {
                    Some(visitors) => self.admit_visitor(fields, visitors, arrival, &request),
                    None => self.admit_anonymous(&request),
                }
            }
            Err(cause) => Admission::Ready(Err(cause.into())),
        }
    }

    /// A request that comes as far as to need the time.
    #[inline]
    fn request<'a>(&self, policy: &'a Arc<CompiledPolicy>, arrival: &Arrival<'a>) -> Request<'a> {
        let moment = self.clock.moment();
        Request {
            policy,
            tenant: arrival.tenant,
            source: arrival.source,
            now: moment.unix,
            nanos: moment.nanos,
        }
    }

    /// The text that a request is judged by; `None` where none is presented and none is needed.
    fn find_token<'a, F: Fields + ?Sized>(
        &self,
        fields: &'a F,
        policy: &CompiledPolicy,
    ) -> Result<Option<&'a [u8]>, Cause> {
        match presented(fields, policy.reads_api_key_field()) {
            Presented::Token { bytes, .. } => Ok(Some(bytes)),
            Presented::Nothing if policy.admits_anonymous() || policy.accepts(Mode::Visitor) => {
                Ok(None)
            }
            Presented::Nothing => Err(Cause::NothingPresented),
            Presented::Foreign => Err(Cause::ForeignScheme),
            Presented::Malformed(_) => Err(Cause::MalformedField),
            Presented::Ambiguous => Err(Cause::AmbiguousField),
        }
    }

    /// A text of no form that is known here: refused, unless the tenant has a provider that may read it.
    #[inline]
    fn admit_unreadable(
        self: &Arc<Self>,
        token: &[u8],
        malformed: Malformed,
        policy: &Arc<CompiledPolicy>,
        arrival: &Arrival<'_>,
    ) -> Admission {
        policy
            .accepts(Mode::External)
            .then(|| self.admit_opaque(token, malformed, &self.request(policy, arrival)))
            .flatten()
            .unwrap_or_else(|| Admission::Ready(Err(cause_of(malformed).into())))
    }

    fn admit_credential(
        self: &Arc<Self>,
        credential: Credential<'_>,
        request: &Request<'_>,
    ) -> Admission {
        match credential {
            Credential::Secret(secret) => self.admit_secret(secret, request),
            Credential::Jwt(token) => self.admit_token(token, request),
        }
    }

    /// Whether nothing was published since these stamps were taken.
    #[inline]
    pub(super) fn is_current(&self, stamps: &[Stamp]) -> bool {
        self.changes.are_current(stamps)
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

const fn cause_of(malformed: Malformed) -> Cause {
    match malformed {
        Malformed::Checksum => Cause::BadChecksum,
        Malformed::UnknownFormat => Cause::UnknownFormat,
        _ => Cause::MalformedCredential,
    }
}

/// A store that does not answer is never an answer about the credential.
pub(super) fn store_failed(error: StoreError) -> AuthError {
    AuthError::from(Cause::StoreUnavailable)
        .with_retry_after(STORE_RETRY_SECS)
        .with_source(error)
}
