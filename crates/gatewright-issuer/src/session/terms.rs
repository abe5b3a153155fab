//! How long sessions last.

/// A day in seconds.
const DAY: u64 = 86_400;

/// For how long a session goes on, in seconds.
///
/// ```
/// use gatewright_issuer::{SessionTerms, SessionTermsError};
///
/// let terms = SessionTerms::builder().idle_secs(3_600).absolute_secs(86_400).build()?;
/// assert_eq!(terms.grace_secs(), 10);
/// let refused = SessionTerms::builder().idle_secs(3_600).absolute_secs(60).build();
/// assert_eq!(refused, Err(SessionTermsError::IdleBeyondAbsolute));
/// # Ok::<(), SessionTermsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTerms {
    idle: u64,
    absolute: u64,
    grace: u64,
}

/// Terms that cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionTermsError {
    /// A session would end as it begins.
    #[error("a session lasts longer than zero seconds")]
    Zero,
    /// The idle time would never end a session.
    #[error("the idle time is longer than the session may last")]
    IdleBeyondAbsolute,
    /// The grace would outlast the session's idle time.
    #[error("the grace is longer than the idle time")]
    GraceBeyondIdle,
    /// For so long a stolen token would pass beside its child.
    #[error("the grace is longer than a minute")]
    GraceTooLong,
    /// No browser keeps the cookie for so long (RFC 6265bis §5.5).
    #[error("a session lasts at most 400 days")]
    BeyondCookie,
}

impl SessionTerms {
    /// The longest that a session may last: 400 days, as the cookie (RFC 6265bis §5.5).
    pub const MAX_ABSOLUTE_SECS: u64 = 400 * DAY;
    /// The longest grace: a minute.
    pub const MAX_GRACE_SECS: u64 = 60;

    /// The [default](Self::default) terms, to be changed.
    #[must_use]
    pub const fn builder() -> SessionTermsBuilder {
        SessionTermsBuilder(Self {
            idle: 14 * DAY,
            absolute: 90 * DAY,
            grace: 10,
        })
    }

    /// After how long without being carried on a session ends.
    #[must_use]
    pub const fn idle_secs(&self) -> u64 {
        self.idle
    }

    /// After how long a session ends in any case.
    #[must_use]
    pub const fn absolute_secs(&self) -> u64 {
        self.absolute
    }

    /// For how long a token that was just used is answered with the same child once more.
    #[must_use]
    pub const fn grace_secs(&self) -> u64 {
        self.grace
    }
}

impl Default for SessionTerms {
    /// 14 days idle, 90 days in all, 10 seconds of grace.
    fn default() -> Self {
        Self::builder().0
    }
}

/// Builds [`SessionTerms`].
#[derive(Clone, Copy, Debug)]
pub struct SessionTermsBuilder(SessionTerms);

impl SessionTermsBuilder {
    /// Ends a session that was not carried on for so long.
    #[must_use]
    pub const fn idle_secs(mut self, secs: u64) -> Self {
        self.0.idle = secs;
        self
    }

    /// Ends a session so long after its login, however busy.
    #[must_use]
    pub const fn absolute_secs(mut self, secs: u64) -> Self {
        self.0.absolute = secs;
        self
    }

    /// Answers a token for so long after its use with the same child. With 0 there is no grace: of two tabs that refresh
    /// at once, the second one ends the session.
    #[must_use]
    pub const fn grace_secs(mut self, secs: u64) -> Self {
        self.0.grace = secs;
        self
    }

    /// The terms.
    ///
    /// # Errors
    /// [`SessionTermsError`], by variant.
    pub const fn build(self) -> Result<SessionTerms, SessionTermsError> {
        let SessionTerms {
            idle,
            absolute,
            grace,
        } = self.0;
        if idle == 0 || absolute == 0 {
            return Err(SessionTermsError::Zero);
        }
        if absolute > SessionTerms::MAX_ABSOLUTE_SECS {
            return Err(SessionTermsError::BeyondCookie);
        }
        if idle > absolute {
            return Err(SessionTermsError::IdleBeyondAbsolute);
        }
        if grace > idle {
            return Err(SessionTermsError::GraceBeyondIdle);
        }
        if grace > SessionTerms::MAX_GRACE_SECS {
            return Err(SessionTermsError::GraceTooLong);
        }
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_that_cannot_be_meant_are_refused() {
        let build = |idle, absolute, grace| {
            SessionTerms::builder()
                .idle_secs(idle)
                .absolute_secs(absolute)
                .grace_secs(grace)
                .build()
                .map(drop)
        };
        use SessionTermsError as E;
        for (idle, absolute, grace, expected) in [
            (1, 1, 0, Ok(())),
            (60, 60, 60, Ok(())),
            (400 * DAY, 400 * DAY, 60, Ok(())),
            (0, 1, 0, Err(E::Zero)),
            (0, 0, 0, Err(E::Zero)),
            (61, 60, 0, Err(E::IdleBeyondAbsolute)),
            (59, 60, 60, Err(E::GraceBeyondIdle)),
            (100, 100, 61, Err(E::GraceTooLong)),
            (1, 400 * DAY + 1, 0, Err(E::BeyondCookie)),
            (u64::MAX, u64::MAX, u64::MAX, Err(E::BeyondCookie)),
        ] {
            assert_eq!(
                build(idle, absolute, grace),
                expected,
                "{idle} {absolute} {grace}"
            );
        }
        assert_eq!(SessionTerms::builder().build(), Ok(SessionTerms::default()));
    }
}
