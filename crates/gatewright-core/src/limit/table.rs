//! Many buckets in bounded memory.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use papaya::HashMap;

use super::Rate;

/// State of a bucket that has left the map, or is about to: whoever still holds it must look again.
const GONE: u64 = u64::MAX;

/// Shared buckets for keys that find no room.
const SPILL: usize = 1024;

/// How often a full table looks for buckets to forget, at most: a look costs as much as it is large.
const SWEEP_EVERY_NANOS: u64 = 250_000_000;

/// What a bucket is found by. Keys are hashed with keys of this process, so that nobody can choose two
/// that meet: 128 bits of two SipHashes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    digest: u128,
    /// Which shared bucket it falls into where there is no room.
    spill: usize,
}

/// Hashes what buckets are named by.
pub(super) struct Keys {
    high: RandomState,
    low: RandomState,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self {
            high: RandomState::new(),
            low: RandomState::new(),
        }
    }

    /// The key of `parts`. Hashing a slice writes its length first, so parts can't run into each other.
    pub(super) fn key(&self, parts: &[&[u8]]) -> Key {
        let high = self.high.hash_one(parts);
        let low = self.low.hash_one(parts);
        Key {
            digest: u128::from(high) << 64 | u128::from(low),
            spill: spill_index(low),
        }
    }

    /// The key of `parts`, where all keys with the same `group` share one bucket when there is no room.
    pub(super) fn key_in_group(&self, parts: &[&[u8]], group: &[u8]) -> Key {
        Key {
            spill: spill_index(self.low.hash_one(group)),
            ..self.key(parts)
        }
    }
}

fn spill_index(hash: u64) -> usize {
    // Less than SPILL, so the cast keeps every bit.
    (hash % SPILL as u64) as usize
}

/// Buckets by key, at most `capacity` of them.
///
/// Only a bucket that is full again is forgotten, which changes nothing for its key. While all of
/// them are in debt, new keys share the [`SPILL`] buckets: memory stays bounded, no debtor is
/// forgotten, and a new key is neither free nor shut out by somebody else's key but by the few that
/// share its bucket.
pub(super) struct Table {
    buckets: HashMap<u128, AtomicU64>,
    /// Buckets in the map, and those about to be.
    used: AtomicUsize,
    capacity: usize,
    swept_at: AtomicU64,
    spill: Box<[AtomicU64]>,
}

impl Table {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            buckets: HashMap::new(),
            used: AtomicUsize::new(0),
            capacity,
            swept_at: AtomicU64::new(0),
            spill: (0..SPILL).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The state of a bucket, as [`Rate::take`] counts it; 0 if it was never used.
    pub(super) fn full_at(&self, key: Key) -> u64 {
        match self.buckets.pin().get(&key.digest) {
            Some(bucket) => match bucket.load(Ordering::Acquire) {
                GONE => 0,
                full_at => full_at,
            },
            // Its calls went to the shared bucket, if there was no room for it; if there is room by
            // now it will get a bucket of its own.
            None if self.is_full() => self.spill[key.spill].load(Ordering::Acquire),
            None => 0,
        }
    }

    /// Takes one call. Returns the new state, or the nanoseconds to wait.
    pub(super) fn take(&self, key: Key, rate: Rate, now: u64) -> Result<u64, u64> {
        let buckets = self.buckets.pin();
        loop {
            if let Some(bucket) = buckets.get(&key.digest) {
                match update(bucket, |full_at| rate.take(full_at, now)) {
                    Some(result) => return result,
                    // Help the sweeper, then look again.
                    None => self.forget(key.digest, now),
                }
            } else if self.reserve(now) {
                let first = rate.take(0, now);
                let full_at = first.unwrap_or(0);
                match buckets.try_insert(key.digest, AtomicU64::new(full_at)) {
                    Ok(_) => return first,
                    Err(_) => self.used.fetch_sub(1, Ordering::AcqRel),
                };
            } else {
                let shared = update(&self.spill[key.spill], |full_at| rate.take(full_at, now));
                return shared.unwrap_or(Err(1));
            }
        }
    }

