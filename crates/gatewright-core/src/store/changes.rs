//! How a change reaches the caches of this process before the changer gets its answer.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::credential::SecretKind;

/// What changed: everything a cached decision may rest on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKey {
    /// An API key, personal access token or client, by its public id.
    Credential(SecretKind, Box<str>),
    /// A user: epoch, roles, memberships.
    User(Box<str>),
    /// A client's epoch.
    Client(Box<str>),
    /// A login session.
    Session(Box<str>),
    /// A single JWT, by its `jti`.
    Token(Box<str>),
    /// A tenant's plan, by the tenant's id. All tenants share one generation: plans change rarely, and whoever caches one
    /// learns which tenant it belongs to only from the reading itself.
    Tenant(Box<str>),
    /// Anything: sent when a change feed has lost its place.
    Everything,
}

/// A result that may be looked at only after the caches have been told; see [`Changes::publish`].
///
/// Two ways remain to commit a change that no cache hears of. A future dropped while its store commits never comes to
/// publishing: run changes in a task of their own, not in one that ends when the caller hangs up. And a
/// [`StoreError`](super::StoreError) may hide a commit whose answer was lost: [`raise`](Changes::raise) the key, or repeat
/// the call; stores publish what was done before as well, such as a second revocation.
#[must_use = "the change is committed, but caches still answer as before it: publish it"]
#[derive(Debug)]
pub struct Unpublished<T> {
    value: T,
    keys: Vec<ChangeKey>,
}

impl<T> Unpublished<T> {
    /// For stores: `value`, the answer to a committed change of `keys`.
    pub const fn new(value: T, keys: Vec<ChangeKey>) -> Self {
        Self { value, keys }
    }

    /// For stores: an answer that changed nothing.
    pub const fn unchanged(value: T) -> Self {
        Self {
            value,
            keys: Vec::new(),
        }
    }
}

/// A power of two.
const SLOTS: usize = 8192;

/// The generations of everything that can change, shared by the gate and whoever changes things.
///
/// A fixed array of counters: a key is hashed to a slot, a change raises the slot. A cache entry remembers the
/// value its slots had *before* the store was read ([`Stamp`]) and is worthless once one differs, so a fill that
/// races a change loses. Two keys in one slot cost a needless read, never a stale answer.
#[derive(Clone, Debug)]
pub struct Changes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    slots: [AtomicU64; SLOTS],
    hasher: RandomState,
}

/// The generation of one key at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp(
    /// The slot in the lowest bits, the generation above: cached entries hold several, and 2⁵¹ changes never come.
    u64,
);

impl Changes {
    /// Counters at their start.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            slots: [const { AtomicU64::new(0) }; SLOTS],
            hasher: RandomState::new(),
        }))
    }

    /// Makes every cache that shares these counters forget what `change` touched, then hands out its result.
    /// A request that starts after this returns sees the change.
    pub fn publish<T>(&self, change: Unpublished<T>) -> T {
        for key in &change.keys {
            self.raise(key);
        }
        change.value
    }

    /// Makes the caches forget `key`; for changes that came by a feed instead of through this process.
    pub fn raise(&self, key: &ChangeKey) {
        if *key == ChangeKey::Everything {
            for slot in &self.0.slots {
                slot.fetch_add(1, Ordering::SeqCst);
            }
        } else {
            self.0.slots[self.slot(key)].fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The generation of `key` now. Take it before reading what it guards.
    #[must_use]
    pub fn stamp(&self, key: &ChangeKey) -> Stamp {
        self.0.stamp_of(self.slot(key))
    }

    /// Whether nothing was published for the stamp's key since it was taken: one atomic load.
    #[must_use]
    #[inline]
    pub fn is_current(&self, stamp: Stamp) -> bool {
        self.are_current(&[stamp])
    }

    /// Whether that is so of all of them.
    #[inline]
    pub(crate) fn are_current(&self, stamps: &[Stamp]) -> bool {
        let inner = &*self.0;
        let mut all = stamps.iter();
        all.all(|stamp| inner.stamp_of(stamp.0 as usize & (SLOTS - 1)) == *stamp)
    }

    fn slot(&self, key: &ChangeKey) -> usize {
        let hash = match key {
            ChangeKey::Tenant(_) => self.0.hasher.hash_one("tenants"),
            key => self.0.hasher.hash_one(key),
        };
        hash as usize & (SLOTS - 1)
    }
}

impl Inner {
    #[inline]
    fn stamp_of(&self, slot: usize) -> Stamp {
        let generation = self.slots[slot].load(Ordering::SeqCst);
        Stamp((generation << SLOTS.trailing_zeros()) | slot as u64)
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> ChangeKey {
        ChangeKey::Credential(SecretKind::ApiKey, id.into())
    }

    #[test]
    fn a_published_change_ends_earlier_stamps_and_no_later_ones() {
        let changes = Changes::new();
        let before = changes.stamp(&key("a"));
        assert!(changes.is_current(before));
        assert_eq!(changes.publish(Unpublished::new(7, vec![key("a")])), 7);
        assert!(!changes.is_current(before));
        assert!(changes.is_current(changes.stamp(&key("a"))));
    }

    #[test]
    fn everything_ends_every_stamp() {
        let changes = Changes::new();
        let stamps = ["a", "b", "c"].map(|id| changes.stamp(&key(id)));
        changes.raise(&ChangeKey::Everything);
        assert!(stamps.iter().all(|&stamp| !changes.is_current(stamp)));
    }
}
