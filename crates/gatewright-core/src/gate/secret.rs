//! The ladder for random secrets: API keys and personal access tokens.
//!
//! Each rung is cheaper than the next: what memory proves passes at once; then the failure limiter, the guard tag, the
//! secrets known to be wrong; only what is left may cost a store read or argon2.
//!
//! Failures are counted per (source address, public id). Nobody can lock an owner out from elsewhere, and a holder whom
//! memory already proves passes whatever the counter says; but a holder who is not yet proven and shares an address
//! with a guesser of the same id waits with him, some seconds, as the two can't be told apart before proof. A text that
//! needs a hash computed counts as a failure before that, and is forgiven if it was none: guesses at once, and guesses
//! that are given up, buy no more than guesses in turn.
//!
//! An unknown id costs a store read and a known one does not, so response times tell which ids exist. Public ids are no
//! secrets; what is told about a *state*, such as a revocation, is told only to the holder of the right secret.

use std::net::IpAddr;
use std::sync::Arc;

use super::decide::Answer;
use super::record::{LiveSecret, Record, RecordKey, RecordKeyRef, mode_of};
use super::shared::{HASH_RETRY_SECS, Request, Shared};
use super::{Admission, Pending};
use crate::credential::{Secret, SecretCredential, SecretKind};
use crate::error::{AuthError, Cause};
use crate::hash::ProofDigest;
use crate::store::{BoxFuture, ChangeKey, Stamp};
use crate::time::Timestamp;

/// How often a record that keeps changing while it is proven is read again.
const MAX_READS: u32 = 4;

/// A flight that reads one record under one generation.
pub(super) type ReadFlight = (SecretKind, Box<str>, [Stamp; 2], bool);
/// What a reading answers: the record, or that there is none.
pub(super) type Reading = Result<Option<Arc<Record>>, AuthError>;
/// Whether a text is right; an error is never a verdict about it.
pub(super) type Verdict = Result<bool, AuthError>;
/// A flight that tries one text against one stored hash.
pub(super) type ProofFlight = (Box<str>, u64);

/// A presented secret, copied out of the request.
pub(super) struct Presented {
    pub(super) kind: SecretKind,
    pub(super) id: Box<str>,
    pub(super) text: Secret,
    pub(super) digest: ProofDigest,
    /// Whether the text may have a guard tag.
    pub(super) taggable: bool,
}

impl Shared {
    /// The answer to a secret that was proven before, if memory knows all that it takes. `text` need not be a secret at all: what
    /// was proven was [classified](crate::credential::Formats::classify) first, and the same digest means the same text, so
    /// that its characters need not be looked at again.
    pub(super) fn admit_known_secret(
        &self,
        text: &[u8],
        (kind, id): (SecretKind, &[u8]),
        request: &Request<'_>,
        answer: &mut Answer,
    ) {
        // A client's secret, which another door proves, is no credential here.
        if mode_of(kind).is_none() || !self.watch.serves_from_memory(request.nanos) {
            return;
        }
        let judge = |record: &Arc<Record>| {
            if !record.has_proof() || !self.is_current(&record.stamps) {
                return;
            }
            let digest = self.proof_key.digest(text);
            let Some(secret) = record.proven_by(&digest, request.now) else {
                return;
            };
            self.catch_up_renewal(record, secret, text, true);
            if let Err(cause) = self.enter(record, request.now) {
                *answer = Answer::Other(Admission::Ready(Err(cause.into())));
                return;
            }
            let (holder, grants) = (record.caller.principal(), Some(&record.grants));
            self.decide_known(holder, grants, &record.charged, request, answer);
        };
        self.records.look(&RecordKeyRef { kind, id }, judge);
    }

