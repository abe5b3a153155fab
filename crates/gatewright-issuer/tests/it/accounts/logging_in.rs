//! OWASP ASVS 5.0, 6.3: who tries passwords learns nothing, and locks nobody out.

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures_util::future::{FutureExt as _, join_all};
use gatewright_core::audit::AuditKind;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::hash::{Argon2Settings, PoolConfig};
use gatewright_core::principal::UserId;

use gatewright_core::store::{AccountStore, PageRequest, PasswordChange, RevocationStore};
use gatewright_issuer::Sessions;

use super::{CAROL, ELSEWHERE, HERE, HERS, People, accepted, code_of};

#[tokio::test]
async fn asvs_6_3_8_failing_logins_cannot_be_told_apart() {
    let people = People::new().await;
    people.account(CAROL, Some(HERS), true).await;
    people.account("new@example.com", Some(HERS), false).await;
    people.account("sso@example.com", None, true).await;
    let mut seen = Vec::new();
    for (email, password) in [
        (CAROL, "a wrong password"),
        ("nobody@example.com", HERS),
        ("new@example.com", HERS),
        ("sso@example.com", HERS),
        ("no address", HERS),
        (CAROL, &"x".repeat(600)),
    ] {
        let trial = people.accounts.log_in(email, password, HERE);
        let (login, cost) = people.cost(trial).await;
        let refusal = login.unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::InvalidCredentials, "{email}");
        seen.push((format!("{refusal:?}"), cost));
    }
    assert_eq!(seen[0].1, [3, 1, 0], "three reads, one verification");
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    assert_eq!(people.logs_in("Carol@EXAMPLE.com", HERS).await, Ok(()));
}

#[tokio::test]
async fn asvs_6_3_1_guesses_are_limited_and_nobody_is_locked_out_from_elsewhere() {
    let people = People::new().await;
    people.account(CAROL, Some(HERS), true).await;
    people.account("dave@example.com", Some(HERS), true).await;
    for _ in 0..10 {
        let refused = people.logs_in(CAROL, "a guess").await;
        assert_eq!(refused, Err(ErrorCode::InvalidCredentials));
    }
    let blocked = people
        .accounts
        .log_in("CAROL@example.com", HERS, HERE)
        .await;
    let blocked = blocked.unwrap_err();
    assert_eq!(blocked.code(), ErrorCode::RateLimited);
    assert_eq!(blocked.retry_after().map(|secs| secs.get()), Some(6));
    // Its holder, and the neighbour of whoever guesses, come in.
    assert!(people.accounts.log_in(CAROL, HERS, ELSEWHERE).await.is_ok());
    assert_eq!(people.logs_in("dave@example.com", HERS).await, Ok(()));
    people.world.clock.advance(6);
    assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
}

#[tokio::test]
async fn guesses_side_by_side_are_no_more_than_in_turn() {
    // Slow enough that all wait for their hash before the first one has it.
    let pool = PoolConfig::new(Argon2Settings::default());
    let people = People::with(pool.with_threads(NonZeroUsize::MIN)).await;
    people.account(CAROL, Some(HERS), true).await;
    // All pass the first look at the limiter, and are hashed in this order.
    let guesses = (0..12).map(|guess| if guess < 11 { "a guess" } else { HERS });
    let answers = join_all(guesses.map(|guess| people.logs_in(CAROL, guess))).await;
    assert_eq!(answers[11], Err(ErrorCode::RateLimited));
}

#[tokio::test]
async fn a_user_whose_id_is_that_of_nobody_is_not_logged_in_for_unknown_addresses() {
    let people = People::new().await;
    let id = UserId::new("nobody").unwrap();
    people.account_of(id, CAROL, Some(HERS), true).await;
    let refused = people.logs_in("unknown@example.com", HERS).await;
    assert_eq!(refused, Err(ErrorCode::InvalidCredentials));
    assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
}

#[tokio::test]
async fn the_epoch_is_the_present_one_and_a_login_that_gets_nothing_is_told() {
    let people = People::new().await;
    let carol = people.account(CAROL, Some(HERS), true).await;
    let raised = RevocationStore::raise_user_epoch(&people.memory, &carol).await;
    people.world.gate.changes().publish(raised.unwrap());
    let login = people.accounts.log_in(CAROL, HERS, HERE).await.unwrap();
    assert_eq!((login.account.id.clone(), login.epoch), (carol.clone(), 1));
    assert!(
        !format!("{login:?}").contains("carol@"),
        "no address in Debug"
    );
    let refusal = people
        .accounts
        .refuse_login(&login, HERE, Cause::NoMembership);
    assert_eq!(refusal.code(), ErrorCode::NotFound);
    people.logs_in(CAROL, "wrong").await.unwrap_err();
    people.logs_in("wrong@example.com", HERS).await.unwrap_err();
    let events = people.world.events.take();
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.kind,
                event.cause,
                event.target.as_deref(),
                event.source,
            )
        })
        .collect();
    let failed = AuditKind::LoginFailed;
    let target = Some(carol.as_str());
    assert_eq!(
        told,
        [
            (failed, Some(Cause::NoMembership), target, HERE),
            (failed, Some(Cause::WrongPassword), target, HERE),
            (failed, Some(Cause::WrongPassword), None, HERE),
        ]
    );
}

