//! OWASP ASVS 5.0, 6.2.2, 6.4.3, 6.6 and 7.4.3: choosing another password.

use futures_util::future::join_all;
use gatewright_core::audit::AuditKind;
use gatewright_core::error::ErrorCode;
use gatewright_core::hash::{Argon2Settings, PoolConfig};
use gatewright_core::principal::{SessionId, UserId};
use gatewright_core::store::{
    AccountStore, OpenOutcome, PageRequest, RevocationStore, SessionRecord, SessionStore, TokenRef,
};

use super::{CAROL, ELSEWHERE, HERE, HERS, People, THEIRS, accepted, code_of, finished};

const HOUR: u64 = 3_600;
const INVALID: Result<(), ErrorCode> = Err(ErrorCode::InvalidLink);
const OTHER: &str = "another password";

impl People {
    async fn forgets(&self, email: &str) {
        finished(self.accounts.forgot_password(email, HERE).await).await;
    }

    async fn opens_session(&self, user: &UserId, id: &str) -> SessionId {
        let (id, now) = (SessionId::new(id).unwrap(), self.world.now());
        let session = SessionRecord::new(id.clone(), user.clone(), "app", now, now + 9 * HOUR);
        let opened = self.memory.open_session(session, None, None).await.unwrap();
        assert_eq!(opened, OpenOutcome::Opened);
        id
    }

    async fn live_sessions(&self, user: &UserId) -> Vec<SessionId> {
        let page = PageRequest::first();
        let live = self.memory.live_sessions(user, self.world.now(), &page);
        live.await
            .unwrap()
            .items
            .into_iter()
            .map(|live| live.id)
            .collect()
    }

    async fn epoch(&self, user: &UserId) -> u64 {
        let token = TokenRef::user(user.as_str(), None, None);
        self.memory.standing(token).await.unwrap().epoch
    }
}

#[tokio::test]
async fn asvs_6_3_8_asking_for_a_link_tells_nobody_who_has_an_account() {
    let people = People::new().await;
    people.account(CAROL, Some(HERS), true).await;
    people.account("new@example.com", None, false).await;
    people.account("sso@example.com", None, true).await;
    for (email, mailed) in [
        (CAROL, Some("reset_password")),
        ("Carol@Example.com", Some("reset_password")),
        ("sso@example.com", Some("reset_password")),
        ("new@example.com", Some("verify_address")),
        ("unknown@example.com", None),
    ] {
        let (rest, cost) = people
            .cost(people.accounts.forgot_password(email, HERE))
            .await;
        assert_eq!(cost, [1, 0, 0], "one read: {email}");
        assert_eq!(people.mails.sent(), [], "before the answer: {email}");
        finished(rest).await;
        let mailed = mailed.map(|kind| (kind, email.to_lowercase()));
        assert_eq!(people.mails.sent(), Vec::from_iter(mailed));
    }
}

#[tokio::test]
async fn asvs_7_4_3_a_reset_ends_everything_that_was_open() {
    let people = People::new().await;
    let carol = people.account(CAROL, Some(HERS), true).await;
    people.opens_session(&carol, "ses_1").await;
    people.forgets(CAROL).await;
    let earlier = people.token();
    people.forgets(CAROL).await;
    let token = people.token();
    people.world.events.take();

    let user = people
        .accounts
        .reset_password(&token, accepted(OTHER), HERE)
        .await;
    assert_eq!(user.unwrap(), carol);
    assert_eq!(people.live_sessions(&carol).await, []);
    assert_eq!(people.epoch(&carol).await, 1);
    assert_eq!(
        people.mails.sent(),
        [("password_changed", CAROL.to_owned())]
    );
    assert_eq!(people.world.events.kinds(), [AuditKind::PasswordChanged]);
    assert!(people.logs_in(CAROL, HERS).await.is_err());
    assert_eq!(people.logs_in(CAROL, OTHER).await, Ok(()));
    for spent in [&token, &earlier] {
        let again = people
            .accounts
            .reset_password(spent, accepted(THEIRS), HERE)
            .await;
        assert_eq!(code_of(again), INVALID);
    }
    assert_eq!(people.logs_in(CAROL, OTHER).await, Ok(()));
}