    /// Gives back what [`take`](Self::take) took, unless the bucket is gone by now: then it was full.
    pub(super) fn give_back(&self, key: Key, rate: Rate) {
        let buckets = self.buckets.pin();
        let bucket = match buckets.get(&key.digest) {
            Some(bucket) => bucket,
            None if self.is_full() => &self.spill[key.spill],
            None => return,
        };
        let _ = update(bucket, |full_at| Ok::<_, u64>(rate.give_back(full_at)));
    }

    /// Buckets held, without the shared ones.
    pub(super) fn len(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Room for one more bucket, if need be by forgetting others.
    fn reserve(&self, now: u64) -> bool {
        self.try_reserve() || (self.sweep(now) && self.try_reserve())
    }

    fn try_reserve(&self) -> bool {
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                (used < self.capacity).then_some(used + 1)
            })
            .is_ok()
    }

    /// Forgets all buckets that are full again; one caller at a time, and not all the time.
    fn sweep(&self, now: u64) -> bool {
        let last = self.swept_at.load(Ordering::Acquire);
        let due = last == 0 || now >= last.saturating_add(SWEEP_EVERY_NANOS);
        // 0 means never, so that the first sweep isn't put off.
        let turn = due
            && self
                .swept_at
                .compare_exchange(last, now.max(1), Ordering::AcqRel, Ordering::Acquire)
                .is_ok();
        if turn {
            for (digest, bucket) in &self.buckets.pin() {
                if bucket.load(Ordering::Acquire) <= now {
                    self.forget(*digest, now);
                }
            }
        }
        turn
    }

    /// Removes a bucket that is full again or gone. Marking it comes first: a call that holds it
    /// finds the mark and looks again, so no call is counted in a bucket that nobody can find.
    fn forget(&self, digest: u128, now: u64) {
        let buckets = self.buckets.pin();
        let removed = buckets.remove_if(&digest, |_, bucket| {
            bucket
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |full_at| {
                    (full_at <= now || full_at == GONE).then_some(GONE)
                })
                .is_ok()
        });
        if let Ok(Some(_)) = removed {
            self.used.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Replaces the state of a bucket; `None` if it is gone.
fn update(bucket: &AtomicU64, next: impl Fn(u64) -> Result<u64, u64>) -> Option<Result<u64, u64>> {
    let mut full_at = bucket.load(Ordering::Acquire);
    loop {
        if full_at == GONE {
            return None;
        }
        let new = match next(full_at) {
            Ok(new) => new,
            Err(wait) => return Some(Err(wait)),
        };
        match bucket.compare_exchange_weak(full_at, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(Ok(new)),
            Err(seen) => full_at = seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000_000;

    fn table() -> (Table, Key, Rate) {
        let table = Table::new(1);
        (table, Keys::new().key(&[b"a"]), Rate::TEN_A_MINUTE)
    }

    /// A sweeper that saw a full bucket must look again when it marks it: a call may have come between.
    #[test]
    fn a_bucket_in_debt_is_not_forgotten() {
        let (table, key, rate) = table();
        let full_at = table.take(key, rate, NOW).unwrap();
        table.forget(key.digest, NOW);
        assert_eq!(table.full_at(key), full_at);
        assert_eq!(table.len(), 1);
        table.forget(key.digest, full_at);
        assert_eq!(table.full_at(key), 0);
        assert_eq!(table.len(), 0);
    }

    /// A call that finds the mark of a sweeper counts in a bucket that others can find.
    #[test]
    fn a_call_on_a_bucket_that_is_gone_looks_again() {
        let (table, key, rate) = table();
        let _ = table.take(key, rate, NOW).unwrap();
        table
            .buckets
            .pin()
            .get(&key.digest)
            .unwrap()
            .store(GONE, Ordering::Release);
        let full_at = table.take(key, rate, NOW).unwrap();
        assert_eq!(table.full_at(key), full_at);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_call_given_back_after_its_bucket_left_changes_nobody_else() {
        let (table, key, rate) = table();
        let full_at = table.take(key, rate, NOW).unwrap();
        table.forget(key.digest, full_at);
        table.spill[key.spill].store(full_at, Ordering::Release);
        table.give_back(key, rate);
        assert_eq!(table.spill[key.spill].load(Ordering::Acquire), full_at);
    }
}
