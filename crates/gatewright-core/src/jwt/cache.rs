//! Tokens that were verified lately.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::keyed::Keyed;
use crate::time::Timestamp;

/// How many entries an insertion looks at for one to evict.
const SWEEP: usize = 64;

/// The last characters of a token, which hold at least the last 64 bits of its signature.
const TAIL_BYTES: usize = 16;

/// A bounded cache of verified tokens. Refusals are never kept.
///
/// An entry is found by the end of the token's signature, and hit only if the whole token is the same, compared in
/// constant time, and the verifier and its generation are the ones it was inserted with. Readers take no lock and
/// allocate nothing but what cloning a value does.
///
/// The caller gives each verifier configuration (issuer, audience, tenant) its own `verifier_id`, and takes the
/// generation together with the keys: see [`LiveKeys::snapshot`](super::LiveKeys::snapshot). One verifier holds
/// at most a quarter of the entries, so that one issuer can't push out the others.
pub struct TokenCache<V> {
    entries: papaya::HashMap<Tail, Entry<V>, Keyed>,
    book: Mutex<Book>,
    capacity: usize,
    max_life_secs: u64,
    digests: bool,
}

/// Collects the limits of a [`TokenCache`].
#[derive(Clone, Debug)]
#[must_use]
pub struct TokenCacheBuilder {
    capacity: usize,
    max_life_secs: u64,
    digests: bool,
}

/// Bytes and not a number, which would have entries rounded up to its alignment.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Tail([u8; TAIL_BYTES]);

impl Hash for Tail {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

struct Entry<V> {
    /// The token, or its SHA-256.
    token: Zeroizing<Box<[u8]>>,
    verifier_id: u64,
    generation: u64,
    /// The second in which it was verified. A date that was set back to before it may be before the token's `nbf` as well.
    starts_at: Timestamp,
    /// For how many seconds it is served, the one of its verification among them.
    life_secs: u32,
    /// Whether it was hit since a sweep last passed.
    used: AtomicBool,
    value: V,
}

/// What writers know: the order in which sweeps visit, and how many entries each verifier has.
#[derive(Default)]
struct Book {
    order: VecDeque<Tail>,
    held: HashMap<u64, usize>,
}

impl<V> Entry<V> {
    #[inline]
    fn is_served(&self, now: Timestamp) -> bool {
        self.starts_at <= now && !self.has_ended(now)
    }

    #[inline]
    fn has_ended(&self, now: Timestamp) -> bool {
        now.saturating_sub(self.starts_at) >= u64::from(self.life_secs)
    }
}

impl TokenCache<()> {
    /// At most `capacity` entries, each served for `max_life_secs` at most.
    pub fn builder(capacity: usize, max_life_secs: u64) -> TokenCacheBuilder {
        TokenCacheBuilder {
            capacity,
            max_life_secs,
            digests: false,
        }
    }
}

impl TokenCacheBuilder {
    /// Keeps the SHA-256 of each token instead of the token, for those who want none in memory. A look-up then hashes
    /// what was presented.
    pub fn digests(mut self) -> Self {
        self.digests = true;
        self
    }

    /// The cache, empty.
    #[must_use]
    pub fn build<V: Clone + Send + Sync>(self) -> TokenCache<V> {
        TokenCache {
            entries: papaya::HashMap::builder().hasher(Keyed::new()).build(),
            book: Mutex::default(),
            capacity: self.capacity,
            max_life_secs: self.max_life_secs,
            digests: self.digests,
        }
    }
}

impl<V: Clone + Send + Sync> TokenCache<V> {
    /// At most `capacity` entries, each served for `max_life_secs` at most.
    #[must_use]
    pub fn new(capacity: usize, max_life_secs: u64) -> Self {
        TokenCache::builder(capacity, max_life_secs).build()
    }

    /// What was inserted for exactly this token, verifier and generation, if it has not ended by `now`. Before the second of
    /// its insertion there is nothing: a clock that was set back has every token verified again.
    #[must_use]
    pub fn get(&self, token: &str, verifier_id: u64, generation: u64, now: Timestamp) -> Option<V> {
        self.look(token.as_bytes(), verifier_id, generation, now, V::clone)
    }

    /// Like [`get`](Self::get), but looks at the value where it is: a clone of a shared pointer would be counted by all
    /// cores in one place.
    #[inline]
    pub(crate) fn look<T>(
        &self,
        token: &[u8],
        verifier_id: u64,
        generation: u64,
        now: Timestamp,
        look: impl FnOnce(&V) -> T,
    ) -> Option<T> {
        let entries = self.entries.pin();
        let entry = entries.get(&tail(token)?)?;
        if entry.verifier_id != verifier_id
            || entry.generation != generation
            || !entry.is_served(now)
        {
            return None;
        }
        if !self.is_same(&entry.token, token) {
            return None;
        }
        // Written once between sweeps: hits of a hot token don't pass the cache line from core to core.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(look(&entry.value))
    }

