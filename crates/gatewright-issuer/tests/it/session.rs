//! What becomes of a session, over a store that misbehaves and at the gate.

use std::collections::HashSet;
use std::sync::atomic::Ordering::SeqCst;

use futures_util::FutureExt as _;
use gatewright_core::audit::AuditKind;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::principal::Subject;
use gatewright_core::session::RefreshToken;
use gatewright_core::store::{PageRequest, RefreshPlace, SessionStore};
use gatewright_issuer::{Grant, NewSession};

use crate::logins::{ABSOLUTE, AUDIENCE, GRACE, IDLE, Logins, cause};
use crate::world::NOW;

#[tokio::test]
async fn a_session_says_who_logged_in_where_and_until_when() {
    let logins = Logins::new().await;
    let new = logins.alice().in_tenant(logins.world.acme.clone());
    let opened = logins.sessions.open(new).await.unwrap();
    let session = &opened.session;
    assert_eq!(session.user, logins.world.alice);
    assert_eq!((&*session.client, &*session.label), ("app", "Firefox"));
    assert_eq!(session.tenant.as_ref(), Some(&logins.world.acme));
    assert_eq!((session.created_at, session.last_used_at), (NOW, NOW));
    assert_eq!(session.expires_at, NOW + ABSOLUTE);
    assert_eq!(opened.expires_at(), NOW + IDLE);
    let stored = logins.store.session(&session.id).await.unwrap();
    assert_eq!(stored.as_ref(), Some(session));

    logins.world.clock.advance(5);
    let token = opened.refresh.expose().as_bytes();
    let carried = logins.sessions.refresh(token, None).await.unwrap();
    assert_eq!(carried.session.last_used_at, NOW + 5);
    assert_eq!(carried.expires_at(), NOW + 5 + IDLE);
    let stored = logins.store.session(&session.id).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&carried.session));
    // Who comes again is told the same.
    let again = logins.sessions.refresh(token, None).await.unwrap();
    assert_eq!(again.session, carried.session);
    // Towards the end, the idle time is cut.
    let mut carried = carried;
    for _ in 0..3 {
        logins.world.clock.advance(IDLE - 100);
        let token = carried.refresh.expose().as_bytes();
        carried = logins.sessions.refresh(token, None).await.unwrap();
        let stored = logins.store.session(&session.id).await.unwrap();
        assert_eq!(stored.as_ref(), Some(&carried.session));
    }
    assert_eq!(carried.expires_at(), NOW + ABSOLUTE);
    let debug = format!("{opened:?}{:?}", logins.sessions);
    assert!(!debug.contains(opened.refresh.expose()));
}

#[tokio::test]
async fn every_login_has_an_id_of_its_own() {
    let logins = Logins::new().await;
    let mut ids = HashSet::new();
    for _ in 0..32 {
        let id = logins.opened().await.session.id;
        // 22 characters of 62: 131 random bits (ASVS 7.2.3).
        assert_eq!(id.as_str().len(), 22);
        assert!(ids.insert(id));
    }
}

#[tokio::test]
async fn a_session_without_refresh_ends_with_its_access_token() {
    let logins = Logins::new().await;
    let open = async |secs| {
        logins
            .sessions
            .open_without_refresh(logins.alice(), secs)
            .await
    };
    let session = open(300).await.unwrap();
    assert_eq!(
        (session.idle_expires_at, session.expires_at),
        (NOW + 300, NOW + 300)
    );
    assert_eq!(open(u64::MAX).await.unwrap().expires_at, NOW + ABSOLUTE);
    assert_eq!(logins.live(&logins.world.alice).await.len(), 2);
    logins.world.clock.advance(300);
    assert_eq!(logins.live(&logins.world.alice).await.len(), 1);
}

