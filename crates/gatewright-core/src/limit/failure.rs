//! The limiter of those who try secrets.

use std::fmt;
use std::net::IpAddr;

use super::state::whole_secs;
use super::table::{Held, Key, Keys, Table};
use super::{Allowance, Rate, SourceKey};
use crate::time::Moment;

/// Counts failures only, by source address and the public id of the credential together.
///
/// No id alone is ever refused, or anybody who knows a public prefix could lock its owner out; nor is
/// a source alone, or one wrong key would stop all others behind the same address. IPv6 sources count
/// by /64.
///
/// Memory is bounded. While as many pairs as fit are in debt, failures of new pairs count by their
/// source: who fills the memory with invented ids is then refused for new ids, and the others are not.
pub struct FailureLimiter {
    keys: Keys,
    table: Table<()>,
    allowance: Allowance,
}

impl FailureLimiter {
    /// A limiter that refuses after ten failures a minute and remembers 100,000 pairs.
    #[must_use]
    pub fn new() -> Self {
        Self::with_rate(Rate::TEN_A_MINUTE, 100_000)
    }

    /// A limiter that refuses after `rate` failures and remembers so many pairs.
    #[must_use]
    pub fn with_rate(rate: Rate, pairs: usize) -> Self {
        Self {
            keys: Keys::new(),
            table: Table::new(pairs),
            allowance: Allowance::Rate(rate),
        }
    }

    /// Seconds until this source may try this id again, if it failed too often of late. Counts nothing.
    ///
    /// Unknown sources count as one.
    #[must_use]
    pub fn is_blocked(&self, source: Option<IpAddr>, id: &str, now_nanos: u64) -> Option<u32> {
        let now = Moment::new(now_nanos, 0);
        let key = self.find(source, id);
        let state = self.table.state(key, &self.allowance, now);
        let wait = self.allowance.take(state, now).err()?;
        Some(whole_secs(wait).max(1))
    }

    /// Counts a failure.
    pub fn record_failure(&self, source: Option<IpAddr>, id: &str, now_nanos: u64) {
        // Where there is no room left the pair is refused already.
        let _ = self.take(source, id, now_nanos);
    }

    /// Counts a failure before it is known to be one, for a trial that costs much: of many at once no more are tried than
    /// in turn, and one that is given up counts. What turns out to be none is [forgiven](Self::forgive).
    ///
    /// # Errors
    ///
    /// Seconds until this source may try this id again; then nothing was counted.
    pub fn try_failure(&self, source: Option<IpAddr>, id: &str, now_nanos: u64) -> Result<(), u32> {
        match self.take(source, id, now_nanos) {
            Ok(_) => Ok(()),
            Err(wait) => Err(whole_secs(wait).max(1)),
        }
    }

    /// Takes back what [`try_failure`](Self::try_failure) counted.
    pub fn forgive(&self, source: Option<IpAddr>, id: &str) {
        // A rate gives back without knowing what it took.
        let held = self.table.held(self.find(source, id));
        Table::give_back(&held, &self.allowance, 0);
    }

    /// As [`forgive`](Self::forgive), and keeps no memory of a pair that owes nothing then: holders, whose credentials are
    /// proven once each, would otherwise fill it.
    pub(crate) fn forgive_and_forget(&self, source: Option<IpAddr>, id: &str, now_nanos: u64) {
        self.forgive(source, id);
        let settled = self.allowance.settled(Moment::new(now_nanos, 0));
        self.table.forget_settled(self.find(source, id), settled);
    }

    fn take(&self, source: Option<IpAddr>, id: &str, now_nanos: u64) -> Result<u64, u64> {
        let key = self.find(source, id);
        let now = Moment::new(now_nanos, 0);
        let mut held = Held::Nowhere;
        self.table
            .take(&mut held, || key, || (), &self.allowance, now)
    }

    fn find(&self, source: Option<IpAddr>, id: &str) -> Key {
        let source = source.map(SourceKey::new);
        let source = source.as_ref().map_or(&[][..], SourceKey::as_bytes);
        self.keys.key_in_group(&[source, id.as_bytes()], source)
    }
}

impl Default for FailureLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FailureLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureLimiter")
            .field("allowance", &self.allowance)
            .field("pairs", &self.table.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_forgiven_and_owes_nothing_is_forgotten_and_a_debtor_is_not() {
        let limiter = FailureLimiter::with_rate(Rate::TEN_A_MINUTE, 8);
        let second = 1_000_000_000;
        for id in ["holder", "guesser"] {
            limiter.try_failure(None, id, second).unwrap();
        }
        limiter.record_failure(None, "guesser", second);
        limiter.forgive_and_forget(None, "holder", 2 * second);
        limiter.forgive_and_forget(None, "guesser", 2 * second);
        assert_eq!(limiter.table.len(), 1);
        for _ in 0..9 {
            limiter.try_failure(None, "guesser", 2 * second).unwrap();
        }
        assert!(limiter.try_failure(None, "guesser", 2 * second).is_err());
        // Somebody whose bucket is not there has nothing to be forgotten.
        limiter.forgive_and_forget(None, "nobody", 2 * second);
        assert_eq!(limiter.table.len(), 1);
        assert_eq!(limiter.table.in_line(), 1);
    }
}
