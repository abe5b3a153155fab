//! Many buckets in bounded memory.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use papaya::HashMap;

use super::Allowance;
use crate::time::Moment;

/// State of a bucket that has left the map, or is about to: whoever still holds it must look again.
const GONE: u64 = u64::MAX;

/// Shared buckets for keys that find no room.
const SPILL: usize = 1024;

/// At how many buckets a full table looks, for each new key, to find one to forget. A look at all of them would take
/// milliseconds of whichever request happened to need the room.
const LOOKS: usize = 8;

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

/// A bucket in a table: its state, and by what name others may know it.
///
/// It may be held by whoever found it, for as long as it is not [gone](Self::is_gone).
pub(super) struct Cell<N> {
    state: AtomicU64,
    name: N,
}

impl<N> Cell<N> {
    pub(super) const fn new(name: N, state: u64) -> Self {
        Self {
            state: AtomicU64::new(state),
            name,
        }
    }

    pub(super) const fn name(&self) -> &N {
        &self.name
    }

    /// The state, unless it is gone.
    pub(super) fn state(&self) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        (state != GONE).then_some(state)
    }

    /// Whether the table has forgotten it.
    pub(super) fn is_gone(&self) -> bool {
        self.state().is_none()
    }

    /// Whether it is gone or full, where states up to `settled` are those of a full bucket.
    pub(super) fn owes_nothing(&self, settled: u64) -> bool {
        self.state().is_none_or(|state| state <= settled)
    }

    /// Takes one call, which leads from the state `before` to `after` if nobody else takes one meanwhile. `None` if the bucket
    /// is gone or has no room by now.
    pub(super) fn take(
        &self,
        before: u64,
        after: u64,
        allowance: &Allowance,
        now: Moment,
    ) -> Option<u64> {
        let (took, saw) = (Ordering::AcqRel, Ordering::Acquire);
        match self.state.compare_exchange(before, after, took, saw) {
            Ok(_) => Some(after),
            Err(_) => update(&self.state, |state| allowance.take(state, now))?.ok(),
        }
    }
}

/// Where the calls of a key are counted.
pub(super) enum Held<'a, N> {
    /// In a bucket that was known.
    Known(&'a Cell<N>),
    /// In a bucket that was found in the table.
    Found(Arc<Cell<N>>),
    /// In a bucket that it shares with others.
    Shared(&'a AtomicU64),
    /// Nowhere yet.
    Nowhere,
}

impl<N> Held<'_, N> {
    /// The bucket's state; it may be gone.
    pub(super) fn state(&self) -> Option<&AtomicU64> {
        match self {
            Self::Known(cell) => Some(&cell.state),
            Self::Found(cell) => Some(&cell.state),
            Self::Shared(state) => Some(state),
            Self::Nowhere => None,
        }
    }
}

/// Buckets by key, at most `capacity` of them.
///
/// Only a bucket that is full again is forgotten, which changes nothing for its key. While all that
/// are looked at are in debt, new keys share the [`SPILL`] buckets: memory stays bounded, no debtor is
/// forgotten, and a new key is neither free nor shut out by somebody else's key but by the few that
/// share its bucket. A key that gets a bucket of its own takes along what it may owe in the shared
/// one. (Calls that are on their way between the two at that moment are counted in one of them.)
pub(super) struct Table<N> {
    buckets: HashMap<u128, Arc<Cell<N>>>,
    /// Buckets in the map, and those about to be.
    used: AtomicUsize,
    capacity: usize,
    /// Every bucket of the map once, in the order in which they are looked at.
    line: Mutex<VecDeque<u128>>,
    spill: Box<[AtomicU64]>,
}

