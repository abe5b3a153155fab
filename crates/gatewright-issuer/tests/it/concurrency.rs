//! Many at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gatewright_core::credential::SecretKind;
use gatewright_core::error::ErrorCode;
use gatewright_issuer::{Authority, RotationGrace};
use tokio::task::JoinSet;

use crate::world::World;

const THREADS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ids_that_are_taken_are_replaced() {
    let world = Arc::new(World::new().await);
    let first = world.minted("*").await;
    *world.store.taken.lock().unwrap() = Some(first.id.clone());
    // Fewer than the tries of one mint, so that all of them could meet the same one.
    world.store.collisions.store(7, Ordering::SeqCst);
    let mut mints = JoinSet::new();
    for _ in 0..32 {
        let world = Arc::clone(&world);
        mints.spawn(async move { world.minted("*").await });
    }
    let minted = mints.join_all().await;
    assert_eq!(world.store.collisions.load(Ordering::SeqCst), 0);
    let ids: HashSet<&str> = minted.iter().map(|minted| minted.id.as_str()).collect();
    assert_eq!(ids.len(), 32);
    for minted in minted.iter().chain([&first]) {
        let principal = world.enter(&minted.secret).await.unwrap();
        assert_eq!(principal.credential(), &minted.id);
    }
    assert_eq!(world.events.take().len(), 33);
}

#[tokio::test]
async fn a_store_where_every_id_is_taken_is_given_up_on() {
    let world = World::new().await;
    let first = world.minted("*").await;
    *world.store.taken.lock().unwrap() = Some(first.id.clone());
    world.store.collisions.store(100, Ordering::SeqCst);
    let refused = world
        .issuer
        .mint(world.key("*"), &Authority::operator())
        .await;
    assert_eq!(refused.unwrap_err().code(), ErrorCode::InternalError);
    assert_eq!(world.store.collisions.load(Ordering::SeqCst), 92);
    assert_eq!(world.verdict(&first.secret).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_rotations_at_once_two_secrets_are_left() {
    let world = Arc::new(World::new().await);
    for _ in 0..8 {
        let first = world.minted("*").await;
        let mut rotations = JoinSet::new();
        for _ in 0..THREADS {
            let (world, id) = (Arc::clone(&world), first.id.clone());
            rotations.spawn(async move {
                let (acme, operator) = (&world.acme, Authority::operator());
                let grace = RotationGrace::default();
                let rotated = world
                    .issuer
                    .rotate("tnx", acme, id.as_str(), grace, &operator)
                    .await;
                rotated.unwrap().secret
            });
        }
        let rotated = rotations.join_all().await;
        let mut live = 0;
        for secret in &rotated {
            live += usize::from(world.verdict(secret).await.is_ok());
        }
        assert_eq!(live, 2, "the current one and the one before it");
        assert!(world.verdict(&first.secret).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_never_revives_what_is_revoked() {
    let world = Arc::new(World::new().await);
    for _ in 0..16 {
        let first = world.minted("*").await;
        assert_eq!(world.verdict(&first.secret).await, Ok(()));
        let (rotating, id) = (Arc::clone(&world), first.id.clone());
        let rotation = tokio::spawn(async move {
            let (acme, operator) = (&rotating.acme, Authority::operator());
            let grace = RotationGrace::default();
            rotating
                .issuer
                .rotate("tnx", acme, id.as_str(), grace, &operator)
                .await
        });
        tokio::task::yield_now().await;
        let (kind, id) = (SecretKind::ApiKey, first.id.as_str());
        world
            .issuer
            .revoke(kind, &world.acme, id, None)
            .await
            .unwrap();
        assert!(world.verdict(&first.secret).await.is_err());
        match rotation.await.unwrap() {
            Ok(rotated) => assert!(world.verdict(&rotated.secret).await.is_err()),
            Err(refusal) => assert_eq!(refusal.code(), ErrorCode::Conflict),
        }
    }
}
