//! Time as the core counts it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Whole seconds since the Unix epoch, the unit of every `exp`, `iat` and `expires_at` here.
pub type Timestamp = u64;

/// Where the gate reads the time; injected, so that tests can move it.
pub trait Clock: Send + Sync + 'static {
    /// The time now, in whole seconds since the Unix epoch.
    fn now(&self) -> Timestamp;

    /// Nanoseconds that only grow while the process runs, for rate limits. The origin is arbitrary.
    fn monotonic_nanos(&self) -> u64;

    /// Both at once, for a request that needs both. A clock for which that is cheaper than asking twice says so here.
    fn moment(&self) -> Moment {
        Moment::new(self.monotonic_nanos(), self.now())
    }
}

/// One moment by both readings of a [`Clock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moment {
    /// [`Clock::monotonic_nanos`].
    pub nanos: u64,
    /// [`Clock::now`].
    pub unix: Timestamp,
}

impl Moment {
    /// The moment of these readings.
    #[must_use]
    pub const fn new(nanos: u64, unix: Timestamp) -> Self {
        Self { nanos, unix }
    }
}

const NANOS: u64 = 1_000_000_000;

/// For how long [`SystemClock::moment`] counts on from one look at the machine's date.
const LOOK_EVERY_NANOS: u64 = 50_000_000;

/// The machine's clock.
///
/// [`moment`](Clock::moment) reads the monotonic clock alone, and the date every 50 ms: a date that is set anew is
/// heard of that much later.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
    /// The monotonic reading after which the date is looked at again.
    look_at: AtomicU64,
    /// The date at the monotonic origin, in nanoseconds since the Unix epoch. It wraps around where the origin lies before
    /// the epoch, and back again when the time since is added.
    origin_date: AtomicU64,
}

impl SystemClock {
    /// A clock whose monotonic origin is this moment.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
            look_at: AtomicU64::new(0),
            origin_date: AtomicU64::new(0),
        }
    }

    /// Looks at the date. Threads that look at once write the same, but for some nanoseconds.
    #[cold]
    fn look(&self, nanos: u64) -> u64 {
        let date = since_epoch().map_or(0, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        });
        let origin_date = date.wrapping_sub(nanos);
        self.origin_date.store(origin_date, Ordering::Release);
        self.look_at
            .store(nanos.saturating_add(LOOK_EVERY_NANOS), Ordering::Release);
        origin_date
    }
}

/// A clock set before 1970 reads as 0: every `nbf` is then in the future and nothing is admitted.
fn since_epoch() -> Option<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok()
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        since_epoch().map_or(0, |since| since.as_secs())
    }

    fn monotonic_nanos(&self) -> u64 {
        // In 64 bits, which hold five centuries.
        let since = self.origin.elapsed();
        let nanos = u64::from(since.subsec_nanos());
        since.as_secs().saturating_mul(NANOS).saturating_add(nanos)
    }

    fn moment(&self) -> Moment {
        let nanos = self.monotonic_nanos();
        let origin_date = if nanos < self.look_at.load(Ordering::Acquire) {
            self.origin_date.load(Ordering::Acquire)
        } else {
            self.look(nanos)
        };
        let unix = origin_date.wrapping_add(nanos) / NANOS;
        Moment::new(nanos, unix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_what_both_readings_say() {
        let clock = SystemClock::new();
        for _ in 0..1000 {
            let (before, early) = (clock.now(), clock.monotonic_nanos());
            let moment = clock.moment();
            let (late, after) = (clock.monotonic_nanos(), clock.now());
            assert!(
                (early..=late).contains(&moment.nanos),
                "{early} {moment:?} {late}"
            );
            // The two clocks may be slewed apart between two looks.
            assert!(
                (before - 1..=after + 1).contains(&moment.unix),
                "{before} {moment:?} {after}"
            );
        }
    }

    /// A date that was set to the epoch after the process had started: the origin lies before it.
    #[test]
    fn a_date_near_the_epoch_reads_as_it_is() {
        let clock = SystemClock::new();
        while clock.monotonic_nanos() < 1000 {}
        clock.look_at.store(u64::MAX, Ordering::Release);
        let origin = 0_u64.wrapping_sub(clock.monotonic_nanos());
        clock.origin_date.store(origin, Ordering::Release);
        assert!(clock.moment().unix < 3600);
    }

    #[test]
    fn the_date_is_looked_at_again() {
        let clock = SystemClock::new();
        let now = clock.moment().unix;
        // As if the date had been set since.
        clock
            .origin_date
            .fetch_sub(3600 * 1_000_000_000, Ordering::AcqRel);
        assert!(clock.moment().unix < now - 3000);
        clock.look_at.store(0, Ordering::Release);
        assert!(clock.moment().unix >= now);
    }
}
