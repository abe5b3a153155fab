//! Whose account it is that somebody logs in to at a provider.

mod hesitant;

use std::sync::Arc;

use futures_util::future::join_all;
use gatewright_core::audit::AuditKind;
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::gate::{Coherence, Gate};
use gatewright_core::hash::{Argon2Settings, HashPool, Phc, PoolConfig, TagKey, TagKeys};
use gatewright_core::principal::{SessionId, UserId};
use gatewright_core::session::RefreshToken;
use gatewright_core::store::{
    Account, AccountStore, InsertOutcome, LinkedLogin, LinkedLoginStore, MailedPurpose,
    MailedToken, MailedTokenStore, MemoryStore, OpenOutcome, PageRequest, RevocationStore,
    SessionRecord, SessionStore, StoreError, TokenRef,
};
use gatewright_issuer::{
    EmailDomains, ExternalLogin, LinkError, LinkOutcome, LoginLinkStore, LoginLinks,
};
use gatewright_testing::FakeClock;
use tokio::sync::Barrier;

use crate::world::{Events, NOW};
use hesitant::Hesitant;

const IDP: &str = "https://idp.example";
const GOOGLE: &str = "https://accounts.google.com";
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

struct People {
    store: MemoryStore,
    links: LoginLinks,
    events: Arc<Events>,
}

impl People {
    fn new() -> Self {
        Self::over(|store| Arc::new(store))
    }

    /// With links that reach the store by way of another.
    fn over(links: impl FnOnce(MemoryStore) -> Arc<dyn LoginLinkStore>) -> Self {
        let store = MemoryStore::new();
        let tags = TagKeys::new(TagKey::generate(1).unwrap(), []).unwrap();
        let pool = PoolConfig::new(Argon2Settings::insecure_for_tests());
        let gate = Gate::builder(Arc::new(store.clone()), Coherence::SingleProcess, tags)
            .hash_pool(HashPool::start(pool).unwrap())
            .clock(Arc::new(FakeClock::at(NOW)))
            .build()
            .unwrap();
        let events = Arc::<Events>::default();
        let audit = Arc::<Events>::clone(&events);
        let links = LoginLinks::new(gate, links(store.clone()), audit)
            .trusting(IDP, EmailDomains::parse(["acme.example"]).unwrap())
            .trusting(GOOGLE, EmailDomains::parse(["*"]).unwrap());
        Self {
            store,
            links,
            events,
        }
    }

    async fn account(&self, id: &str, email: &str, verified: bool, password: bool) -> UserId {
        let id = UserId::new(id).unwrap();
        let mut account = Account::new(id.clone(), email, NOW - 100);
        account.name = "As they said".to_owned();
        account.verified = verified;
        account.password = password.then(hash);
        let inserted = self.store.insert_account(account).await.unwrap();
        assert_eq!(inserted, InsertOutcome::Inserted);
        id
    }

    async fn session(&self, user: &UserId) -> SessionId {
        let id = SessionId::new(format!("ses_{}", user.as_str())).unwrap();
        let session = SessionRecord::new(id.clone(), user.clone(), "app", NOW, NOW + 9_000);
        let opened = self.store.open_session(session, None, None).await.unwrap();
        assert_eq!(opened, OpenOutcome::Opened);
        id
    }

    async fn is_live(&self, session: &SessionId) -> bool {
        let found = self.store.session(session).await.unwrap();
        found.unwrap().is_live(NOW)
    }

    async fn epoch(&self, user: &UserId) -> u64 {
        let token = TokenRef::user(user.as_str(), None, None);
        self.store.standing(token).await.unwrap().epoch
    }

    async fn links_of(&self, user: &UserId) -> Vec<LinkedLogin> {
        let page = PageRequest::new(None, 100).unwrap();
        self.store.linked_logins(user, &page).await.unwrap().items
    }
}

fn hash() -> Phc {
    HASH.parse().unwrap()
}

fn jane(issuer: &str) -> ExternalLogin {
    ExternalLogin::new(issuer, "jane").with_email("Jane@Acme.example", true)
}

/// A name for each refusal, which can't be compared.
fn word(error: &LinkError) -> &'static str {
    match error {
        LinkError::UnverifiedAddress => "unverified",
        LinkError::MalformedAddress => "malformed",
        LinkError::Untrusted => "untrusted",
        LinkError::NoAccount => "no account",
        _ => "other",
    }
}

