//! Signing up, and proving an address.

use std::net::IpAddr;

use gatewright_core::audit::AuditKind;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::hash::Phc;
use gatewright_core::store::{Account, InsertOutcome, MailedPurpose};

use super::address::{display_name, mail_address};
use super::{Accounts, Afterwards, Mail, NewPassword, new_user_id};
use crate::credential::store_failed;

/// What became of a sign-up. Never for the eyes of who signed up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SignedUp {
    /// A new account, unverified. A service that gives each user something of their own makes it now, or when the
    /// address is [proven](Accounts::verify_email); the former is lost when the process ends in between.
    New(Account),
    /// The address has an account that nobody has verified: another link was mailed, with this sign-up's password.
    Unverified,
    /// The address has a verified account, whose holder was told.
    Registered,
}

impl Accounts {
    /// Signs somebody up. The answer is the same whether the address has an account or not, and so is the time it takes;
    /// [what follows](Afterwards) is to be spawned.
    ///
    /// A new account is unverified and has no password until its address is [proven](Self::verify_email). `name` may be
    /// empty.
    ///
    /// # Errors
    /// `validation_error` for what is no mail address or no name, and for a password made of them; `rate_limited` for a
    /// source that signs up too often; `temporarily_unavailable` when the store or the hashing pool cannot answer.
    pub async fn sign_up(
        &self,
        email: &str,
        password: NewPassword,
        name: &str,
        source: Option<IpAddr>,
    ) -> Result<Afterwards<SignedUp>, AuthError> {
        let (email, name) = (mail_address(email)?, display_name(name)?);
        password.suits(&[&email, &name])?;
        self.limits.request(source, self.nanos())?;
        // Hashed whoever it is for, and before anything is known: the time of it tells nothing.
        let hash = self.hash(&password).await?;
        self.reach_store().await?;
        let accounts = self.clone();
        Ok(Afterwards::new(async move {
            let account = match accounts.find(&email).await? {
                Some(account) => account,
                None => match accounts.insert(&email, name, source).await? {
                    Ok(new) => {
                        accounts.mail_verification(&new, Some(hash)).await?;
                        return Ok(SignedUp::New(new));
                    }
                    Err(existing) => existing,
                },
            };
            if account.verified {
                accounts.mail_registered(account.email);
                return Ok(SignedUp::Registered);
            }
            accounts.mail_verification(&account, Some(hash)).await?;
            Ok(SignedUp::Unverified)
        }))
    }

    /// Mails another link to prove an address, if it has an account that is unverified. The answer is the same whether it
    /// has or not, and so is the time it takes; [what follows](Afterwards) is to be spawned.
    ///
    /// The link carries the password that is given here, and none if none is given: never that of an earlier sign-up,
    /// which may have been somebody else's. Without one, the password is chosen where the link is followed.
    ///
    /// # Errors
    /// As [`sign_up`](Self::sign_up).
    pub async fn resend_verification(
        &self,
        email: &str,
        password: Option<NewPassword>,
        source: Option<IpAddr>,
    ) -> Result<Afterwards, AuthError> {
        let email = mail_address(email)?;
        let hash = match password {
            Some(password) => {
                password.suits(&[&email])?;
                self.limits.request(source, self.nanos())?;
                Some(self.hash(&password).await?)
            }
            None => {
                self.limits.request(source, self.nanos())?;
                None
            }
        };
        self.reach_store().await?;
        let accounts = self.clone();
        Ok(Afterwards::new(async move {
            let found = accounts.find(&email).await?;
            match found.filter(|account| !account.verified) {
                Some(account) => accounts.mail_verification(&account, hash).await,
                None => Ok(()),
            }
        }))
    }

    /// Proves an address by the token that was mailed there, and makes the password of that token the account's; or
    /// `password`, which its holder chooses now. Every other token of that kind is void from then on.
    ///
    /// An account that has no password even then can get one by [`forgot_password`](Self::forgot_password).
    ///
    /// # Errors
    /// `invalid_link` for a token that is unknown, has expired or was spent, and where the account is verified already;
    /// `validation_error` for a password made of the account's address or name, the token being spent for it;
    /// `rate_limited` for a source that sends too many passwords; `temporarily_unavailable` when the store or the
    /// hashing pool cannot answer.
    pub async fn verify_email(
        &self,
        token: &str,
        password: Option<NewPassword>,
        source: Option<IpAddr>,
    ) -> Result<Account, AuthError> {
        let chosen = match &password {
            Some(password) => {
                self.limits.request(source, self.nanos())?;
                Some(self.hash(password).await?)
            }
            None => None,
        };
        let spent = self.spend(token, MailedPurpose::VerifyEmail).await?;
        let account = self.store.account(&spent.user).await;
        let mut account = account
            .map_err(store_failed)?
            .filter(|account| !account.verified)
            .ok_or(Cause::MailedTokenInvalid)?;
        if let Some(password) = &password {
            password.suits(&[&account.email, &account.name])?;
        }
        let hash = chosen.or(spent.password);
        if !self.activate(&account, hash.clone()).await? {
            // Somebody else was quicker, with another token: it is not this one's password that is valid.
            return Err(Cause::MailedTokenInvalid.into());
        }
        self.record(AuditKind::AddressVerified, &account.id, source);
        account.verified = true;
        account.password = hash.or(account.password);
        Ok(account)
    }

    /// A new account; or the one that somebody has made of this address in the meantime.
    async fn insert(
        &self,
        email: &str,
        name: String,
        source: Option<IpAddr>,
    ) -> Result<Result<Account, Account>, AuthError> {
        let mut account = Account::new(new_user_id()?, email, self.now());
        account.name = name;
        let inserted = self.store.insert_account(account.clone()).await;
        if inserted.map_err(store_failed)? == InsertOutcome::Inserted {
            self.record(AuditKind::SignedUp, &account.id, source);
            return Ok(Ok(account));
        }
        let existing = self.find(email).await?;
        existing
            .map(Err)
            .ok_or_else(|| AuthError::new(ErrorCode::InternalError))
    }

    /// Mails a token that proves the account's address, unless too many were of late.
    ///
    /// Whoever signs up and gets no mail for it may follow a link that was mailed for somebody else's sign-up: whoever used
    /// the mails up before them. So no link that is out carries a password from then on; it is chosen where one is followed.
    pub(super) async fn mail_verification(
        &self,
        account: &Account,
        password: Option<Phc>,
    ) -> Result<(), AuthError> {
        let to = account.email.clone();
        let purpose = MailedPurpose::VerifyEmail;
        if self.limits.mail("verify", &to, self.nanos()).is_err() {
            if password.is_some() {
                let stripped = self.store.strip_mailed_passwords(&account.id, purpose);
                stripped.await.map_err(store_failed)?;
            }
            return Ok(());
        }
        let token = self.new_token(&account.id, purpose, password).await?;
        self.mailer.send(Mail::VerifyAddress { to, token });
        Ok(())
    }

    fn mail_registered(&self, to: String) {
        if self.limits.mail("registered", &to, self.nanos()).is_ok() {
            self.mailer.send(Mail::AlreadyRegistered { to });
        }
    }
}
