//! People's accounts over a store that can be made to fail.

mod inviting;
mod logging_in;
mod outages;
mod resetting;
mod signing_up;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::hash::{Argon2Settings, HashStats, Passwords, Phc, PoolConfig};
use gatewright_core::principal::{SessionId, Tenant, TenantId, TenantKind, UserId};
use gatewright_core::session::TokenDigest;
use gatewright_core::store::{
    AcceptOutcome, Account, AccountStore, BoxFuture, InsertOutcome, Invite, InviteStore,
    MailedPurpose, MailedToken, MailedTokenStore, Member, Membership, MembershipStore, MemoryStore,
    Page, PageRequest, PasswordChange, RemoveOutcome, RevocationStore, RoleOutcome, StoreError,
    TenantRef, TokenRef, TokenStanding, Unpublished,
};
use gatewright_core::time::Timestamp;
use gatewright_issuer::{
    Accounts, Afterwards, Mail, Mailer, NewPassword, PasswordPolicy, SignedUp,
};

use crate::world::World;

const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
const ELSEWHERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)));
const CAROL: &str = "carol@example.com";
const HERS: &str = "the horse of carol";
const THEIRS: &str = "somebody else's";

struct People {
    world: World,
    store: Arc<Flaky>,
    memory: MemoryStore,
    passwords: Passwords,
    accounts: Accounts,
    mails: Arc<Mails>,
}

impl People {
    async fn new() -> Self {
        Self::with(PoolConfig::new(Argon2Settings::insecure_for_tests())).await
    }

    async fn with(pool: PoolConfig) -> Self {
        let world = World::new().await;
        let memory = world.store.memory.clone();
        let store = Arc::new(Flaky {
            memory: memory.clone(),
            calls: AtomicU64::new(0),
            asked: Mutex::default(),
            fails_from: AtomicU64::new(u64::MAX),
            meanwhile: Mutex::default(),
        });
        let mails = Arc::new(Mails::default());
        let passwords = Passwords::start(pool).unwrap();
        let accounts = Accounts::new(
            world.gate.clone(),
            Arc::<Flaky>::clone(&store),
            passwords.clone(),
            Arc::<Mails>::clone(&mails),
            Arc::<crate::world::Events>::clone(&world.events),
        );
        Self {
            world,
            store,
            memory,
            passwords,
            accounts,
            mails,
        }
    }

    /// An account as it may stand in the store, however it came there.
    async fn account(&self, email: &str, password: Option<&str>, verified: bool) -> UserId {
        let id = UserId::new(format!("usr_{}", email.replace('@', "_"))).unwrap();
        self.account_of(id, email, password, verified).await
    }

    async fn account_of(
        &self,
        id: UserId,
        email: &str,
        password: Option<&str>,
        verified: bool,
    ) -> UserId {
        let mut account = Account::new(id.clone(), email, 1);
        account.verified = verified;
        if let Some(password) = password {
            let hashing = self.passwords.hash(password.as_bytes()).unwrap();
            account.password = hashing.await;
        }
        let inserted = self.memory.insert_account(account).await.unwrap();
        assert_eq!(inserted, InsertOutcome::Inserted);
        id
    }

    async fn signs_up(&self, email: &str, password: &str) -> SignedUp {
        let password = accepted(password);
        let rest = self.accounts.sign_up(email, password, "", HERE).await;
        rest.unwrap().await.unwrap()
    }

    async fn logs_in(&self, email: &str, password: &str) -> Result<(), ErrorCode> {
        let login = self.accounts.log_in(email, password, HERE).await;
        code_of(login)
    }

    async fn stored(&self, email: &str) -> Account {
        let found = self.memory.account_by_email(email).await.unwrap();
        found.unwrap()
    }

    /// The token of the only mail that was sent since the last look.
    fn token(&self) -> String {
        let mut mails = self.mails.take();
        assert_eq!(mails.len(), 1, "{mails:?}");
        token_of(&mails.remove(0))
    }

    /// What the work costs, apart from what it yields.
    async fn cost<T>(&self, work: impl Future<Output = T>) -> (T, [u64; 3]) {
        let count = |stats: HashStats| [stats.verifications, stats.hashes];
        let (calls, before) = (self.store.calls.load(SeqCst), count(self.passwords.stats()));
        let done = work.await;
        let after = count(self.passwords.stats());
        let calls = self.store.calls.load(SeqCst) - calls;
        (done, [calls, after[0] - before[0], after[1] - before[1]])
    }
}

fn accepted(password: &str) -> NewPassword {
    PasswordPolicy::new().accept(password.to_owned()).unwrap()
}

fn token_of(mail: &Mail) -> String {
    let token = match mail {
        Mail::VerifyAddress { token, .. }
        | Mail::ResetPassword { token, .. }
        | Mail::Invite { token, .. } => Some(token),
        _ => None,
    };
    token.unwrap().expose().to_owned()
}

fn code_of<T>(result: Result<T, AuthError>) -> Result<(), ErrorCode> {
    result.map(drop).map_err(|error| error.code())
}

async fn finished(rest: Result<Afterwards, AuthError>) {
    rest.unwrap().await.unwrap();
}

/// Keeps what it is to send.
#[derive(Default)]
struct Mails(Mutex<Vec<Mail>>);

impl Mailer for Mails {
    fn send(&self, mail: Mail) {
        self.0.lock().unwrap().push(mail);
    }
}

