//! What happened, and to whom: one event, one sink.

use std::net::IpAddr;

use crate::error::Cause;
use crate::principal::{CredentialId, Mode, Principal, Subject, TenantId};
use crate::time::Timestamp;

/// Something that somebody may later want to know. Holds identifiers and never a secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuditEvent {
    /// What happened.
    pub kind: AuditKind,
    /// When.
    pub at: Timestamp,
    /// On whose behalf.
    pub subject: Option<Subject>,
    /// By which kind of credential.
    pub mode: Option<Mode>,
    /// The public part of the credential that was used.
    pub credential: Option<CredentialId>,
    /// The tenant in which it happened.
    pub tenant: Option<TenantId>,
    /// What it happened to: the public id of a credential, a user, a tenant.
    pub target: Option<Box<str>>,
    /// Where the request came from.
    pub source: Option<IpAddr>,
    /// Why it was refused.
    pub cause: Option<Cause>,
}

/// What an [`AuditEvent`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuditKind {
    /// A credential was minted.
    Minted,
    /// A credential got a new secret.
    Rotated,
    /// A credential was revoked.
    Revoked,
    /// Somebody logged in.
    LoggedIn,
    /// A login failed.
    LoginFailed,
    /// A proven caller was refused.
    Denied,
    /// A role was given, changed or taken away.
    RoleChanged,
    /// A plan was changed.
    PlanChanged,
    /// A tenant said which identity provider it trusts, or no longer trusts one.
    SsoChanged,
    /// A tenant plugged in a connector.
    ConnectorAdded,
    /// A tenant took a connector away.
    ConnectorRemoved,
    /// A login session was ended before its time.
    SessionEnded,
    /// A refresh token was presented that had been used before, and its session ended for it.
    RefreshReused,
    /// Somebody signed up.
    SignedUp,
    /// An account's mail address was proven.
    AddressVerified,
    /// An account got a new password.
    PasswordChanged,
    /// Somebody was invited to a tenant.
    Invited,
    /// An invitation was taken back.
    InviteWithdrawn,
    /// An account was linked to an identity provider.
    LoginLinked,
    /// A link to an identity provider was ended.
    LoginUnlinked,
    /// Somebody is no longer a member of a tenant.
    MemberRemoved,
}

impl AuditKind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::Minted,
        Self::Rotated,
        Self::Revoked,
        Self::LoggedIn,
        Self::LoginFailed,
        Self::Denied,
        Self::RoleChanged,
        Self::PlanChanged,
        Self::SsoChanged,
        Self::ConnectorAdded,
        Self::ConnectorRemoved,
        Self::SessionEnded,
        Self::RefreshReused,
        Self::SignedUp,
        Self::AddressVerified,
        Self::PasswordChanged,
        Self::Invited,
        Self::InviteWithdrawn,
        Self::LoginLinked,
        Self::LoginUnlinked,
        Self::MemberRemoved,
    ];

    /// The name in logs and stores, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minted => "minted",
            Self::Rotated => "rotated",
            Self::Revoked => "revoked",
            Self::LoggedIn => "logged_in",
            Self::LoginFailed => "login_failed",
            Self::Denied => "denied",
            Self::RoleChanged => "role_changed",
            Self::PlanChanged => "plan_changed",
            Self::SsoChanged => "sso_changed",
            Self::ConnectorAdded => "connector_added",
            Self::ConnectorRemoved => "connector_removed",
            Self::SessionEnded => "session_ended",
            Self::RefreshReused => "refresh_reused",
            Self::SignedUp => "signed_up",
            Self::AddressVerified => "address_verified",
            Self::PasswordChanged => "password_changed",
            Self::Invited => "invited",
            Self::InviteWithdrawn => "invite_withdrawn",
            Self::LoginLinked => "login_linked",
            Self::LoginUnlinked => "login_unlinked",
            Self::MemberRemoved => "member_removed",
        }
    }
}

impl AuditEvent {
    /// An event of which nothing but kind and time is known.
    #[must_use]
    pub const fn new(kind: AuditKind, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            subject: None,
            mode: None,
            credential: None,
            tenant: None,
            target: None,
            source: None,
            cause: None,
        }
    }

    /// Done by this caller, in the tenant of the request.
    #[must_use]
    pub fn by(mut self, principal: &Principal) -> Self {
        self.subject = Some(principal.subject().clone());
        self.mode = Some(principal.mode());
        self.credential = Some(principal.credential().clone());
        self.tenant = principal.tenant().map(|tenant| tenant.id().clone());
        self
    }

    /// Done on behalf of this subject.
    #[must_use]
    pub fn subject(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Done in this tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Done to this.
    #[must_use]
    pub fn target(mut self, target: impl Into<Box<str>>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Asked for from this address.
    #[must_use]
    pub const fn from(mut self, source: Option<IpAddr>) -> Self {
        self.source = source;
        self
    }

    /// Refused for this reason.
    #[must_use]
    pub const fn because(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }
}

/// Where audit events go. Called on the way of a request, so it must not wait: queue, and drop or count what does
/// not fit.
pub trait AuditSink: Send + Sync + 'static {
    /// Takes an event.
    fn record(&self, event: AuditEvent);
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoAudit;

impl AuditSink for NoAudit {
    fn record(&self, _event: AuditEvent) {}
}
