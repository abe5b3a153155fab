//! What a caller is told about a limit.

use std::error::Error;
use std::fmt;

use super::{BucketKind, Rate};

const NANOS: u64 = 1_000_000_000;

/// Where a bucket stands after a charge.
///
/// `Display` is the value of the `RateLimit` field (draft-ietf-httpapi-ratelimit-headers-11 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitState {
    kind: BucketKind,
    rate: Rate,
    remaining: u32,
    reset_secs: u32,
}

impl LimitState {
    /// The state of a bucket of this kind and rate that will be full again at `full_at` (see
    /// [`Rate::take`]).
    #[must_use]
    pub fn new(kind: BucketKind, rate: Rate, full_at: u64, now_nanos: u64) -> Self {
        Self {
            kind,
            rate,
            remaining: rate.remaining(full_at, now_nanos),
            reset_secs: whole_secs(full_at.saturating_sub(now_nanos)),
        }
    }

    /// What is counted; its name is the policy's.
    #[must_use]
    pub const fn kind(&self) -> BucketKind {
        self.kind
    }

    /// Calls in a window.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.rate.limit()
    }

    /// The window in seconds.
    #[must_use]
    pub const fn window_secs(&self) -> u32 {
        self.rate.window_secs()
    }

    /// Calls that could be made now.
    #[must_use]
    pub const fn remaining(&self) -> u32 {
        self.remaining
    }

    /// Seconds until the bucket is full again, rounded up.
    #[must_use]
    pub const fn reset_secs(&self) -> u32 {
        self.reset_secs
    }

    /// The value of the `RateLimit-Policy` field, such as `"plan";q=60;w=60` (§4.1 of the draft).
    #[must_use]
    pub fn policy_field(&self) -> String {
        let name = self.kind.as_str();
        format!("\"{name}\";q={};w={}", self.limit(), self.window_secs())
    }

    /// The value of the `RateLimit` field, such as `"plan";r=12;t=31` (§4.2 of the draft).
    #[must_use]
    pub fn field(&self) -> String {
        self.to_string()
    }

    /// Whether this one holds the caller back sooner than the other: fewer calls are left, or as many
    /// and it takes longer to regain them.
    #[must_use]
    pub fn is_tighter_than(&self, other: &Self) -> bool {
        self.remaining < other.remaining
            || (self.remaining == other.remaining && self.reset_secs > other.reset_secs)
    }
}

impl fmt::Display for LimitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind.as_str();
        write!(f, "\"{name}\";r={};t={}", self.remaining, self.reset_secs)
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

    /// The bucket that refused; of several, the one to wait for longest.
    #[must_use]
    pub const fn state(&self) -> LimitState {
        self.state
    }
}

impl fmt::Display for LimitRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, wait) = (self.state.kind.as_str(), self.retry_after_secs);
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
