//! Tenants and who belongs to them.

use super::{BoxFuture, Page, PageRequest, StoreError, Unpublished};
use crate::principal::{Tenant, TenantId, TenantKind, UserId};

use super::InsertOutcome;

/// How a request names a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TenantRef<'a> {
    /// By the id that a token or a record is bound to.
    Id(&'a TenantId),
    /// By kind and the slug in the path.
    Slug(&'a TenantKind, &'a str),
}

/// A user's place in a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Membership {
    /// The tenant.
    pub tenant: Tenant,
    /// The role's name on the tenant's ladder.
    pub role: Box<str>,
}

impl Membership {
    /// A membership.
    #[must_use]
    pub fn new(tenant: Tenant, role: impl Into<Box<str>>) -> Self {
        Self {
            tenant,
            role: role.into(),
        }
    }
}

/// A member of a tenant, as its list shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// The user.
    pub user: UserId,
    /// The user's mail address.
    pub email: String,
    /// The role's name.
    pub role: Box<str>,
}

impl Member {
    /// A member.
    #[must_use]
    pub fn new(user: UserId, email: impl Into<String>, role: impl Into<Box<str>>) -> Self {
        Self {
            user,
            email: email.into(),
            role: role.into(),
        }
    }
}

/// What became of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoveOutcome {
    /// The user is no longer a member.
    Removed,
    /// The user was none.
    NotAMember,
    /// The user is the last one with the tenant's highest role; nothing changed.
    LastOfRole,
}

/// What became of a change of role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoleOutcome {
    /// The user was no member and is one now.
    Added,
    /// The member has the role now.
    Changed,
    /// The user is the last one with the role that somebody must have; nothing changed.
    LastOfRole,
}

/// Where tenants and memberships live.
pub trait MembershipStore: Send + Sync {
    /// The user's membership in the tenant; `None` where there is no such tenant or no membership. A platform
    /// administrator (see [`AccountStore`](super::AccountStore)) is a member of every tenant that exists, with the role
    /// [`PLATFORM_ADMIN`](super::Account::PLATFORM_ADMIN).
    fn membership<'a>(
        &'a self,
        user: &'a UserId,
        tenant: TenantRef<'a>,
    ) -> BoxFuture<'a, Result<Option<Membership>, StoreError>>;

    /// The tenants of one kind to which the user belongs, by slug.
    fn memberships<'a>(
        &'a self,
        user: &'a UserId,
        kind: &'a TenantKind,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<Membership>, StoreError>>;

    /// The tenant's members, by mail address.
    fn members<'a>(
        &'a self,
        tenant: &'a TenantId,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<Member>, StoreError>>;

    /// Creates a tenant with its first member, in one step. [`InsertOutcome::IdTaken`] where the kind has the slug,
    /// or ever had it.
    fn create_tenant<'a>(
        &'a self,
        tenant: Tenant,
        first: &'a UserId,
        role: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<InsertOutcome>, StoreError>>;

    /// Makes the user a member with this role, or changes the role. Answers whether there was none before.
    fn put_member<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        role: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>>;

    /// Makes the user a member with this role, or changes the role, but never takes the role `keep` from the last member
    /// who has it. Judged and changed in one step, so that of several who give it up at once one keeps it.
    fn change_role<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        role: &'a str,
        keep: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<RoleOutcome>, StoreError>>;

    /// Ends a membership, but never that of the last member with the role `keep`. The user's sessions that were opened for the
    /// tenant end in the same step ([`SessionStore`](super::SessionStore)).
    fn remove_member<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        keep: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<RemoveOutcome>, StoreError>>;

    /// Changes the plan. Answers whether the tenant exists.
    fn set_plan<'a>(
        &'a self,
        tenant: &'a TenantId,
        plan: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>>;
}
