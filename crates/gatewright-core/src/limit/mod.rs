//! How often: rates, the buckets they fill, and what a caller is told about them.
//!
//! A bucket is one number, the time at which it will be full again (GCRA). [`Rate`] holds the
//! arithmetic, [`LocalLimiter`] the buckets of one process, [`FailureLimiter`] the failures. A limiter
//! over several nodes implements [`Limiter`] with the same arithmetic.
//!
//! ```
//! use gatewright_core::limit::{Bucket, BucketKind, Charge, LocalLimiter, Rate};
//!
//! # fn main() -> Result<(), gatewright_core::limit::RateError> {
//! let limiter = LocalLimiter::new();
//! let tenant: &[&[u8]] = &[b"tenant-1"];
//! let charge = [Charge::new(Bucket::new(BucketKind::Plan, tenant), Rate::per_minute(2)?)];
//!
//! let now = 1_000_000_000;
//! assert!(limiter.charge(&charge, now).is_ok());
//! assert!(limiter.charge(&charge, now).is_ok());
//! let refusal = limiter.charge(&charge, now).unwrap_err();
//! assert_eq!(refusal.retry_after_secs(), 30);
//! assert_eq!(refusal.state().to_string(), r#""plan";r=0;t=60"#);
//! # Ok(())
//! # }
//! ```

mod failure;
mod local;
mod rate;
mod source;
mod state;
mod table;

pub use failure::FailureLimiter;
pub use local::LocalLimiter;
pub use rate::{Rate, RateError};
pub use source::SourceKey;
pub use state::{LimitError, LimitRefusal, LimitState};

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
    /// All calls of one credential or user.
    Credential,
    /// Calls of one source address that carry no credential.
    Source,
    /// Calls of one personal access token from one source address.
    Pat,
    /// Calls of a tenant within a moment.
    Burst,
    /// Refused calls of one credential that was proven.
    Denied,
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
    rate: Rate,
}

impl<'a> Charge<'a> {
    /// A call against this bucket, which fills at this rate.
    #[must_use]
    pub const fn new(bucket: Bucket<'a>, rate: Rate) -> Self {
        Self { bucket, rate }
    }

    /// The bucket.
    #[must_use]
    pub const fn bucket(&self) -> Bucket<'a> {
        self.bucket
    }

    /// The rate at which it fills.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }
}

/// The answer to a charge: the state of the tightest bucket, or `None` where no bucket was charged.
pub type ChargeResult = Result<Option<LimitState>, LimitError>;

/// Something that counts calls.
pub trait Limiter: Send + Sync + 'static {
    /// Charges one call to all of these buckets, or to none of them.
    ///
    /// `now_nanos` comes from [`Clock::monotonic_nanos`](crate::time::Clock::monotonic_nanos). A
    /// limiter shared by several processes goes by a clock of its own.
    fn charge(&self, charges: &[Charge<'_>], now_nanos: u64) -> Charged;
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
