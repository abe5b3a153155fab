//! Revoked credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatewright_core::credential::SecretKind;
use gatewright_core::store::{ChangeKey, CredentialFilter, PageRequest, RevokeOutcome};

use super::Store;
use super::fixture::{NOW, World, count, publishing, secrets, together};

/// A revoked credential is still found and listed, with the moment of its end.
pub async fn a_revoked_credential_stays_and_says_so<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("dead")).await;
    world.insert(world.key("alive")).await;
    assert_eq!(world.revoke("dead", NOW + 1).await, RevokeOutcome::Revoked);

    let found = world.find("dead").await;
    assert_eq!((found.revoked_at, secrets(&found)), (Some(NOW + 1), vec![(1, None)]));
    assert_eq!(world.find("alive").await.revoked_at, None);
    let page = PageRequest::first();
    let list = world.store.list(&world.acme, &CredentialFilter::default(), &page).await.unwrap();
    let ends: Vec<_> = list.items.iter().map(|row| row.revoked_at).collect();
    assert_eq!(ends, [Some(NOW + 1), None]);
}

/// The first revocation's moment stands. The second is published as well: the one who was first may not have
/// published yet, and both are told that the credential is dead.
pub async fn a_second_revocation_changes_nothing_but_is_published<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("dead")).await;
    let key = [ChangeKey::Credential(SecretKind::ApiKey, "dead".into())];
    for (at, expected) in [(1, RevokeOutcome::Revoked), (2, RevokeOutcome::AlreadyRevoked)] {
        let revocation = world.store.revoke(&world.acme, SecretKind::ApiKey, "dead", NOW + at);
        assert_eq!(publishing(&key, revocation).await, expected);
        assert_eq!(world.find("dead").await.revoked_at, Some(NOW + 1));
    }
}

/// Of many revocations at the same time one takes effect, and its moment is the one that stands.
pub async fn of_many_revocations_one_takes_effect<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("contended")).await;
    let outcomes = together((0..16).map(|task| {
        let world = world.clone();
        async move { world.revoke("contended", NOW + task).await }
    }))
    .await;
    assert_eq!(count(&outcomes, &RevokeOutcome::Revoked), 1);
    assert_eq!(count(&outcomes, &RevokeOutcome::AlreadyRevoked), 15);
    let first = outcomes.iter().position(|outcome| *outcome == RevokeOutcome::Revoked);
    assert_eq!(world.find("contended").await.revoked_at, first.map(|task| NOW + task as u64));
}

/// While many read, no read that starts after the revocation was answered finds the credential alive.
pub async fn a_read_that_starts_after_a_revocation_sees_it<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for round in 0..4 {
        let id = format!("raced_{round}");
        world.insert(world.key(&id)).await;
        let revoked = Arc::new(AtomicBool::new(false));
        together((0..8).map(|task| {
            let (world, id, revoked) = (world.clone(), id.clone(), Arc::clone(&revoked));
            async move {
                if task == 0 {
                    assert_eq!(world.revoke(&id, NOW).await, RevokeOutcome::Revoked);
                    revoked.store(true, Ordering::SeqCst);
                    return;
                }
                let mut after = false;
                while !after {
                    after = revoked.load(Ordering::SeqCst);
                    let found = world.find(&id).await;
                    assert!(!after || found.revoked_at == Some(NOW), "a stale read");
                    tokio::task::yield_now().await;
                }
            }
        }))
        .await;
    }
}