/// What there is before, who comes, and what becomes of it.
#[tokio::test]
async fn first_logins_by_rule() {
    #[derive(Clone, Copy, Debug)]
    enum Is {
        Nobody,
        Unverified,
        Verified,
    }
    use Is::{Nobody, Unverified, Verified};
    let somebody = |issuer: &str| ExternalLogin::new(issuer, "jane");
    let table = [
        (Nobody, jane(IDP), Ok(LinkOutcome::Created)),
        (Unverified, jane(IDP), Ok(LinkOutcome::Activated)),
        (Verified, jane(IDP), Ok(LinkOutcome::Linked)),
        (Nobody, jane(GOOGLE), Ok(LinkOutcome::Created)),
        (Verified, jane(GOOGLE), Ok(LinkOutcome::Linked)),
        // The provider has not verified the address, or knows none.
        (
            Nobody,
            somebody(IDP).with_email("jane@acme.example", false),
            Err("unverified"),
        ),
        (
            Unverified,
            somebody(IDP).with_email("jane@acme.example", false),
            Err("unverified"),
        ),
        (
            Verified,
            somebody(IDP).with_email("jane@acme.example", false),
            Err("unverified"),
        ),
        (Verified, somebody(IDP), Err("unverified")),
        // The operator does not believe the provider about this domain.
        (
            Nobody,
            somebody(IDP).with_email("jane@other.example", true),
            Err("untrusted"),
        ),
        (
            Nobody,
            somebody(IDP).with_email("jane@sub.acme.example", true),
            Err("untrusted"),
        ),
        (Nobody, jane("https://evil.example"), Err("untrusted")),
        (Verified, jane("https://evil.example"), Err("untrusted")),
        (Unverified, jane("https://evil.example"), Err("untrusted")),
        (Verified, jane("https://idp.example/"), Err("untrusted")),
        // What is no address of one mailbox.
        (
            Nobody,
            somebody(GOOGLE).with_email("jane@evil.example@acme.example", true),
            Err("malformed"),
        ),
        (
            Nobody,
            somebody(GOOGLE).with_email("", true),
            Err("malformed"),
        ),
    ];
    for (row, (before, login, expected)) in table.into_iter().enumerate() {
        let people = People::new();
        let there = match before {
            Nobody => None,
            Unverified => Some(
                people
                    .account("usr_1", "jane@acme.example", false, false)
                    .await,
            ),
            Verified => Some(
                people
                    .account("usr_1", "jane@acme.example", true, true)
                    .await,
            ),
        };
        let outcome = people.links.log_in(&login, None).await;
        let kinds = people.events.kinds();
        match (&outcome, expected) {
            (Ok(user), Ok(expected)) => {
                assert_eq!(user.outcome, expected, "row {row}");
                assert!(
                    there.is_none_or(|there| there == user.account.id),
                    "row {row}"
                );
                assert_eq!(user.account.email, "jane@acme.example");
                assert!(user.account.verified);
                assert_eq!(kinds.last(), Some(&AuditKind::LoginLinked), "row {row}");
                let links = people.links_of(&user.account.id).await;
                assert_eq!(links.len(), 1);
                assert_eq!(
                    (&*links[0].issuer, &*links[0].subject),
                    (&*login.issuer, "jane")
                );
            }
            (Err(error), Err(expected)) => {
                assert_eq!(word(error), expected, "row {row}");
                assert_eq!(error.code(), ErrorCode::InvalidCredentials, "row {row}");
                assert_eq!(kinds, [AuditKind::LoginFailed], "row {row}");
                // Nothing came of it.
                let account = people.store.account_by_email("jane@acme.example").await;
                let account = account.unwrap();
                assert_eq!(account.as_ref().map(|a| &a.id), there.as_ref());
                assert_eq!(
                    account.is_some_and(|a| a.verified),
                    matches!(before, Verified)
                );
                let linked = people.store.linked_login(&login.issuer, "jane").await;
                assert_eq!(linked.unwrap(), None);
            }
            _ => unreachable!("row {row}: {before:?} {outcome:?}"),
        }
    }
}

/// OpenID Connect Core §5.7: issuer and subject are the user, whatever their address has become.
#[tokio::test]
async fn afterwards_the_subject_counts_alone() {
    let people = People::new();
    let first = people.links.log_in(&jane(IDP), None).await.unwrap();
    people.events.take();
    let other = people
        .account("usr_other", "joe@acme.example", true, true)
        .await;
    for login in [
        jane(IDP),
        ExternalLogin::new(IDP, "jane"),
        ExternalLogin::new(IDP, "jane").with_email("joe@acme.example", true),
        ExternalLogin::new(IDP, "jane").with_email("jane@elsewhere.example", false),
    ] {
        let user = people.links.log_in(&login, None).await.unwrap();
        assert_eq!(user.outcome, LinkOutcome::Known);
        assert_eq!(user.account.id, first.account.id);
    }
    assert!(people.events.kinds().is_empty());
    assert!(people.links_of(&other).await.is_empty());
    // The same subject of another issuer is somebody else.
    let joe = ExternalLogin::new(GOOGLE, "jane").with_email("joe@acme.example", true);
    let user = people.links.log_in(&joe, None).await.unwrap();
    assert_eq!(
        (user.outcome, user.account.id),
        (LinkOutcome::Linked, other)
    );
}