impl Mails {
    fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Kinds and addresses.
    fn sent(&self) -> Vec<(&'static str, String)> {
        let mails = self.take();
        mails
            .iter()
            .map(|mail| (mail.kind(), mail.to().to_owned()))
            .collect()
    }
}

/// What somebody else does at the same time.
type Meanwhile = Box<dyn FnOnce(&MemoryStore) + Send>;

/// A store that notes its calls, and is out of reach from one of them on.
struct Flaky {
    memory: MemoryStore,
    calls: AtomicU64,
    /// Each call with what it was given.
    asked: Mutex<Vec<String>>,
    fails_from: AtomicU64,
    /// Before which call it happens.
    meanwhile: Mutex<Option<(u64, Meanwhile)>>,
}

impl Flaky {
    /// Lets so many calls through.
    fn fail_after(&self, calls: u64) {
        self.calls.store(0, SeqCst);
        self.fails_from.store(calls, SeqCst);
    }

    /// Has something happen when so many calls are through.
    fn meanwhile(&self, calls: u64, act: impl FnOnce(&MemoryStore) + Send + 'static) {
        self.calls.store(0, SeqCst);
        *self.meanwhile.lock().unwrap() = Some((calls, Box::new(act)));
    }

    /// What was asked since the last look.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn recover(&self) {
        self.fails_from.store(u64::MAX, SeqCst);
    }

    fn reach<'a, T: Send + 'a>(
        &'a self,
        ask: impl FnOnce(&'a MemoryStore) -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let call = self.calls.fetch_add(1, SeqCst);
        let due = self
            .meanwhile
            .lock()
            .unwrap()
            .take_if(|(when, _)| *when == call);
        if let Some((_, act)) = due {
            act(&self.memory);
        }
        if call >= self.fails_from.load(SeqCst) {
            let down = StoreError::unavailable(std::io::Error::other("down"));
            return Box::pin(std::future::ready(Err(down)));
        }
        ask(&self.memory)
    }
}

macro_rules! pass_on {
    ($a:lifetime $($store:ident {
        $($method:ident($($name:ident: $type:ty),*) -> $answer:ty;)*
    })*) => {$(
        impl $store for Flaky {$(
            fn $method<$a>(&$a self, $($name: $type),*) -> BoxFuture<$a, Result<$answer, StoreError>> {
                let call = format!("{}{:?}", stringify!($method), ($(&$name,)*));
                self.asked.lock().unwrap().push(call);
                self.reach(|memory| $store::$method(memory, $($name),*))
            }
        )*}
    )*};
}

pass_on! { 'a
    AccountStore {
        account_by_email(email: &'a str) -> Option<Account>;
        account(user: &'a UserId) -> Option<Account>;
        insert_account(account: Account) -> InsertOutcome;
        verify_account(user: &'a UserId, password: Option<Phc>) -> bool;
        set_name(user: &'a UserId, name: &'a str) -> bool;
        set_password(change: PasswordChange<'a>) -> Unpublished<bool>;
        swap_password(user: &'a UserId, old: &'a Phc, new: Phc) -> bool;
    }
    MailedTokenStore {
        put_mailed_token(token: MailedToken) -> ();
        spend_mailed_token(digest: &'a TokenDigest, purpose: MailedPurpose, now: Timestamp)
            -> Option<MailedToken>;
        strip_mailed_passwords(user: &'a UserId, purpose: MailedPurpose) -> u64;
        void_mailed_tokens(user: &'a UserId, purpose: MailedPurpose) -> u64;
        forget_mailed_tokens(now: Timestamp) -> u64;
    }
    InviteStore {
        insert_invite(invite: Invite, digest: TokenDigest) -> InsertOutcome;
        invites(tenant: &'a TenantId, page: &'a PageRequest) -> Page<Invite>;
        invite_by_token(digest: &'a TokenDigest, now: Timestamp) -> Option<Invite>;
        withdraw_invite(tenant: &'a TenantId, id: &'a str) -> bool;
        accept_invite(digest: &'a TokenDigest, user: &'a UserId, now: Timestamp)
            -> Unpublished<AcceptOutcome>;
        forget_invites(now: Timestamp) -> u64;
    }
    MembershipStore {
        membership(user: &'a UserId, tenant: TenantRef<'a>) -> Option<Membership>;
        memberships(user: &'a UserId, kind: &'a TenantKind, page: &'a PageRequest) -> Page<Membership>;
        members(tenant: &'a TenantId, page: &'a PageRequest) -> Page<Member>;
        create_tenant(tenant: Tenant, first: &'a UserId, role: &'a str) -> Unpublished<InsertOutcome>;
        put_member(tenant: &'a TenantId, user: &'a UserId, role: &'a str) -> Unpublished<bool>;
        change_role(tenant: &'a TenantId, user: &'a UserId, role: &'a str, keep: &'a str)
            -> Unpublished<RoleOutcome>;
        remove_member(tenant: &'a TenantId, user: &'a UserId, keep: &'a str)
            -> Unpublished<RemoveOutcome>;
        set_plan(tenant: &'a TenantId, plan: &'a str) -> Unpublished<bool>;
    }
    RevocationStore {
        standing(token: TokenRef<'a>) -> TokenStanding;
        raise_user_epoch(user: &'a UserId) -> Unpublished<u64>;
        raise_client_epoch(client: &'a str) -> Unpublished<u64>;
        end_session(session: &'a SessionId, keep_until: Timestamp) -> Unpublished<()>;
        deny_token(jti: &'a str, keep_until: Timestamp) -> Unpublished<()>;
        forget_revocations(now: Timestamp) -> u64;
    }
}
