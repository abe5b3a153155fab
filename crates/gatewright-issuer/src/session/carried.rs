//! What a session is opened with, and what its user is handed.

use gatewright_core::principal::{TenantId, UserId};
use gatewright_core::session::RefreshToken;
use gatewright_core::store::SessionRecord;
use gatewright_core::time::Timestamp;

/// The most characters of a label.
const LABEL_LENGTH: usize = 128;

/// A session that is to be opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub(super) user: UserId,
    pub(super) client: Box<str>,
    pub(super) tenant: Option<TenantId>,
    pub(super) label: Box<str>,
    pub(super) epoch: Option<u64>,
}

impl NewSession {
    /// A session of a user who has just proven who they are. `client` is the application, the `client_id` of the session's
    /// access tokens.
    ///
    /// Where the proof took time, as a password does, [`of_epoch`](Self::of_epoch) belongs to it: better begin with
    /// [`LoggedIn::session`](crate::LoggedIn::session) or [`LinkedUser::session`](crate::LinkedUser::session).
    #[must_use]
    pub fn new(user: UserId, client: impl Into<Box<str>>) -> Self {
        Self {
            user,
            client: client.into(),
            tenant: None,
            label: "".into(),
            epoch: None,
        }
    }

    /// Opens it only if this still is the user's revocation epoch, the one that was read before the proof was judged.
    /// Otherwise a login by an old password could open its session just after the change that ended all others.
    #[must_use]
    pub const fn of_epoch(mut self, epoch: u64) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// For one tenant.
    #[must_use]
    pub fn in_tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// What the user will recognise the session by, such as the `User-Agent`. Cut to 128 characters; control characters
    /// are left out.
    #[must_use]
    pub fn labelled(mut self, label: &str) -> Self {
        let printable = label.chars().filter(|letter| !letter.is_control());
        self.label = printable.take(LABEL_LENGTH).collect::<String>().into();
        self
    }
}

/// A session, and the token that carries it on.
#[derive(Debug)]
#[non_exhaustive]
pub struct CarriedSession {
    /// The session.
    pub session: SessionRecord,
    /// The youngest token of its line. Whoever holds it is logged in: an `HttpOnly` cookie is the place for it.
    pub refresh: RefreshToken,
}

impl CarriedSession {
    /// When the token expires, which is when the session does: for the cookie's `Max-Age`.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.session.idle_expires_at.min(self.session.expires_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_short_and_printable() {
        let new = NewSession::new(UserId::new("usr_1").unwrap(), "app");
        assert_eq!(
            &*new.clone().labelled("Fire\r\nfox\u{1b}[1m é").label,
            "Firefox[1m é"
        );
        let long = "é".repeat(1_000);
        assert_eq!(new.labelled(&long).label.chars().count(), 128);
    }
}