impl<N: Send + Sync> Table<N> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            buckets: HashMap::new(),
            used: AtomicUsize::new(0),
            capacity,
            line: Mutex::default(),
            spill: (0..SPILL).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The key's own bucket, if it has one.
    pub(super) fn find(&self, key: Key) -> Option<Arc<Cell<N>>> {
        let buckets = self.buckets.pin();
        let cell = buckets.get(&key.digest)?;
        (!cell.is_gone()).then(|| Arc::clone(cell))
    }

    /// The state of a key: that of its bucket, else what it would start with.
    pub(super) fn state(&self, key: Key, allowance: &Allowance, now: Moment) -> u64 {
        let buckets = self.buckets.pin();
        let own = buckets.get(&key.digest).and_then(|cell| cell.state());
        own.unwrap_or_else(|| self.first_state(key, allowance, now))
    }

    /// Finds or makes the bucket in which the key's calls are counted.
    pub(super) fn claim(
        &self,
        key: Key,
        name: impl Fn() -> N,
        allowance: &Allowance,
        now: Moment,
    ) -> Held<'_, N> {
        let settled = allowance.settled(now);
        let buckets = self.buckets.pin();
        loop {
            if let Some(cell) = buckets.get(&key.digest) {
                if !cell.is_gone() {
                    return Held::Found(Arc::clone(cell));
                }
                // Help the one who marked it, then look again.
                self.remove_gone(key.digest);
            } else if self.reserve(settled) {
                let first = self.first_state(key, allowance, now);
                let cell = Arc::new(Cell::new(name(), first));
                match buckets.try_insert(key.digest, Arc::clone(&cell)) {
                    Ok(_) => {
                        self.line().push_back(key.digest);
                        return Held::Found(cell);
                    }
                    Err(_) => self.used.fetch_sub(1, Ordering::AcqRel),
                };
            } else if let Some(shared) = self.spill.get(key.spill) {
                return Held::Shared(shared);
            }
        }
    }

    /// Takes one call. Returns the new state, or the nanoseconds to wait. `held` is where the key's calls are counted, as far
    /// as the caller knows, and afterwards where this one was.
    pub(super) fn take<'a>(
        &'a self,
        held: &mut Held<'a, N>,
        key: impl Fn() -> Key,
        name: impl Fn() -> N,
        allowance: &Allowance,
        now: Moment,
    ) -> Result<u64, u64> {
        loop {
            if let Some(state) = held.state()
                && let Some(result) = update(state, |state| allowance.take(state, now))
            {
                return result;
            }
            *held = self.claim(key(), &name, allowance, now);
        }
    }

    /// Gives back what [`take`](Self::take) took in this place and left at `taken`. A bucket that is gone by now was full.
    pub(super) fn give_back(held: &Held<'_, N>, allowance: &Allowance, taken: u64) {
        if let Some(state) = held.state() {
            let _ = update(state, |state| {
                Ok::<_, u64>(allowance.give_back(state, taken))
            });
        }
    }

    /// Where the key's calls are counted at present, if anywhere.
    pub(super) fn held(&self, key: Key) -> Held<'_, N> {
        match self.find(key) {
            Some(cell) => Held::Found(cell),
            None if self.is_full() => self
                .spill
                .get(key.spill)
                .map_or(Held::Nowhere, Held::Shared),
            None => Held::Nowhere,
        }
    }

    /// Buckets held, without the shared ones.
    pub(super) fn len(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// What the key may owe in its shared bucket, if it was ever counted there.
    fn first_state(&self, key: Key, allowance: &Allowance, now: Moment) -> u64 {
        let shared = self.spill.get(key.spill);
        let shared = shared.map_or(0, |shared| shared.load(Ordering::Acquire));
        allowance.inherit(shared, now)
    }

    /// Room for one more bucket, if need be by forgetting others.
    fn reserve(&self, settled: u64) -> bool {
        self.try_reserve() || (self.make_room(settled) && self.try_reserve())
    }

    fn try_reserve(&self) -> bool {
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                (used < self.capacity).then_some(used + 1)
            })
            .is_ok()
    }

    /// Forgets those of the next [`LOOKS`] buckets in line that are full again; says whether there was one.
    fn make_room(&self, settled: u64) -> bool {
        let mut line = self.line();
        let mut forgot = false;
        for _ in 0..LOOKS.min(line.len()) {
            let Some(digest) = line.pop_front() else {
                break;
            };
            if self.forget(digest, settled) {
                forgot = true;
            } else {
                line.push_back(digest);
            }
        }
        forgot
    }

    /// Forgets the key's bucket at once if its state is none that is later than `settled`.
    pub(super) fn forget_settled(&self, key: Key, settled: u64) {
        // Else a key that was counted in a shared bucket would have the whole line searched, while the table is full of debtors.
        if !self.buckets.pin().contains_key(&key.digest) {
            return;
        }
        let mut line = self.line();
        // It was put there not long ago.
        let place = line.iter().rposition(|digest| *digest == key.digest);
        if let Some(place) = place
            && self.forget(key.digest, settled)
        {
            line.remove(place);
        }
    }

    /// Removes a bucket if it is full again; says whether it is in the map no longer. Marking it comes first: a call that
    /// holds it finds the mark and looks again, so no call is counted in a bucket that nobody can find.
    fn forget(&self, digest: u128, settled: u64) -> bool {
        let buckets = self.buckets.pin();
        let Some(cell) = buckets.get(&digest) else {
            return true;
        };
        let mark = |state| (state <= settled || state == GONE).then_some(GONE);
        let (took, saw) = (Ordering::AcqRel, Ordering::Acquire);
        let marked = cell.state.fetch_update(took, saw, mark).is_ok();
        if marked {
            self.remove_gone(digest);
        }
        marked
    }

    /// Takes a bucket that was marked out of the map.
    fn remove_gone(&self, digest: u128) {
        let buckets = self.buckets.pin();
        let removed = buckets.remove_if(&digest, |_, cell| cell.is_gone());
        if let Ok(Some(_)) = removed {
            self.used.fetch_sub(1, Ordering::AcqRel);
        }
    }

    #[cfg(test)]
    pub(super) fn in_line(&self) -> usize {
        self.line().len()
    }

    fn line(&self) -> MutexGuard<'_, VecDeque<u128>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces the state of a bucket; `None` if it is gone.
