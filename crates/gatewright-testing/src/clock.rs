//! Time that only tests move.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatewright_core::time::{Clock, Timestamp};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A clock that stands still until it is moved. Clones are the same clock.
///
/// Both of its readings move together, as the machine's do: a second more on the wall is 10⁹ nanoseconds more on the
/// monotonic clock.
///
/// ```
/// use gatewright_core::time::Clock;
/// use gatewright_testing::FakeClock;
///
/// let clock = FakeClock::at(1_000);
/// let start = clock.monotonic_nanos();
/// clock.advance_nanos(1_500_000_000);
/// assert_eq!(clock.now(), 1_001);
/// assert_eq!(clock.monotonic_nanos() - start, 1_500_000_000);
/// ```
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Mutex<Moment>>);

#[derive(Debug)]
struct Moment {
    seconds: Timestamp,
    /// Nanoseconds past `seconds`, less than a second.
    nanos: u64,
    monotonic: u64,
}

impl FakeClock {
    /// A clock that shows `now`, in seconds since the Unix epoch.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Moment {
            seconds: now,
            nanos: 0,
            monotonic: 0,
        })))
    }

    /// Moves both readings on by `seconds`.
    pub fn advance(&self, seconds: u64) {
        self.moment().advance(seconds, 0);
    }

    /// Moves both readings on by `nanos` nanoseconds; those short of a second add up.
    pub fn advance_nanos(&self, nanos: u64) {
        self.moment()
            .advance(nanos / NANOS_PER_SECOND, nanos % NANOS_PER_SECOND);
    }

    /// Sets the wall clock to the start of the second `now`. Forwards, the monotonic reading moves with it;
    /// backwards, as when a machine's clock is corrected, it stands still.
    pub fn set(&self, now: Timestamp) {
        let mut moment = self.moment();
        if now > moment.seconds {
            let into_second = moment.nanos;
            let ahead = now - moment.seconds - 1;
            moment.advance(ahead, NANOS_PER_SECOND - into_second);
        } else {
            moment.seconds = now;
            moment.nanos = 0;
        }
    }

    fn moment(&self) -> MutexGuard<'_, Moment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moment {
    /// `nanos` is at most a second. At the end of what the types can count, time stands still.
    fn advance(&mut self, seconds: u64, nanos: u64) {
        let total = self.nanos + nanos;
        self.nanos = total % NANOS_PER_SECOND;
        self.seconds = self
            .seconds
            .saturating_add(seconds)
            .saturating_add(total / NANOS_PER_SECOND);
        self.monotonic = self
            .monotonic
            .saturating_add(seconds.saturating_mul(NANOS_PER_SECOND))
            .saturating_add(nanos);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.moment().seconds
    }

    fn monotonic_nanos(&self) -> u64 {
        self.moment().monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_readings_move_together() {
        let clock = FakeClock::at(100);
        clock.clone().advance(5);
        assert_eq!(
            (clock.now(), clock.monotonic_nanos()),
            (105, 5 * NANOS_PER_SECOND)
        );
        clock.advance_nanos(NANOS_PER_SECOND - 1);
        assert_eq!(clock.now(), 105);
        clock.advance_nanos(1);
        assert_eq!(
            (clock.now(), clock.monotonic_nanos()),
            (106, 6 * NANOS_PER_SECOND)
        );
    }

    #[test]
    fn setting_it_back_leaves_the_monotonic_reading() {
        let clock = FakeClock::at(100);
        clock.advance_nanos(NANOS_PER_SECOND / 2);
        clock.set(110);
        assert_eq!(
            (clock.now(), clock.monotonic_nanos()),
            (110, 10 * NANOS_PER_SECOND)
        );
        clock.set(50);
        assert_eq!(
            (clock.now(), clock.monotonic_nanos()),
            (50, 10 * NANOS_PER_SECOND)
        );
        clock.advance(1);
        assert_eq!(
            (clock.now(), clock.monotonic_nanos()),
            (51, 11 * NANOS_PER_SECOND)
        );
    }

    #[test]
    fn the_end_of_time_is_no_overflow() {
        let clock = FakeClock::at(Timestamp::MAX);
        clock.advance(u64::MAX);
        clock.advance_nanos(u64::MAX);
        assert_eq!(
            (clock.now(), clock.monotonic_nanos()),
            (Timestamp::MAX, u64::MAX)
        );
    }
}
