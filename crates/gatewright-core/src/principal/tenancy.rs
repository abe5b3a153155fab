//! The tenant of a request, and the caller's place in it.

use std::borrow::Cow;
use std::fmt;

use super::TenantId;
use crate::role::Role;

/// What sort of tenant it is, in the service's own words: `workspace`, `handle`, `org`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct TenantKind(Cow<'static, str>);

impl TenantKind {
    /// A kind known when the program is written.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A kind read from a store.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self(name.into())
    }

    /// The kind's name.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One customer's part of the service. Its slug stands in URLs and is never used for another tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    id: TenantId,
    kind: TenantKind,
    slug: Box<str>,
    plan: Box<str>,
}

impl Tenant {
    /// A tenant as a store knows it.
    #[must_use]
    pub fn new(
        id: TenantId,
        kind: TenantKind,
        slug: impl Into<Box<str>>,
        plan: impl Into<Box<str>>,
    ) -> Self {
        Self {
            id,
            kind,
            slug: slug.into(),
            plan: plan.into(),
        }
    }

    /// The identifier that credentials and rows are bound to.
    #[must_use]
    #[inline]
    pub const fn id(&self) -> &TenantId {
        &self.id
    }

    /// The kind of tenant.
    #[must_use]
    #[inline]
    pub const fn kind(&self) -> &TenantKind {
        &self.kind
    }

    /// The name that stands in URLs.
    #[must_use]
    #[inline]
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// The plan that it pays for.
    #[must_use]
    #[inline]
    pub fn plan(&self) -> &str {
        &self.plan
    }
}

/// The tenant of a request together with the caller's role in it.
#[derive(Clone, Debug)]
pub struct Tenancy {
    tenant: Tenant,
    role: Option<Role>,
}

impl Tenancy {
    pub(crate) const fn new(tenant: Tenant, role: Option<Role>) -> Self {
        Self { tenant, role }
    }

    /// The tenant.
    #[must_use]
    #[inline]
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The role, for callers that have one; a key has scopes instead.
    #[must_use]
    #[inline]
    pub const fn role(&self) -> Option<&Role> {
        self.role.as_ref()
    }
}
