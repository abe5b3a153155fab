//! So many calls in a calendar month.

use super::RateError;
use crate::time::Timestamp;

const DAY: u64 = 24 * 3600;
/// The end of the year 9999. Times after it count as this one, so that no month is too large to keep.
const LAST: Timestamp = 253_402_300_799;
/// Where a quota's state keeps its month; below is the count.
const MONTH_SHIFT: u32 = 32;

/// A month of the Gregorian calendar, in UTC.
///
/// ```
/// use gatewright_core::limit::Month;
///
/// let month = Month::of(1_709_210_096); // 2024-02-29T12:34:56Z
/// assert_eq!(month, Month::of(month.starts_at()));
/// assert_eq!(month.secs(), 29 * 24 * 3600);
/// assert_eq!(Month::of(month.ends_at()).secs(), 31 * 24 * 3600);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(u32);

impl Month {
    /// The month of a time. Times after the year 9999 are in its last month.
    #[must_use]
    pub const fn of(now: Timestamp) -> Self {
        let now = if now > LAST { LAST } else { now };
        // Years that begin with March have their odd day last. 0000-03-01 is 719,468 days before 1970-01-01, and 400 such
        // years have 146,097 days.
        let days = now / DAY + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        // Two months of such a year belong to the next one; January 1970 is 0. At most 96,359.
        Self(((era * 400 + year) * 12 + month + 2 - 1970 * 12) as u32)
    }

    /// Months since January 1970.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Its first second.
    #[must_use]
    pub const fn starts_at(self) -> Timestamp {
        let months = self.0 as u64 + 1970 * 12 - 2;
        let (year, month) = (months / 12, months % 12);
        let (era, year) = (year / 400, year % 400);
        let day = (153 * month + 2) / 5 + 365 * year + year / 4 - year / 100;
        (era * 146_097 + day - 719_468) * DAY
    }

    /// The first second after it.
    #[must_use]
    pub const fn ends_at(self) -> Timestamp {
        self.next().starts_at()
    }

    /// How long it is, in seconds: 28 to 31 days.
    #[must_use]
    pub const fn secs(self) -> u32 {
        (self.ends_at() - self.starts_at()) as u32
    }

    const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// So many calls in a calendar month (UTC).
///
/// This is a count in a fixed window, where a [`Rate`](super::Rate) is not: customers are told "10,000 calls a month", and count
/// along from the first of the month. All calls may be made on the first day, and none is regained before the next month.
/// Set a rate beside it to spread them.
///
/// The state of a quota is one number, the month and the calls made in it: [`take`](Self::take) counts. Its clock is the wall
/// clock. One that is put back over the turn of a month does not give the calls of the new month a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    limit: u32,
}

impl Quota {
    /// `limit` calls a month.
    ///
    /// # Errors
    ///
    /// [`RateError`] if the limit is 0.
    pub const fn per_month(limit: u32) -> Result<Self, RateError> {
        if limit == 0 {
            Err(RateError("a quota needs a limit above zero"))
        } else {
            Ok(Self { limit })
        }
    }

    /// Calls in a month.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Takes one call. `state` is 0 for a quota that was never used. Returns the new state.
    ///
    /// # Errors
    ///
    /// The seconds until the next month, at least 1. The state stays as it was.
    pub const fn take(&self, state: u64, now: Timestamp) -> Result<u64, u64> {
        let (month, used) = Self::used(state, now);
        if used >= self.limit {
            let wait = month.ends_at().saturating_sub(now);
            return Err(if wait == 0 { 1 } else { wait });
        }
        Ok(Self::state(month, used + 1))
    }

    /// Gives one call back that [`take`](Self::take) took when it returned `taken`, and that came to nothing. In a later
    /// month there is nothing to give back to.
    #[must_use]
    pub const fn give_back(&self, state: u64, taken: u64) -> u64 {
        let same_month = state >> MONTH_SHIFT == taken >> MONTH_SHIFT;
        if same_month && state as u32 > 0 {
            state - 1
        } else {
            state
        }
    }

