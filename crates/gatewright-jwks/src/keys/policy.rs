//! When key sets are fetched.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use gatewright_core::time::{Clock, SystemClock};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// No pause is shorter, whatever is configured.
const LEAST: Duration = Duration::from_millis(10);

/// When a key set is fetched again, and for how long it holds without that.
///
/// A set is fetched again after 80 to 100 % of its lifetime, by chance, so that it rarely expires, and many sets that
/// were configured together don't stay in step. Its lifetime is what the answer's `Cache-Control` or `Expires` says,
/// within [`lifetimes`](Self::with_lifetimes).
#[derive(Clone)]
pub struct RefreshPolicy {
    pub(super) lifetimes: (Duration, Duration),
    pub(super) default_lifetime: Duration,
    pub(super) retries: (Duration, Duration),
    pub(super) cool_down: Duration,
    pub(super) max_stale: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

impl RefreshPolicy {
    /// Lifetimes of 5 minutes to 24 hours, 15 minutes where the answer says nothing, retries after 5 seconds to 5 minutes, a
    /// cool-down of 30 seconds, 24 hours of outage.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lifetimes: (5 * MINUTE, 24 * HOUR),
            default_lifetime: 15 * MINUTE,
            retries: (Duration::from_secs(5), 5 * MINUTE),
            cool_down: Duration::from_secs(30),
            max_stale: 24 * HOUR,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// The least and the greatest lifetime of a set, whatever its answer says, and the one where it says nothing. An end
    /// before the start counts as the start, and less than 10 ms as that.
    #[must_use]
    pub fn with_lifetimes(mut self, range: RangeInclusive<Duration>, default: Duration) -> Self {
        self.lifetimes = ordered(&range);
        self.default_lifetime = default.clamp(self.lifetimes.0, self.lifetimes.1);
        self
    }

    /// The pause after the first failed fetch, which doubles with each further one, and the greatest. Bounded as in
    /// [`with_lifetimes`](Self::with_lifetimes).
    #[must_use]
    pub fn with_retries(mut self, range: RangeInclusive<Duration>) -> Self {
        self.retries = ordered(&range);
        self
    }

    /// For how long after a fetch that an unknown `kid` caused, or that failed, an unknown `kid` causes no other one. Keys
    /// that were fetched by schedule, the first ones among them, delay nothing.
    #[must_use]
    pub fn with_cool_down(mut self, cool_down: Duration) -> Self {
        self.cool_down = cool_down;
        self
    }

    /// For how long a set is kept after its lifetime while fetches fail. Afterwards there are no keys, until a fetch
    /// succeeds.
    #[must_use]
    pub fn with_max_stale(mut self, max_stale: Duration) -> Self {
        self.max_stale = max_stale;
        self
    }

    /// The clock that lifetimes, the cool-down and outages are measured by. Pauses between fetches are the runtime's.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    pub(super) fn lifetime(&self, said: Option<Duration>) -> Duration {
        said.map_or(self.default_lifetime, |said| {
            said.clamp(self.lifetimes.0, self.lifetimes.1)
        })
    }

    /// How long to wait after this many failed fetches in a row; longer, within bounds, where the host asks for it.
    pub(super) fn pause(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let (least, greatest) = self.retries;
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        least
            .saturating_mul(doubled)
            .max(asked.unwrap_or_default())
            .min(greatest)
    }
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RefreshPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshPolicy")
            .field("lifetimes", &self.lifetimes)
            .field("default_lifetime", &self.default_lifetime)
            .field("retries", &self.retries)
            .field("cool_down", &self.cool_down)
            .field("max_stale", &self.max_stale)
            .finish_non_exhaustive()
    }
}

fn ordered(range: &RangeInclusive<Duration>) -> (Duration, Duration) {
    let least = (*range.start()).max(LEAST);
    (least, (*range.end()).max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_an_answer_says_stays_within_bounds() {
        let policy = RefreshPolicy::new();
        assert_eq!(policy.lifetime(None), 15 * MINUTE);
        assert_eq!(policy.lifetime(Some(Duration::ZERO)), 5 * MINUTE);
        assert_eq!(policy.lifetime(Some(HOUR)), HOUR);
        assert_eq!(policy.lifetime(Some(Duration::MAX)), 24 * HOUR);
    }

    #[test]
    fn pauses_double_up_to_the_greatest() {
        let policy = RefreshPolicy::new().with_retries(SECOND..=MINUTE);
        let pauses = [1, 2, 3, 6, 7, u32::MAX].map(|n| policy.pause(n, None).as_secs());
        assert_eq!(pauses, [1, 2, 4, 32, 60, 60]);
        assert_eq!(policy.pause(1, Some(20 * SECOND)), 20 * SECOND);
        assert_eq!(policy.pause(1, Some(HOUR)), MINUTE);
        assert_eq!(policy.pause(6, Some(SECOND)), 32 * SECOND);
    }

    #[test]
    fn nonsense_is_bounded() {
        let policy = RefreshPolicy::new()
            .with_lifetimes(SECOND..=Duration::ZERO, HOUR)
            .with_retries(Duration::ZERO..=Duration::ZERO);
        assert_eq!(policy.lifetime(None), SECOND);
        assert_eq!(policy.lifetime(Some(HOUR)), SECOND);
        assert_eq!(policy.pause(u32::MAX, None), LEAST);
    }
}
