//! People's accounts.

use gatewright_core::hash::Phc;
use gatewright_core::principal::UserId;
use gatewright_core::store::{
    Account, AccountStore, BoxFuture, ChangeKey, InsertOutcome, PasswordChange, SessionFilter,
    StoreError, Unpublished,
};

use crate::dialect::{Arg, Columns, Dialect};
use crate::revocation::raise_user_epoch;
use crate::session::{end_sessions, session_changed};
use crate::store::SqlStore;

pub(crate) const BY_EMAIL: &str =
    "SELECT id, email, name, verified, platform_admin, password, created_at
    FROM accounts WHERE email = $1";
pub(crate) const BY_ID: &str =
    "SELECT id, email, name, verified, platform_admin, password, created_at
    FROM accounts WHERE id = $1";
const ADD: &str =
    "INSERT INTO accounts (id, email, name, verified, platform_admin, password, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
// Whoever was made a member before the account was stands in the list without an address.
pub(crate) const NAME_MEMBER: &str = "UPDATE memberships SET email = $2 WHERE user_id = $1";
pub(crate) const SET_PASSWORD: &str = "UPDATE accounts SET password = $2
    WHERE id = $1 AND ($3 IS NULL OR password = $3)";
pub(crate) const SWAP_PASSWORD: &str =
    "UPDATE accounts SET password = $3 WHERE id = $1 AND password = $2";
pub(crate) const VERIFY: &str =
    "UPDATE accounts SET verified = 1, password = COALESCE(password, $2)
    WHERE id = $1 AND verified = 0";
pub(crate) const SET_NAME: &str = "UPDATE accounts SET name = $2 WHERE id = $1";
const SET_PLATFORM_ADMIN: &str = "UPDATE accounts SET platform_admin = $2 WHERE id = $1";

impl<D: Dialect> AccountStore for SqlStore<D> {
    fn account_by_email<'a>(
        &'a self,
        email: &'a str,
    ) -> BoxFuture<'a, Result<Option<Account>, StoreError>> {
        Box::pin(async move {
            let email = email.to_lowercase();
            let row = self.read_first(BY_EMAIL, &[email.as_str().into()]).await?;
            row.as_ref().map(account::<D>).transpose()
        })
    }

    fn account<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Option<Account>, StoreError>> {
        Box::pin(async move {
            let row = self.read_first(BY_ID, &[user.as_str().into()]).await?;
            row.as_ref().map(account::<D>).transpose()
        })
    }

    fn insert_account(&self, account: Account) -> BoxFuture<'_, Result<InsertOutcome, StoreError>> {
        Box::pin(async move {
            let email = account.email.to_lowercase();
            let user = account.id.as_str();
            let args = [
                user.into(),
                email.as_str().into(),
                account.name.as_str().into(),
                account.verified.into(),
                account.platform_admin.into(),
                account.password.as_ref().map(Phc::as_str).into(),
                account.created_at.into(),
            ];
            let mut write = self.write().await?;
            if write.execute(ADD, &args).await? == 0 {
                return Ok(InsertOutcome::IdTaken);
            }
            write
                .execute(NAME_MEMBER, &[user.into(), email.as_str().into()])
                .await?;
            write.commit().await?;
            Ok(InsertOutcome::Inserted)
        })
    }

    fn verify_account<'a>(
        &'a self,
        user: &'a UserId,
        password: Option<Phc>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let password = password.as_ref().map(Phc::as_str);
            let args = [user.as_str().into(), password.into()];
            let verified = write.execute(VERIFY, &args).await?;
            write.commit().await?;
            Ok(verified > 0)
        })
    }

    fn set_name<'a>(
        &'a self,
        user: &'a UserId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let args = [user.as_str().into(), name.into()];
            let named = write.execute(SET_NAME, &args).await?;
            write.commit().await?;
            Ok(named > 0)
        })
    }

    fn set_password<'a>(
        &'a self,
        change: PasswordChange<'a>,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>> {
        Box::pin(async move {
            let (user, now) = (change.user, change.now);
            let mut write = self.write().await?;
            let args = [
                user.as_str().into(),
                change.password.as_str().into(),
                change.expected.map(Phc::as_str).into(),
            ];
            if write.execute(SET_PASSWORD, &args).await? == 0 {
                return Ok(Unpublished::unchanged(false));
            }
            raise_user_epoch(&mut write, user).await?;
            let which = change
                .keep
                .map_or(SessionFilter::All, SessionFilter::Except);
            let ended = end_sessions(&mut write, user, which, now).await?;
            let mut keys = vec![changed(user)];
            keys.extend(ended.iter().map(session_changed));
            write.publish(true, keys).await
        })
    }

    fn swap_password<'a>(
        &'a self,
        user: &'a UserId,
        old: &'a Phc,
        new: Phc,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let args = [
                user.as_str().into(),
                old.as_str().into(),
                new.as_str().into(),
            ];
            let swapped = write.execute(SWAP_PASSWORD, &args).await?;
            write.commit().await?;
            Ok(swapped > 0)
        })
    }
}

/// What the traits leave to a service's own ways: who stands above all tenants.
impl<D: Dialect> SqlStore<D> {
    /// Makes the user a platform administrator or ends that. Answers whether the account exists.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the database does not answer.
    pub async fn set_platform_admin(
        &self,
        user: &UserId,
        admin: bool,
    ) -> Result<Unpublished<bool>, StoreError> {
        let mut write = self.write().await?;
        let args: [Arg<'_>; 2] = [user.as_str().into(), admin.into()];
        if write.execute(SET_PLATFORM_ADMIN, &args).await? == 0 {
            return Ok(Unpublished::unchanged(false));
        }
        write.publish(true, vec![changed(user)]).await
    }
}

fn account<D: Dialect>(row: &D::Row) -> Result<Account, StoreError> {
    let mut columns = Columns::<D>::of(row);
    let id = columns.parse("accounts.id", UserId::new)?;
    let email = columns.text("accounts.email")?;
    let name = columns.text("accounts.name")?.to_owned();
    let verified = columns.flag("accounts.verified")?;
    let platform_admin = columns.flag("accounts.platform_admin")?;
    let password = columns
        .text_or_null("accounts.password")?
        .map(|hash| {
            hash.parse()
                .map_err(|_| StoreError::Corrupt("accounts.password"))
        })
        .transpose()?;
    let mut account = Account::new(id, email, columns.number("accounts.created_at")?);
    account.name = name;
    account.verified = verified;
    account.platform_admin = platform_admin;
    account.password = password;
    Ok(account)
}

fn changed(user: &UserId) -> ChangeKey {
    ChangeKey::User(user.as_str().into())
}