    pub(super) fn admit_secret(
        self: &Arc<Self>,
        presented: SecretCredential<'_>,
        request: &Request<'_>,
    ) -> Admission {
        // A client's secret is for the token endpoint: no policy takes it, so nothing is spent on it.
        if mode_of(presented.kind()).is_none() {
            return Admission::Ready(Err(Cause::UnknownFormat.into()));
        }
        let text = presented.expose().as_bytes();
        let digest = self.proof_key.digest(text);
        let id = presented.public_id();
        let key = RecordKeyRef {
            kind: presented.kind(),
            id: id.as_bytes(),
        };
        let serves = self.watch.serves_from_memory(request.nanos);
        let mut is_proven = false;
        let judge = |record: &Arc<Record>| {
            let answer = serves
                .then(|| self.judge_known(record, presented, &digest, request))
                .flatten();
            // A record that may be out of date says nothing of the state, but a hash that it proved is no guess.
            is_proven = answer.is_none() && record.proven_by(&digest, request.now).is_some();
            answer
        };
        if let Some(answer) = self.records.look(&key, judge).flatten() {
            return answer;
        }
        if !is_proven && let Err(refusal) = self.not_blocked(request.source(), id, request.nanos) {
            return Admission::Ready(Err(refusal));
        }
        let presented = Arc::new(Presented {
            kind: key.kind,
            id: id.into(),
            text: Secret::new(presented.expose().to_owned()),
            digest,
            taggable: presented.holds_128_bits(),
        });
        let shared = Arc::clone(self);
        let request = request.to_owned();
        Admission::Pending(Pending(Box::pin(async move {
            let record = shared
                .prove(&presented, request.source, request.now)
                .await?;
            let request = request.at(shared.clock.monotonic_nanos());
            shared.conclude_secret(&record, &request).decided().await
        })))
    }

    /// The answer, if a record in memory knows it. The record is looked at where it lies: a warm call copies nothing and
    /// counts no reference. `None` leaves it to the store or to argon2.
    fn judge_known(
        &self,
        record: &Record,
        presented: SecretCredential<'_>,
        digest: &ProofDigest,
        request: &Request<'_>,
    ) -> Option<Admission> {
        if !self.is_current(&record.stamps) {
            return None;
        }
        let text = presented.expose().as_bytes();
        if let Some(secret) = record.proven_by(digest, request.now) {
            self.catch_up_renewal(record, secret, text, presented.holds_128_bits());
            return Some(self.conclude_secret(record, request));
        }
        let id = presented.public_id();
        let refusal = self
            .not_blocked(request.source(), id, request.nanos)
            .and_then(|()| {
                self.might_be_right(record, text, digest, request.now)
                    .map_err(|cause| self.failed(request.source(), id, cause))
            })
            .err()?;
        Some(Admission::Ready(Err(refusal)))
    }

    /// Reads the record and proves the secret against it. Answers a record that was current after the proof.
    pub(super) async fn prove(
        self: &Arc<Self>,
        presented: &Arc<Presented>,
        source: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Arc<Record>, AuthError> {
        for _ in 0..MAX_READS {
            let Some(record) = self.read_record(presented.kind, &presented.id).await? else {
                return Err(self.failed(source, &presented.id, Cause::UnknownCredential));
            };
            let text = presented.text.expose().as_bytes();
            if let Some(secret) = record.proven_by(&presented.digest, now) {
                self.catch_up_renewal(&record, secret, text, presented.taggable);
            } else {
                if let Err(cause) = self.might_be_right(&record, text, &presented.digest, now) {
                    return Err(self.failed(source, &presented.id, cause));
                }
                self.prove_by_hash(&record, presented, source, now).await?;
            }
            // A change that came while argon2 ran is judged, not missed.
            if self.is_current(&record.stamps) {
                return Ok(record);
            }
        }
        Err(AuthError::from(Cause::StoreUnavailable).with_retry_after(1))
    }

    /// Tries what the tags leave. Refuses and counts the failure if none is right.
    async fn prove_by_hash(
        self: &Arc<Self>,
        record: &Arc<Record>,
        presented: &Arc<Presented>,
        source: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), AuthError> {
        let text = presented.text.expose().as_bytes();
        let mut paid = false;
        for (place, secret) in record.candidates(text, &presented.digest, &self.tags, now) {
            // The hash's text names record and secret; the digest keeps a wrong text from sharing a right one's flight.
            let flight = (Box::from(secret.hash.as_str()), presented.digest.short());
            // Whoever has a hash computed pays first, or many guesses at once would all pass the limiter, and those that
            // are given up would cost nothing. Who joins pays for a failure only.
            let start = || -> Result<BoxFuture<'static, Verdict>, AuthError> {
                if let Some(known) = self.known(secret, &presented.digest) {
                    return Ok(Box::pin(std::future::ready(Ok(known))));
                }
                if !paid {
                    self.pay_for_proof(source, &presented.id)?;
                    paid = true;
                }
                Ok(self.start_proof(record, place, secret, presented))
            };
            let verdict = self.proof_flights.try_join(flight, start).await?;
            if matches!(verdict, Ok(false)) {
                continue;
            }
            if paid {
                let nanos = self.clock.monotonic_nanos();
                self.failures
                    .forgive_and_forget(source, &presented.id, nanos);
            }
            verdict?;
            // The flight may have remembered it on another reading of the record.
            secret.remember(presented.digest);
            return Ok(());
        }
        if paid {
            return Err(Cause::WrongSecret.into());
        }
        Err(self.failed(source, &presented.id, Cause::WrongSecret))
    }