fn update(bucket: &AtomicU64, next: impl Fn(u64) -> Result<u64, u64>) -> Option<Result<u64, u64>> {
    let mut state = bucket.load(Ordering::Acquire);
    loop {
        if state == GONE {
            return None;
        }
        let new = match next(state) {
            Ok(new) => new,
            Err(wait) => return Some(Err(wait)),
        };
        match bucket.compare_exchange_weak(state, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(Ok(new)),
            Err(seen) => state = seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::{Quota, Rate};

    const NOW: Moment = Moment::new(1_000_000_000_000, 1_800_000_000);

    fn table() -> (Table<()>, Key, Allowance) {
        let allowance = Allowance::Rate(Rate::TEN_A_MINUTE);
        (Table::new(1), Keys::new().key(&[b"a"]), allowance)
    }

    fn take<'a>(table: &'a Table<()>, key: Key, allowance: &Allowance) -> (u64, Held<'a, ()>) {
        let mut held = Held::Nowhere;
        let state = table.take(&mut held, || key, || (), allowance, NOW);
        (state.unwrap(), held)
    }

    /// New keys take turns to look through a full table.
    #[test]
    fn a_few_looks_for_each_new_key_find_every_full_bucket() {
        const ROOM: u64 = 10 * LOOKS as u64;
        let (keys, table) = (Keys::new(), Table::new(ROOM as usize));
        let rate = Allowance::Rate(Rate::TEN_A_MINUTE);
        let key = |id: u64| keys.key(&[&id.to_le_bytes()]);
        for id in 0..ROOM {
            take(&table, key(id), &rate);
        }
        // The last in line.
        let held = table.held(key(ROOM - 1));
        Table::give_back(&held, &rate, 0);
        let newcomer = |id: u64| matches!(take(&table, key(id), &rate).1, Held::Found(_));
        let found: Vec<_> = (ROOM..ROOM + 20).filter(|id| newcomer(*id)).collect();
        assert_eq!(found, [ROOM + 9]);
        assert_eq!(table.len(), ROOM as usize);
        assert_eq!(table.in_line(), ROOM as usize);
        for id in 0..ROOM - 1 {
            assert!(table.find(key(id)).is_some(), "{id}");
        }
    }

    /// Whoever saw a full bucket must look again when it is marked: a call may have come between.
    #[test]
    fn a_bucket_in_debt_is_not_forgotten() {
        let (table, key, rate) = table();
        let (full_at, held) = take(&table, key, &rate);
        table.forget(key.digest, NOW.nanos);
        assert_eq!(table.state(key, &rate, NOW), full_at);
        assert_eq!(table.len(), 1);
        table.forget(key.digest, full_at);
        assert_eq!(table.state(key, &rate, NOW), 0);
        assert_eq!(table.len(), 0);
        assert_eq!(held.state().unwrap().load(Ordering::Acquire), GONE);
    }

    /// A quota of the month that runs is a debt, however long the month.
    #[test]
    fn a_quota_is_not_forgotten_before_its_month_ends() {
        let (table, key, _) = table();
        let quota = Allowance::Monthly(Quota::per_month(1).unwrap());
        let (used, _) = take(&table, key, &quota);
        let end = crate::limit::Month::of(NOW.unix).ends_at();
        for (unix, kept) in [(end - 1, true), (end, false)] {
            table.forget(key.digest, quota.settled(Moment::new(NOW.nanos, unix)));
            assert_eq!(table.len() == 1, kept);
            assert_eq!(table.state(key, &quota, NOW) == used, kept);
        }
    }

    /// A call that finds the mark of one who makes room counts in a bucket that others can find.
    #[test]
    fn a_call_on_a_bucket_that_is_gone_looks_again() {
        let (table, key, rate) = table();
        let (_, mut held) = take(&table, key, &rate);
        held.state().unwrap().store(GONE, Ordering::Release);
        let full_at = table.take(&mut held, || key, || (), &rate, NOW).unwrap();
        assert_eq!(table.state(key, &rate, NOW), full_at);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_call_given_back_after_its_bucket_left_changes_nobody_else() {
        let (table, key, rate) = table();
        let (full_at, held) = take(&table, key, &rate);
        table.forget(key.digest, full_at);
        table.spill[key.spill].store(full_at, Ordering::Release);
        Table::give_back(&held, &rate, full_at);
        Table::give_back(&table.held(key), &rate, full_at);
        assert_eq!(table.spill[key.spill].load(Ordering::Acquire), full_at);
    }

    /// Calls that were counted in a shared bucket are given back to it, even if there is room by then.
    #[test]
    fn a_call_is_given_back_where_it_was_taken() {
        let (table, key, rate) = table();
        let (full_at, _) = take(&table, Keys::new().key(&[b"b"]), &rate);
        let (taken, held) = take(&table, key, &rate);
        assert!(matches!(held, Held::Shared(_)));
        table.buckets.pin().clear();
        table.used.store(0, Ordering::Release);
        Table::give_back(&held, &rate, taken);
        assert!(table.spill[key.spill].load(Ordering::Acquire) < full_at);
    }
}
