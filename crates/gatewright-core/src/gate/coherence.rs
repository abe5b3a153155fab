//! How far memory may be trusted over the store.

use std::sync::atomic::{AtomicU64, Ordering};

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
    /// The mode as one number, see [`encode`].
    mode: AtomicU64,
    /// Monotonic nanoseconds; 0 for never.
    heard: AtomicU64,
}

impl Watch {
    pub(super) fn new(coherence: Coherence) -> Self {
        Self {
            mode: AtomicU64::new(encode(coherence)),
            heard: AtomicU64::new(0),
        }
    }

    pub(super) fn set(&self, coherence: Coherence) {
        self.mode.store(encode(coherence), Ordering::Release);
    }

    #[inline]
    pub(super) fn get(&self) -> Coherence {
        decode(self.mode.load(Ordering::Acquire))
    }

    pub(super) fn heard(&self, now_nanos: u64) {
        self.heard.fetch_max(now_nanos.max(1), Ordering::Release);
    }

    /// Whether memory may answer for the store now.
    #[inline]
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

const SINGLE_PROCESS: u64 = 1 << 32;
const STRICT: u64 = 2 << 32;

/// The seconds of silence for [`Coherence::Bounded`], which fit 32 bits; the others lie above.
const fn encode(coherence: Coherence) -> u64 {
    match coherence {
        Coherence::SingleProcess => SINGLE_PROCESS,
        Coherence::Strict => STRICT,
        Coherence::Bounded { max_silence_secs } => max_silence_secs as u64,
    }
}

#[inline]
fn decode(number: u64) -> Coherence {
    match u32::try_from(number) {
        Ok(max_silence_secs) => Coherence::Bounded { max_silence_secs },
        Err(_) if number == SINGLE_PROCESS => Coherence::SingleProcess,
        Err(_) => Coherence::Strict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_comes_back() {
        for mode in [
            Coherence::SingleProcess,
            Coherence::Strict,
            Coherence::Bounded {
                max_silence_secs: 0,
            },
            Coherence::Bounded {
                max_silence_secs: u32::MAX,
            },
        ] {
            assert_eq!(Watch::new(mode).get(), mode);
        }
    }

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
