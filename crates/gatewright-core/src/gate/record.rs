//! A credential record in memory, ready to be judged.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use papaya::Equivalent;

use super::caller::Caller;
use crate::credential::SecretKind;
use crate::error::Cause;
use crate::hash::{GuardTag, ProofDigest, SecretHash, TagKeys, TagVerdict};
use crate::limit::Remembered;
use crate::policy::{Compiler, Grants};
use crate::principal::{CredentialId, Identity, Mode, Subject, Tenancy};
use crate::store::{CredentialRecord, Stamp, StoredSecret, Use};
use crate::time::Timestamp;

/// A stored credential as the gate keeps it.
pub(super) struct Record {
    pub(super) secrets: Box<[LiveSecret]>,
    pub(super) caller: Caller,
    pub(super) grants: Grants,
    /// 0 where there is none.
    not_before: Timestamp,
    /// [`NEVER`] where there is none.
    expires_at: Timestamp,
    revoked: bool,
    /// The generations under which the store was read: the credential's, and that of tenants.
    pub(super) stamps: [Stamp; 2],
    /// Shared by all readings of the record, so that each use is noted once however often the record is read.
    pub(super) usage: Arc<Usage>,
    pub(super) charged: Remembered,
}

const NEVER: Timestamp = Timestamp::MAX;

/// One secret that may prove the record, and the memory of the one text that did.
pub(super) struct LiveSecret {
    pub(super) hash: SecretHash,
    pub(super) tag: Option<GuardTag>,
    /// [`NEVER`] where there is none.
    ends_at: Timestamp,
    /// The digest of the text that argon2 accepted for this hash. A hash has one right text, so it is set once.
    proof: OnceLock<ProofDigest>,
    /// Tells the hash from others; see [`wrong_key`](Self::wrong_key).
    mark: u64,
}

/// What all readings of one record share: when the credential was last used, until that is written down, and which of its
/// hashes should have been made anew.
pub(super) struct Usage {
    kind: SecretKind,
    id: CredentialId,
    noted: AtomicBool,
    /// A bit, chosen by its mark, for each hash that was to be replaced when the pool had more urgent work. One reading may
    /// be told of it when another is in memory already. Two hashes that have one bit by chance share the reminder.
    renewals_missed: AtomicU32,
    at: AtomicU64,
}

impl Usage {
    fn new(kind: SecretKind, id: CredentialId) -> Self {
        Self {
            kind,
            id,
            noted: AtomicBool::new(false),
            renewals_missed: AtomicU32::new(0),
            at: AtomicU64::new(0),
        }
    }

    /// Notes a use. Answers whether it must be put on the list of those to be flushed. Writes shared memory at most once a
    /// second.
    #[inline]
    pub(super) fn note(&self, now: Timestamp) -> bool {
        if self.at.load(Ordering::Relaxed) < now {
            self.at.fetch_max(now, Ordering::Relaxed);
        }
        !self.noted.load(Ordering::Relaxed) && !self.noted.swap(true, Ordering::AcqRel)
    }

    /// Takes the note off: it is on no list any more, and the next use is noted anew.
    pub(super) fn forget(&self) {
        self.noted.store(false, Ordering::Release);
    }

    pub(super) const fn kind(&self) -> SecretKind {
        self.kind
    }

    pub(super) const fn id(&self) -> &CredentialId {
        &self.id
    }

    pub(super) fn miss_renewal(&self, secret: &LiveSecret) {
        let bit = secret.renewal_bit();
        self.renewals_missed.fetch_or(bit, Ordering::Relaxed);
    }

    /// Whether a newer hash of this secret is still to be made; says so once.
    #[inline]
    pub(super) fn take_missed_renewal(&self, secret: &LiveSecret) -> bool {
        let missed = self.renewals_missed.load(Ordering::Relaxed);
        let bit = secret.renewal_bit();
        missed & bit != 0 && self.renewals_missed.fetch_and(!bit, Ordering::Relaxed) & bit != 0
    }

    /// What to write down.
    pub(super) fn to_write(&self) -> Use {
        Use::new(self.kind, self.id.clone(), self.at.load(Ordering::Relaxed))
    }
}

