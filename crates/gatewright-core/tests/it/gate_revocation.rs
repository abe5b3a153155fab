//! When a change takes effect: with the first request that starts after it was published, whatever is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use gatewright_core::credential::SecretKind;
use gatewright_core::error::Cause;
use gatewright_core::gate::{Admission, Coherence};
use gatewright_core::policy::{Limits, Policy};
use gatewright_core::store::{ChangeKey, CredentialStore, MembershipStore};

use crate::fixture::{NOW, World, at, cause, is_pending, tenant};

#[tokio::test]
async fn the_first_request_after_a_revocation_is_refused() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    world.passes(&key.text, &policy).await;
    world.revoke(&key).await;
    for _ in 0..3 {
        assert_eq!(world.refused(&key.text, &policy).await, Cause::Revoked);
    }
}

#[tokio::test]
async fn a_reading_that_races_a_revocation_loses() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);

    let held = world.store.held.write().await;
    let mut before = Box::pin(world.admit(&key.text, &policy, at("neo")).decided());
    assert!(is_pending(&mut before).await);
    assert_eq!(world.store.finds.load(SeqCst), 1, "the good record is read");
    world.revoke(&key).await;
    // This one starts after the revocation: it joins no reading from before.
    let mut after = Box::pin(world.admit(&key.text, &policy, at("neo")).decided());
    assert!(is_pending(&mut after).await);
    assert_eq!(world.store.finds.load(SeqCst), 2);
    drop(held);

    assert_eq!(cause(after.await), Cause::Revoked);
    // The one from before holds a record that is no longer current, and reads again.
    assert_eq!(cause(before.await), Cause::Revoked);
    assert_eq!(world.refused(&key.text, &policy).await, Cause::Revoked);
}

#[tokio::test]
async fn a_late_reading_does_not_bring_a_revoked_record_back() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let held = world.store.held.write().await;
    let mut late = Box::pin(world.admit(&key.text, &policy, at("neo")).decided());
    assert!(is_pending(&mut late).await);
    world.revoke(&key).await;
    drop(held);
    // Another request fills the cache first; then the late reading puts its record over it.
    assert_eq!(world.refused(&key.text, &policy).await, Cause::Revoked);
    assert_eq!(cause(late.await), Cause::Revoked);
    assert_eq!(world.refused(&key.text, &policy).await, Cause::Revoked);
}

