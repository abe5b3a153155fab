//! Choosing another password.

use std::net::IpAddr;

use gatewright_core::audit::AuditKind;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::principal::{SessionId, UserId};
use gatewright_core::store::{Account, MailedPurpose, PasswordChange};

use super::address::mail_address;
use super::{Accounts, Afterwards, Mail, NewPassword};
use crate::credential::store_failed;

impl Accounts {
    /// Mails a link by which a new password is chosen, if the address has an account. The answer is the same whether it
    /// has or not, and so is the time it takes; [what follows](Afterwards) is to be spawned.
    ///
    /// An account whose address is unproven gets a link that [proves it](Self::verify_email) instead, where a password is
    /// chosen as well: it can do nothing else before.
    ///
    /// # Errors
    /// `validation_error` for what is no mail address; `rate_limited` for a source that asks too often;
    /// `temporarily_unavailable` when the store cannot answer.
    pub async fn forgot_password(
        &self,
        email: &str,
        source: Option<IpAddr>,
    ) -> Result<Afterwards, AuthError> {
        let email = mail_address(email)?;
        self.limits.request(source, self.nanos())?;
        self.reach_store().await?;
        let accounts = self.clone();
        Ok(Afterwards::new(async move {
            match accounts.find(&email).await? {
                Some(account) if account.verified => accounts.mail_reset(&account).await,
                Some(account) => accounts.mail_verification(&account, None).await,
                None => Ok(()),
            }
        }))
    }

    /// Sets the password by a token that was mailed. Every session of the user ends, with its tokens, and so does every
    /// other token of that kind; the user is told by mail.
    ///
    /// # Errors
    /// `invalid_link` for a token that is unknown, has expired or was spent; `validation_error` for a password made of
    /// the account's address or name, the token being spent for it; `rate_limited` for a source that tries too often;
    /// `temporarily_unavailable` when the store or the hashing pool cannot answer.
    pub async fn reset_password(
        &self,
        token: &str,
        password: NewPassword,
        source: Option<IpAddr>,
    ) -> Result<UserId, AuthError> {
        self.limits.request(source, self.nanos())?;
        // Before the token is spent: it is good for another try when there is too much to hash.
        let hash = self.hash(&password).await?;
        let spent = self.spend(token, MailedPurpose::ResetPassword).await?;
        let account = self.store.account(&spent.user).await;
        let account = account
            .map_err(store_failed)?
            .filter(|account| account.verified)
            .ok_or(Cause::MailedTokenInvalid)?;
        password.suits(&[&account.email, &account.name])?;
        self.void_resets(&account.id).await?;
        let change = PasswordChange::new(&account.id, hash, self.now());
        if !self.set_password(change).await? {
            return Err(Cause::MailedTokenInvalid.into());
        }
        self.password_changed(&account, source);
        Ok(account.id)
    }

    /// Changes the password of a user who knows the present one; wrong ones count as failed logins do. Every session but
    /// `keep` ends, and every access token that was issued before; mailed links for a new password are void, and the user
    /// is told by mail.
    ///
    /// An account without a password gets its first one by [`forgot_password`](Self::forgot_password).
    ///
    /// # Errors
    /// `invalid_credentials` where `current` is not the password; `rate_limited` after too many failures;
    /// `validation_error` for a password made of the account's address or name; `conflict` where the password was changed
    /// at the same time; `not_found` where there is no such account; `temporarily_unavailable` when the store or the
    /// hashing pool cannot answer.
    pub async fn change_password(
        &self,
        user: &UserId,
        current: &str,
        password: NewPassword,
        keep: Option<&SessionId>,
        source: Option<IpAddr>,
    ) -> Result<(), AuthError> {
        let account = self.verified(user).await?;
        let email = &account.email;
        self.refuse_if_blocked(source, email)?;
        if !self.matches(account.password.as_ref(), current).await? {
            let nanos = self.nanos();
            self.limits.logins.record_failure(source, email, nanos);
            return Err(self.login_failed(Some(&account), source, Cause::WrongPassword));
        }
        // Again, or as many guesses as may run side by side would all be answered.
        self.refuse_if_blocked(source, email)?;
        password.suits(&[email, &account.name])?;
        let hash = self.hash(&password).await?;
        self.void_resets(user).await?;
        let mut change = PasswordChange::new(user, hash, self.now());
        // A reset that was made while this one hashed would be undone by somebody who knows an older password.
        change.expected = account.password.as_ref();
        change.keep = keep;
        if !self.set_password(change).await? {
            return Err(AuthError::new(ErrorCode::Conflict));
        }
        self.password_changed(&account, source);
        Ok(())
    }

    async fn verified(&self, user: &UserId) -> Result<Account, AuthError> {
        let account = self.store.account(user).await.map_err(store_failed)?;
        account
            .filter(|account| account.verified)
            .ok_or_else(|| AuthError::new(ErrorCode::NotFound))
    }

    /// Before the password changes: if only one of the two is done, it is this one.
    async fn void_resets(&self, user: &UserId) -> Result<(), AuthError> {
        let purpose = MailedPurpose::ResetPassword;
        let voided = self.store.void_mailed_tokens(user, purpose).await;
        voided.map(drop).map_err(store_failed)
    }

    fn password_changed(&self, account: &Account, source: Option<IpAddr>) {
        self.record(AuditKind::PasswordChanged, &account.id, source);
        let to = account.email.clone();
        self.mailer.send(Mail::PasswordChanged { to });
    }

    async fn mail_reset(&self, account: &Account) -> Result<(), AuthError> {
        let to = account.email.clone();
        if self.limits.mail("reset", &to, self.nanos()).is_err() {
            return Ok(());
        }
        let purpose = MailedPurpose::ResetPassword;
        let token = self.new_token(&account.id, purpose, None).await?;
        self.mailer.send(Mail::ResetPassword { to, token });
        Ok(())
    }
}
