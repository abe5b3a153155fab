//! A bounded map that many read and few write.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use papaya::{Equivalent, HashMap};

use crate::keyed::Keyed;

/// How many entries an insertion looks at for one to evict.
const SWEEP: usize = 64;

/// Keeps at most `capacity` values, and evicts one that was not read lately (second chance).
///
/// Only what a store told, or what is part of a token that holds, is a key of it; see [`Keyed`]. Readers take no lock and
/// allocate nothing but what cloning a value does; writers take turns.
pub(super) struct Cache<K, V> {
    entries: HashMap<K, Entry<V>, Keyed>,
    /// The keys in the order in which sweeps visit them; locked by whoever changes `entries`.
    order: Mutex<VecDeque<K>>,
    capacity: usize,
}

struct Entry<V> {
    value: V,
    /// Whether it was read since a sweep last passed.
    used: AtomicBool,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::builder().hasher(Keyed::new()).build(),
            order: Mutex::default(),
            capacity: capacity.max(1),
        }
    }

    pub(super) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<V> {
        self.look(key, V::clone)
    }

    /// Looks at a value where it is. A clone of a shared pointer would be counted by all cores in one place.
    #[inline]
    pub(super) fn look<Q, T>(&self, key: &Q, look: impl FnOnce(&V) -> T) -> Option<T>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let entries = self.entries.pin();
        let entry = entries.get(key)?;
        // Written once between sweeps: hits of a hot entry don't pass the cache line from core to core.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(look(&entry.value))
    }

    /// Keeps `value`, in place of what stood under the same key.
    pub(super) fn insert(&self, key: K, value: V) {
        let entry = Entry {
            value,
            used: AtomicBool::new(false),
        };
        let entries = self.entries.pin();
        let mut order = self.order();
        if entries.insert(key.clone(), entry).is_none() {
            // Room is made before the new key is in the line, so that it is not the one to go.
            self.evict_down_to(self.capacity - 1, &mut order);
            order.push_back(key);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order().len()
    }

    fn evict_down_to(&self, most: usize, order: &mut VecDeque<K>) {
        let entries = self.entries.pin();
        let mut looks = 0;
        while order.len() > most {
            let Some(key) = order.pop_front() else { return };
            looks += 1;
            let is_read = entries
                .get(&key)
                .is_some_and(|entry| entry.used.swap(false, Ordering::Relaxed));
            // When all that was seen is in use, the one at hand goes.
            if is_read && looks < SWEEP {
                order.push_back(key);
            } else {
                entries.remove(&key);
            }
        }
    }

    fn order(&self) -> MutexGuard<'_, VecDeque<K>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn evicts_what_is_not_read_before_what_is() {
        let cache = Cache::new(10);
        for key in 0..10 {
            cache.insert(key, key);
        }
        for key in 10..1000 {
            assert_eq!(cache.get(&3), Some(3));
            cache.insert(key, key);
            assert_eq!(cache.get(&key), Some(key), "what was just put in is there");
        }
        assert_eq!(cache.get(&4), None);
        assert_eq!(cache.len(), 10);
    }

    #[test]
    fn stays_bounded_when_everything_is_read() {
        let cache = Cache::new(100);
        for key in 0..10_000_u32 {
            cache.insert(key, ());
            for read in key.saturating_sub(99)..=key {
                cache.get(&read);
            }
        }
        assert_eq!(cache.len(), 100);
        assert_eq!(cache.entries.pin().len(), 100);
    }

    #[test]
    fn threads_leave_as_many_entries_as_keys_in_line() {
        let cache = Arc::new(Cache::new(50));
        thread::scope(|scope| {
            for thread in 0..4_u32 {
                let cache = Arc::clone(&cache);
                scope.spawn(move || {
                    for step in 0..5_000_u32 {
                        let key = step.wrapping_mul(thread + 7) % 200;
                        match step % 7 {
                            0..4 => cache.insert(key, key),
                            _ => assert!(cache.get(&key).is_none_or(|value| value == key)),
                        }
                    }
                });
            }
        });
        let entries = cache.entries.pin();
        assert!(cache.len() <= 50);
        assert_eq!(entries.len(), cache.len());
        assert!(cache.order().iter().all(|key| entries.contains_key(key)));
    }

    proptest! {
        #[test]
        fn answers_the_last_value_or_nothing(steps in prop::collection::vec((0..20_u8, any::<u8>(), any::<bool>()), 0..300)) {
            let cache = Cache::new(8);
            let mut model = std::collections::HashMap::new();
            for (key, value, writes) in steps {
                if writes {
                    cache.insert(key, value);
                    model.insert(key, value);
                } else if let Some(found) = cache.get(&key) {
                    prop_assert_eq!(Some(&found), model.get(&key));
                }
                prop_assert!(cache.len() <= 8);
            }
        }
    }
}
