//! Work that no request waits for.

use std::num::NonZeroUsize;
use std::sync::atomic::Ordering::SeqCst;

use gatewright_core::credential::SecretKind;
use gatewright_core::gate::Coherence;
use gatewright_core::hash::{Argon2Settings, GuardTag, HashPool, PoolConfig, SecretHash};
use gatewright_core::policy::Limits;
use gatewright_core::store::{CredentialRecord, CredentialStore};

use crate::fixture::{Key, NOW, World, is_pending};

async fn record(world: &World, key: &Key) -> CredentialRecord {
    let found = world.store.find(key.kind, &key.id).await;
    found.unwrap().unwrap()
}

async fn last_used(world: &World, key: &Key) -> Option<u64> {
    record(world, key).await.last_used_at
}

#[tokio::test]
async fn uses_are_written_in_batches_and_by_no_request() {
    let world = World::new().await;
    let (policy, first, second) = (
        world.anyone(),
        world.pat("*").await,
        world.api_key("*").await,
    );
    for _ in 0..10 {
        world.passes(&first.text, &policy).await;
        world.passes(&second.text, &policy).await;
        world.clock.advance(1);
    }
    assert_eq!(world.store.touches.load(SeqCst), 0);
    assert_eq!(world.gate.upkeep().await.unwrap().uses, 2);
    assert_eq!(world.store.touches.load(SeqCst), 1);
    assert_eq!(last_used(&world, &first).await, Some(NOW + 9));
    assert_eq!(last_used(&world, &second).await, Some(NOW + 9));
    assert_eq!(world.gate.upkeep().await.unwrap().uses, 0, "no news");
    world.passes(&first.text, &policy).await;
    assert_eq!(world.gate.upkeep().await.unwrap().uses, 1);
    assert_eq!(last_used(&world, &first).await, Some(NOW + 10));
}

#[tokio::test]
async fn a_wrong_secret_is_no_use() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("*").await);
    world.refused(&world.wrong(&key), &policy).await;
    world.revoke(&key).await;
    world.refused(&key.text, &policy).await;
    assert_eq!(world.gate.upkeep().await.unwrap().uses, 0);
}

#[tokio::test]
async fn what_a_failing_store_did_not_write_is_written_later() {
    let world = World::new().await;
    let policy = world.anyone();
    let mut keys = Vec::new();
    // More than one batch.
    for _ in 0..1100 {
        keys.push(world.pat("*").await);
    }
    for key in &keys {
        world.passes(&key.text, &policy).await;
    }
    world.store.broken.store(true, SeqCst);
    assert!(world.gate.upkeep().await.is_err());
    assert!(world.gate.upkeep().await.is_err());
    world.store.broken.store(false, SeqCst);
    assert_eq!(world.gate.upkeep().await.unwrap().uses, 1100);
    for key in &keys {
        assert_eq!(last_used(&world, key).await, Some(NOW));
    }
    // And each is noted anew.
    world.clock.advance(1);
    for key in &keys {
        world.passes(&key.text, &policy).await;
    }
    assert_eq!(world.gate.upkeep().await.unwrap().uses, 1100);
}

#[tokio::test]
async fn a_round_that_is_cancelled_loses_nothing() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("*").await);
    world.passes(&key.text, &policy).await;
    let held = world.store.held.write().await;
    let mut round = Box::pin(world.gate.upkeep());
    assert!(is_pending(&mut round).await);
    drop(round);
    drop(held);
    assert_eq!(world.gate.upkeep().await.unwrap().uses, 1);
    assert_eq!(last_used(&world, &key).await, Some(NOW));
}

#[tokio::test]
async fn a_record_that_is_read_each_time_is_noted_once() {
    let world = World::with(Coherence::Strict, Limits::none(), |builder| builder).await;
    let (policy, key) = (world.anyone(), world.pat("*").await);
    for _ in 0..100 {
        world.passes(&key.text, &policy).await;
    }
    assert_eq!(world.gate.upkeep().await.unwrap().uses, 1);
}

