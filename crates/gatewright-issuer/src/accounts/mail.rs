//! What people are told by mail.

use std::fmt;

use gatewright_core::principal::Tenant;
use gatewright_core::session::RefreshToken;

/// One mail to one person. How it reads is the service's matter, with these rules:
///
/// - A token rides in the fragment of a link and is spent by POST: a link that a scanner opens spends nothing, and no log
///   of a server holds it.
/// - Names were chosen by other people. They have no control characters; escape them where the text is HTML.
///
/// Redacted in `Debug`.
#[non_exhaustive]
pub enum Mail {
    /// Somebody signed up with this address: confirm that it is theirs, within a day. Say that whoever did not sign up
    /// should leave it.
    VerifyAddress {
        /// The address.
        to: String,
        /// For [`Accounts::verify_email`](super::Accounts::verify_email).
        token: RefreshToken,
    },
    /// Somebody signed up with this address, which has an account: log in, or ask for a new password.
    AlreadyRegistered {
        /// The address.
        to: String,
    },
    /// Somebody asked for a new password: choose it within an hour.
    ResetPassword {
        /// The address.
        to: String,
        /// For [`Accounts::reset_password`](super::Accounts::reset_password).
        token: RefreshToken,
    },
    /// The account's password was changed. Whoever did not do it should ask for a new one.
    PasswordChanged {
        /// The address.
        to: String,
    },
    /// Somebody was invited to a tenant, within seven days.
    Invite {
        /// The address.
        to: String,
        /// Where to.
        tenant: Tenant,
        /// The inviter's address.
        by_email: String,
        /// The inviter's name; may be empty.
        by_name: String,
        /// The role that is offered.
        role: Box<str>,
        /// For [`Accounts::accept_invite`](super::Accounts::accept_invite).
        token: RefreshToken,
    },
}

impl Mail {
    /// Whom it is for.
    #[must_use]
    pub fn to(&self) -> &str {
        match self {
            Self::VerifyAddress { to, .. }
            | Self::AlreadyRegistered { to }
            | Self::ResetPassword { to, .. }
            | Self::PasswordChanged { to }
            | Self::Invite { to, .. } => to,
        }
    }

    /// What it is about, in snake case, for logs and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VerifyAddress { .. } => "verify_address",
            Self::AlreadyRegistered { .. } => "already_registered",
            Self::ResetPassword { .. } => "reset_password",
            Self::PasswordChanged { .. } => "password_changed",
            Self::Invite { .. } => "invite",
        }
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({}, redacted)", self.kind())
    }
}

/// Where mails go. Called on the way of a request, so it must not wait: queue, try again while the server for mail is out
/// of reach, and log what does not fit, without its address and token.
pub trait Mailer: Send + Sync + 'static {
    /// Takes a mail.
    fn send(&self, mail: Mail);
}
