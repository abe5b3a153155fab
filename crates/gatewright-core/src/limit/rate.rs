//! The generic cell rate algorithm, on one number.

use std::error::Error;
use std::fmt;

const NANOS: u64 = 1_000_000_000;
const LONGEST_WINDOW_SECS: u32 = 366 * 24 * 3600;

/// So many calls in so many seconds, of which so many at once.
///
/// A bucket of this rate holds `burst` calls and regains `limit` of them evenly over the window. Its
/// state is one number, the *full-again time* in nanoseconds: a call moves it by `window / limit`, and
/// is refused if that would leave it more than `burst` such steps ahead of now. The step is rounded up
/// to a whole nanosecond, never to the caller's favour.
///
/// What was taken at another rate is owed in time as well: a bucket that was emptied at 100 calls a day has no room at 300 a
/// minute before that day is over. A call at the quicker rate can't pay a debt of the slower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    limit: u32,
    window_secs: u32,
    burst: u32,
    step_nanos: u64,
}

impl Rate {
    /// Ten calls a minute, all of them at once if need be.
    pub const TEN_A_MINUTE: Self = Self {
        limit: 10,
        window_secs: 60,
        burst: 10,
        step_nanos: 6 * NANOS,
    };

    /// Sixty calls a minute, all of them at once if need be.
    pub(crate) const SIXTY_A_MINUTE: Self = Self {
        limit: 60,
        window_secs: 60,
        burst: 60,
        step_nanos: NANOS,
    };

    /// `limit` calls in `window_secs` seconds, at most `burst` of them at once.
    ///
    /// # Errors
    ///
    /// [`RateError`] if one of them is 0, if the burst is more than the limit, if the window is longer
    /// than 366 days, or if there is more than one call a nanosecond.
    pub const fn new(limit: u32, window_secs: u32, burst: u32) -> Result<Self, RateError> {
        let window_nanos = window_secs as u64 * NANOS;
        if limit == 0 || window_secs == 0 || burst == 0 {
            Err(RateError(
                "a rate needs a limit, a window and a burst above zero",
            ))
        } else if burst > limit {
            Err(RateError("the burst of a rate is more than its limit"))
        } else if window_secs > LONGEST_WINDOW_SECS {
            Err(RateError("the window of a rate is longer than 366 days"))
        } else if limit as u64 > window_nanos {
            Err(RateError("a rate has more than one call a nanosecond"))
        } else {
            Ok(Self {
                limit,
                window_secs,
                burst,
                step_nanos: window_nanos.div_ceil(limit as u64),
            })
        }
    }

    /// `limit` calls a minute, all of them at once if need be.
    ///
    /// # Errors
    ///
    /// [`RateError`] if the limit is 0.
    pub const fn per_minute(limit: u32) -> Result<Self, RateError> {
        Self::new(limit, 60, limit)
    }

    /// Calls in a window.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// The window in seconds.
    #[must_use]
    pub const fn window_secs(&self) -> u32 {
        self.window_secs
    }

    /// Calls at once.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// Takes one call from a bucket.
    ///
    /// `full_at` is the bucket's state, 0 for one that was never used; both times are nanoseconds of
    /// one clock. Returns the new state.
    ///
    /// # Errors
    ///
    /// The nanoseconds until there is room for one call, at least 1. The state stays as it was.
    pub const fn take(&self, full_at: u64, now: u64) -> Result<u64, u64> {
        let ahead = full_at.saturating_sub(now);
        let room = self.depth_nanos() - self.step_nanos;
        if ahead > room {
            return Err(ahead - room);
        }
        // The largest number marks a bucket that is gone; it is 584 years away.
        let base = if full_at > now { full_at } else { now };
        let full_at = base.saturating_add(self.step_nanos);
        Ok(if full_at == u64::MAX {
            u64::MAX - 1
        } else {
            full_at
        })
    }

    /// Gives one call back, which was taken before and came to nothing.
    #[must_use]
    pub const fn give_back(&self, full_at: u64) -> u64 {
        full_at.saturating_sub(self.step_nanos)
    }

    /// How many calls there is room for.
    #[must_use]
    pub const fn remaining(&self, full_at: u64, now: u64) -> u32 {
        let room = self
            .depth_nanos()
            .saturating_sub(full_at.saturating_sub(now));
        // At most `burst`, which is a `u32`.
        (room / self.step_nanos) as u32
    }

    /// A state that holds all the debt a bucket of this rate can have of another state.
    pub(super) const fn cap(&self, full_at: u64, now: u64) -> u64 {
        let most = now.saturating_add(self.depth_nanos());
        if full_at < most { full_at } else { most }
    }

    /// The time in nanoseconds after which one more call can be made.
    pub(crate) const fn step_nanos(&self) -> u64 {
        self.step_nanos
    }

    /// The time that a full burst moves a bucket: less than twice 366 days, so it can't overflow.
    const fn depth_nanos(&self) -> u64 {
        self.step_nanos * self.burst as u64
    }
}

/// The numbers make no rate. The message says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateError(pub(super) &'static str);

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for RateError {}
