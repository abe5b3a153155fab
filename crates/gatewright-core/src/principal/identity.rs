//! What a proven credential says about its holder.

use std::fmt;
use std::sync::Arc;

use super::{CredentialId, ExternalId, SessionId, Tenancy, Tenant, TenantId, UserId, VisitorId};
use crate::role::Role;
use crate::scope::ScopeSet;
use crate::time::Timestamp;

/// By which kind of credential a caller came: what a policy accepts or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// An API key such as `tnx_…`.
    ApiKey,
    /// A personal access token, `patv1_…`.
    Pat,
    /// A signed access token (RFC 9068).
    Jwt,
    /// A token of a tenant's own identity provider.
    External,
    /// No credential: a visitor, known again by a sealed cookie.
    Visitor,
}

impl Mode {
    /// Every mode, in the order in which documents list them.
    pub const ALL: [Self; 5] = [
        Self::Jwt,
        Self::Pat,
        Self::ApiKey,
        Self::External,
        Self::Visitor,
    ];

    /// The mode's name in coverage maps and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "API_KEY",
            Self::Pat => "PAT",
            Self::Jwt => "JWT",
            Self::External => "EXTERNAL",
            Self::Visitor => "VISITOR_COOKIE",
        }
    }

    #[inline]
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Jwt => 0,
            Self::Pat => 1,
            Self::ApiKey => 2,
            Self::External => 3,
            Self::Visitor => 4,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// On whose behalf a request is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// A person; for an API key or a personal access token, the one who minted it.
    User(UserId),
    /// A machine that holds client credentials. Never equal to a user, whatever the two are called (RFC 9068 §5).
    Client(CredentialId),
    /// Somebody whom a tenant's own identity provider knows, a person or a machine. Never equal to a user or a client of
    /// ours, nor to who has the same name at another provider or in another tenant.
    External(ExternalSubject),
    /// Somebody who presented nothing but the cookie that was set at an earlier visit, or not even that.
    Visitor(VisitorId),
}

/// A name, and who gave it. Cheap to clone, and one pointer wide: callers of ours, of whom many are remembered, don't make room
/// for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExternalSubject(Arc<ExternalName>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExternalName {
    tenant: TenantId,
    issuer: Arc<str>,
    subject: ExternalId,
}

impl ExternalSubject {
    pub(crate) fn new(tenant: TenantId, issuer: Arc<str>, subject: ExternalId) -> Self {
        Self(Arc::new(ExternalName {
            tenant,
            issuer,
            subject,
        }))
    }

    /// The tenant whose provider it is.
    #[must_use]
    #[inline]
    pub fn tenant(&self) -> &TenantId {
        &self.0.tenant
    }

    /// The provider's `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The `sub`; of a token without one, the `client_id`, which is what its `sub` should be (RFC 9068 §2.2).
    #[must_use]
    #[inline]
    pub fn subject(&self) -> &ExternalId {
        &self.0.subject
    }
}

impl fmt::Display for ExternalSubject {
    /// `<tenant>/<issuer>#<sub>`; an issuer has no fragment (RFC 8414 §2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ExternalName {
            tenant,
            issuer,
            subject,
        } = &*self.0;
        write!(f, "{tenant}/{issuer}#{subject}")
    }
}

impl Subject {
    /// The user, where the subject is one.
    #[must_use]
    #[inline]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Client(_) | Self::External(_) | Self::Visitor(_) => None,
        }
    }

    /// The visitor, where the subject is one.
    #[must_use]
    pub const fn visitor(&self) -> Option<&VisitorId> {
        match self {
            Self::Visitor(visitor) => Some(visitor),
            Self::User(_) | Self::Client(_) | Self::External(_) => None,
        }
    }
}

impl fmt::Display for Subject {
    /// `user:<id>`, `client:<id>`, `external:<tenant>/<issuer>#<sub>` or `visitor:<id>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Client(id) => write!(f, "client:{id}"),
            Self::External(name) => write!(f, "external:{name}"),
            Self::Visitor(id) => write!(f, "visitor:{id}"),
        }
    }
}

/// What the credential itself says: the same on every route.
#[derive(Clone, Debug)]
pub struct Identity {
    pub(crate) mode: Mode,
    pub(crate) subject: Subject,
    pub(crate) credential: CredentialId,
    pub(crate) scopes: ScopeSet,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) session: Option<SessionId>,
}

/// A caller whose credential was proven, as seen by one request.
///
/// Cheap to clone: one shared pointer. There is no public constructor; see [`Verified`](super::Verified).
#[derive(Clone, Debug)]
pub struct Principal(Arc<Facts>);

#[derive(Clone, Debug)]
struct Facts {
    identity: Identity,
    tenancy: Option<Arc<Tenancy>>,
}

// Copies are counted by a core each: with the two counts they are as large as a cache line, so no two share one.
const _: () = assert!(size_of::<Facts>() + 2 * size_of::<usize>() >= 64);

impl Principal {
    pub(crate) fn new(identity: Identity, tenancy: Option<Arc<Tenancy>>) -> Self {
        Self(Arc::new(Facts { identity, tenancy }))
    }

    /// The same, where clones are counted apart from those of this one.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Facts::clone(&self.0)))
    }

    #[inline]
    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// The kind of credential that was presented.
    #[must_use]
    #[inline]
    pub fn mode(&self) -> Mode {
        self.0.identity.mode
    }

    /// On whose behalf the request is made.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.0.identity.subject
    }

    /// The user, where the subject is one.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.0.identity.subject.user()
    }

    /// The public part of the credential, fit for logs.
    #[must_use]
    #[inline]
    pub fn credential(&self) -> &CredentialId {
        &self.0.identity.credential
    }

    /// The visitor, where the subject is one.
    #[must_use]
    pub fn visitor(&self) -> Option<&VisitorId> {
        self.0.identity.subject.visitor()
    }

    /// The scopes that the credential itself carries: a visitor's are its entitlements. A user's JWT carries none: what it may do comes from
    /// [`role`](Self::role).
    #[must_use]
    #[inline]
    pub fn scopes(&self) -> &ScopeSet {
        &self.0.identity.scopes
    }

    /// When the credential expires; `None` for one that does not. A visitor's cookie at the latest then, however often it is
    /// renewed.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.identity.expires_at
    }

    /// The login session of a user's JWT.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        self.0.identity.session.as_ref()
    }

    /// The tenant in which this request is made.
    #[must_use]
    pub fn tenant(&self) -> Option<&Tenant> {
        self.0.tenancy.as_deref().map(Tenancy::tenant)
    }

    /// The user's role in [`tenant`](Self::tenant), read from the membership and never from a token.
    #[must_use]
    #[inline]
    pub fn role(&self) -> Option<&Role> {
        self.0.tenancy.as_deref().and_then(Tenancy::role)
    }
}
