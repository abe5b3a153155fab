//! Time as the core counts it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Whole seconds since the Unix epoch, the unit of every `exp`, `iat` and `expires_at` here.
pub type Timestamp = u64;

/// Where the gate reads the time; injected, so that tests can move it.
pub trait Clock: Send + Sync + 'static {
    /// The time now, in whole seconds since the Unix epoch.
    fn now(&self) -> Timestamp;

    /// Nanoseconds that only grow while the process runs, for rate limits. The origin is arbitrary.
    fn monotonic_nanos(&self) -> u64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is this moment.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: std::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock set before 1970 reads as 0: every `nbf` is then in the future and nothing is admitted.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs())
    }

    fn monotonic_nanos(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
