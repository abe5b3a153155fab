//! Accounts.

use std::collections::HashMap;

use super::MemoryStore;
use super::sessions::session_changed;
use crate::hash::Phc;
use crate::principal::UserId;
use crate::store::{
    Account, AccountStore, BoxFuture, ChangeKey, InsertOutcome, PasswordChange, SessionFilter,
    StoreError, Unpublished,
};

/// Accounts by id, and the id of each mail address in lower case.
#[derive(Default)]
pub(super) struct Accounts {
    by_id: HashMap<UserId, Account>,
    by_email: HashMap<String, UserId>,
}

impl Accounts {
    pub(super) fn is_platform_admin(&self, user: &UserId) -> bool {
        self.by_id
            .get(user)
            .is_some_and(|account| account.platform_admin)
    }

    /// The user's mail address; empty for one without an account.
    pub(super) fn email(&self, user: &UserId) -> &str {
        self.by_id.get(user).map_or("", |account| &account.email)
    }

    pub(super) fn has_password(&self, user: &UserId) -> bool {
        self.by_id
            .get(user)
            .is_some_and(|account| account.password.is_some())
    }

    fn insert(&mut self, mut account: Account) -> InsertOutcome {
        account.email = account.email.to_lowercase();
        if self.by_id.contains_key(&account.id) || self.by_email.contains_key(&account.email) {
            return InsertOutcome::IdTaken;
        }
        self.by_email
            .insert(account.email.clone(), account.id.clone());
        self.by_id.insert(account.id.clone(), account);
        InsertOutcome::Inserted
    }

    fn swap_password(&mut self, user: &UserId, old: &Phc, new: Phc) -> bool {
        let standing = self
            .by_id
            .get_mut(user)
            .and_then(|account| account.password.as_mut());
        match standing {
            Some(hash) if hash.as_str() == old.as_str() => {
                *hash = new;
                true
            }
            _ => false,
        }
    }
}

impl AccountStore for MemoryStore {
    fn account_by_email<'a>(
        &'a self,
        email: &'a str,
    ) -> BoxFuture<'a, Result<Option<Account>, StoreError>> {
        Box::pin(async move {
            let state = self.read();
            let user = state.accounts.by_email.get(&email.to_lowercase());
            Ok(user
                .and_then(|user| state.accounts.by_id.get(user))
                .cloned())
        })
    }

    fn account<'a>(
        &'a self,
        user: &'a UserId,
    ) -> BoxFuture<'a, Result<Option<Account>, StoreError>> {
        Box::pin(async move { Ok(self.read().accounts.by_id.get(user).cloned()) })
    }

    fn insert_account(&self, account: Account) -> BoxFuture<'_, Result<InsertOutcome, StoreError>> {
        Box::pin(async move { Ok(self.write().accounts.insert(account)) })
    }

    fn verify_account<'a>(
        &'a self,
        user: &'a UserId,
        password: Option<Phc>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            let account = state.accounts.by_id.get_mut(user);
            let Some(account) = account.filter(|account| !account.verified) else {
                return Ok(false);
            };
            account.verified = true;
            if account.password.is_none() {
                account.password = password;
            }
            Ok(true)
        })
    }

    fn set_name<'a>(
        &'a self,
        user: &'a UserId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            let account = state.accounts.by_id.get_mut(user);
            Ok(account
                .map(|account| name.clone_into(&mut account.name))
                .is_some())
        })
    }

    fn set_password<'a>(
        &'a self,
        change: PasswordChange<'a>,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>> {
        Box::pin(async move {
            let PasswordChange {
                user,
                password,
                expected,
                keep,
                now,
            } = change;
            let mut state = self.write();
            let account = state.accounts.by_id.get_mut(user);
            let Some(account) = account.filter(|account| {
                let stands = account.password.as_ref().map(Phc::as_str);
                expected.is_none_or(|expected| stands == Some(expected.as_str()))
            }) else {
                return Ok(Unpublished::unchanged(false));
            };
            account.password = Some(password);
            state.revocations.raise_user(user.as_str());
            let which = keep.map_or(SessionFilter::All, SessionFilter::Except);
            let ended = state.end_sessions(user, which, Some(now));
            let mut keys = vec![ChangeKey::User(user.as_str().into())];
            keys.extend(ended.iter().map(session_changed));
            Ok(Unpublished::new(true, keys))
        })
    }

    fn swap_password<'a>(
        &'a self,
        user: &'a UserId,
        old: &'a Phc,
        new: Phc,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.write().accounts.swap_password(user, old, new)) })
    }
}
