//! One refresh token, presented many times at once.

use std::collections::HashSet;
use std::sync::Arc;

use gatewright_core::audit::AuditKind;
use gatewright_core::error::Cause;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::logins::{GRACE, Logins};

const AT_ONCE: usize = 20;

/// What twenty who come at once with the same token get.
async fn all_at_once(logins: &Arc<Logins>, token: &str) -> Vec<Result<String, Cause>> {
    let start = Arc::new(Barrier::new(AT_ONCE));
    // Whoever has looked lets the others look before they go on.
    let pauses = [0, 2].repeat(AT_ONCE);
    logins.store.pauses.lock().unwrap().extend(pauses);
    let mut tabs = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (logins, start) = (Arc::clone(logins), Arc::clone(&start));
        let token = token.to_owned();
        tabs.spawn(async move {
            start.wait().await;
            logins.child(&token).await
        });
    }
    let answers = tabs.join_all().await;
    logins.store.pauses.lock().unwrap().clear();
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_tabs_get_the_same_child_and_stay_logged_in() {
    let logins = Arc::new(Logins::new().await);
    let opened = logins.opened().await;
    let access = logins.access(&opened.session);
    let mut token = opened.refresh.expose().to_owned();
    for _ in 0..32 {
        let answers = all_at_once(&logins, &token).await;
        let children: HashSet<String> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(children.len(), 1, "one line, whoever was first");
        let child = children.into_iter().next().unwrap();
        assert_ne!(child, token);
        token = child;
    }
    assert_eq!(logins.live(&logins.world.alice).await, [opened.session.id]);
    assert_eq!(logins.world.verdict(&access).await, Ok(()));
    assert_eq!(logins.world.events.kinds(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_who_reuse_a_token_one_ends_the_session() {
    let logins = Arc::new(Logins::new().await);
    for _ in 0..8 {
        let token = logins.opened().await.refresh.expose().to_owned();
        let child = logins.child(&token).await.unwrap();
        logins.world.clock.advance(GRACE);
        let answers = all_at_once(&logins, &token).await;
        let ended = answers.iter().filter(|a| **a == Err(Cause::RefreshReused));
        assert_eq!(ended.count(), 1);
        let late = answers.iter().filter(|a| **a == Err(Cause::RefreshInvalid));
        assert_eq!(late.count(), AT_ONCE - 1);
        assert_eq!(logins.child(&child).await, Err(Cause::RefreshInvalid));
        assert_eq!(logins.world.events.kinds(), [AuditKind::RefreshReused]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_refresh_outlives_a_logout_that_has_returned() {
    let logins = Arc::new(Logins::new().await);
    for _ in 0..32 {
        let opened = logins.opened().await;
        let token = opened.refresh.expose().to_owned();
        let tab = {
            let (logins, token) = (Arc::clone(&logins), token.clone());
            tokio::spawn(async move { logins.child(&token).await })
        };
        assert!(logins.sessions.end(token.as_bytes(), None).await.unwrap());
        match tab.await.unwrap() {
            Ok(child) => assert_eq!(logins.child(&child).await, Err(Cause::RefreshInvalid)),
            Err(refused) => assert_eq!(refused, Cause::RefreshInvalid),
        }
        assert_eq!(logins.live(&logins.world.alice).await, []);
    }
}