#[tokio::test]
async fn a_stolen_token_ends_the_session_and_its_access_tokens_and_no_other() {
    let logins = Logins::new().await;
    let new = logins.alice().in_tenant(logins.world.acme.clone());
    let (robbed, other) = (
        logins.sessions.open(new).await.unwrap(),
        logins.opened().await,
    );
    let (access, other_access) = (
        logins.access(&robbed.session),
        logins.access(&other.session),
    );
    let stolen = robbed.refresh.expose();
    let child = logins.child(stolen).await.unwrap();
    logins.world.clock.advance(GRACE);
    // Warm: what is refused afterwards was kept as admitted.
    assert_eq!(logins.world.verdict(&access).await, Ok(()));
    let source = Some([192, 0, 2, 7].into());
    let refused = logins
        .sessions
        .refresh(stolen.as_bytes(), source)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InvalidRefreshToken);
    assert_eq!(cause(refused), Cause::RefreshReused);
    let refusal = logins.world.enter(&access).await.unwrap_err();
    assert_eq!(refusal.cause(), Some(Cause::SessionEnded));
    assert_eq!(logins.child(&child).await, Err(Cause::RefreshInvalid));
    assert_eq!(logins.child(stolen).await, Err(Cause::RefreshInvalid));

    let events = logins.world.events.take();
    let [event] = &*events else {
        panic!("{events:?}")
    };
    assert_eq!(event.kind, AuditKind::RefreshReused);
    assert_eq!(event.at, NOW + GRACE);
    assert_eq!(
        event.subject,
        Some(Subject::User(logins.world.alice.clone()))
    );
    assert_eq!(event.tenant.as_ref(), Some(&logins.world.acme));
    assert_eq!(event.target.as_deref(), Some(robbed.session.id.as_str()));
    assert_eq!(
        (event.source, event.cause),
        (source, Some(Cause::RefreshReused))
    );

    assert_eq!(logins.world.verdict(&other_access).await, Ok(()));
    assert!(logins.child(other.refresh.expose()).await.is_ok());
}

#[tokio::test]
async fn a_logout_ends_the_session_by_any_token_of_its_line() {
    let logins = Logins::new().await;
    let end = async |token: &str| logins.sessions.end(token.as_bytes(), None).await.unwrap();
    for uses in 0..3 {
        let opened = logins.opened().await;
        let access = logins.access(&opened.session);
        let first = opened.refresh.expose();
        let mut youngest = first.to_owned();
        for _ in 0..uses {
            youngest = logins.child(&youngest).await.unwrap();
        }
        assert_eq!(logins.world.verdict(&access).await, Ok(()));
        assert!(end(first).await);
        assert_eq!(
            logins.world.verdict(&access).await,
            Err(ErrorCode::TokenRevoked)
        );
        assert_eq!(logins.child(&youngest).await, Err(Cause::RefreshInvalid));
        assert!(!end(first).await, "it is over");
    }
    assert_eq!(logins.world.events.kinds(), [AuditKind::SessionEnded; 3]);
    // RFC 7009 §2.2: nothing to end is no error.
    assert!(!end("").await);
    assert!(!end(RefreshToken::generate().unwrap().expose()).await);
    let expired = logins.opened().await;
    logins.world.clock.advance(IDLE);
    assert!(!end(expired.refresh.expose()).await);
    assert_eq!(logins.world.events.kinds(), []);
}