/// Somebody signed up with Jane's address and made themselves at home before she came.
#[tokio::test]
async fn what_was_set_up_in_an_unverified_account_is_void() {
    let people = People::new();
    let user = people
        .account("usr_1", "jane@acme.example", false, true)
        .await;
    let session = people.session(&user).await;
    let epoch = people.epoch(&user).await;
    let mut tokens = Vec::new();
    for purpose in [MailedPurpose::VerifyEmail, MailedPurpose::ResetPassword] {
        let token = RefreshToken::generate().unwrap().digest();
        let mut mailed = MailedToken::new(token, purpose, user.clone(), NOW + 9_000);
        mailed.password = Some(hash());
        people.store.put_mailed_token(mailed).await.unwrap();
        tokens.push((token, purpose));
    }

    let login = jane(IDP).with_name("Jane Doe");
    let linked = people.links.log_in(&login, None).await.unwrap();
    assert_eq!(linked.outcome, LinkOutcome::Activated);
    assert_eq!(linked.account.name, "Jane Doe");
    let password = linked.account.password.unwrap();
    assert_ne!(password.as_str(), HASH);
    assert!(!people.is_live(&session).await);
    assert!(people.epoch(&user).await > epoch);
    assert_eq!(linked.epoch, people.epoch(&user).await);
    for (token, purpose) in tokens {
        let spent = people.store.spend_mailed_token(&token, purpose, NOW).await;
        assert!(spent.unwrap().is_none(), "{purpose:?}");
    }
    // No password that was chosen before becomes hers later.
    assert!(
        !people
            .store
            .verify_account(&user, Some(hash()))
            .await
            .unwrap()
    );
    let kinds = [AuditKind::AddressVerified, AuditKind::LoginLinked];
    assert_eq!(people.events.kinds(), kinds);
    // Each time another.
    let other = People::new();
    other
        .account("usr_1", "jane@acme.example", false, true)
        .await;
    let account = other.links.log_in(&login, None).await.unwrap().account;
    assert_ne!(account.password.unwrap().as_str(), password.as_str());
}

/// Without a password before, there is none after, and sessions end all the same.
#[tokio::test]
async fn an_unverified_account_without_a_password_gets_none() {
    let people = People::new();
    let user = people
        .account("usr_1", "jane@acme.example", false, false)
        .await;
    let session = people.session(&user).await;
    let linked = people.links.log_in(&jane(IDP), None).await.unwrap();
    assert!(linked.account.password.is_none());
    assert_eq!(linked.account.name, "");
    assert!(!people.is_live(&session).await);
}

#[tokio::test]
async fn a_verified_account_stays_as_it_is() {
    let people = People::new();
    let user = people
        .account("usr_1", "jane@acme.example", true, true)
        .await;
    let session = people.session(&user).await;
    let login = jane(IDP).with_name("Jane Doe");
    let linked = people.links.log_in(&login, None).await.unwrap();
    assert_eq!(linked.account.password.unwrap().as_str(), HASH);
    assert_eq!(linked.account.name, "As they said");
    assert!(people.is_live(&session).await);
}

/// A link alone lets nobody in.
#[tokio::test]
async fn a_link_to_no_verified_account_is_refused() {
    let people = People::new();
    let unverified = people
        .account("usr_1", "jane@acme.example", false, false)
        .await;
    for (subject, user) in [("jane", unverified), ("joe", UserId::new("usr_2").unwrap())] {
        let id = format!("lnk_{subject}");
        let link = LinkedLogin::new(id, user, IDP, subject, "a@acme.example", NOW);
        people.store.link_login(link).await.unwrap();
        let login = ExternalLogin::new(IDP, subject).with_email("jane@acme.example", true);
        let refused = people.links.log_in(&login, None).await.unwrap_err();
        assert_eq!(word(&refused), "no account", "{subject}");
    }
    let account = people.store.account_by_email("jane@acme.example").await;
    assert!(!account.unwrap().unwrap().verified);
}

