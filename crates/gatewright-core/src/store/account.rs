//! People's accounts.

use super::{BoxFuture, InsertOutcome, StoreError, Unpublished};
use crate::hash::Phc;
use crate::principal::{SessionId, UserId};
use crate::time::Timestamp;

/// A person's account.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Account {
    /// The user's id, the `sub` of their tokens.
    pub id: UserId,
    /// The mail address, in lower case; unique.
    pub email: String,
    /// What the user is called.
    pub name: String,
    /// Whether the address was proven to be theirs; without that the account may not log in.
    pub verified: bool,
    /// Whether the user stands above the roles of every tenant.
    pub platform_admin: bool,
    /// The password's hash; `None` for accounts that log in elsewhere.
    pub password: Option<Phc>,
    /// When the account was made.
    pub created_at: Timestamp,
}

impl Account {
    /// The role that a platform administrator holds in every tenant. A role ladder that admits such users names it as
    /// its highest rung.
    pub const PLATFORM_ADMIN: &'static str = "platform_admin";

    /// An unverified account without a password.
    #[must_use]
    pub fn new(id: UserId, email: &str, created_at: Timestamp) -> Self {
        Self {
            id,
            email: email.to_lowercase(),
            name: String::new(),
            verified: false,
            platform_admin: false,
            password: None,
            created_at,
        }
    }
}

/// A new password of a user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PasswordChange<'a> {
    /// Whose it is.
    pub user: &'a UserId,
    /// The new password's hash.
    pub password: Phc,
    /// The hash that it replaces: with one, the password changes only if that still stands there.
    pub expected: Option<&'a Phc>,
    /// The session that goes on, if it is the user's; the others end.
    pub keep: Option<&'a SessionId>,
    /// Now, in whole seconds.
    pub now: Timestamp,
}

impl<'a> PasswordChange<'a> {
    /// A password in the place of whichever stands there, or of none. Every session of the user ends.
    #[must_use]
    pub const fn new(user: &'a UserId, password: Phc, now: Timestamp) -> Self {
        Self {
            user,
            password,
            expected: None,
            keep: None,
            now,
        }
    }
}

/// Where accounts live.
pub trait AccountStore: Send + Sync {
    /// The account with this mail address, upper and lower case being the same.
    fn account_by_email<'a>(
        &'a self,
        email: &'a str,
    ) -> BoxFuture<'a, Result<Option<Account>, StoreError>>;

    /// The account with this id.
    fn account<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Option<Account>, StoreError>>;

    /// Stores a new account, unless its id or mail address is taken.
    fn insert_account(&self, account: Account) -> BoxFuture<'_, Result<InsertOutcome, StoreError>>;

    /// Marks the account's address as proven, and sets its password where it has none and one is given. Answers whether it
    /// was unproven before; an account that was proven stays as it is.
    fn verify_account<'a>(
        &'a self,
        user: &'a UserId,
        password: Option<Phc>,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Changes what the user is called. Answers whether the account exists.
    fn set_name<'a>(
        &'a self,
        user: &'a UserId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Changes the password, raises the user's epoch and ends the user's sessions but the one to keep, all in one step:
    /// every token issued before is refused, and no session that was open before is carried on.
    ///
    /// Answers whether it was done; otherwise the account does not exist, or has another password than the expected one by
    /// now.
    fn set_password<'a>(
        &'a self,
        change: PasswordChange<'a>,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>>;

    /// Replaces the password's hash by a newer one of the same password, only if `old` still stands there. The
    /// user's tokens stay valid.
    fn swap_password<'a>(
        &'a self,
        user: &'a UserId,
        old: &'a Phc,
        new: Phc,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;
}
