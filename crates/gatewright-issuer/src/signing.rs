//! The life of signing keys: publish, use, retire.

use std::sync::{Arc, PoisonError, RwLock};

use gatewright_core::jwt::{
    Algorithm, KeyError, KeySet, KeySetError, LiveKeys, RingKey, SigningKey, SigningRing,
};
use gatewright_core::store::{KeyStore, StoreError, StoredSigningKey};
use gatewright_core::time::Timestamp;

use crate::{SealError, SealingKey};

/// How long keys are kept around, in seconds.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KeyLifetimes {
    /// How long a new key is published before it signs, so that everybody has fetched it. Longer than verifiers
    /// cache the key set.
    pub publish_lead_secs: u64,
    /// The longest life of a token. A replaced key stays published for that long.
    pub longest_token_secs: u64,
}

impl KeyLifetimes {
    /// Lifetimes in seconds.
    #[must_use]
    pub const fn new(publish_lead_secs: u64, longest_token_secs: u64) -> Self {
        Self {
            publish_lead_secs,
            longest_token_secs,
        }
    }
}

/// Why the signing keys could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeysError {
    /// The store does not answer.
    #[error("the signing keys could not be read or written")]
    Store(#[from] StoreError),
    /// A stored key cannot be opened with this sealing key.
    #[error("a stored signing key could not be opened")]
    Seal(#[from] SealError),
    /// A key could not be made or read.
    #[error("a signing key could not be made or read")]
    Key(#[from] KeyError),
    /// The keys do not form a set.
    #[error("the signing keys do not form a set")]
    Set(#[from] KeySetError),
    /// Other nodes kept changing the keys while this one tried to.
    #[error("the signing keys kept changing; try again")]
    Contended,
    /// No key has this id, or no longer.
    #[error("there is no signing key of this id")]
    UnknownKey,
}

/// How often a change is tried anew after another node was faster.
const MAX_TRIES: u32 = 4;

/// The signing keys of one issuer, in memory and in the store.
pub struct SigningKeys {
    store: Arc<dyn KeyStore>,
    sealing: SealingKey,
    algorithm: Algorithm,
    lifetimes: KeyLifetimes,
    ring: RwLock<Held>,
    live: Arc<LiveKeys>,
}

/// The ring in memory, and how often it was put there: what was read from the store before the last time is not put in
/// its place, or a reading that began before a key was retired would bring that key back.
#[derive(Default)]
struct Held {
    ring: SigningRing,
    version: u64,
}

impl SigningKeys {
    /// Reads the keys from the store, and makes the first one if there is none; that one signs at once.
    ///
    /// # Errors
    /// [`SigningKeysError`], by variant.
    pub async fn open(
        store: Arc<dyn KeyStore>,
        sealing: SealingKey,
        algorithm: Algorithm,
        lifetimes: KeyLifetimes,
        now: Timestamp,
    ) -> Result<Self, SigningKeysError> {
        let keys = Self {
            store,
            sealing,
            algorithm,
            lifetimes,
            ring: RwLock::default(),
            live: Arc::new(LiveKeys::new(SigningRing::default().published(now))),
        };
        keys.reload(now).await?;
        if keys.active(now).is_none() {
            // Asked again of what is stored then: of several nodes that start at once, one makes the key.
            keys.change(now, |ring| match ring.active(now) {
                Some(_) => Ok(None),
                None => keys.succeed(ring, now, 0).map(Some),
            })
            .await?;
        }
        Ok(keys)
    }

    /// The keys to verify with, to be shared with verifiers. Follows every change.
    #[must_use]
    pub fn live(&self) -> &Arc<LiveKeys> {
        &self.live
    }

    /// The key that signs now; `None` after it was retired and before there is another.
    #[must_use]
    pub fn active(&self, now: Timestamp) -> Option<Arc<SigningKey>> {
        self.held(|ring| ring.active(now).cloned())
    }

    /// The JWK Set document (RFC 7517 §5).
    #[must_use]
    pub fn jwks(&self, now: Timestamp) -> serde_json::Value {
        self.held(|ring| ring.jwks_json(now))
    }

    /// The longest life of a token, in seconds.
    pub(crate) const fn longest_token_secs(&self) -> u64 {
        self.lifetimes.longest_token_secs
    }

    /// Publishes a new key, which takes over after the publish lead. Answers its key id.
    ///
    /// # Errors
    /// [`SigningKeysError`], by variant.
    pub async fn rotate(&self, now: Timestamp) -> Result<String, SigningKeysError> {
        let key = Arc::new(SigningKey::generate(self.algorithm)?);
        let lifetimes = self.lifetimes;
        self.change(now, |ring| {
            let new = Arc::clone(&key);
            let lead = lifetimes.publish_lead_secs;
            Ok(Some(ring.rotate(
                new,
                now,
                lead,
                lifetimes.longest_token_secs,
            )?))
        })
        .await?;
        Ok(key.kid().to_owned())
    }

    /// Ends a key at once, such as one that leaked, and forgets it: what it signed is refused from now on, on other
    /// nodes from their next [`reload`](Self::reload) on. Where it was the last one, a successor is made in the same
    /// step; where it was the one that signs, the successor signs at once.
    ///
    /// # Errors
    /// [`SigningKeysError`], by variant; [`UnknownKey`](SigningKeysError::UnknownKey) where there is no such key.
    pub async fn retire(&self, kid: &str, now: Timestamp) -> Result<(), SigningKeysError> {
        self.change(now, |ring| {
            let signs = ring.active(now).is_none_or(|active| active.kid() == kid);
            // Left out instead of noted as retired: other nodes tell by the key ids that the ring has changed.
            let others = ring.keys().iter().filter(|entry| entry.key().kid() != kid);
            let others = SigningRing::new(others.cloned())?;
            if others.keys().len() == ring.keys().len() {
                return Err(SigningKeysError::UnknownKey);
            }
            let ends = others.keys().iter().all(|key| key.retire_after().is_some());
            Ok(Some(if signs {
                self.succeed(&others, now, 0)?
            } else if ends {
                self.succeed(&others, now, self.lifetimes.publish_lead_secs)?
            } else {
                others
            }))
        })
        .await
    }

    /// Reads the keys again, to follow other nodes and the passing of time.
    ///
    /// # Errors
    /// [`SigningKeysError`], by variant; the keys in memory then stay as they are.
    pub async fn reload(&self, now: Timestamp) -> Result<(), SigningKeysError> {
        loop {
            let version = self.version();
            let stored = self.store.signing_keys().await?;
            if self.put(self.open_all(stored)?, version, now) {
                return Ok(());
            }
        }
    }

    /// The ring with a new key that takes over after `lead_secs`.
    fn succeed(
        &self,
        ring: &SigningRing,
        now: Timestamp,
        lead_secs: u64,
    ) -> Result<SigningRing, SigningKeysError> {
        let key = Arc::new(SigningKey::generate(self.algorithm)?);
        Ok(ring.rotate(key, now, lead_secs, self.lifetimes.longest_token_secs)?)
    }

    /// Changes the stored ring in one step: if another node was faster, its ring is read and changed instead. `None`
    /// leaves it as it is.
    async fn change(
        &self,
        now: Timestamp,
        change: impl Fn(&SigningRing) -> Result<Option<SigningRing>, SigningKeysError>,
    ) -> Result<(), SigningKeysError> {
        for _ in 0..MAX_TRIES {
            let version = self.version();
            let stored = self.store.signing_keys().await?;
            let expected: Vec<String> = stored.iter().map(|key| key.kid.clone()).collect();
            let standing = self.open_all(stored)?;
            let ring = match change(&standing)? {
                None => standing,
                Some(ring) => {
                    let sealed = ring.keys().iter().map(|entry| self.seal(entry));
                    let sealed = sealed.collect::<Result<Vec<_>, _>>()?;
                    if !self.store.replace_signing_keys(&expected, sealed).await? {
                        continue;
                    }
                    ring
                }
            };
            if self.put(ring, version, now) {
                return Ok(());
            }
            return self.reload(now).await;
        }
        Err(SigningKeysError::Contended)
    }

    fn open_all(&self, mut stored: Vec<StoredSigningKey>) -> Result<SigningRing, SigningKeysError> {
        // Of keys that became active in the same second, the one that took over is the one without an end.
        stored.sort_by_key(|key| key.retire_after.unwrap_or(Timestamp::MAX));
        let keys = stored
            .into_iter()
            .map(|key| {
                let pkcs8 = self.sealing.open(&key.sealed, &key.kid)?;
                let signing = SigningKey::from_pkcs8_der(key.algorithm, &pkcs8)?;
                Ok(RingKey::new(
                    Arc::new(signing),
                    key.published_at,
                    key.active_from,
                    key.retire_after,
                ))
            })
            .collect::<Result<Vec<_>, SigningKeysError>>()?;
        Ok(SigningRing::new(keys)?)
    }

    fn seal(&self, entry: &RingKey) -> Result<StoredSigningKey, SigningKeysError> {
        let key = entry.key();
        Ok(StoredSigningKey::new(
            key.kid().to_owned(),
            key.algorithm(),
            self.sealing.seal(&key.to_pkcs8_der()?, key.kid())?,
            entry.published_at(),
            entry.active_from(),
            entry.retire_after(),
        ))
    }

    fn held<T>(&self, look: impl FnOnce(&SigningRing) -> T) -> T {
        look(
            &self
                .ring
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .ring,
        )
    }

    fn version(&self) -> u64 {
        self.ring
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .version
    }

    /// Puts a ring in place that was read when memory was at `version`. Answers whether it still was.
    fn put(&self, ring: SigningRing, version: u64, now: Timestamp) -> bool {
        let published = ring.published(now);
        let mut held = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if held.version != version {
            return false;
        }
        *held = Held {
            ring,
            version: version.wrapping_add(1),
        };
        // Replacing the set empties every cache of tokens that it verified; the same set again must not. Done under the
        // lock, so that of two changes the later one stays.
        if !same_keys(&self.live.load(), &published) {
            self.live.replace(published);
        }
        true
    }
}

fn same_keys(one: &KeySet, other: &KeySet) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .all(|key| other.iter().any(|its| its.kid() == key.kid()))
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeys")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
