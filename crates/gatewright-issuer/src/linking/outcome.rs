//! What goes into a login by a provider, and what comes out.

use std::fmt;

use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::store::{Account, StoreError};

use crate::NewSession;
use crate::credential::store_failed;

/// Somebody whom an identity provider has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalLogin {
    /// The provider's `iss`.
    pub issuer: Box<str>,
    /// The provider's `sub`.
    pub subject: Box<str>,
    /// The address that the provider knows.
    pub email: Option<String>,
    /// Whether the provider has verified that address.
    pub email_verified: bool,
    /// What the provider calls the user.
    pub name: Option<String>,
}

impl ExternalLogin {
    /// A subject of whom nothing else is known.
    #[must_use]
    pub fn new(issuer: impl Into<Box<str>>, subject: impl Into<Box<str>>) -> Self {
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
            email: None,
            email_verified: false,
            name: None,
        }
    }

    /// With this address.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>, verified: bool) -> Self {
        self.email = Some(email.into());
        self.email_verified = verified;
        self
    }

    /// With this name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// Whose account it is that somebody logged in to.
#[non_exhaustive]
pub struct LinkedUser {
    /// The account, which is verified.
    pub account: Account,
    /// The revocation epoch of the account, read before the account was: what is issued now is of this epoch.
    pub epoch: u64,
    /// How the account was come by.
    pub outcome: LinkOutcome,
}

impl LinkedUser {
    /// A session for them, to be opened; refused if their epoch changes before it is.
    #[must_use]
    pub fn session(&self, client: impl Into<Box<str>>) -> NewSession {
        NewSession::new(self.account.id.clone(), client).of_epoch(self.epoch)
    }
}

impl fmt::Debug for LinkedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkedUser")
            .field("user", &self.account.id)
            .field("epoch", &self.epoch)
            .field("outcome", &self.outcome)
            .finish()
    }
}

/// How an account was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkOutcome {
    /// It was linked before.
    Known,
    /// It was there, verified, and is linked now.
    Linked,
    /// It was there, unverified; it is verified and linked now, and what was set up in it before is void.
    Activated,
    /// It is new. A service that gives each user something of their own makes it now. Of several first logins at once, one
    /// is told this.
    Created,
}

/// Why there is no account to log in to.
///
/// The caller is told `invalid_credentials` of every refusal alike, as of a wrong password; the reason is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The provider names no address, or has not verified it.
    #[error("the provider vouches for no address")]
    UnverifiedAddress,
    /// The address is none that an account could have. One beyond ASCII is not compared: other letters that look the same,
    /// or become the same in lower case, are other mailboxes.
    #[error("the provider vouches for what is no mail address")]
    MalformedAddress,
    /// The operator does not believe this provider about addresses of this domain.
    #[error("the provider is not trusted for addresses of this domain")]
    Untrusted,
    /// The linked account is gone, or not verified.
    #[error("the linked account may not log in")]
    NoAccount,
    /// Others were quicker, again and again.
    #[error("the account changes all the time")]
    Contended,
    /// The store can't answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no random bytes.
    #[error("the system has no random bytes")]
    Random,
}

impl LinkError {
    /// What the caller is told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Store(_) | Self::Contended => ErrorCode::TemporarilyUnavailable,
            Self::Random => ErrorCode::InternalError,
            _ => ErrorCode::InvalidCredentials,
        }
    }

    pub(super) fn is_refusal(&self) -> bool {
        self.code() == ErrorCode::InvalidCredentials
    }
}

impl From<LinkError> for AuthError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Store(error) => store_failed(error),
            LinkError::Contended => Self::new(error.code()).with_retry_after(1),
            other => Self::new(other.code()).with_source(other),
        }
    }
}