#[tokio::test]
async fn asvs_6_6_a_link_is_good_once_for_an_hour_and_for_its_purpose() {
    let people = People::new().await;
    people.account(CAROL, Some(HERS), true).await;
    people.forgets(CAROL).await;
    let token = people.token();
    let verify = people.accounts.verify_email(&token, None, HERE).await;
    assert_eq!(code_of(verify), INVALID);
    people.world.clock.advance(HOUR);
    let late = people
        .accounts
        .reset_password(&token, accepted(OTHER), HERE)
        .await;
    assert_eq!(code_of(late), INVALID);
    people.forgets(CAROL).await;
    let token = people.token();
    people.world.clock.advance(HOUR - 1);
    let in_time = people
        .accounts
        .reset_password(&token, accepted(OTHER), HERE)
        .await;
    assert_eq!(code_of(in_time), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_who_spend_one_link_the_one_that_succeeds_sets_the_password() {
    let people = People::new().await;
    people.account(CAROL, Some(HERS), true).await;
    people.forgets(CAROL).await;
    let token = people.token();
    let passwords: Vec<String> = (0..20).map(|one| format!("password no. {one}")).collect();
    let spent = join_all(passwords.iter().map(|password| {
        let (accounts, token) = (people.accounts.clone(), token.clone());
        let password = accepted(password);
        tokio::spawn(async move { accounts.reset_password(&token, password, HERE).await })
    }));
    let mut successes = 0;
    for (spent, password) in spent.await.into_iter().zip(&passwords) {
        let code = code_of(spent.unwrap());
        if code.is_ok() {
            successes += 1;
            assert!(
                people
                    .accounts
                    .log_in(CAROL, password, ELSEWHERE)
                    .await
                    .is_ok()
            );
        } else {
            assert_eq!(code, INVALID);
        }
    }
    assert_eq!(successes, 1);
}

#[tokio::test]
async fn a_link_survives_an_overload_and_not_a_password_of_ones_address() {
    let people = People::new().await;
    people.account(CAROL, Some(HERS), true).await;
    people.forgets(CAROL).await;
    let token = people.token();
    let full = PoolConfig::new(Argon2Settings::insecure_for_tests()).with_queue(0);
    let full = gatewright_core::hash::Passwords::start(full).unwrap();
    let busy = gatewright_issuer::Accounts::new(
        people.world.gate.clone(),
        people.store.clone(),
        full,
        people.mails.clone(),
        people.world.events.clone(),
    );
    let refused = busy.reset_password(&token, accepted(OTHER), HERE).await;
    assert_eq!(code_of(refused), Err(ErrorCode::TemporarilyUnavailable));
    let own = accepted("carol@example.com");
    let refused = people.accounts.reset_password(&token, own, HERE).await;
    assert_eq!(code_of(refused), Err(ErrorCode::ValidationError));
    assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
    let spent = people
        .accounts
        .reset_password(&token, accepted(OTHER), HERE)
        .await;
    assert_eq!(code_of(spent), INVALID);
}

#[tokio::test]
async fn asvs_6_2_2_a_change_asks_for_the_password_and_ends_the_other_sessions() {
    let people = People::new().await;
    let carol = people.account(CAROL, Some(HERS), true).await;
    let kept = people.opens_session(&carol, "ses_kept").await;
    people.opens_session(&carol, "ses_other").await;
    people.forgets(CAROL).await;
    let link = people.token();
    people.world.events.take();
    let change = |current: &'static str, new: &'static str| {
        let (accounts, user, keep) = (&people.accounts, &carol, &kept);
        async move {
            let new = accepted(new);
            code_of(
                accounts
                    .change_password(user, current, new, Some(keep), HERE)
                    .await,
            )
        }
    };
    let wrong = change("a guess", OTHER).await;
    assert_eq!(wrong, Err(ErrorCode::InvalidCredentials));
    let own = change(HERS, "Carol@example.com").await;
    assert_eq!(own, Err(ErrorCode::ValidationError));
    assert_eq!(people.live_sessions(&carol).await.len(), 2);
    assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));

    assert_eq!(change(HERS, OTHER).await, Ok(()));
    assert_eq!(
        people.live_sessions(&carol).await,
        std::slice::from_ref(&kept)
    );
    assert_eq!(people.epoch(&carol).await, 1);
    assert_eq!(
        people.mails.sent(),
        [("password_changed", CAROL.to_owned())]
    );
    let (failed, changed) = (AuditKind::LoginFailed, AuditKind::PasswordChanged);
    assert_eq!(people.world.events.kinds(), [failed, changed]);
    assert_eq!(people.logs_in(CAROL, OTHER).await, Ok(()));
    let voided = people
        .accounts
        .reset_password(&link, accepted(THEIRS), HERE)
        .await;
    assert_eq!(code_of(voided), INVALID);
}

