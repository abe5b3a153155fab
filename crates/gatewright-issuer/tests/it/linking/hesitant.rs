//! A store that takes its time, as one behind a network does, and fails when it is told to.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use gatewright_core::hash::Phc;
use gatewright_core::principal::{SessionId, UserId};
use gatewright_core::session::TokenDigest;
use gatewright_core::store::{
    Account, AccountStore, BoxFuture, InsertOutcome, LinkedLogin, LinkedLoginStore, MailedPurpose,
    MailedToken, MailedTokenStore, MemoryStore, OpenOutcome, Page, PageRequest, PasswordChange,
    RefreshRecord, RefreshRotation, RevocationStore, SessionFilter, SessionRecord, SessionStore,
    StoreError, TokenRef, TokenStanding, UnlinkOutcome, Unpublished,
};
use gatewright_core::time::Timestamp;
use tokio::task::yield_now;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

pub(super) struct Hesitant {
    store: MemoryStore,
    /// From which pauses are drawn: the same ones for the same seed.
    seed: AtomicU64,
    calls: AtomicUsize,
    fails_at: usize,
}

impl Hesitant {
    /// Lets others go first now and then, and fails at one call, counted from 0.
    pub(super) fn over(store: MemoryStore, seed: u64, fails_at: usize) -> Self {
        Self {
            store,
            seed: AtomicU64::new(seed),
            calls: AtomicUsize::new(0),
            fails_at,
        }
    }

    /// Knuth's generator of MMIX, whose upper bits are good enough to mix calls up.
    fn pauses(&self) -> u64 {
        let next = |seed: u64| Some(seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        let drawn = self.seed.fetch_update(SeqCst, SeqCst, next);
        (drawn.unwrap_or_default() >> 33) % 5
    }

    fn reach<'a, T: Send + 'a>(
        &'a self,
        call: impl FnOnce(&'a MemoryStore) -> Answer<'a, T> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            for _ in 0..self.pauses() {
                yield_now().await;
            }
            if self.calls.fetch_add(1, SeqCst) == self.fails_at {
                let error = io::Error::from(io::ErrorKind::ConnectionReset);
                return Err(StoreError::unavailable(error));
            }
            call(&self.store).await
        })
    }
}

impl AccountStore for Hesitant {
    fn account_by_email<'a>(&'a self, email: &'a str) -> Answer<'a, Option<Account>> {
        self.reach(move |store| store.account_by_email(email))
    }

    fn account<'a>(&'a self, user: &'a UserId) -> Answer<'a, Option<Account>> {
        self.reach(move |store| store.account(user))
    }

    fn insert_account(&self, account: Account) -> Answer<'_, InsertOutcome> {
        self.reach(move |store| store.insert_account(account))
    }

    fn verify_account<'a>(&'a self, user: &'a UserId, password: Option<Phc>) -> Answer<'a, bool> {
        self.reach(move |store| store.verify_account(user, password))
    }

    fn set_name<'a>(&'a self, user: &'a UserId, name: &'a str) -> Answer<'a, bool> {
        self.reach(move |store| store.set_name(user, name))
    }

    fn set_password<'a>(&'a self, change: PasswordChange<'a>) -> Answer<'a, Unpublished<bool>> {
        self.reach(move |store| store.set_password(change))
    }

    fn swap_password<'a>(&'a self, user: &'a UserId, old: &'a Phc, new: Phc) -> Answer<'a, bool> {
        self.reach(move |store| store.swap_password(user, old, new))
    }
}

