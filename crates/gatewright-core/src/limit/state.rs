//! What a caller is told about a limit.

use std::cmp::Ordering;
use std::error::Error;
use std::fmt;

use super::{BucketKind, Month, Quota, Rate};
use crate::time::Timestamp;

const NANOS: u64 = 1_000_000_000;

/// Where a bucket stands after a charge.
///
/// `Display` is the value of the `RateLimit` field (draft-ietf-httpapi-ratelimit-headers-11 §4.2). The numbers are computed when
/// they are asked for: most answers are given without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitState(Standing);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Rate {
        kind: BucketKind,
        rate: Rate,
        /// Nanoseconds until the bucket is full again.
        ahead: u64,
    },
    Quota {
        quota: Quota,
        month: Month,
        used: u32,
        now: Timestamp,
    },
}

impl LimitState {
    /// The state of a bucket of this kind and rate that will be full again at `full_at` (see
    /// [`Rate::take`]).
    #[must_use]
    pub const fn new(kind: BucketKind, rate: Rate, full_at: u64, now_nanos: u64) -> Self {
        let ahead = full_at.saturating_sub(now_nanos);
        Self(Standing::Rate { kind, rate, ahead })
    }

    /// The state of a quota of which so many calls were made in the month of `now`.
    #[must_use]
    pub const fn monthly(quota: Quota, used: u32, now: Timestamp) -> Self {
        Self::in_month(quota, Month::of(now), used, now)
    }

    /// As [`monthly`](Self::monthly), in a month that may be another one.
    pub(super) const fn in_month(quota: Quota, month: Month, used: u32, now: Timestamp) -> Self {
        Self(Standing::Quota {
            quota,
            month,
            used,
            now,
        })
    }

    /// What is counted; its name is the policy's.
    #[must_use]
    pub const fn kind(&self) -> BucketKind {
        match &self.0 {
            Standing::Rate { kind, .. } => *kind,
            Standing::Quota { .. } => BucketKind::Quota,
        }
    }

    /// Calls in a window.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        match &self.0 {
            Standing::Rate { rate, .. } => rate.limit(),
            Standing::Quota { quota, .. } => quota.limit(),
        }
    }

    /// The window in seconds; a quota's is the month that counts.
    #[must_use]
    pub const fn window_secs(&self) -> u32 {
        match &self.0 {
            Standing::Rate { rate, .. } => rate.window_secs(),
            Standing::Quota { month, .. } => month.secs(),
        }
    }

    /// Calls that could be made now.
    #[must_use]
    pub const fn remaining(&self) -> u32 {
        match &self.0 {
            Standing::Rate { rate, ahead, .. } => rate.remaining(*ahead, 0),
            Standing::Quota { quota, used, .. } => quota.limit().saturating_sub(*used),
        }
    }

    /// Seconds until the bucket is full again, rounded up; of a quota, until the month ends.
    #[must_use]
    pub fn reset_secs(&self) -> u32 {
        match &self.0 {
            Standing::Rate { ahead, .. } => whole_secs(*ahead),
            Standing::Quota { month, now, .. } => {
                u32::try_from(month.ends_at().saturating_sub(*now)).unwrap_or(u32::MAX)
            }
        }
    }

    /// Whether this one holds the caller back sooner than the other: fewer calls are left, or as many
    /// and it takes longer to regain them.
    #[must_use]
    pub fn is_tighter_than(&self, other: &Self) -> bool {
        match self.remaining().cmp(&other.remaining()) {
            Ordering::Less => true,
            Ordering::Equal => self.is_full_later_than(other),
            Ordering::Greater => false,
        }
    }

    /// Of two with as many calls left, whether this one is the tighter.
    pub(super) fn is_full_later_than(&self, other: &Self) -> bool {
        self.reset_secs() > other.reset_secs()
    }
}

impl fmt::Display for LimitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.field().fmt(f)
    }
}

/// A charge that was refused. No bucket lost anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRefusal {
    state: LimitState,
    retry_after_secs: u32,
}

impl LimitRefusal {
    /// A refusal by a bucket in this state, which has room again after `wait_nanos`.
    #[must_use]
    pub fn new(state: LimitState, wait_nanos: u64) -> Self {
        Self {
            state,
            retry_after_secs: whole_secs(wait_nanos).max(1),
        }
    }

    /// Seconds until the same charge may pass, at least 1.
    #[must_use]
    pub const fn retry_after_secs(&self) -> u32 {
        self.retry_after_secs
    }

    pub(super) const fn is_longer_than(&self, other: &Self) -> bool {
        self.retry_after_secs > other.retry_after_secs
    }

    /// The bucket that refused; of several, the one to wait for longest.
    #[must_use]
    pub const fn state(&self) -> LimitState {
        self.state
    }
}

impl fmt::Display for LimitRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, wait) = (self.state.kind().as_str(), self.retry_after_secs);
        write!(f, "the {name} limit has no room for {wait} s")
    }
}

impl Error for LimitRefusal {}

/// Why a charge did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitError {
    /// A bucket has no room.
    Refused(LimitRefusal),
    /// A distributed limiter could not answer.
    Unavailable,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unavailable => f.write_str("the limiter could not answer"),
        }
    }
}

impl Error for LimitError {}

impl From<LimitRefusal> for LimitError {
    fn from(refusal: LimitRefusal) -> Self {
        Self::Refused(refusal)
    }
}

pub(super) fn whole_secs(nanos: u64) -> u32 {
    u32::try_from(nanos.div_ceil(NANOS)).unwrap_or(u32::MAX)
}
