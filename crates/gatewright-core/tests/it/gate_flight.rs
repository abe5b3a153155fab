//! Many ask at once: what is shared, what is not, and what happens when nobody can answer.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use futures_util::future::join_all;
use gatewright_core::credential::SecretKind;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::gate::Coherence;
use gatewright_core::policy::Limits;

use crate::fixture::{World, at, cause, is_pending, pool};

#[tokio::test]
async fn a_hundred_cold_requests_read_once_and_hash_once() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let asked: Vec<_> = (0..100)
        .map(|_| world.admit(&key.text, &policy, at("neo")).decided())
        .collect();
    let decisions = join_all(asked).await;
    assert!(decisions.iter().all(Result::is_ok));
    assert_eq!((world.store.finds.load(SeqCst), world.hashed()), (1, 1));
}

#[test]
fn a_hundred_cold_requests_on_many_threads_read_and_hash_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    // Again and again: what could go wrong lies between two instructions.
    for _ in 0..30 {
        let world = Arc::new(runtime.block_on(World::new()));
        let policy = world.anyone();
        let key = Arc::new(runtime.block_on(world.pat("links.read")));
        let held = runtime.block_on(world.store.held.write());
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (world, policy, key) = (world.clone(), policy.clone(), key.clone());
                runtime.spawn(async move { world.ask(&key.text, &policy).await.is_ok() })
            })
            .collect();
        while world.store.finds.load(SeqCst) == 0 {
            std::thread::yield_now();
        }
        drop(held);
        runtime.block_on(async {
            for task in tasks {
                assert!(task.await.unwrap());
            }
        });
        assert_eq!((world.store.finds.load(SeqCst), world.hashed()), (1, 1));
    }
}

#[tokio::test]
async fn a_wrong_secret_never_shares_a_right_ones_success() {
    let world = World::new().await;
    let policy = world.anyone();
    // Without a tag, so that the wrong one gets as far as argon2.
    let key = world
        .mint(SecretKind::Pat, "*", |new| new.secret.tag = None)
        .await;
    let wrong = world.wrong(&key);
    let _busy = world.busy();
    let asked: Vec<_> = (0..50)
        .map(|n| {
            let text = if n % 2 == 0 { &key.text } else { &wrong };
            world.admit(text, &policy, at("neo")).decided()
        })
        .collect();
    for (n, decision) in join_all(asked).await.into_iter().enumerate() {
        assert_eq!(decision.is_ok(), n % 2 == 0, "{n}");
    }
    // The costly one that kept the thread busy, the right text and the wrong one.
    assert_eq!((world.store.finds.load(SeqCst), world.hashed()), (1, 3));
}

#[tokio::test]
async fn a_cancelled_leader_strands_nobody() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let held = world.store.held.write().await;
    let mut leader = Box::pin(world.admit(&key.text, &policy, at("neo")).decided());
    let mut follower = Box::pin(world.admit(&key.text, &policy, at("neo")).decided());
    assert!(is_pending(&mut leader).await);
    assert!(is_pending(&mut follower).await);
    drop(leader);
    drop(held);
    assert!(follower.await.is_ok());
    assert_eq!(world.store.finds.load(SeqCst), 1);
}

#[tokio::test]
async fn a_full_queue_is_an_overload_and_no_verdict() {
    let world = World::with(
        Coherence::SingleProcess,
        Limits::none(),
        // With no place in the queue nothing can be hashed; minting uses another pool.
        |builder| builder.hash_pool(pool(0)),
    )
    .await;
    let policy = world.anyone();
    let minting = World::new().await;
    let key = minting.pat("links.read").await;
    use gatewright_core::store::CredentialStore;
    let record = minting.store.find(SecretKind::Pat, &key.id).await;
    let record = record.unwrap().unwrap();
    let mut new = gatewright_core::store::NewCredential::new(
        SecretKind::Pat,
        record.id,
        record.tenant.id().clone(),
        record.owner,
        record.secrets[0].clone(),
        record.created_at,
    );
    new.scopes = record.scopes;
    let inserted = world.store.insert(new).await.unwrap();
    world.gate.changes().publish(inserted);

    for _ in 0..20 {
        let refusal = world.ask(&key.text, &policy).await.unwrap_err();
        assert_eq!(refusal.cause(), Some(Cause::HashQueueFull));
        assert_eq!(refusal.status(), 503);
        assert!(refusal.retry_after().is_some());
    }
    assert_eq!(
        world.refused(&world.wrong(&key), &policy).await.code(),
        ErrorCode::InvalidToken
    );
}

#[tokio::test]
async fn a_store_out_of_reach_is_503_and_never_remembered() {
    let world = World::new().await;
    let policy = world.read_links();
    let (warm, cold) = (world.pat("links.read").await, world.pat("links.read").await);
    let (known, unknown) = (world.jwt("alice"), world.jwt("carol"));
    world.passes(&warm.text, &policy).await;
    world.passes(&known, &policy).await;

    world.store.broken.store(true, SeqCst);
    for text in [&cold.text, &unknown] {
        for _ in 0..15 {
            let refusal = world.ask(text, &policy).await.unwrap_err();
            assert_eq!(refusal.cause(), Some(Cause::StoreUnavailable));
            assert_eq!(refusal.code(), ErrorCode::TemporarilyUnavailable);
            assert!(refusal.retry_after().is_some());
        }
    }
    // What memory may answer for, it still does.
    world.passes(&warm.text, &policy).await;
    world.passes(&known, &policy).await;

    world.store.broken.store(false, SeqCst);
    world.passes(&cold.text, &policy).await;
    assert_eq!(world.refused(&unknown, &policy).await, Cause::NoMembership);
}

#[tokio::test]
async fn a_strict_gate_admits_nobody_without_its_store() {
    let world = World::with(Coherence::Strict, Limits::none(), |builder| builder).await;
    let policy = world.read_links();
    let (key, jwt) = (world.pat("links.read").await, world.jwt("alice"));
    world.passes(&key.text, &policy).await;
    world.passes(&jwt, &policy).await;
    world.store.broken.store(true, SeqCst);
    for text in [&key.text, &jwt] {
        assert_eq!(
            cause(world.ask(text, &policy).await),
            Cause::StoreUnavailable
        );
    }
}