#[tokio::test]
async fn asvs_11_4_2_an_old_hash_is_renewed_by_the_next_login() {
    let people = People::with(PoolConfig::new(Argon2Settings::default())).await;
    let weak = People::new().await;
    let carol = UserId::new("usr_carol").unwrap();
    weak.account_of(carol, CAROL, Some(HERS), true).await;
    let account = weak.stored(CAROL).await;
    let old = account.password.clone().unwrap();
    people.memory.insert_account(account).await.unwrap();
    for (password, is_renewed) in [("wrong", false), (HERS, true)] {
        let _ = people.logs_in(CAROL, password).await;
        let stored = people.stored(CAROL).await.password.unwrap();
        assert_eq!(stored.as_str() != old.as_str(), is_renewed, "{password}");
        assert_eq!(people.passwords.needs_rehash(&stored), !is_renewed);
    }
    let renewed = people.stored(CAROL).await.password.unwrap();
    assert_eq!(people.logs_in(CAROL, HERS).await, Ok(()));
    let again = people.stored(CAROL).await.password.unwrap();
    assert_eq!(renewed.as_str(), again.as_str());
}

#[tokio::test]
async fn a_full_queue_is_an_overload_and_counts_for_no_failure() {
    let pool = PoolConfig::new(Argon2Settings::insecure_for_tests());
    let people = People::with(pool.with_queue(0)).await;
    people.account(CAROL, None, true).await;
    for _ in 0..12 {
        let full = people.logs_in(CAROL, HERS).await;
        assert_eq!(full, Err(ErrorCode::TemporarilyUnavailable));
    }
}

#[tokio::test]
async fn asvs_7_4_3_a_login_by_an_old_password_opens_no_session() {
    let people = People::new().await;
    let carol = people.account(CAROL, Some(HERS), true).await;
    let sessions = Sessions::new(
        people.world.gate.clone(),
        Arc::new(people.memory.clone()),
        people.world.events.clone(),
    );
    let login = people.accounts.log_in(CAROL, HERS, HERE).await.unwrap();
    let opened = sessions.open(login.session("app")).await.unwrap();
    assert_eq!(opened.session.user, carol);

    // Whoever knows the old password is quick, but not quick enough.
    let late = people.accounts.log_in(CAROL, HERS, HERE).await.unwrap();
    let new = accepted("another password");
    let changed = people
        .accounts
        .change_password(&carol, HERS, new, None, HERE);
    changed.await.unwrap();
    let refused = code_of(sessions.open(late.session("app")).await);
    assert_eq!(refused, Err(ErrorCode::InvalidCredentials));
    let refused = sessions.open_without_refresh(late.session("app"), 60).await;
    assert_eq!(code_of(refused), Err(ErrorCode::InvalidCredentials));
    let live = sessions.list(&carol, &PageRequest::first()).await.unwrap();
    assert_eq!(live.items, []);

    let login = people
        .accounts
        .log_in(CAROL, "another password", HERE)
        .await;
    let opened = sessions.open(login.unwrap().session("app")).await.unwrap();
    assert_eq!(opened.session.user, carol);
}

#[tokio::test]
async fn asvs_7_4_3_no_login_by_an_old_password_is_of_the_new_epoch() {
    for call in 0..3 {
        let people = People::new().await;
        let carol = people.account(CAROL, Some(HERS), true).await;
        let changes = people.world.gate.changes().clone();
        let other = people.passwords.hash(b"another password").unwrap();
        let other = other.await.unwrap();
        people.store.meanwhile(call, move |memory| {
            let changed = memory
                .set_password(PasswordChange::new(&carol, other, 1))
                .now_or_never();
            assert!(changes.publish(changed.unwrap().unwrap()));
        });
        // Of what is read the password is the last, so it is the new one by then.
        let refused = people.logs_in(CAROL, HERS).await;
        assert_eq!(refused, Err(ErrorCode::InvalidCredentials), "call {call}");
    }
}
