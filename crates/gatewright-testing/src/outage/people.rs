//! What is kept of people: accounts, sessions, mail, invites and links.

use gatewright_core::hash::Phc;
use gatewright_core::principal::{SessionId, TenantId, UserId};
use gatewright_core::session::TokenDigest;
use gatewright_core::store::{
    AcceptOutcome, Account, AccountStore, InsertOutcome, Invite, InviteStore, LinkedLogin,
    LinkedLoginStore, MailedPurpose, MailedToken, MailedTokenStore, OpenOutcome, Page, PageRequest,
    PasswordChange, RefreshRecord, RefreshRotation, SessionFilter, SessionRecord, SessionStore,
    UnlinkOutcome, Unpublished,
};
use gatewright_core::time::Timestamp;

use super::{Answer, Outage};

impl<S: AccountStore> AccountStore for Outage<S> {
    fn account_by_email<'a>(&'a self, email: &'a str) -> Answer<'a, Option<Account>> {
        self.reach(|store| store.account_by_email(email))
    }

    fn account<'a>(&'a self, user: &'a UserId) -> Answer<'a, Option<Account>> {
        self.reach(|store| store.account(user))
    }

    fn insert_account(&self, account: Account) -> Answer<'_, InsertOutcome> {
        self.reach(|store| store.insert_account(account))
    }

    fn verify_account<'a>(&'a self, user: &'a UserId, password: Option<Phc>) -> Answer<'a, bool> {
        self.reach(|store| store.verify_account(user, password))
    }

    fn set_name<'a>(&'a self, user: &'a UserId, name: &'a str) -> Answer<'a, bool> {
        self.reach(|store| store.set_name(user, name))
    }

    fn set_password<'a>(&'a self, change: PasswordChange<'a>) -> Answer<'a, Unpublished<bool>> {
        self.reach(|store| store.set_password(change))
    }

    fn swap_password<'a>(&'a self, user: &'a UserId, old: &'a Phc, new: Phc) -> Answer<'a, bool> {
        self.reach(|store| store.swap_password(user, old, new))
    }
}

impl<S: SessionStore> SessionStore for Outage<S> {
    fn open_session(
        &self,
        session: SessionRecord,
        first: Option<TokenDigest>,
        epoch: Option<u64>,
    ) -> Answer<'_, OpenOutcome> {
        self.reach(|store| store.open_session(session, first, epoch))
    }

    fn session<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Option<SessionRecord>> {
        self.reach(|store| store.session(session))
    }

    fn find_refresh<'a>(&'a self, token: &'a TokenDigest) -> Answer<'a, Option<RefreshRecord>> {
        self.reach(|store| store.find_refresh(token))
    }

    fn rotate_refresh<'a>(&'a self, rotation: RefreshRotation<'a>) -> Answer<'a, bool> {
        self.reach(|store| store.rotate_refresh(rotation))
    }

    fn live_sessions<'a>(
        &'a self,
        user: &'a UserId,
        now: Timestamp,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<SessionRecord>> {
        self.reach(|store| store.live_sessions(user, now, page))
    }

    fn end_sessions<'a>(
        &'a self,
        user: &'a UserId,
        which: SessionFilter<'a>,
        now: Timestamp,
    ) -> Answer<'a, Unpublished<Vec<SessionId>>> {
        self.reach(|store| store.end_sessions(user, which, now))
    }

    fn forget_sessions(&self, now: Timestamp, keep_secs: u64) -> Answer<'_, u64> {
        self.reach(|store| store.forget_sessions(now, keep_secs))
    }
}

impl<S: MailedTokenStore> MailedTokenStore for Outage<S> {
    fn put_mailed_token(&self, token: MailedToken) -> Answer<'_, ()> {
        self.reach(|store| store.put_mailed_token(token))
    }

    fn spend_mailed_token<'a>(
        &'a self,
        digest: &'a TokenDigest,
        purpose: MailedPurpose,
        now: Timestamp,
    ) -> Answer<'a, Option<MailedToken>> {
        self.reach(|store| store.spend_mailed_token(digest, purpose, now))
    }

    fn strip_mailed_passwords<'a>(
        &'a self,
        user: &'a UserId,
        purpose: MailedPurpose,
    ) -> Answer<'a, u64> {
        self.reach(|store| store.strip_mailed_passwords(user, purpose))
    }

    fn void_mailed_tokens<'a>(
        &'a self,
        user: &'a UserId,
        purpose: MailedPurpose,
    ) -> Answer<'a, u64> {
        self.reach(|store| store.void_mailed_tokens(user, purpose))
    }

    fn forget_mailed_tokens(&self, now: Timestamp) -> Answer<'_, u64> {
        self.reach(|store| store.forget_mailed_tokens(now))
    }
}

impl<S: InviteStore> InviteStore for Outage<S> {
    fn insert_invite(&self, invite: Invite, digest: TokenDigest) -> Answer<'_, InsertOutcome> {
        self.reach(|store| store.insert_invite(invite, digest))
    }

    fn invites<'a>(
        &'a self,
        tenant: &'a TenantId,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<Invite>> {
        self.reach(|store| store.invites(tenant, page))
    }

    fn invite_by_token<'a>(
        &'a self,
        digest: &'a TokenDigest,
        now: Timestamp,
    ) -> Answer<'a, Option<Invite>> {
        self.reach(|store| store.invite_by_token(digest, now))
    }

    fn withdraw_invite<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> Answer<'a, bool> {
        self.reach(|store| store.withdraw_invite(tenant, id))
    }

    fn accept_invite<'a>(
        &'a self,
        digest: &'a TokenDigest,
        user: &'a UserId,
        now: Timestamp,
    ) -> Answer<'a, Unpublished<AcceptOutcome>> {
        self.reach(|store| store.accept_invite(digest, user, now))
    }

    fn forget_invites(&self, now: Timestamp) -> Answer<'_, u64> {
        self.reach(|store| store.forget_invites(now))
    }
}

impl<S: LinkedLoginStore> LinkedLoginStore for Outage<S> {
    fn linked_login<'a>(
        &'a self,
        issuer: &'a str,
        subject: &'a str,
    ) -> Answer<'a, Option<LinkedLogin>> {
        self.reach(|store| store.linked_login(issuer, subject))
    }

    fn link_login(&self, link: LinkedLogin) -> Answer<'_, InsertOutcome> {
        self.reach(|store| store.link_login(link))
    }

    fn linked_logins<'a>(
        &'a self,
        user: &'a UserId,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<LinkedLogin>> {
        self.reach(|store| store.linked_logins(user, page))
    }

    fn unlink_login<'a>(&'a self, user: &'a UserId, id: &'a str) -> Answer<'a, UnlinkOutcome> {
        self.reach(|store| store.unlink_login(user, id))
    }
}