    /// The month that counts and the calls made in it.
    pub(super) const fn used(state: u64, now: Timestamp) -> (Month, u32) {
        let now = Month::of(now);
        let month = (state >> MONTH_SHIFT) as u32;
        if month < now.0 {
            return (now, 0);
        }
        let last = Month::of(LAST).0;
        // No state of ours is later than the last month. Of the state the low half counts.
        (Month(if month > last { last } else { month }), state as u32)
    }

    /// The largest state that says no more than 0 does.
    pub(super) const fn settled(now: Timestamp) -> u64 {
        Self::state(Month::of(now), 0)
    }

    /// A state of this quota that holds all the debt it can have of another one's.
    pub(super) const fn cap(&self, state: u64) -> u64 {
        let used = state as u32;
        let most = if used < self.limit { used } else { self.limit };
        Self::state(Month((state >> MONTH_SHIFT) as u32), most)
    }

    const fn state(month: Month, used: u32) -> u64 {
        (month.0 as u64) << MONTH_SHIFT | used as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `date -u -d 'YYYY-MM-01' +%s`.
    #[test]
    fn months_are_those_of_the_calendar() {
        for (year, month, starts_at, days) in [
            (1970, 1, 0, 31),
            (1970, 2, 2_678_400, 28),
            (1972, 2, 65_750_400, 29),
            (1999, 12, 944_006_400, 31),
            (2000, 2, 949_363_200, 29),
            (2000, 3, 951_868_800, 31),
            (2024, 2, 1_706_745_600, 29),
            (2026, 11, 1_793_491_200, 30),
            (2100, 2, 4_105_123_200, 28),
            (9999, 12, 253_399_622_400, 31),
        ] {
            let number = (year - 1970) * 12 + month - 1;
            for at in [starts_at, starts_at + days * DAY - 1] {
                assert_eq!(Month::of(at).number(), number, "{year}-{month}");
            }
            let month = Month(number);
            assert_eq!(month.starts_at(), starts_at);
            assert_eq!(u64::from(month.secs()), days * DAY);
        }
        assert_eq!(Month::of(u64::MAX), Month::of(LAST));
    }

    #[test]
    fn every_month_ends_where_the_next_begins() {
        let mut at = 0;
        for number in 0..=Month::of(LAST).0 {
            let month = Month::of(at);
            assert_eq!((month.0, month.starts_at()), (number, at));
            assert_eq!(Month::of(month.ends_at() - 1), month);
            at = month.ends_at();
        }
        assert_eq!(at, LAST + 1);
    }

    #[test]
    fn a_quota_is_total_over_times_and_states() {
        for limit in [1, u32::MAX] {
            let quota = Quota::per_month(limit).unwrap();
            for state in [0, 1, u64::MAX - 1, u64::from(u32::MAX)] {
                for now in [0, LAST, u64::MAX] {
                    if let Ok(next) = quota.take(state, now) {
                        // The largest number marks a bucket that is gone.
                        assert_ne!(next, u64::MAX);
                        assert_eq!(quota.give_back(next, next), next - 1);
                    }
                }
            }
        }
        assert!(Quota::per_month(0).is_err());
    }

    #[test]
    fn a_clock_put_back_over_the_turn_of_a_month_gives_nothing_twice() {
        let quota = Quota::per_month(1).unwrap();
        let turn = Month(682).starts_at();
        let old = quota.take(0, turn - 1).unwrap();
        assert_eq!(quota.take(old, turn - 1), Err(1));
        let new = quota.take(old, turn).unwrap();
        let wait = Month(682).ends_at() - (turn - 1);
        assert_eq!(quota.take(new, turn - 1), Err(wait));
        // What was taken in the old month is not given back in the new one.
        assert_eq!(quota.give_back(new, old), new);
        assert_eq!(quota.give_back(new, new), new - 1);
    }
}
