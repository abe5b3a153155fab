//! For how long a visitor is known again.

use crate::principal::VisitorId;
use crate::time::Timestamp;

/// No user agent keeps a cookie for longer: 400 days (RFC 6265bis §5.5).
const MAX_SECS: u64 = 400 * 86_400;

/// How far into the future a clock of ours may have been when it wrote a cookie, in seconds. The clocks of two nodes differ, and
/// one may be set back; but nothing that a clock wrote that was wrong by more shall be believed for as much longer.
const MAX_AHEAD_SECS: u64 = 86_400;

/// For how long a visitor is known again: since the last visit, and in all.
///
/// ```
/// use gatewright_core::session::VisitorTerms;
///
/// let days = |days: u64| days * 86_400;
/// assert!(VisitorTerms::new(days(30), days(365)).is_ok());
/// assert!(VisitorTerms::new(days(30), days(401)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorTerms {
    idle: u64,
    absolute: u64,
}

impl VisitorTerms {
    /// A visitor is forgotten `idle_secs` after the last visit, and in any case `absolute_secs` after the first one.
    ///
    /// # Errors
    /// [`VisitorTermsError`] names the rule that they break.
    pub const fn new(idle_secs: u64, absolute_secs: u64) -> Result<Self, VisitorTermsError> {
        if idle_secs == 0 {
            return Err(VisitorTermsError::NoTime);
        }
        if absolute_secs > MAX_SECS {
            return Err(VisitorTermsError::TooLong);
        }
        if idle_secs > absolute_secs {
            return Err(VisitorTermsError::IdleBeyondAbsolute);
        }
        Ok(Self {
            idle: idle_secs,
            absolute: absolute_secs,
        })
    }

    /// Seconds after the last visit.
    #[must_use]
    pub const fn idle_secs(&self) -> u64 {
        self.idle
    }

    /// Seconds after the first visit.
    #[must_use]
    pub const fn absolute_secs(&self) -> u64 {
        self.absolute
    }

    /// When this visitor is forgotten, however often it comes.
    #[must_use]
    pub fn end_of(&self, visitor: &VisitorId) -> Timestamp {
        visitor.minted_at().saturating_add(self.absolute)
    }

    /// Whether a visitor who was last seen then is still known.
    pub(super) fn hold(&self, visitor: &VisitorId, seen_at: Timestamp, now: Timestamp) -> bool {
        let latest = now.saturating_add(MAX_AHEAD_SECS);
        now < self.end_of(visitor)
            && now.saturating_sub(seen_at) < self.idle
            && visitor.minted_at() <= latest
            && seen_at <= latest
    }

    /// Whether the last visit was long enough ago to be written anew: a tenth of the time that may pass.
    pub(super) fn renew(&self, seen_at: Timestamp, now: Timestamp) -> bool {
        now.saturating_sub(seen_at) >= (self.idle / 10).max(1)
    }
}

/// Why these are no terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VisitorTermsError {
    /// Visitors would be forgotten at once.
    #[error("visitors must be known again for a second at least")]
    NoTime,
    /// Longer than 400 days, for which no user agent keeps a cookie.
    #[error("visitors are known again for at most 400 days")]
    TooLong,
    /// The time since the last visit is longer than the whole.
    #[error("the time between visits is longer than the time in all")]
    IdleBeyondAbsolute,
}