impl Record {
    /// Prepares what the store answered, and takes over what an earlier reading knew.
    pub(super) fn new(
        stored: CredentialRecord,
        tenancy: Arc<Tenancy>,
        earlier: Option<&Self>,
        stamps: [Stamp; 2],
        compiler: &Compiler,
    ) -> Self {
        let (mode, subject) = match mode_of(stored.kind) {
            Some(mode) => (mode, Subject::User(stored.owner)),
            // A client calls by the tokens that it gets for its secret, and on nobody's behalf.
            None => (Mode::Jwt, Subject::Client(stored.id.clone())),
        };
        let known = earlier.map_or(&[][..], |earlier| &earlier.secrets);
        let secrets = stored.secrets.into_iter();
        let secrets = secrets
            .map(|secret| LiveSecret::new(secret, known))
            .collect();
        let grants = Grants::new(&stored.scopes, compiler.requirements());
        let identity = Identity {
            mode,
            subject,
            credential: stored.id.clone(),
            scopes: stored.scopes,
            expires_at: stored.expires_at,
            session: None,
        };
        let usage = earlier.map_or_else(
            || Arc::new(Usage::new(stored.kind, stored.id.clone())),
            |earlier| Arc::clone(&earlier.usage),
        );
        Self {
            secrets,
            caller: Caller::new(identity, Some(tenancy)),
            grants,
            not_before: stored.not_before.unwrap_or(0),
            expires_at: stored.expires_at.unwrap_or(NEVER),
            revoked: stored.revoked_at.is_some(),
            stamps,
            usage,
            charged: Remembered::new(),
        }
    }

    /// Whether memory proves any text.
    #[inline]
    pub(super) fn has_proof(&self) -> bool {
        self.secrets
            .iter()
            .any(|secret| secret.proof.get().is_some())
    }

    /// The secret for which memory proves the text that `digest` is of.
    #[inline]
    pub(super) fn proven_by(&self, digest: &ProofDigest, now: Timestamp) -> Option<&LiveSecret> {
        self.live(now)
            .map(|(_, secret)| secret)
            .find(|secret| secret.is_proven_by(digest))
    }

    /// The live secrets that `text` may be, and their places.
    pub(super) fn candidates(
        &self,
        text: &[u8],
        digest: &ProofDigest,
        tags: &TagKeys,
        now: Timestamp,
    ) -> impl Iterator<Item = (usize, &LiveSecret)> {
        self.live(now)
            .filter(move |(_, secret)| secret.may_be(text, digest, tags))
    }

    /// What is told to the holder of the right secret only.
    #[inline]
    pub(super) fn state(&self, now: Timestamp) -> Result<(), Cause> {
        if self.revoked {
            return Err(Cause::Revoked);
        }
        if self.expires_at <= now {
            return Err(Cause::Expired);
        }
        if self.not_before > now {
            return Err(Cause::NotYetValid);
        }
        Ok(())
    }

    #[inline]
    fn live(&self, now: Timestamp) -> impl Iterator<Item = (usize, &LiveSecret)> {
        self.secrets
            .iter()
            .enumerate()
            .filter(move |(_, secret)| secret.ends_at > now)
    }
}

impl LiveSecret {
    /// Prepares a stored secret, and takes over what an earlier reading knew of the same hash.
    fn new(stored: StoredSecret, known: &[Self]) -> Self {
        let text = stored.hash.as_str();
        let known = known.iter().find(|known| known.hash.as_str() == text);
        Self {
            mark: mark_of(&stored.hash),
            tag: stored.tag,
            ends_at: stored.ends_at.unwrap_or(NEVER),
            proof: known.map_or_else(OnceLock::new, |known| known.proof.clone()),
            hash: stored.hash,
        }
    }

    /// Whether `text` is neither ruled out by what was proven nor by the guard tag. A concurrent request may have proven
    /// this very text since the caller last looked, so what is known is compared and not only found.
    fn may_be(&self, text: &[u8], digest: &ProofDigest, tags: &TagKeys) -> bool {
        match (self.proof.get(), self.tag) {
            (Some(proof), _) => proof.matches(digest),
            (None, Some(tag)) => tags.check(tag, text) != TagVerdict::Differs,
            (None, None) => true,
        }
    }

    #[inline]
    pub(super) fn is_proven_by(&self, digest: &ProofDigest) -> bool {
        self.proof.get().is_some_and(|proof| proof.matches(digest))
    }

