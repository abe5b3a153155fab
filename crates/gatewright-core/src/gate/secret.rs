//! The ladder for random secrets: API keys and personal access tokens.
//!
//! Each rung is cheaper than the next: what memory proves passes at once; then the failure limiter, the guard tag, the
//! secrets known to be wrong; only what is left may cost a store read or argon2.
//!
//! Failures are counted per (source address, public id). Nobody can lock an owner out from elsewhere, and a holder whom
//! memory already proves passes whatever the counter says; but a holder who is not yet proven and shares an address
//! with a guesser of the same id waits with him, some seconds, as the two can't be told apart before proof.
//!
//! An unknown id costs a store read and a known one does not, so response times tell which ids exist. Public ids are no
//! secrets; what is told about a *state*, such as a revocation, is told only to the holder of the right secret.

use std::net::IpAddr;
use std::sync::Arc;

use super::record::{LiveSecret, Record, RecordKeyRef, mode_of};
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
/// A flight that tries one text against one stored hash.
pub(super) type ProofFlight = (Box<str>, u64);

/// A presented secret, copied out of the request.
struct Presented {
    kind: SecretKind,
    id: Box<str>,
    text: Secret,
    digest: ProofDigest,
}

impl Shared {
    pub(super) fn admit_secret(
        self: &Arc<Self>,
        presented: SecretCredential<'_>,
        request: Request<'_>,
    ) -> Admission {
        // A client's secret is for the token endpoint: no policy takes it, so nothing is spent on it.
        if mode_of(presented.kind()).is_none() {
            return Admission::Ready(Err(Cause::UnknownFormat.into()));
        }
        let text = presented.expose().as_bytes();
        let digest = self.proof_key.digest(text);
        let key = RecordKeyRef {
            kind: presented.kind(),
            id: presented.public_id(),
        };
        let nanos = self.clock.monotonic_nanos();
        let record = self.cached(key, nanos);
        if let Some(record) = &record
            && record.is_proven_by(&digest, request.now)
        {
            return self.conclude_secret(record, request, nanos);
        }
        if let Err(refusal) = self.not_blocked(request.source, key.id, nanos) {
            return Admission::Ready(Err(refusal));
        }
        if let Some(record) = &record
            && let Err(cause) = self.might_be_right(record, text, &digest, request.now)
        {
            return Admission::Ready(Err(self.failed(request.source, key.id, cause)));
        }
        let presented = Arc::new(Presented {
            kind: key.kind,
            id: key.id.into(),
            text: Secret::new(presented.expose().to_owned()),
            digest,
        });
        let shared = Arc::clone(self);
        let request = request.to_owned();
        Admission::Pending(Pending(Box::pin(async move {
            let record = shared
                .prove(&presented, request.source, request.now)
                .await?;
            let nanos = shared.clock.monotonic_nanos();
            shared
                .conclude_secret(&record, request.as_ref(), nanos)
                .decided()
                .await
        })))
    }

    /// Reads the record and proves the secret against it. Answers a record that was current after the proof.
    async fn prove(
        self: &Arc<Self>,
        presented: &Arc<Presented>,
        source: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Arc<Record>, AuthError> {
        for _ in 0..MAX_READS {
            let Some(record) = self.read_record(presented.kind, &presented.id).await? else {
                return Err(self.failed(source, &presented.id, Cause::UnknownCredential));
            };
            if !record.is_proven_by(&presented.digest, now) {
                let text = presented.text.expose().as_bytes();
                if let Err(cause) = self.might_be_right(&record, text, &presented.digest, now) {
                    return Err(self.failed(source, &presented.id, cause));
                }
                if !self.prove_by_hash(&record, presented, now).await? {
                    return Err(self.failed(source, &presented.id, Cause::WrongSecret));
                }
            }
            // A change that came while argon2 ran is judged, not missed.
            if self.is_current(&record.stamps) {
                return Ok(record);
            }
        }
        Err(AuthError::from(Cause::StoreUnavailable).with_retry_after(1))
    }

    async fn prove_by_hash(
        self: &Arc<Self>,
        record: &Arc<Record>,
        presented: &Arc<Presented>,
        now: Timestamp,
    ) -> Result<bool, AuthError> {
        let text = presented.text.expose().as_bytes();
        for (place, secret) in record.candidates(text, &presented.digest, &self.tags, now) {
            // The hash's text names record and secret; the digest keeps a wrong text from sharing a right one's flight.
            let flight = (Box::from(secret.hash.as_str()), presented.digest.short());
            let right = self
                .proof_flights
                .join(flight, || {
                    self.start_proof(record, place, secret, presented)
                })
                .await?;
            if right {
                // The flight may have remembered it on another reading of the record.
                secret.remember(presented.digest);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What comes out is remembered before the flight lands, and looked up when one is about to start: whoever comes
    /// between two flights of one text does not hash it again.
    fn start_proof(
        self: &Arc<Self>,
        record: &Arc<Record>,
        place: usize,
        secret: &LiveSecret,
        presented: &Arc<Presented>,
    ) -> BoxFuture<'static, Result<bool, AuthError>> {
        if secret.is_proven_by(&presented.digest) {
            return Box::pin(std::future::ready(Ok(true)));
        }
        if self.is_known_wrong(secret, &presented.digest) {
            return Box::pin(std::future::ready(Ok(false)));
        }
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
                    shared.refresh_hash_later(&record, secret, &presented.text);
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
        let key = RecordKeyRef { kind, id };
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
            let key = RecordKeyRef { kind, id: &id };
            let earlier = shared.records.get(&key);
            let Some(record) = stored.and_then(|stored| {
                Record::new(stored, earlier.as_deref(), stamps, &shared.compiler)
            }) else {
                return Ok(None);
            };
            let record = Arc::new(record);
            shared.records.insert(key.to_owned(), Arc::clone(&record));
            Ok(Some(record))
        })
    }

    /// From proof to decision: state, policy, limits.
    fn conclude_secret(
        self: &Arc<Self>,
        record: &Arc<Record>,
        request: Request<'_>,
        nanos: u64,
    ) -> Admission {
        if let Err(cause) = record.state(request.now) {
            return Admission::Ready(Err(cause.into()));
        }
        if record.usage.note(request.now) {
            self.used(Arc::clone(&record.usage));
        }
        self.decide(&record.principal, Some(&record.grants), request, nanos)
    }

    fn not_blocked(&self, source: Option<IpAddr>, id: &str, nanos: u64) -> Result<(), AuthError> {
        match self.failures.is_blocked(source, id, nanos) {
            Some(retry_after) => {
                Err(AuthError::from(Cause::FailureLimited).with_retry_after(retry_after))
            }
            None => Ok(()),
        }
    }

    fn failed(&self, source: Option<IpAddr>, id: &str, cause: Cause) -> AuthError {
        self.failures
            .record_failure(source, id, self.clock.monotonic_nanos());
        AuthError::from(cause)
    }
}

fn hash_overload(cause: Cause) -> AuthError {
    AuthError::from(cause).with_retry_after(HASH_RETRY_SECS)
}