impl SessionStore for Hesitant {
    fn open_session(
        &self,
        session: SessionRecord,
        first: Option<TokenDigest>,
        epoch: Option<u64>,
    ) -> Answer<'_, OpenOutcome> {
        self.reach(move |store| store.open_session(session, first, epoch))
    }

    fn session<'a>(&'a self, session: &'a SessionId) -> Answer<'a, Option<SessionRecord>> {
        self.reach(move |store| store.session(session))
    }

    fn find_refresh<'a>(&'a self, token: &'a TokenDigest) -> Answer<'a, Option<RefreshRecord>> {
        self.reach(move |store| store.find_refresh(token))
    }

    fn rotate_refresh<'a>(&'a self, rotation: RefreshRotation<'a>) -> Answer<'a, bool> {
        self.reach(move |store| store.rotate_refresh(rotation))
    }

    fn live_sessions<'a>(
        &'a self,
        user: &'a UserId,
        now: Timestamp,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<SessionRecord>> {
        self.reach(move |store| store.live_sessions(user, now, page))
    }

    fn end_sessions<'a>(
        &'a self,
        user: &'a UserId,
        which: SessionFilter<'a>,
        now: Timestamp,
    ) -> Answer<'a, Unpublished<Vec<SessionId>>> {
        self.reach(move |store| store.end_sessions(user, which, now))
    }

    fn forget_sessions(&self, now: Timestamp, keep_secs: u64) -> Answer<'_, u64> {
        self.reach(move |store| store.forget_sessions(now, keep_secs))
    }
}

impl MailedTokenStore for Hesitant {
    fn put_mailed_token(&self, token: MailedToken) -> Answer<'_, ()> {
        self.reach(move |store| store.put_mailed_token(token))
    }

    fn spend_mailed_token<'a>(
        &'a self,
        digest: &'a TokenDigest,
        purpose: MailedPurpose,
        now: Timestamp,
    ) -> Answer<'a, Option<MailedToken>> {
        self.reach(move |store| store.spend_mailed_token(digest, purpose, now))
    }

    fn strip_mailed_passwords<'a>(
        &'a self,
        user: &'a UserId,
        purpose: MailedPurpose,
    ) -> Answer<'a, u64> {
        self.reach(move |store| store.strip_mailed_passwords(user, purpose))
    }

    fn void_mailed_tokens<'a>(
        &'a self,
        user: &'a UserId,
        purpose: MailedPurpose,
    ) -> Answer<'a, u64> {
        self.reach(move |store| store.void_mailed_tokens(user, purpose))
    }

    fn forget_mailed_tokens(&self, now: Timestamp) -> Answer<'_, u64> {
        self.reach(move |store| store.forget_mailed_tokens(now))
    }
}

impl LinkedLoginStore for Hesitant {
    fn linked_login<'a>(
        &'a self,
        issuer: &'a str,
        subject: &'a str,
    ) -> Answer<'a, Option<LinkedLogin>> {
        self.reach(move |store| store.linked_login(issuer, subject))
    }

    fn link_login(&self, link: LinkedLogin) -> Answer<'_, InsertOutcome> {
        self.reach(move |store| store.link_login(link))
    }

    fn linked_logins<'a>(
        &'a self,
        user: &'a UserId,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<LinkedLogin>> {
        self.reach(move |store| store.linked_logins(user, page))
    }

    fn unlink_login<'a>(&'a self, user: &'a UserId, id: &'a str) -> Answer<'a, UnlinkOutcome> {
        self.reach(move |store| store.unlink_login(user, id))
    }
}

impl RevocationStore for Hesitant {
    fn standing<'a>(&'a self, token: TokenRef<'a>) -> Answer<'a, TokenStanding> {
        self.reach(move |store| store.standing(token))
    }

    fn raise_user_epoch<'a>(&'a self, user: &'a UserId) -> Answer<'a, Unpublished<u64>> {
        self.reach(move |store| store.raise_user_epoch(user))
    }

    fn raise_client_epoch<'a>(&'a self, client: &'a str) -> Answer<'a, Unpublished<u64>> {
        self.reach(move |store| store.raise_client_epoch(client))
    }

    fn end_session<'a>(
        &'a self,
        session: &'a SessionId,
        keep_until: Timestamp,
    ) -> Answer<'a, Unpublished<()>> {
        self.reach(move |store| store.end_session(session, keep_until))
    }

    fn deny_token<'a>(
        &'a self,
        jti: &'a str,
        keep_until: Timestamp,
    ) -> Answer<'a, Unpublished<()>> {
        self.reach(move |store| store.deny_token(jti, keep_until))
    }

    fn forget_revocations(&self, now: Timestamp) -> Answer<'_, u64> {
        self.reach(move |store| store.forget_revocations(now))
    }
}