    /// Keeps what a token was verified as, until `expires_at` ([`Verifier::valid_until`](super::Verifier::valid_until))
    /// or until the longest life passed. `generation` is the one that the keys came with. A full cache evicts an entry
    /// that was not hit lately; if the verifier's share is full of entries that were, the token may not be kept.
    pub fn insert(
        &self,
        token: &str,
        verifier_id: u64,
        generation: u64,
        expires_at: Timestamp,
        now: Timestamp,
        value: V,
    ) {
        let ends_at = expires_at.min(now.saturating_add(self.max_life_secs));
        let Some(tail) = tail(token.as_bytes()) else {
            return;
        };
        if ends_at <= now || self.capacity == 0 {
            return;
        }
        let entry = Entry {
            token: self.stored(token),
            verifier_id,
            generation,
            starts_at: now,
            life_secs: u32::try_from(ends_at - now).unwrap_or(u32::MAX),
            used: AtomicBool::new(false),
            value,
        };
        let entries = self.entries.pin();
        let mut book = self.book();
        match entries.get(&tail).map(|held| held.verifier_id) {
            // The same token again, or one with the same tail: it takes over the place.
            Some(holder) if holder == verifier_id => {
                entries.insert(tail, entry);
                return;
            }
            Some(holder) => {
                entries.remove(&tail);
                book.order.retain(|other| *other != tail);
                book.release(holder);
            }
            None => {}
        }
        if self.make_room(&mut book, verifier_id, now) {
            entries.insert(tail, entry);
            book.order.push_back(tail);
            *book.held.entry(verifier_id).or_default() += 1;
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut book = self.book();
        self.entries.pin().clear();
        *book = Book::default();
    }

    /// How many entries there are, ended ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.book().order.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Evicts until one more entry of this verifier fits; says whether it does.
    fn make_room(&self, book: &mut Book, verifier_id: u64, now: Timestamp) -> bool {
        let entries = self.entries.pin();
        for step in 0..=SWEEP {
            let within_share = book.held(verifier_id) < (self.capacity / 4).max(1);
            if within_share && book.order.len() < self.capacity {
                return true;
            }
            let Some(tail) = book.order.pop_front() else {
                return false;
            };
            let Some(entry) = entries.get(&tail) else {
                continue;
            };
            let may_go = within_share || entry.verifier_id == verifier_id;
            let is_idle = may_go && !entry.used.swap(false, Ordering::Relaxed);
            // By the last step all that was seen is in use, so the one at hand goes.
            let is_last = may_go && step + 1 == SWEEP;
            if entry.has_ended(now) || is_idle || is_last {
                book.release(entry.verifier_id);
                entries.remove(&tail);
            } else {
                book.order.push_back(tail);
            }
        }
        false
    }

    fn stored(&self, token: &str) -> Zeroizing<Box<[u8]>> {
        Zeroizing::new(if self.digests {
            digest(&SHA256, token.as_bytes()).as_ref().into()
        } else {
            token.as_bytes().into()
        })
    }

    #[inline]
    fn is_same(&self, stored: &[u8], token: &[u8]) -> bool {
        if self.digests {
            is_equal(stored, digest(&SHA256, token).as_ref())
        } else {
            is_equal(stored, token)
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> fmt::Debug for TokenCache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache")
            .field("capacity", &self.capacity)
            .field("max_life_secs", &self.max_life_secs)
            .field("digests", &self.digests)
            .finish_non_exhaustive()
    }
}

impl Book {
    fn held(&self, verifier_id: u64) -> usize {
        self.held.get(&verifier_id).copied().unwrap_or(0)
    }

    fn release(&mut self, verifier_id: u64) {
        if let Some(held) = self.held.get_mut(&verifier_id) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.held.remove(&verifier_id);
            }
        }
    }
}

/// How much is compared between two looks of `black_box`: more than most tokens have.
const BLOCK: usize = 1024;
/// What vector instructions compare in one step.
const STEP: usize = 32;

/// Whether both are the same, in a time that depends on their lengths alone.
///
/// A block is one sum that vector instructions gather: 15 ns for a token, of which a comparison byte by byte takes 300.
/// `black_box` keeps the compiler from leaving between two blocks; within one it has no reason to look.
#[inline]
fn is_equal(ours: &[u8], theirs: &[u8]) -> bool {
    if ours.len() != theirs.len() {
        return false;
    }
    let blocks = ours.chunks(BLOCK).zip(theirs.chunks(BLOCK));
    let difference = blocks.fold(0, |sum, (ours, theirs)| {
        black_box(sum | difference(ours, theirs))
    });
    difference == 0
}

/// Not 0 where two texts of one length differ.
#[inline]
fn difference(ours: &[u8], theirs: &[u8]) -> u8 {
    let ((steps, rest), (other_steps, other_rest)) =
        (ours.as_chunks::<STEP>(), theirs.as_chunks::<STEP>());
    let whole = sum(steps.as_flattened(), other_steps.as_flattened());
    // What is left is looked at together with some of what was: one more step, where bytes one by one take as long as the rest.
    whole
        | match (ours.last_chunk::<STEP>(), theirs.last_chunk::<STEP>()) {
            (Some(ours), Some(theirs)) => sum(ours, theirs),
            _ => sum(rest, other_rest),
        }
}

#[inline]
fn sum(ours: &[u8], theirs: &[u8]) -> u8 {
    let bytes = ours.iter().zip(theirs);
    bytes.fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs))
}

/// Tokens too short to have a tail are never cached.
#[inline]
fn tail(token: &[u8]) -> Option<Tail> {
    token.last_chunk::<TAIL_BYTES>().map(|bytes| Tail(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_a_token_counts() {
        for length in [
            0, 1, 16, 31, 32, 33, 63, 64, 65, 700, 1023, 1024, 1025, 1100,
        ] {
            let ours: Vec<u8> = (0..length).map(|index| index as u8).collect();
            assert!(is_equal(&ours, &ours.clone()), "{length}");
            for bit in 0..8 * length {
                let mut theirs = ours.clone();
                theirs[bit / 8] ^= 1 << (bit % 8);
                assert!(!is_equal(&ours, &theirs), "bit {bit} of {length} bytes");
            }
            assert!(!is_equal(&ours, &[&ours[..], b"x"].concat()), "{length}");
        }
    }
}