/// Who comes at once; how many are told that the account is new, and how many links there are in the end.
async fn race(before: Option<bool>, subjects: &[&str], outcome: LinkOutcome) {
    for _ in 0..25 {
        let people = Arc::new(People::new());
        if let Some(verified) = before {
            people
                .account("usr_1", "jane@acme.example", verified, true)
                .await;
        }
        let barrier = Arc::new(Barrier::new(20));
        let coming: Vec<_> = (0..20)
            .map(|n| {
                let (people, barrier) = (Arc::clone(&people), Arc::clone(&barrier));
                let login = ExternalLogin::new(IDP, subjects[n % subjects.len()])
                    .with_email("jane@acme.example", true);
                tokio::spawn(async move {
                    barrier.wait().await;
                    people.links.log_in(&login, None).await.unwrap()
                })
            })
            .collect();
        let mut users = Vec::new();
        for user in coming {
            users.push(user.await.unwrap());
        }
        let user = &users[0].account.id;
        assert!(users.iter().all(|found| found.account.id == *user));
        let first = users.iter().filter(|found| found.outcome == outcome);
        assert_eq!(first.count(), 1);
        assert_eq!(people.links_of(user).await.len(), subjects.len());
        let kinds = people.events.kinds();
        let linked = kinds.iter().filter(|kind| **kind == AuditKind::LoginLinked);
        assert_eq!(linked.count(), subjects.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_first_logins_make_one_account_and_one_link() {
    race(None, &["jane"], LinkOutcome::Created).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_subjects_of_one_address_share_one_account() {
    race(None, &["jane", "jane2"], LinkOutcome::Created).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_unverified_account_is_activated_once() {
    race(Some(false), &["jane"], LinkOutcome::Activated).await;
}

/// However the calls of several logins come between each other.
#[tokio::test]
async fn no_order_of_calls_makes_two_of_anything() {
    let login = jane(IDP);
    let mut overtaken = 0;
    for seed in 0..600 {
        let people = People::over(|store| Arc::new(Hesitant::over(store, seed, usize::MAX)));
        let (before, first, kind) = [
            (None, LinkOutcome::Created, AuditKind::SignedUp),
            (
                Some(false),
                LinkOutcome::Activated,
                AuditKind::AddressVerified,
            ),
            (Some(true), LinkOutcome::Linked, AuditKind::LoginLinked),
        ][seed as usize % 3];
        if let Some(verified) = before {
            people
                .account("usr_1", "jane@acme.example", verified, false)
                .await;
        }
        let users = join_all((0..6).map(|_| people.links.log_in(&login, None))).await;
        let users: Vec<_> = users.into_iter().map(Result::unwrap).collect();
        let count = |outcome| users.iter().filter(|user| user.outcome == outcome).count();
        assert_eq!(count(first), 1, "seed {seed}");
        overtaken += usize::from(count(LinkOutcome::Linked) > 0 && before != Some(true));
        let user = &users[0].account.id;
        assert!(
            users.iter().all(|found| found.account.id == *user),
            "seed {seed}"
        );
        assert_eq!(people.links_of(user).await.len(), 1, "seed {seed}");
        let kinds = people.events.kinds();
        for kind in [kind, AuditKind::LoginLinked] {
            let told = kinds.iter().filter(|told| **told == kind).count();
            assert_eq!(told, 1, "seed {seed}: {kinds:?}");
        }
    }
    assert!(
        overtaken > 0,
        "nobody was linked by another than who made the account"
    );
}

/// Whatever was done until then; the next login does the rest.
#[tokio::test]
async fn an_outage_at_any_call_leaves_nothing_half_open() {
    for before in [None, Some(false), Some(true)] {
        for fails_at in 0.. {
            let hesitant = |store| Arc::new(Hesitant::over(store, 0, fails_at));
            let people = People::over(|store| hesitant(store));
            if let Some(verified) = before {
                people
                    .account("usr_1", "jane@acme.example", verified, true)
                    .await;
            }
            let Err(error) = people.links.log_in(&jane(IDP), None).await else {
                assert!(fails_at > 4, "{before:?}");
                break;
            };
            assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable);
            assert!(!people.events.kinds().contains(&AuditKind::LoginFailed));
            let left = people
                .store
                .account_by_email("jane@acme.example")
                .await
                .unwrap();
            let theirs = |account: &Account| {
                let password = account.password.as_ref();
                before == Some(false) && password.is_some_and(|phc| phc.as_str() == HASH)
            };
            assert!(!left.is_some_and(|account| account.verified && theirs(&account)));
            let user = people.links.log_in(&jane(IDP), None).await.unwrap();
            assert!(
                user.account.verified && !theirs(&user.account),
                "call {fails_at}"
            );
            assert_eq!(people.links_of(&user.account.id).await.len(), 1);
        }
    }
}

#[test]
fn a_store_that_cannot_answer_has_refused_nobody() {
    let store = LinkError::Store(StoreError::Corrupt("column"));
    for (error, status) in [
        (store, 503),
        (LinkError::Contended, 503),
        (LinkError::Random, 500),
        (LinkError::NoAccount, 401),
        (LinkError::Untrusted, 401),
    ] {
        assert_eq!(error.code().status(), status);
        let refusal = AuthError::from(error);
        assert_eq!(refusal.status(), status);
        assert_eq!(refusal.retry_after().is_some(), status == 503);
    }
}
