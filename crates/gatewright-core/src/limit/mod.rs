//! How often: rates, the buckets they fill, and what a caller is told about them.
//!
//! A bucket is one number. Of a [`Rate`] it is the time at which the bucket will be full again (GCRA), of a [`Quota`] the
//! calendar month and the calls made in it; these two hold the arithmetic. [`LocalLimiter`] has the buckets of one process,
//! [`FailureLimiter`] the failures. A limiter over several nodes implements [`Limiter`] with the same arithmetic.
//!
//! ```
//! use gatewright_core::limit::{
//!     Bucket, BucketKind, Charge, LocalLimiter, Quota, Rate, Remembered,
//! };
//! use gatewright_core::time::Moment;
//!
//! # fn main() -> Result<(), gatewright_core::limit::RateError> {
//! let limiter = LocalLimiter::new();
//! let tenant: &[&[u8]] = &[b"tenant-1"];
//! let charges = [
//!     Charge::new(Bucket::new(BucketKind::Plan, tenant), Rate::per_minute(2)?),
//!     Charge::monthly(tenant, Quota::per_month(10_000)?),
//! ];
//! // Kept beside what is cached of the caller.
//! let remembered = Remembered::new();
//!
//! let now = Moment::new(1_000_000_000, 1_793_491_200);
//! assert!(limiter.charge(&charges, Some(&remembered), now).is_ok());
//! assert!(limiter.charge(&charges, Some(&remembered), now).is_ok());
//! let refusal = limiter.charge(&charges, Some(&remembered), now).unwrap_err();
//! assert_eq!(refusal.retry_after_secs(), 30);
//! assert_eq!(refusal.state().to_string(), r#""plan";r=0;t=60"#);
//! # Ok(())
//! # }
//! ```

mod allowance;
mod failure;
mod field;
mod local;
mod quota;
mod rate;
mod remembered;
mod source;
mod state;
mod table;

pub use allowance::Allowance;
pub use failure::FailureLimiter;
pub use field::LimitField;
pub use local::LocalLimiter;
pub use quota::{Month, Quota};
pub use rate::{Rate, RateError};
pub use remembered::Remembered;
pub use source::SourceKey;
pub use state::{LimitError, LimitRefusal, LimitState};

use crate::time::Moment;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// What a bucket counts. Each kind has its own memory, so that a flood of source addresses can't
/// push tenants out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum BucketKind {
    /// All calls of a tenant, by its plan.
    Plan,
    /// All calls of one key, user or client.
    Credential,
    /// Calls of one source address that carry no credential.
    Source,
    /// Calls of one personal access token from one source address.
    Pat,
    /// Calls of a tenant within a moment.
    Burst,
    /// Refused calls of one credential that was proven.
    Denied,
    /// All calls of a tenant in a calendar month, by its plan.
    Quota,
}

impl BucketKind {
    /// Every kind there is.
    pub const ALL: &'static [Self] = &[
        Self::Plan,
        Self::Credential,
        Self::Source,
        Self::Pat,
        Self::Burst,
        Self::Denied,
        Self::Quota,
    ];

    /// The name of the policy in the `RateLimit` fields.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Credential => "credential",
            Self::Source => "source",
            Self::Pat => "pat",
            Self::Burst => "burst",
            Self::Denied => "denied",
            Self::Quota => "quota",
        }
    }
}

/// Which bucket: a kind and the parts that tell one bucket of that kind from another.
///
/// The parts are kept apart: `["ab", "c"]` and `["a", "bc"]` are two buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket<'a> {
    kind: BucketKind,
    parts: &'a [&'a [u8]],
}

impl<'a> Bucket<'a> {
    /// The bucket of this kind and these parts.
    #[must_use]
    pub const fn new(kind: BucketKind, parts: &'a [&'a [u8]]) -> Self {
        Self { kind, parts }
    }

    /// What it counts.
    #[must_use]
    pub const fn kind(&self) -> BucketKind {
        self.kind
    }

    /// What tells it from the others of its kind.
    #[must_use]
    pub const fn parts(&self) -> &'a [&'a [u8]] {
        self.parts
    }
}

/// One call against one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge<'a> {
    bucket: Bucket<'a>,
    allowance: Allowance,
}

impl<'a> Charge<'a> {
    /// A call against this bucket, which fills at this rate.
    #[must_use]
    pub const fn new(bucket: Bucket<'a>, rate: Rate) -> Self {
        let allowance = Allowance::Rate(rate);
        Self { bucket, allowance }
    }

    /// A call against the monthly quota of whom these parts name; the kind is [`BucketKind::Quota`].
    #[must_use]
    pub const fn monthly(parts: &'a [&'a [u8]], quota: Quota) -> Self {
        Self {
            bucket: Bucket::new(BucketKind::Quota, parts),
            allowance: Allowance::Monthly(quota),
        }
    }

    /// The bucket.
    #[must_use]
    pub const fn bucket(&self) -> Bucket<'a> {
        self.bucket
    }

    /// How much may be taken from it.
    #[must_use]
    pub const fn allowance(&self) -> Allowance {
        self.allowance
    }
}

/// The answer to a charge: the state of the tightest bucket, or `None` where no bucket was charged.
pub type ChargeResult = Result<Option<LimitState>, LimitError>;

/// Something that counts calls.
///
/// An implementation keeps these, whoever else charges at the same time:
///
/// - **All or nothing.** A call is counted in every bucket, or in none. Of several that have no room, the refusal is by the
///   one to wait for longest; of an admitted call, the state is that of the [tightest](LimitState::is_tighter_than).
/// - **A bucket is its kind and its parts**, each part with its length. Rates and quotas are never one bucket, whatever
///   their kind.
/// - **No bucket gives more than its allowance**, also when it has to be forgotten: one may be forgotten that is full, or a quota
///   of a month that has ended.
/// - **The clock** of a rate only grows and that of a quota tells the date. What several processes share goes by one clock for
///   all of them, not by `now`.
///
/// A charge is meant to be one round trip: all buckets are given at once, so that a store which runs scripts (Redis with Lua)
/// can look at all of them, and count in all of them, in one. The state of a rate is the number that [`Rate::take`]
/// returns, kept until it is past; of a quota, the calls of the [`Month`], kept until [`Month::ends_at`].
pub trait Limiter: Send + Sync + 'static {
    /// Charges one call to all of these buckets, or to none of them. `remembered` belongs to the caller who is charged; a
    /// limiter that doesn't count in this process has no use for it.
    fn charge(
        &self,
        charges: &[Charge<'_>],
        remembered: Option<&Remembered>,
        now: Moment,
    ) -> Charged;
}

/// A charge that is decided, or will be.
#[must_use]
#[non_exhaustive]
pub enum Charged {
    /// Decided at once, without an allocation.
    Ready(ChargeResult),
    /// Decided by somebody else; nothing happens unless it is polled.
    Pending(Pin<Box<dyn Future<Output = ChargeResult> + Send + 'static>>),
}

impl fmt::Debug for Charged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(result) => f.debug_tuple("Ready").field(result).finish(),
            Self::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}