/// A world whose gate hashes with the default settings, and a key whose hash is weaker and has this tag.
async fn with_a_weak_hash(tag: impl FnOnce(&World, &str) -> Option<GuardTag>) -> (World, Key) {
    let strong = PoolConfig::new(Argon2Settings::default()).with_threads(NonZeroUsize::MIN);
    let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.hash_pool(HashPool::start(strong).unwrap())
    })
    .await;
    let minted = world
        .gate
        .formats()
        .format("patv1")
        .unwrap()
        .mint()
        .unwrap();
    let text = minted.secret.expose().to_owned();
    let weak = crate::fixture::pool(4)
        .hash(text.as_bytes())
        .unwrap()
        .await
        .unwrap();
    let tag = tag(&world, &text);
    let id = gatewright_core::principal::CredentialId::new(minted.public_id.as_str()).unwrap();
    let key = world
        .mint(SecretKind::Pat, "*", |new| {
            new.id = id;
            new.secret.hash = weak.into();
            new.secret.tag = tag;
        })
        .await;
    let key = Key {
        id: minted.public_id,
        text,
        ..key
    };
    (world, key)
}

#[tokio::test]
async fn an_outdated_hash_is_replaced_after_its_next_proof() {
    let (world, key) = with_a_weak_hash(|_, _| None).await;
    let policy = world.anyone();
    assert_eq!(world.gate.upkeep().await.unwrap().rehashed, 0);
    let asked = (0..20).map(|_| world.ask(&key.text, &policy));
    let decisions = futures_util::future::join_all(asked).await;
    assert!(decisions.iter().all(Result::is_ok));
    assert_eq!(world.gate.upkeep().await.unwrap().rehashed, 1);
    assert_eq!(
        world.gate.stats().hashing.hashes,
        2,
        "the key that was minted, and one for all who proved it"
    );
    let stored = record(&world, &key).await.secrets.remove(0);
    let SecretHash::Argon2id(hash) = &stored.hash else {
        panic!("not argon2id: {:?}", stored.hash);
    };
    assert_eq!(hash.settings(), Argon2Settings::default());
    let tag = world.gate.tag_keys().tag(key.text.as_bytes());
    assert_eq!(stored.tag, Some(tag));

    world.passes(&key.text, &policy).await;
    assert_eq!(
        world
            .refused(&world.wrong(&key), &policy)
            .await
            .code()
            .status(),
        401
    );
    assert_eq!(world.gate.upkeep().await.unwrap().rehashed, 0);
}

#[tokio::test]
async fn a_rotation_wins_over_a_rehash_under_way() {
    let (world, key) = with_a_weak_hash(|_, _| None).await;
    let policy = world.anyone();
    world.passes(&key.text, &policy).await;
    let second = world.rotate(&key, 0).await;
    let third = world.rotate(&key, 0).await;
    let standing = record(&world, &key).await.secrets;
    assert_eq!(world.gate.upkeep().await.unwrap().rehashed, 0);
    let after = record(&world, &key).await.secrets;
    let texts = |secrets: &[gatewright_core::store::StoredSecret]| -> Vec<String> {
        secrets
            .iter()
            .map(|secret| secret.hash.as_str().to_owned())
            .collect()
    };
    assert_eq!(texts(&after), texts(&standing));
    world.passes(&third, &policy).await;
    for old in [&key.text, &second] {
        assert_eq!(world.refused(old, &policy).await.code().status(), 401);
    }
}

#[tokio::test]
async fn a_rehash_that_a_failing_store_refused_is_stored_later() {
    let (world, key) = with_a_weak_hash(|_, _| None).await;
    world.passes(&key.text, &world.anyone()).await;
    world.store.broken.store(true, SeqCst);
    assert!(world.gate.upkeep().await.is_err());
    world.store.broken.store(false, SeqCst);
    assert_eq!(world.gate.upkeep().await.unwrap().rehashed, 1);
}

#[tokio::test]
async fn a_record_whose_tag_key_is_unknown_is_not_refused_and_gets_a_new_tag() {
    let (world, key) = with_a_weak_hash(|_, _| GuardTag::from_u64(0x9_1234)).await;
    world.passes(&key.text, &world.anyone()).await;
    assert_eq!(world.gate.upkeep().await.unwrap().rehashed, 1);
    let tag = record(&world, &key).await.secrets[0].tag.unwrap();
    assert_eq!(tag.key_id, 7);
}
