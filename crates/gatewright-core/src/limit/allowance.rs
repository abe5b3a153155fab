//! What a charge is held against.

use super::{BucketKind, LimitState, Quota, Rate};
use crate::time::Moment;

/// How much may be taken from a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Allowance {
    /// So many calls in so many seconds, regained evenly.
    Rate(Rate),
    /// So many calls in a calendar month.
    Monthly(Quota),
}

const NANOS: u64 = 1_000_000_000;

impl Allowance {
    /// Takes one call; see [`Rate::take`] and [`Quota::take`]. The error is in nanoseconds.
    pub(super) const fn take(&self, state: u64, now: Moment) -> Result<u64, u64> {
        match self {
            Self::Rate(rate) => rate.take(state, now.nanos),
            Self::Monthly(quota) => match quota.take(state, now.unix) {
                Ok(state) => Ok(state),
                Err(secs) => Err(secs.saturating_mul(NANOS)),
            },
        }
    }

    /// Gives back the call that left the state at `taken`.
    pub(super) const fn give_back(&self, state: u64, taken: u64) -> u64 {
        match self {
            Self::Rate(rate) => rate.give_back(state),
            Self::Monthly(quota) => quota.give_back(state, taken),
        }
    }

    /// The largest state that says no more than that of a bucket which was never used.
    pub(super) const fn settled(&self, now: Moment) -> u64 {
        match self {
            Self::Rate(_) => now.nanos,
            Self::Monthly(_) => Quota::settled(now.unix),
        }
    }

    /// What a bucket starts with whose calls were counted in a shared one: all that they may have added to it.
    pub(super) const fn inherit(&self, shared: u64, now: Moment) -> u64 {
        if shared <= self.settled(now) {
            return 0;
        }
        match self {
            Self::Rate(rate) => rate.cap(shared, now.nanos),
            Self::Monthly(quota) => quota.cap(shared),
        }
    }

    /// How many calls are left after one that led to this state.
    pub(super) const fn remaining(&self, taken: u64, now: Moment) -> u32 {
        match self {
            Self::Rate(rate) => rate.remaining(taken, now.nanos),
            // The low half counts.
            Self::Monthly(quota) => quota.limit().saturating_sub(taken as u32),
        }
    }

    pub(super) const fn standing(&self, kind: BucketKind, state: u64, now: Moment) -> LimitState {
        match self {
            Self::Rate(rate) => LimitState::new(kind, *rate, state, now.nanos),
            Self::Monthly(quota) => {
                let (month, used) = Quota::used(state, now.unix);
                LimitState::in_month(*quota, month, used, now.unix)
            }
        }
    }
}
