//! How often people may try, and how often they are written to.

use std::net::IpAddr;

use gatewright_core::error::{AuthError, Cause};
use gatewright_core::limit::{FailureLimiter, Rate};
use gatewright_core::principal::UserId;

/// Mails of one kind to one address.
const MAILS: Rate = an_hour(3);
/// What one source may ask for without a login: sign-ups, links, acceptances.
const REQUESTS: Rate = an_hour(60);
/// Invitations by one user, to whomever: anybody may sign up, and would write to strangers by these.
const INVITATIONS: Rate = an_hour(100);
/// So many addresses, or sources, are remembered.
const REMEMBERED: usize = 100_000;

const fn an_hour(limit: u32) -> Rate {
    match Rate::new(limit, 3_600, limit) {
        Ok(rate) => rate,
        Err(_) => Rate::TEN_A_MINUTE,
    }
}

/// What is counted, in the memory of this process.
#[derive(Debug)]
pub(super) struct Limits {
    /// Failed logins by source and account together, so that nobody is locked out from elsewhere.
    pub(super) logins: FailureLimiter,
    mails: FailureLimiter,
    invitations: FailureLimiter,
    requests: FailureLimiter,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self::with(MAILS, REQUESTS)
    }

    pub(super) fn with(mails: Rate, requests: Rate) -> Self {
        Self {
            logins: FailureLimiter::new(),
            mails: FailureLimiter::with_rate(mails, REMEMBERED),
            invitations: FailureLimiter::with_rate(INVITATIONS, REMEMBERED),
            requests: FailureLimiter::with_rate(requests, REMEMBERED),
        }
    }

    /// Counts a request of this source; refused when it asked too often. Says nothing about any account.
    pub(super) fn request(&self, source: Option<IpAddr>, nanos: u64) -> Result<(), AuthError> {
        self.requests
            .try_failure(source, "", nanos)
            .map_err(|secs| AuthError::from(Cause::RateLimited).with_retry_after(secs))
    }

    /// Counts an invitation by this user; refused when they invited too many of late.
    pub(super) fn invitation(&self, by: &UserId, nanos: u64) -> Result<(), AuthError> {
        let counted = self.invitations.try_failure(None, by.as_str(), nanos);
        counted.map_err(|secs| AuthError::from(Cause::RateLimited).with_retry_after(secs))
    }

    /// Counts a mail of this kind to this address; or says after how many seconds the next one may be sent. By kind, so
    /// that nobody keeps a mail about one thing from an address by asking for others.
    pub(super) fn mail(&self, kind: &str, to: &str, nanos: u64) -> Result<(), u32> {
        // No address has a colon.
        self.mails.try_failure(None, &format!("{kind}:{to}"), nanos)
    }
}