    /// Where it is remembered that a text is not this secret.
    pub(super) fn wrong_key(&self, digest: &ProofDigest) -> u64 {
        digest.short() ^ self.mark
    }

    pub(super) const fn mark(&self) -> u64 {
        self.mark
    }

    pub(super) fn remember(&self, proof: ProofDigest) {
        // Set already only if a concurrent request proved the same text.
        let _ = self.proof.set(proof);
    }

    #[inline]
    const fn renewal_bit(&self) -> u32 {
        1 << (self.mark % 32)
    }
}

/// By which mode a secret's holder calls; `None` for kinds that are never presented as bearer credentials.
#[inline]
pub(super) const fn mode_of(kind: SecretKind) -> Option<Mode> {
    match kind {
        SecretKind::ApiKey => Some(Mode::ApiKey),
        SecretKind::Pat => Some(Mode::Pat),
        SecretKind::Client => None,
    }
}

/// A wrong text is remembered with this mark. Hashes that share one by chance only cost a slot of that memory; two records
/// with the same unsalted hash share it rightly, since what is wrong for one is wrong for the other.
fn mark_of(hash: &SecretHash) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash.as_str().hash(&mut hasher);
    hasher.finish()
}

/// The key of a record in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordKey {
    kind: SecretKind,
    /// Shared by the map, the line of its sweeps and the record.
    id: CredentialId,
}

/// A [`RecordKey`] that borrows the id from the request.
#[derive(Clone, Copy)]
pub(super) struct RecordKeyRef<'a> {
    pub(super) kind: SecretKind,
    /// As it came: no record has an id that is not text.
    pub(super) id: &'a [u8],
}

impl RecordKey {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            kind: record.usage.kind,
            id: record.usage.id.clone(),
        }
    }

    pub(super) fn as_ref(&self) -> RecordKeyRef<'_> {
        RecordKeyRef {
            kind: self.kind,
            id: self.id.as_str().as_bytes(),
        }
    }
}

impl Hash for RecordKeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Ids of two kinds are hardly ever the same, and one write is what a warm call has time for.
        state.write(self.id);
    }
}

impl Hash for RecordKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<RecordKey> for RecordKeyRef<'_> {
    fn equivalent(&self, key: &RecordKey) -> bool {
        self.kind == key.kind && self.id == key.id.as_str().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{ImportedHash, ProofKey, TagKey};

    #[test]
    fn what_was_proven_meanwhile_is_not_ruled_out() {
        let tags = TagKeys::new(TagKey::from_bytes(1, [1; 32]), []).unwrap();
        let key = ProofKey::generate().unwrap();
        let hash: SecretHash = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$+ntnS2vaOjMWoHZJdHe6cg"
            .parse()
            .unwrap();
        let secret = LiveSecret::new(StoredSecret::new(hash, Some(tags.tag(b"right"))), &[]);
        let may_be = |text: &[u8]| secret.may_be(text, &key.digest(text), &tags);
        assert!(may_be(b"right"));
        assert!(!may_be(b"wrong"));
        secret.remember(key.digest(b"right"));
        assert!(may_be(b"right"));
        assert!(!may_be(b"wrong"));
    }

    #[test]
    fn readings_of_one_hash_share_what_is_known_of_it() {
        let key = ProofKey::generate().unwrap();
        let read = |text: &str, known: &[LiveSecret]| {
            LiveSecret::new(StoredSecret::new(ImportedHash::of_text(text), None), known)
        };
        let earlier = [read("other", &[]), read("right", &[])];
        earlier[1].remember(key.digest(b"right"));
        let later = read("right", &earlier);
        assert!(later.is_proven_by(&key.digest(b"right")));
        let usage = Usage::new(SecretKind::Pat, CredentialId::new("id").unwrap());
        // Told of the earlier one after the later one was read.
        usage.miss_renewal(&earlier[1]);
        assert!(usage.take_missed_renewal(&later));
        assert!(!usage.take_missed_renewal(&later) && !usage.take_missed_renewal(&earlier[1]));
        let replaced = read("new", &earlier);
        usage.miss_renewal(&earlier[1]);
        assert!(!replaced.is_proven_by(&key.digest(b"right")));
        assert!(!usage.take_missed_renewal(&replaced) && usage.take_missed_renewal(&later));
    }
}