    /// What memory says of a text, looked up when a flight is about to start: whoever comes between two flights of one
    /// text does not hash it again.
    fn known(&self, secret: &LiveSecret, digest: &ProofDigest) -> Option<bool> {
        if secret.is_proven_by(digest) {
            return Some(true);
        }
        self.is_known_wrong(secret, digest).then_some(false)
    }

    /// What comes out is remembered before the flight lands.
    fn start_proof(
        self: &Arc<Self>,
        record: &Arc<Record>,
        place: usize,
        secret: &LiveSecret,
        presented: &Arc<Presented>,
    ) -> BoxFuture<'static, Verdict> {
        let queued = self
            .pool
            .verify(&secret.hash, presented.text.expose().as_bytes());
        let (shared, record) = (Arc::clone(self), Arc::clone(record));
        let presented = Arc::clone(presented);
        Box::pin(async move {
            let answer = queued.map_err(|_full| hash_overload(Cause::HashQueueFull))?;
            let right = answer
                .await
                .ok_or_else(|| hash_overload(Cause::HashWorkerLost))?;
            if let Some(secret) = record.secrets.get(place) {
                if right {
                    secret.remember(presented.digest);
                    let text = presented.text.expose().as_bytes();
                    shared.refresh_hash_later(&record, secret, text, presented.taggable);
                } else {
                    let key = secret.wrong_key(&presented.digest);
                    shared.wrong.insert(key, (presented.digest, secret.mark()));
                }
            }
            Ok(right)
        })
    }

    /// The rungs between the failure limiter and argon2: guard tag, then the texts known to be wrong.
    fn might_be_right(
        &self,
        record: &Record,
        text: &[u8],
        digest: &ProofDigest,
        now: Timestamp,
    ) -> Result<(), Cause> {
        let mut refusal = Cause::TagMismatch;
        for (_, secret) in record.candidates(text, digest, &self.tags, now) {
            if !self.is_known_wrong(secret, digest) {
                return Ok(());
            }
            refusal = Cause::RememberedWrongSecret;
        }
        Err(refusal)
    }

    fn is_known_wrong(&self, secret: &LiveSecret, digest: &ProofDigest) -> bool {
        self.wrong
            .get(&secret.wrong_key(digest))
            .is_some_and(|(wrong, mark)| wrong.matches(digest) && mark == secret.mark())
    }

    /// The record, if memory may answer for the store and nothing has changed since it was read.
    fn cached(&self, key: RecordKeyRef<'_>, nanos: u64) -> Option<Arc<Record>> {
        if !self.watch.serves_from_memory(nanos) {
            return None;
        }
        self.records
            .get(&key)
            .filter(|record| self.is_current(&record.stamps))
    }

    async fn read_record(self: &Arc<Self>, kind: SecretKind, id: &str) -> Reading {
        let key = RecordKeyRef {
            kind,
            id: id.as_bytes(),
        };
        if let Some(record) = self.cached(key, self.clock.monotonic_nanos()) {
            return Ok(Some(record));
        }
        // Taken before the store is read: a change in between makes the entry worthless. Part of the flight's key,
        // so that a request never joins a reading that began before a change.
        let stamps = [
            self.changes.stamp(&ChangeKey::Credential(kind, id.into())),
            self.changes.stamp(&ChangeKey::Tenant("".into())),
        ];
        if self.watch.serves_from_memory(self.clock.monotonic_nanos()) {
            let flight = (kind, Box::from(id), stamps, true);
            let start = || match self.cached(key, self.clock.monotonic_nanos()) {
                // A flight landed since the cache was looked at.
                Some(record) => Box::pin(std::future::ready(Ok(Some(record)))),
                None => self.start_reading(kind, id.into(), stamps),
            };
            self.read_flights.join(flight, start).await
        } else {
            // Another process may have changed the record after a flight read it, so nobody joins one.
            self.start_reading(kind, id.into(), stamps).await
        }
    }

    fn start_reading(
        self: &Arc<Self>,
        kind: SecretKind,
        id: Box<str>,
        stamps: [Stamp; 2],
    ) -> BoxFuture<'static, Reading> {
        let shared = Arc::clone(self);
        Box::pin(async move {
            let stored = shared
                .credentials
                .find(kind, &id)
                .await
                .map_err(super::shared::store_failed)?;
            let key = RecordKeyRef {
                kind,
                id: id.as_bytes(),
            };
            let earlier = shared.records.get(&key);
            let Some(stored) = stored else {
                return Ok(None);
            };
            let tenancy = shared.tenancy(stored.tenant.clone(), None);
            let record = Arc::new(Record::new(
                stored,
                tenancy,
                earlier.as_deref(),
                stamps,
                &shared.compiler,
            ));
            let key = RecordKey::of(&record);
            shared.records.insert(key, Arc::clone(&record));
            Ok(Some(record))
        })
    }

    /// From proof to decision: state, policy, limits.
    fn conclude_secret(&self, record: &Record, request: &Request<'_>) -> Admission {
        if let Err(cause) = self.enter(record, request.now) {
            return Admission::Ready(Err(cause.into()));
        }
        let (grants, charged) = (Some(&record.grants), &record.charged);
        self.decide(record.caller.principal(), grants, charged, request)
    }

    /// The rung of the state. Whoever passes it has used the credential.
    #[inline]
    fn enter(&self, record: &Record, now: Timestamp) -> Result<(), Cause> {
        record.state(now)?;
        if record.usage.note(now) {
            self.used(Arc::clone(&record.usage));
        }
        Ok(())
    }

    fn pay_for_proof(&self, source: Option<IpAddr>, id: &str) -> Result<(), AuthError> {
        self.failures
            .try_failure(source, id, self.clock.monotonic_nanos())
            .map_err(failure_limited)
    }

    pub(super) fn not_blocked(
        &self,
        source: Option<IpAddr>,
        id: &str,
        nanos: u64,
    ) -> Result<(), AuthError> {
        match self.failures.is_blocked(source, id, nanos) {
            Some(retry_after) => Err(failure_limited(retry_after)),
            None => Ok(()),
        }
    }

    fn failed(&self, source: Option<IpAddr>, id: &str, cause: Cause) -> AuthError {
        self.failures
            .record_failure(source, id, self.clock.monotonic_nanos());
        AuthError::from(cause)
    }
}

pub(super) fn failure_limited(retry_after: u32) -> AuthError {
    AuthError::from(Cause::FailureLimited).with_retry_after(retry_after)
}

fn hash_overload(cause: Cause) -> AuthError {
    AuthError::from(cause).with_retry_after(HASH_RETRY_SECS)
}
