//! What is sent to people by mail, and who they are elsewhere.

use super::{BoxFuture, InsertOutcome, Page, PageRequest, StoreError, Unpublished};
use crate::hash::Phc;
use crate::principal::{Tenant, TenantId, UserId};
use crate::session::TokenDigest;
use crate::time::Timestamp;

/// What a mailed token is good for. One for one purpose is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MailedPurpose {
    /// Proves that the address of an account is its holder's.
    VerifyEmail,
    /// Sets a new password.
    ResetPassword,
}

impl MailedPurpose {
    /// The name in stores, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }

    /// The purpose of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::VerifyEmail, Self::ResetPassword];
        all.into_iter().find(|purpose| purpose.as_str() == name)
    }
}

/// A token that was mailed to somebody, as it is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MailedToken {
    /// What the token is found by.
    pub digest: TokenDigest,
    /// What it is good for.
    pub purpose: MailedPurpose,
    /// Whose account it is about.
    pub user: UserId,
    /// The password that was chosen together with it, which becomes the account's when the token is spent: whoever signs up
    /// with somebody else's address never chose the password of the account that its holder confirms.
    pub password: Option<Phc>,
    /// From when it is worth nothing, in seconds since the epoch.
    pub expires_at: Timestamp,
}

impl MailedToken {
    /// A token without a password.
    #[must_use]
    pub const fn new(
        digest: TokenDigest,
        purpose: MailedPurpose,
        user: UserId,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            digest,
            purpose,
            user,
            password: None,
            expires_at,
        }
    }
}

/// Where mailed tokens live.
pub trait MailedTokenStore: Send + Sync {
    /// Keeps a token. Earlier ones stay good: what was mailed last need not arrive last. One that is kept already stays as it
    /// is.
    fn put_mailed_token(&self, token: MailedToken) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Takes out the token, once and for this purpose alone; `None` for one that is unknown, was spent, or has expired.
    fn spend_mailed_token<'a>(
        &'a self,
        digest: &'a TokenDigest,
        purpose: MailedPurpose,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<MailedToken>, StoreError>>;

    /// Takes the passwords out of the user's tokens for this purpose, which stay good without. Answers of how many.
    fn strip_mailed_passwords<'a>(
        &'a self,
        user: &'a UserId,
        purpose: MailedPurpose,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Deletes every token of the user for this purpose. Answers how many.
    fn void_mailed_tokens<'a>(
        &'a self,
        user: &'a UserId,
        purpose: MailedPurpose,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Deletes what has expired. Answers how many.
    fn forget_mailed_tokens(&self, now: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>>;
}

/// An invitation of a mail address to a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invite {
    /// The public id, by which the tenant's admins name it.
    pub id: Box<str>,
    /// The tenant, as it is now.
    pub tenant: Tenant,
    /// The address that is invited, in lower case.
    pub email: String,
    /// The role that is offered.
    pub role: Box<str>,
    /// Who invites. Their own role is judged again when the invite is accepted.
    pub inviter: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it is worth nothing, in seconds since the epoch.
    pub expires_at: Timestamp,
}

impl Invite {
    /// An invitation.
    #[must_use]
    pub fn new(
        id: impl Into<Box<str>>,
        tenant: Tenant,
        email: &str,
        role: impl Into<Box<str>>,
        inviter: UserId,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            id: id.into(),
            tenant,
            email: email.to_lowercase(),
            role: role.into(),
            inviter,
            created_at,
            expires_at,
        }
    }
}

/// What became of an invite that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptOutcome {
    /// The user is a member now, with the role of the invite.
    Joined,
    /// The user was a member already. The role stayed as it was; the invite is spent.
    AlreadyMember,
    /// There is no such invite, or not any more: it was withdrawn, spent, or has expired.
    NoSuchInvite,
}

/// Where invites live.
pub trait InviteStore: Send + Sync {
    /// Keeps an invite. An earlier one of the same address to the same tenant is taken out in the same step.
    /// [`InsertOutcome::IdTaken`] where the id or the digest is known; then nothing changed. A tenant that does not exist is
    /// an error.
    fn insert_invite(
        &self,
        invite: Invite,
        digest: TokenDigest,
    ) -> BoxFuture<'_, Result<InsertOutcome, StoreError>>;

    /// The tenant's open invites, the oldest first. Those that have expired are among them until they are forgotten.
    fn invites<'a>(
        &'a self,
        tenant: &'a TenantId,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<Invite>, StoreError>>;

    /// The invite with this token, if it is good at this time.
    fn invite_by_token<'a>(
        &'a self,
        digest: &'a TokenDigest,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Invite>, StoreError>>;

    /// Takes an invite back. Answers whether the tenant had it.
    fn withdraw_invite<'a>(
        &'a self,
        tenant: &'a TenantId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Spends the invite and makes the user a member, in one step.
    fn accept_invite<'a>(
        &'a self,
        digest: &'a TokenDigest,
        user: &'a UserId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<AcceptOutcome>, StoreError>>;

    /// Deletes what has expired. Answers how many.
    fn forget_invites(&self, now: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>>;
}

/// An account's other name, at an identity provider that its holder logs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkedLogin {
    /// The public id, by which its holder names it.
    pub id: Box<str>,
    /// The account.
    pub user: UserId,
    /// The provider's `iss`.
    pub issuer: Box<str>,
    /// The provider's `sub`.
    pub subject: Box<str>,
    /// The address that the provider knew when it was linked, for its holder to recognise it by.
    pub email: String,
    /// When it was linked.
    pub linked_at: Timestamp,
}

impl LinkedLogin {
    /// A link.
    #[must_use]
    pub fn new(
        id: impl Into<Box<str>>,
        user: UserId,
        issuer: impl Into<Box<str>>,
        subject: impl Into<Box<str>>,
        email: &str,
        linked_at: Timestamp,
    ) -> Self {
        Self {
            id: id.into(),
            user,
            issuer: issuer.into(),
            subject: subject.into(),
            email: email.to_lowercase(),
            linked_at,
        }
    }
}

/// Where the links of accounts to identity providers live.
pub trait LinkedLoginStore: Send + Sync {
    /// The link of this subject of this issuer.
    fn linked_login<'a>(
        &'a self,
        issuer: &'a str,
        subject: &'a str,
    ) -> BoxFuture<'a, Result<Option<LinkedLogin>, StoreError>>;

    /// Links a subject to an account. [`InsertOutcome::IdTaken`] where the id is known or the subject is linked already.
    fn link_login(&self, link: LinkedLogin) -> BoxFuture<'_, Result<InsertOutcome, StoreError>>;

    /// The account's links, the oldest first.
    fn linked_logins<'a>(
        &'a self,
        user: &'a UserId,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<LinkedLogin>, StoreError>>;

    /// Ends a link, but never the last way in: of an account with neither a password nor another link. Judged and done in one
    /// step.
    fn unlink_login<'a>(
        &'a self,
        user: &'a UserId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<UnlinkOutcome, StoreError>>;
}

/// What became of a link that was to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnlinkOutcome {
    /// It is no more.
    Unlinked,
    /// The account has no such link.
    NoSuchLink,
    /// It is the account's last way in; nothing changed.
    LastWayIn,
}
