//! Logging in with a password.

use std::fmt;
use std::net::IpAddr;

use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::error::{AuthError, Cause};
use gatewright_core::hash::Phc;
use gatewright_core::principal::UserId;
use gatewright_core::store::{Account, TokenRef};

use super::{Accounts, nobody};
use crate::NewSession;
use crate::credential::store_failed;

/// Somebody whose password was right, and whose address is proven.
#[non_exhaustive]
pub struct LoggedIn {
    /// The account.
    pub account: Account,
    /// The revocation epoch of the account, read before its password was: what is issued now is of this epoch.
    pub epoch: u64,
}

impl LoggedIn {
    /// A session for them, to be opened; refused if their password is changed before it is.
    #[must_use]
    pub fn session(&self, client: impl Into<Box<str>>) -> NewSession {
        NewSession::new(self.account.id.clone(), client).of_epoch(self.epoch)
    }
}

impl fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedIn")
            .field("user", &self.account.id)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// Checks a password.
    ///
    /// A wrong one, an unknown account and an unverified one are told apart neither by the answer nor by the work done.
    /// Failures count per source address and account together, so nobody is locked out from elsewhere: ten a minute.
    ///
    /// A hash with older settings is renewed before this returns.
    ///
    /// # Errors
    /// `invalid_credentials`, `rate_limited` after too many failures, `temporarily_unavailable` when the store or the
    /// hashing pool cannot answer.
    pub async fn log_in(
        &self,
        email: &str,
        password: &str,
        source: Option<IpAddr>,
    ) -> Result<LoggedIn, AuthError> {
        let email = email.to_lowercase();
        self.refuse_if_blocked(source, &email)?;
        let found = self.find(&email).await?;
        let nobody = nobody()?;
        let id = found.as_ref().map_or(&nobody, |account| &account.id);
        // The epoch first, the password after it: if the password is changed between the two, the token that would be
        // issued for the old one is of an epoch that is over.
        let token = TokenRef::user(id.as_str(), None, None);
        let standing = self.store.standing(token).await.map_err(store_failed)?;
        let account = self.store.account(id).await.map_err(store_failed)?;
        let account = account.filter(|account| found.is_some() && account.verified);
        let stored = account
            .as_ref()
            .and_then(|account| account.password.as_ref());
        let is_right = self.matches(stored, password).await?;
        let Some(account) = account.filter(|_| is_right) else {
            self.limits
                .logins
                .record_failure(source, &email, self.nanos());
            return Err(self.login_failed(found.as_ref(), source, Cause::WrongPassword));
        };
        // Again, or as many guesses as may run side by side would all be answered.
        self.refuse_if_blocked(source, &email)?;
        if let Some(stored) = &account.password {
            self.renew_hash(&account.id, stored, password).await;
        }
        Ok(LoggedIn {
            account,
            epoch: standing.epoch,
        })
    }

    /// Notes that nothing was issued to somebody, for all that the password was right, and answers the refusal: they may
    /// not enter the tenant that they asked for, say.
    #[must_use]
    pub fn refuse_login(
        &self,
        login: &LoggedIn,
        source: Option<IpAddr>,
        cause: Cause,
    ) -> AuthError {
        self.login_failed(Some(&login.account), source, cause)
    }

    pub(super) fn refuse_if_blocked(
        &self,
        source: Option<IpAddr>,
        email: &str,
    ) -> Result<(), AuthError> {
        let blocked = self.limits.logins.is_blocked(source, email, self.nanos());
        blocked.map_or(Ok(()), |secs| {
            let refusal = self.login_failed(None, source, Cause::FailureLimited);
            Err(refusal.with_retry_after(secs))
        })
    }

    /// The event names the account only where there is one: what was typed may be a password in the wrong field.
    pub(super) fn login_failed(
        &self,
        account: Option<&Account>,
        source: Option<IpAddr>,
        cause: Cause,
    ) -> AuthError {
        let mut event = AuditEvent::new(AuditKind::LoginFailed, self.now())
            .from(source)
            .because(cause);
        if let Some(account) = account {
            event = event.target(account.id.as_str());
        }
        self.audit.record(event);
        cause.into()
    }

    /// Hashes the password with the present settings. If that fails the next login tries again.
    async fn renew_hash(&self, user: &UserId, old: &Phc, password: &str) {
        if self.passwords.needs_rehash(old)
            && let Ok(hashing) = self.passwords.hash(password.as_bytes())
            && let Some(new) = hashing.await
        {
            let _ = self.store.swap_password(user, old, new).await;
        }
    }
}
