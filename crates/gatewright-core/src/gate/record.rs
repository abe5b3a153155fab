//! A credential record in memory, ready to be judged.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use papaya::Equivalent;

use crate::credential::SecretKind;
use crate::error::Cause;
use crate::hash::{GuardTag, ProofDigest, SecretHash, TagKeys, TagVerdict};
use crate::policy::{Compiler, Grants};
use crate::principal::{CredentialId, Identity, Mode, Principal, Subject, Tenancy};
use crate::store::{CredentialRecord, Stamp, StoredSecret, Use};
use crate::time::Timestamp;

/// A stored credential as the gate keeps it.
pub(super) struct Record {
    pub(super) kind: SecretKind,
    pub(super) id: CredentialId,
    pub(super) secrets: Vec<LiveSecret>,
    pub(super) principal: Principal,
    pub(super) grants: Grants,
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    revoked: bool,
    /// The generations under which the store was read: the credential's, and that of tenants.
    pub(super) stamps: [Stamp; 2],
    /// Shared by all readings of the record, so that each use is noted once however often the record is read.
    pub(super) usage: Arc<Usage>,
}

/// One secret that may prove the record, and the memory of the one text that did.
pub(super) struct LiveSecret {
    pub(super) hash: SecretHash,
    pub(super) tag: Option<GuardTag>,
    pub(super) ends_at: Option<Timestamp>,
    /// The digest of the text that argon2 accepted for this hash. A hash has one right text, so it is set once.
    proof: OnceLock<ProofDigest>,
    /// Tells the hash from others; see [`wrong_key`](Self::wrong_key).
    mark: u64,
    /// A newer hash was due when the pool had more urgent work. Shared by all readings of the record, one of which may be
    /// told of it when another is in memory already.
    renewal_missed: Arc<AtomicBool>,
}

/// When a credential was last used, until that is written down.
pub(super) struct Usage {
    kind: SecretKind,
    id: CredentialId,
    at: AtomicU64,
    noted: AtomicBool,
}

impl Usage {
    fn new(kind: SecretKind, id: CredentialId) -> Self {
        Self {
            kind,
            id,
            at: AtomicU64::new(0),
            noted: AtomicBool::new(false),
        }
    }

    /// Notes a use. Answers whether it must be put on the list of those to be flushed. Writes shared memory at most once a
    /// second.
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

    /// What to write down.
    pub(super) fn to_write(&self) -> Use {
        Use::new(self.kind, self.id.clone(), self.at.load(Ordering::Relaxed))
    }
}

impl Record {
    /// Prepares what the store answered, and takes over what an earlier reading knew; `None` for kinds that are never
    /// presented as bearer credentials.
    pub(super) fn new(
        stored: CredentialRecord,
        earlier: Option<&Self>,
        stamps: [Stamp; 2],
        compiler: &Compiler,
    ) -> Option<Self> {
        let mode = mode_of(stored.kind)?;
        let known = earlier.map_or(&[][..], |earlier| &earlier.secrets);
        let secrets = stored.secrets.into_iter();
        let secrets = secrets
            .map(|secret| LiveSecret::new(secret, known))
            .collect();
        let identity = Identity {
            mode,
            subject: Subject::User(stored.owner),
            credential: stored.id.clone(),
            scopes: stored.scopes.clone(),
            expires_at: stored.expires_at,
            session: None,
        };
        let usage = earlier.map_or_else(
            || Arc::new(Usage::new(stored.kind, stored.id.clone())),
            |earlier| Arc::clone(&earlier.usage),
        );
        Some(Self {
            kind: stored.kind,
            id: stored.id,
            secrets,
            principal: Principal {
                identity: Arc::new(identity),
                tenancy: Some(Arc::new(Tenancy::new(stored.tenant, None))),
            },
            grants: Grants::new(stored.scopes, compiler.requirements()),
            not_before: stored.not_before,
            expires_at: stored.expires_at,
            revoked: stored.revoked_at.is_some(),
            stamps,
            usage,
        })
    }

    /// The secret for which memory proves the text that `digest` is of.
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
    pub(super) fn state(&self, now: Timestamp) -> Result<(), Cause> {
        if self.revoked {
            return Err(Cause::Revoked);
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(Cause::Expired);
        }
        if self.not_before.is_some_and(|start| start > now) {
            return Err(Cause::NotYetValid);
        }
        Ok(())
    }

    fn live(&self, now: Timestamp) -> impl Iterator<Item = (usize, &LiveSecret)> {
        self.secrets
            .iter()
            .enumerate()
            .filter(move |(_, secret)| secret.ends_at.is_none_or(|end| end > now))
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
            ends_at: stored.ends_at,
            proof: known.map_or_else(OnceLock::new, |known| known.proof.clone()),
            renewal_missed: known
                .map_or_else(Arc::default, |known| Arc::clone(&known.renewal_missed)),
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

    pub(super) fn miss_renewal(&self) {
        self.renewal_missed.store(true, Ordering::Relaxed);
    }

    /// Whether a newer hash is still to be made; says so once.
    pub(super) fn take_missed_renewal(&self) -> bool {
        self.renewal_missed.load(Ordering::Relaxed)
            && self.renewal_missed.swap(false, Ordering::Relaxed)
    }
}

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
    id: Box<str>,
}

/// A [`RecordKey`] that borrows the id from the request.
#[derive(Clone, Copy)]
pub(super) struct RecordKeyRef<'a> {
    pub(super) kind: SecretKind,
    pub(super) id: &'a str,
}

impl RecordKeyRef<'_> {
    pub(super) fn to_owned(self) -> RecordKey {
        RecordKey {
            kind: self.kind,
            id: self.id.into(),
        }
    }
}

impl RecordKey {
    pub(super) fn as_ref(&self) -> RecordKeyRef<'_> {
        RecordKeyRef {
            kind: self.kind,
            id: &self.id,
        }
    }
}

impl Hash for RecordKeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
        self.id.hash(state);
    }
}

impl Hash for RecordKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<RecordKey> for RecordKeyRef<'_> {
    fn equivalent(&self, key: &RecordKey) -> bool {
        self.kind == key.kind && *self.id == *key.id
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
        // Told to the earlier one after the later one was read.
        earlier[1].miss_renewal();
        assert!(later.take_missed_renewal());
        assert!(!later.take_missed_renewal() && !earlier[1].take_missed_renewal());
        let replaced = read("new", &earlier);
        earlier[1].miss_renewal();
        assert!(!replaced.is_proven_by(&key.digest(b"right")) && !replaced.take_missed_renewal());
    }
}
