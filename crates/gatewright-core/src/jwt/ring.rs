//! The life of our own signing keys: published, then used, then retired.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::KeySetError;
use super::key_set::KeySet;
use super::signing::SigningKey;
use crate::time::Timestamp;

/// A signing key and its times.
#[derive(Clone, Debug)]
pub struct RingKey {
    key: Arc<SigningKey>,
    published_at: Timestamp,
    active_from: Timestamp,
    retire_after: Option<Timestamp>,
}

impl RingKey {
    /// A key that verifiers may see from `published_at` and that signs from `active_from`. From `retire_after` on it
    /// neither signs nor verifies.
    #[must_use]
    pub fn new(
        key: Arc<SigningKey>,
        published_at: Timestamp,
        active_from: Timestamp,
        retire_after: Option<Timestamp>,
    ) -> Self {
        Self {
            key,
            published_at,
            active_from,
            retire_after,
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &Arc<SigningKey> {
        &self.key
    }

    /// When verifiers may see it.
    #[must_use]
    pub fn published_at(&self) -> Timestamp {
        self.published_at
    }

    /// When it starts to sign.
    #[must_use]
    pub fn active_from(&self) -> Timestamp {
        self.active_from
    }

    /// When it ends, once that is known.
    #[must_use]
    pub fn retire_after(&self) -> Option<Timestamp> {
        self.retire_after
    }

    fn is_retired(&self, now: Timestamp) -> bool {
        self.retire_after.is_some_and(|end| now >= end)
    }
}

/// The signing keys of one issuer. Plain data: every change makes a new ring, storing it is the caller's.
#[derive(Clone, Debug, Default)]
pub struct SigningRing {
    keys: Vec<RingKey>,
}

impl SigningRing {
    /// A ring of these keys, in any order.
    ///
    /// # Errors
    ///
    /// [`KeySetError::DuplicateKid`] and [`KeySetError::TooManyKeys`].
    pub fn new(keys: impl IntoIterator<Item = RingKey>) -> Result<Self, KeySetError> {
        let mut keys: Vec<RingKey> = keys.into_iter().collect();
        KeySet::from_keys(keys.iter().map(|entry| entry.key.verifying_key()))?;
        keys.sort_by_key(RingKey::active_from);
        Ok(Self { keys })
    }

    /// All keys, oldest first, for storing them.
    #[must_use]
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The key that signs: the last that became active. If that one is retired none signs: its predecessors end with
    /// the tokens they have signed, and a new one would outlive them.
    #[must_use]
    pub fn active(&self, now: Timestamp) -> Option<&Arc<SigningKey>> {
        self.keys
            .iter()
            .rfind(|entry| entry.active_from <= now)
            .filter(|entry| !entry.is_retired(now))
            .map(RingKey::key)
    }

    /// The keys that verify: also those not yet active, and those superseded whose tokens may still live.
    #[must_use]
    pub fn published(&self, now: Timestamp) -> KeySet {
        // The ring's own keys passed the same checks.
        KeySet::from_keys(self.visible(now).map(|entry| entry.key.verifying_key()))
            .unwrap_or_default()
    }

    /// The JWK Set document (RFC 7517 §5) of the published keys. Shared secrets are never in it.
    #[must_use]
    pub fn jwks_json(&self, now: Timestamp) -> Value {
        let keys: Vec<Value> = self
            .visible(now)
            .filter_map(|entry| entry.key.public_jwk())
            .collect();
        json!({ "keys": keys })
    }

    /// Publishes `new_key` at once and lets it sign `publish_lead_secs` later, when verifiers have fetched it. The key
    /// that signs until then ends `longest_token_life_secs` after that. An end once set never moves, retired keys are
    /// dropped, and so are keys that were still to become active no earlier than the new one.
    ///
    /// # Errors
    ///
    /// [`KeySetError::DuplicateKid`] if the ring has the key, [`KeySetError::TooManyKeys`].
    pub fn rotate(
        &self,
        new_key: Arc<SigningKey>,
        now: Timestamp,
        publish_lead_secs: u64,
        longest_token_life_secs: u64,
    ) -> Result<Self, KeySetError> {
        let active_from = now.saturating_add(publish_lead_secs);
        let mut keys: Vec<RingKey> = self
            .keys
            .iter()
            .filter(|entry| !entry.is_retired(now))
            .filter(|entry| entry.active_from <= now || entry.active_from < active_from)
            .cloned()
            .collect();
        let mut successor = active_from;
        for entry in keys.iter_mut().rev() {
            entry
                .retire_after
                .get_or_insert(successor.saturating_add(longest_token_life_secs));
            successor = entry.active_from;
        }
        keys.push(RingKey::new(new_key, now, active_from, None));
        Self::new(keys)
    }

    /// Ends a key at `now`, such as one that leaked: what it signed is refused as soon as verifiers, our own
    /// [`LiveKeys`](super::LiveKeys) among them, have the set that [`SigningRing::published`] then gives.
    #[must_use]
    pub fn retire(&self, kid: &str, now: Timestamp) -> Self {
        let mut ring = self.clone();
        for entry in ring.keys.iter_mut().filter(|entry| entry.key.kid() == kid) {
            entry.retire_after = Some(entry.retire_after.map_or(now, |end| end.min(now)));
        }
        ring
    }

    fn visible(&self, now: Timestamp) -> impl Iterator<Item = &RingKey> {
        self.keys
            .iter()
            .filter(move |entry| entry.published_at <= now && !entry.is_retired(now))
    }
}
