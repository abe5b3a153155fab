//! A key set that is replaced while requests run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::key_set::KeySet;

/// The current keys and a generation that rises with each change of them.
///
/// Whoever caches what a key verified takes keys and generation together ([`LiveKeys::snapshot`]), caches under that
/// number, and compares it with [`LiveKeys::generation`] at each hit. Keys and number are swapped as one, so nothing
/// that an old key verified is ever found under a new generation.
#[derive(Debug, Default)]
pub struct LiveKeys {
    current: ArcSwap<Snapshot>,
    /// The current generation again, for readers that need no keys.
    generation: AtomicU64,
}

#[derive(Debug, Default)]
struct Snapshot {
    generation: u64,
    keys: Arc<KeySet>,
}

impl LiveKeys {
    /// Starts with these keys, at generation 0.
    #[must_use]
    pub fn new(keys: KeySet) -> Self {
        Self {
            current: ArcSwap::from_pointee(Snapshot {
                generation: 0,
                keys: Arc::new(keys),
            }),
            generation: AtomicU64::new(0),
        }
    }

    /// The current keys.
    #[must_use]
    pub fn load(&self) -> Arc<KeySet> {
        Arc::clone(&self.current.load().keys)
    }

    /// The current generation.
    #[must_use]
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The current keys and their generation.
    #[must_use]
    pub fn snapshot(&self) -> (u64, Arc<KeySet>) {
        let current = self.current.load();
        (current.generation, Arc::clone(&current.keys))
    }

    /// Puts other keys in place and raises the generation. Once it returns, no hit of an older generation is served.
    pub fn replace(&self, keys: KeySet) {
        let keys = Arc::new(keys);
        let replaced = self.current.rcu(|current| Snapshot {
            generation: current.generation + 1,
            keys: Arc::clone(&keys),
        });
        // The greatest wins, in whichever order two writers come here.
        self.generation
            .fetch_max(replaced.generation + 1, Ordering::AcqRel);
    }
}
