//! A set of verifying keys.

use std::sync::Arc;

use super::algorithm::Algorithm;
use super::error::{JwtError, KeyError, KeySetError};
use super::json::{Json, Object};
use super::jwk;
use super::key::VerifyingKey;

const MAX_BYTES: usize = 256 * 1024;
const MAX_KEYS: usize = 100;

/// Keys of one issuer. Within a set a `kid` names at most one key.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Arc<VerifyingKey>>,
}

/// A member of a JWK Set that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    index: usize,
    kid: Option<String>,
    reason: KeyError,
}

impl SkippedKey {
    /// Its place in the `keys` array, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its `kid`, where it has a readable one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> KeyError {
        self.reason
    }
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5). Keys that can't be used are skipped one by one: a set with a key of an unknown
    /// kind still verifies with the others. Usable keys that share a `kid` are all skipped, since the name says no
    /// longer which one is meant; an unusable one takes no part in this. Shared secrets (`oct`) are always skipped.
    ///
    /// # Errors
    ///
    /// [`KeySetError::TooLarge`] above 256 KiB, [`KeySetError::TooManyKeys`] above 100 members, usable or not, and
    /// [`KeySetError::Json`] for what is not a JWK Set.
    pub fn from_jwks(jwks: &[u8]) -> Result<(Self, Vec<SkippedKey>), KeySetError> {
        if jwks.len() > MAX_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let Ok(Json::Object(set)) = Json::parse(jwks) else {
            return Err(KeySetError::Json);
        };
        let (Some(Json::Array(members)), false) = (set.get("keys"), set.repeats_itself()) else {
            return Err(KeySetError::Json);
        };
        if members.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut usable = Vec::with_capacity(members.len());
        let mut skipped = Vec::new();
        for (index, member) in members.iter().enumerate() {
            match read_member(member) {
                Ok(key) => usable.push((index, Arc::new(key))),
                Err(reason) => skipped.push(SkippedKey {
                    index,
                    kid: kid_of(member),
                    reason,
                }),
            }
        }
        let mut keys = Vec::with_capacity(usable.len());
        for (index, key) in &usable {
            let is_shared = |other: &(usize, Arc<VerifyingKey>)| {
                other.0 != *index && other.1.kid() == key.kid()
            };
            if key.kid().is_some() && usable.iter().any(is_shared) {
                skipped.push(SkippedKey {
                    index: *index,
                    kid: key.kid().map(str::to_owned),
                    reason: KeyError::DuplicateKid,
                });
            } else {
                keys.push(Arc::clone(key));
            }
        }
        skipped.sort_by_key(SkippedKey::index);
        Ok((Self { keys }, skipped))
    }

    /// A set of the caller's own keys.
    ///
    /// # Errors
    ///
    /// [`KeySetError::DuplicateKid`] and [`KeySetError::TooManyKeys`].
    pub fn from_keys<K: Into<Arc<VerifyingKey>>>(
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Self, KeySetError> {
        let keys: Vec<Arc<VerifyingKey>> = keys.into_iter().map(Into::into).collect();
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut kids: Vec<&str> = keys.iter().filter_map(|key| key.kid()).collect();
        kids.sort_unstable();
        if kids.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(KeySetError::DuplicateKid);
        }
        Ok(Self { keys })
    }

    /// The key that a token means: the one with exactly this `kid` if it is for `algorithm`; without a `kid`, the
    /// only key for `algorithm`, if there is exactly one.
    #[must_use]
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&VerifyingKey> {
        self.select(kid, algorithm).ok()
    }

    /// As [`KeySet::find`], but tells an unknown key from a known one that is for another algorithm.
    pub(super) fn select(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&VerifyingKey, JwtError> {
        if let Some(kid) = kid {
            let key = self
                .iter()
                .find(|key| key.kid() == Some(kid))
                .ok_or(JwtError::UnknownKey)?;
            return if key.algorithm() == algorithm {
                Ok(key)
            } else {
                Err(JwtError::Algorithm)
            };
        }
        let mut candidates = self.iter().filter(|key| key.algorithm() == algorithm);
        match (candidates.next(), candidates.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(JwtError::UnknownKey),
        }
    }

    /// The key that this header of a token means, and the header's `typ`, if it is one that the key remembers: it names the key,
    /// so that in a set that has the key [`KeySet::select`] finds no other.
    #[inline]
    pub(super) fn select_known(&self, header: &str) -> Option<(&VerifyingKey, Option<&str>)> {
        self.iter()
            .find_map(|key| Some((key, key.known_header(header)?)))
    }

    /// The keys, in the order of the set.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.keys.iter().map(Arc::as_ref)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none, so that nothing verifies.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

fn read_member(member: &Json<'_>) -> Result<VerifyingKey, KeyError> {
    if member.repeats() {
        return Err(KeyError::DuplicateMember);
    }
    match member {
        Json::Object(jwk) => jwk::read(jwk, None),
        _ => Err(KeyError::Json),
    }
}

fn kid_of(member: &Json<'_>) -> Option<String> {
    let Json::Object(jwk) = member else {
        return None;
    };
    match Object::get(jwk, "kid") {
        Some(Json::String(kid)) => Some(kid.clone().into_owned()),
        _ => None,
    }
}