#[tokio::test]
async fn guesses_at_a_change_and_at_a_login_count_together() {
    let people = People::new().await;
    let carol = people.account(CAROL, Some(HERS), true).await;
    for _ in 0..5 {
        people.logs_in(CAROL, "a guess").await.unwrap_err();
        let new = accepted(OTHER);
        let guess = people
            .accounts
            .change_password(&carol, "a guess", new, None, HERE);
        assert_eq!(code_of(guess.await), Err(ErrorCode::InvalidCredentials));
    }
    let accounts = &people.accounts;
    let new = accepted(OTHER);
    let blocked = accounts
        .change_password(&carol, HERS, new, None, HERE)
        .await;
    assert_eq!(code_of(blocked), Err(ErrorCode::RateLimited));
    assert_eq!(
        people.logs_in(CAROL, HERS).await,
        Err(ErrorCode::RateLimited)
    );
    let new = accepted(OTHER);
    let elsewhere = accounts
        .change_password(&carol, HERS, new, None, ELSEWHERE)
        .await;
    assert_eq!(code_of(elsewhere), Ok(()));
}

#[tokio::test]
async fn who_has_no_password_or_no_account_changes_none() {
    let people = People::new().await;
    let sso = people.account("sso@example.com", None, true).await;
    let new = people.account("new@example.com", Some(HERS), false).await;
    let nobody = UserId::new("usr_nobody").unwrap();
    let missing = ErrorCode::NotFound;
    for (user, code) in [
        (&sso, ErrorCode::InvalidCredentials),
        (&new, missing),
        (&nobody, missing),
    ] {
        let changed = people
            .accounts
            .change_password(user, HERS, accepted(OTHER), None, HERE);
        assert_eq!(code_of(changed.await), Err(code), "{user}");
    }
    assert!(
        people
            .memory
            .account(&sso)
            .await
            .unwrap()
            .unwrap()
            .password
            .is_none()
    );
}

#[tokio::test]
async fn of_changes_side_by_side_one_succeeds_and_guesses_are_no_more_than_in_turn() {
    // Slow enough that all wait for their hash before the first one has it.
    let pool = PoolConfig::new(Argon2Settings::default());
    let people = People::with(pool.with_threads(std::num::NonZeroUsize::MIN)).await;
    let carol = people.account(CAROL, Some(HERS), true).await;
    let change = |current: &'static str, new: &'static str| {
        let (accounts, user) = (&people.accounts, &carol);
        async move {
            let new = accepted(new);
            code_of(
                accounts
                    .change_password(user, current, new, None, HERE)
                    .await,
            )
        }
    };
    // Both know the password; the second one is hashed when the first one is stored.
    let both = join_all([change(HERS, OTHER), change(HERS, THEIRS)]).await;
    assert_eq!(both, [Ok(()), Err(ErrorCode::Conflict)]);
    assert_eq!(people.logs_in(CAROL, OTHER).await, Ok(()));

    // All pass the first look at the limiter, and are hashed in this order.
    let guesses = (0..12).map(|guess| if guess < 11 { "a guess" } else { OTHER });
    let answers = join_all(guesses.map(|guess| change(guess, THEIRS))).await;
    assert_eq!(answers[11], Err(ErrorCode::RateLimited));
}
