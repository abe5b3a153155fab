//! How far memory may be trusted over the store.

use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

/// Who else may change what this gate has cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coherence {
    /// Nobody: every change goes through this process and its [`Changes`](crate::store::Changes). Cached
    /// records are served until a change is published.
    SingleProcess,
    /// Others, whose changes arrive by a feed. Cached records are served while the feed was heard within this many
    /// seconds (see [`Gate::heard_feed`](super::Gate::heard_feed)); when it falls silent, every request reads
    /// the store, as under [`Strict`](Self::Strict).
    Bounded {
        /// The longest silence, in seconds: how stale an answer may be at worst.
        max_silence_secs: u32,
    },
    /// Others, of whom nothing is heard: every request reads the record, one round trip and no argon2.
    Strict,
}

/// The coherence in force, and when the feed was last heard.
pub(super) struct Watch {
    mode: ArcSwap<Coherence>,
    /// Monotonic nanoseconds; 0 for never.
    heard: AtomicU64,
}

impl Watch {
    pub(super) fn new(coherence: Coherence) -> Self {
        Self {
            mode: ArcSwap::from_pointee(coherence),
            heard: AtomicU64::new(0),
        }
    }

    pub(super) fn set(&self, coherence: Coherence) {
        self.mode.store(std::sync::Arc::new(coherence));
    }

    pub(super) fn get(&self) -> Coherence {
        **self.mode.load()
    }

    pub(super) fn heard(&self, now_nanos: u64) {
        self.heard.fetch_max(now_nanos.max(1), Ordering::Release);
    }

    /// Whether memory may answer for the store now.
    pub(super) fn serves_from_memory(&self, now_nanos: u64) -> bool {
        match self.get() {
            Coherence::SingleProcess => true,
            Coherence::Strict => false,
            Coherence::Bounded { max_silence_secs } => {
                let heard = self.heard.load(Ordering::Acquire);
                heard != 0
                    && now_nanos.saturating_sub(heard)
                        <= u64::from(max_silence_secs) * 1_000_000_000
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_feed_means_strict() {
        let watch = Watch::new(Coherence::Bounded {
            max_silence_secs: 2,
        });
        let second = 1_000_000_000;
        assert!(!watch.serves_from_memory(10 * second), "never heard");
        watch.heard(10 * second);
        assert!(watch.serves_from_memory(12 * second));
        assert!(!watch.serves_from_memory(12 * second + 1));
        watch.set(Coherence::Strict);
        assert!(!watch.serves_from_memory(10 * second));
        watch.set(Coherence::SingleProcess);
        assert!(watch.serves_from_memory(u64::MAX));
    }
}