#[tokio::test]
async fn users_end_their_own_sessions_alone() {
    let logins = Logins::new().await;
    let (alice, bob) = (&logins.world.alice, &logins.world.bob);
    let acme = &logins.world.acme;
    let [a, b] = [logins.opened().await, logins.opened().await];
    let c = logins
        .sessions
        .open(logins.alice().in_tenant(acme.clone()))
        .await
        .unwrap();
    let of_bob = NewSession::new(bob.clone(), "app").in_tenant(acme.clone());
    let d = logins.sessions.open(of_bob).await.unwrap();
    let [a, b, c, d] = [a, b, c, d].map(|opened| opened.session.id);
    let sessions = &logins.sessions;

    assert!(!sessions.end_one(bob, &a, None).await.unwrap(), "not Bob's");
    assert!(sessions.end_one(alice, &a, None).await.unwrap());
    assert_eq!(
        sessions.end_in_tenant(alice, acme, None).await.unwrap(),
        [c]
    );
    let events = logins.world.events.take();
    let tenants: Vec<_> = events.iter().map(|event| event.tenant.as_ref()).collect();
    assert_eq!(tenants, [None, Some(acme)]);
    assert_eq!(logins.live(alice).await, std::slice::from_ref(&b));
    let e = logins.opened().await.session.id;
    assert_eq!(sessions.end_others(alice, &e, None).await.unwrap(), [b]);
    assert_eq!(sessions.end_all(alice, None).await.unwrap(), [e]);
    assert_eq!(logins.live(bob).await, [d]);
    let of_alice = logins.world.events.take();
    assert!(
        of_alice
            .iter()
            .all(|event| event.subject == Some(Subject::User(alice.clone())))
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_anywhere_is_given_again() {
    let logins = Logins::new().await;
    let mut dropped_after_rotation = 0;
    for polls in 0..8 {
        let opened = logins.opened().await;
        let token = opened.refresh.expose();
        logins.store.pauses.lock().unwrap().extend([1; 4]);
        let mut lost = Box::pin(logins.sessions.refresh(token.as_bytes(), None));
        for _ in 0..polls {
            if lost.as_mut().now_or_never().is_some() {
                break;
            }
        }
        drop(lost);
        logins.store.pauses.lock().unwrap().clear();
        let digest = opened.refresh.digest();
        let place = logins
            .store
            .find_refresh(&digest)
            .await
            .unwrap()
            .unwrap()
            .place;
        dropped_after_rotation += u32::from(place != RefreshPlace::Current);
        let child = logins.child(token).await.unwrap();
        assert!(logins.child(&child).await.is_ok());
    }
    assert!(
        (1..8).contains(&dropped_after_rotation),
        "{dropped_after_rotation}"
    );
}

#[tokio::test]
async fn an_end_whose_caller_went_away_holds_at_the_gate() {
    let logins = Logins::new().await;
    let opened = logins.opened().await;
    let access = logins.access(&opened.session);
    assert_eq!(logins.world.verdict(&access).await, Ok(()));
    // It is committed, and its answer has still to come.
    logins.store.pauses.lock().unwrap().extend([0, 1]);
    let mut end = Box::pin(logins.sessions.end_all(&logins.world.alice, None));
    assert!(end.as_mut().now_or_never().is_none());
    drop(end);
    assert_eq!(
        logins.world.verdict(&access).await,
        Err(ErrorCode::TokenRevoked)
    );
}

#[tokio::test]
async fn a_store_out_of_reach_signs_nobody_out() {
    let logins = Logins::new().await;
    let opened = logins.opened().await;
    let token = opened.refresh.expose();
    let alice = &logins.world.alice;
    logins.store.is_down.store(true, SeqCst);
    let page = PageRequest::first();
    for refused in [
        logins.sessions.open(logins.alice()).await.unwrap_err(),
        logins
            .sessions
            .refresh(token.as_bytes(), None)
            .await
            .unwrap_err(),
        logins
            .sessions
            .end(token.as_bytes(), None)
            .await
            .unwrap_err(),
        logins.sessions.end_all(alice, None).await.unwrap_err(),
        logins.sessions.list(alice, &page).await.unwrap_err(),
        logins.sessions.forget(0).await.unwrap_err(),
    ] {
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.cause(), Some(Cause::StoreUnavailable));
        assert!(refused.retry_after().is_some());
    }
    logins.store.is_down.store(false, SeqCst);
    assert!(logins.child(token).await.is_ok());
}

#[tokio::test]
async fn reuse_that_could_not_be_punished_is_told_and_gets_nothing() {
    let logins = Logins::new().await;
    let opened = logins.opened().await;
    let token = opened.refresh.expose();
    let child = logins.child(token).await.unwrap();
    logins.child(&child).await.unwrap();
    logins.store.pauses.lock().unwrap().extend([0, 1]);
    let mut reuse = Box::pin(logins.sessions.refresh(token.as_bytes(), None));
    assert!(reuse.as_mut().now_or_never().is_none());
    logins.store.is_down.store(true, SeqCst);
    assert_eq!(cause(reuse.await.unwrap_err()), Cause::StoreUnavailable);
    assert_eq!(logins.world.events.kinds(), [AuditKind::RefreshReused]);
    logins.store.is_down.store(false, SeqCst);
    assert_eq!(logins.child(token).await, Err(Cause::RefreshReused));
}

#[tokio::test]
async fn a_lost_race_is_looked_at_again_but_not_for_ever() {
    let logins = Logins::new().await;
    let opened = logins.opened().await;
    let token = opened.refresh.expose();
    logins.store.lost_rotations.store(1_000, SeqCst);
    let refused = logins
        .sessions
        .refresh(token.as_bytes(), None)
        .await
        .unwrap_err();
    assert!(refused.retry_after().is_some());
    assert_eq!(cause(refused), Cause::StoreUnavailable);
    logins.store.lost_rotations.store(1, SeqCst);
    assert!(logins.child(token).await.is_ok());
}

#[tokio::test]
async fn a_child_that_cannot_be_opened_is_the_stores_fault() {
    let logins = Logins::new().await;
    let opened = logins.opened().await;
    let token = opened.refresh.expose();
    let child = logins.child(token).await.unwrap();
    logins.store.spoils_children.store(true, SeqCst);
    assert_eq!(logins.child(token).await, Err(Cause::StoreUnavailable));
    logins.store.spoils_children.store(false, SeqCst);
    assert_eq!(logins.child(token).await, Ok(child));
}

#[tokio::test]
async fn what_is_over_is_forgotten_and_the_rest_is_not() {
    let logins = Logins::new().await;
    let opened = logins.opened().await;
    let child = logins.child(opened.refresh.expose()).await.unwrap();
    let digest = opened.refresh.digest();
    let place = async || {
        logins
            .store
            .find_refresh(&digest)
            .await
            .unwrap()
            .unwrap()
            .place
    };
    assert_eq!(logins.sessions.forget(0).await.unwrap(), 0);
    assert!(matches!(place().await, RefreshPlace::Parent { .. }));
    logins.world.clock.advance(GRACE);
    assert_eq!(logins.sessions.forget(0).await.unwrap(), 0);
    assert_eq!(
        place().await,
        RefreshPlace::Spent,
        "no longer sealed anywhere"
    );
    assert!(logins.child(&child).await.is_ok());
    logins.world.clock.advance(IDLE + 99);
    assert_eq!(logins.sessions.forget(100).await.unwrap(), 0);
    logins.world.clock.advance(1);
    assert_eq!(logins.sessions.forget(100).await.unwrap(), 1);
    assert_eq!(logins.child(&child).await, Err(Cause::RefreshInvalid));
}

#[tokio::test]
async fn no_access_token_outlives_its_session() {
    let logins = Logins::new().await;
    let new = logins.alice().in_tenant(logins.world.acme.clone());
    let opened = logins.sessions.open(new).await.unwrap();
    let issue = || {
        let grant = Grant::of_session(&opened.session, AUDIENCE, 0);
        logins
            .world
            .tokens
            .issue(&grant, logins.world.now())
            .unwrap()
    };
    assert_eq!(issue().expires_at, NOW + 300);
    // In the session's own tenant.
    let caller = logins.world.enter(&issue().access_token).await.unwrap();
    assert_eq!(caller.session(), Some(&opened.session.id));
    assert_eq!(caller.user(), Some(&logins.world.alice));
    assert_eq!(
        caller.tenant().map(|tenant| tenant.id()),
        Some(&logins.world.acme)
    );
    logins.world.clock.advance(IDLE - 10);
    assert_eq!(issue().expires_at, NOW + IDLE);
    logins.world.clock.advance(10);
    assert_eq!(issue().expires_in, 0);
    let refused = logins.world.verdict(&issue().access_token).await;
    assert_eq!(refused, Err(ErrorCode::TokenExpired));
}