#[test]
fn of_many_threads_none_that_starts_after_the_revocation_passes() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    for _ in 0..20 {
        let world = Arc::new(runtime.block_on(World::new()));
        let policy = world.anyone();
        let key = Arc::new(runtime.block_on(world.pat("links.read")));
        let revoked = Arc::new(AtomicBool::new(false));
        let (late, passed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (world, policy, key) = (world.clone(), policy.clone(), key.clone());
                let (revoked, late, passed) = (revoked.clone(), late.clone(), passed.clone());
                runtime.spawn(async move {
                    for _ in 0..20 {
                        let started_after = revoked.load(SeqCst);
                        let decision = world.ask(&key.text, &policy).await;
                        if decision.is_ok() {
                            passed.fetch_add(1, SeqCst);
                            late.fetch_add(u64::from(started_after), SeqCst);
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            while passed.load(SeqCst) < 50 {
                tokio::task::yield_now().await;
            }
            world.revoke(&key).await;
            revoked.store(true, SeqCst);
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(late.load(SeqCst), 0);
    }
}

#[tokio::test]
async fn a_plan_and_a_role_change_at_once() {
    let world = World::new().await;
    let webhooks = world.compile(
        Policy::pat()
            .or(Policy::jwt().role("operator"))
            .feature("webhooks")
            .tenant_from("handle"),
    );
    let (key, bob) = (world.pat("webhooks.read").await, world.jwt("bob"));
    world.passes(&key.text, &webhooks).await;
    assert_eq!(world.refused(&bob, &webhooks).await, Cause::MissingRole);

    world.put_member("ten_neo", "bob", "operator").await;
    world.passes(&bob, &webhooks).await;
    let plan = world.store.set_plan(&tenant("ten_neo"), "free").await;
    assert!(world.gate.changes().publish(plan.unwrap()));
    assert_eq!(
        world.refused(&key.text, &webhooks).await,
        Cause::MissingFeature
    );
    assert_eq!(world.refused(&bob, &webhooks).await, Cause::MissingFeature);
    world.put_member("ten_neo", "bob", "creator").await;
    assert_eq!(world.refused(&bob, &webhooks).await, Cause::MissingRole);
}

#[tokio::test]
async fn strict_reads_every_time_and_hashes_once() {
    let world = World::with(Coherence::Strict, Limits::none(), |builder| builder).await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    for _ in 0..10 {
        world.passes(&key.text, &policy).await;
    }
    assert_eq!((world.store.finds.load(SeqCst), world.hashed()), (10, 1));
    // Another process revokes; nothing is published here.
    let revoked = world
        .store
        .revoke(&tenant("ten_neo"), SecretKind::Pat, &key.id, NOW)
        .await
        .unwrap();
    std::mem::forget(revoked);
    assert_eq!(world.refused(&key.text, &policy).await, Cause::Revoked);

    let jwt = world.jwt("alice");
    let reads = world.store.reads();
    for _ in 0..5 {
        world.passes(&jwt, &world.read_links()).await;
    }
    assert_eq!(
        world.store.reads(),
        reads + 10,
        "standing and membership, each time"
    );
}

#[tokio::test]
async fn strict_does_not_join_a_reading_that_began_before() {
    let world = World::with(Coherence::Strict, Limits::none(), |builder| builder).await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let held = world.store.held.write().await;
    let mut before = Box::pin(world.admit(&key.text, &policy, at("neo")).decided());
    assert!(is_pending(&mut before).await);
    let tenant = tenant("ten_neo");
    let elsewhere = world.store.revoke(&tenant, SecretKind::Pat, &key.id, NOW);
    std::mem::forget(elsewhere.await.unwrap());
    let mut after = Box::pin(world.admit(&key.text, &policy, at("neo")).decided());
    assert!(is_pending(&mut after).await);
    drop(held);
    assert_eq!(cause(after.await), Cause::Revoked);
    drop(before);
}

#[tokio::test]
async fn bounded_trusts_memory_while_the_feed_is_heard() {
    let coherence = Coherence::Bounded {
        max_silence_secs: 5,
    };
    let world = World::with(coherence, Limits::none(), |builder| builder).await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let finds = || world.store.finds.load(SeqCst);
    world.passes(&key.text, &policy).await;
    world.passes(&key.text, &policy).await;
    assert_eq!(finds(), 2, "never heard");

    world.gate.heard_feed();
    world.passes(&key.text, &policy).await;
    assert_eq!(
        finds(),
        3,
        "what was read before the feed began is read again"
    );
    world.clock.advance(5);
    world.passes(&key.text, &policy).await;
    assert_eq!(finds(), 3);
    world.clock.advance(1);
    world.passes(&key.text, &policy).await;
    assert_eq!(finds(), 4, "silent for too long");

    // The other process revokes while the feed is silent, and its word of it is lost.
    let tenant = tenant("ten_neo");
    let elsewhere = world.store.revoke(&tenant, SecretKind::Pat, &key.id, NOW);
    std::mem::forget(elsewhere.await.unwrap());
    world.gate.heard_feed();
    assert_eq!(world.refused(&key.text, &policy).await, Cause::Revoked);
}

/// A process that slept between reading the feed and saying so.
#[tokio::test]
async fn a_reading_of_the_feed_says_nothing_about_later() {
    let coherence = Coherence::Bounded {
        max_silence_secs: 5,
    };
    let world = World::with(coherence, Limits::none(), |builder| builder).await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let finds = || world.store.finds.load(SeqCst);
    let began = world.gate.clock().monotonic_nanos();
    world.clock.advance(60);
    world.gate.heard_feed_as_of(began);
    world.passes(&key.text, &policy).await;
    world.passes(&key.text, &policy).await;
    assert_eq!(finds(), 2, "the store is read each time");

    world
        .gate
        .heard_feed_as_of(world.gate.clock().monotonic_nanos());
    world.passes(&key.text, &policy).await;
    world.passes(&key.text, &policy).await;
    assert_eq!(finds(), 3);
}

#[tokio::test]
async fn a_change_that_the_feed_brings_takes_effect() {
    let world = World::with(
        Coherence::Bounded {
            max_silence_secs: 5,
        },
        Limits::none(),
        |builder| builder,
    )
    .await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    world.gate.heard_feed();
    world.passes(&key.text, &policy).await;
    let tenant = tenant("ten_neo");
    let elsewhere = world.store.revoke(&tenant, SecretKind::Pat, &key.id, NOW);
    std::mem::forget(elsewhere.await.unwrap());
    world.passes(&key.text, &policy).await;
    let changed = ChangeKey::Credential(SecretKind::Pat, key.id.as_str().into());
    world.gate.changes().raise(&changed);
    world.gate.heard_feed();
    assert_eq!(world.refused(&key.text, &policy).await, Cause::Revoked);
}

#[tokio::test]
async fn another_coherence_forgets_what_was_cached_under_the_old_one() {
    let world = World::with(Coherence::Strict, Limits::none(), |builder| builder).await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    world.passes(&key.text, &policy).await;
    let tenant = tenant("ten_neo");
    let elsewhere = world.store.revoke(&tenant, SecretKind::Pat, &key.id, NOW);
    std::mem::forget(elsewhere.await.unwrap());
    world.gate.set_coherence(Coherence::SingleProcess);
    assert_eq!(world.gate.coherence(), Coherence::SingleProcess);
    assert_eq!(world.refused(&key.text, &policy).await, Cause::Revoked);
}

#[tokio::test]
async fn a_revocation_while_argon2_runs_is_judged() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let mut pending = Box::pin(world.admit(&key.text, &policy, at("neo")).decided());
    let _busy = world.busy();
    // Polled once, the record is read and the text waits for its hash.
    assert!(is_pending(&mut pending).await);
    assert_eq!(world.store.finds.load(SeqCst), 1);
    world.revoke(&key).await;
    assert_eq!(cause(pending.await), Cause::Revoked);
    assert!(matches!(
        world.admit(&key.text, &policy, at("neo")),
        Admission::Ready(Err(_))
    ));
}
