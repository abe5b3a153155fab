//! Mint, pass, rotate, revoke, be refused.

use std::sync::atomic::Ordering;

use gatewright_core::audit::AuditKind;
use gatewright_core::credential::SecretKind;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::principal::{Mode, Subject};
use gatewright_issuer::{Authority, MintRequest, RotatedCredential, RotationGrace};

use crate::world::{NOW, World, scopes, user};

const KEY: SecretKind = SecretKind::ApiKey;

impl World {
    async fn rotated(&self, id: &str, grace: u64) -> Result<RotatedCredential, ErrorCode> {
        let grace = RotationGrace::from_secs(grace).unwrap();
        let operator = Authority::operator();
        self.issuer
            .rotate("tnx", &self.acme, id, grace, &operator)
            .await
            .map_err(|refusal| refusal.code())
    }
}

#[tokio::test]
async fn what_is_minted_passes_until_it_is_revoked() {
    let world = World::new().await;
    for (brand, kind, mode) in [
        ("tnx", SecretKind::ApiKey, Mode::ApiKey),
        ("patv1", SecretKind::Pat, Mode::Pat),
    ] {
        let (acme, alice) = (world.acme.clone(), world.alice.clone());
        let request = MintRequest::new(brand, acme, alice, scopes("links.read")).named("ci");
        let minted = world.issuer.mint(request, &Authority::operator()).await;
        let minted = minted.unwrap();
        assert_eq!((minted.created_at, minted.expires_at), (NOW, None));

        let principal = world.enter(&minted.secret).await.unwrap();
        assert_eq!(principal.mode(), mode);
        assert_eq!(principal.user(), Some(&world.alice));
        assert_eq!(principal.credential(), &minted.id);
        assert_eq!(principal.tenant().unwrap().id(), &world.acme);
        assert_eq!(principal.scopes(), &scopes("links.read"));

        let id = minted.id.as_str();
        let revoked = world.issuer.revoke(kind, &world.acme, id, None).await;
        revoked.unwrap();
        let refused = world.verdict(&minted.secret).await;
        assert_eq!(refused, Err(ErrorCode::TokenRevoked));
        let again = world.issuer.revoke(kind, &world.acme, id, None).await;
        again.unwrap();
    }
}

#[tokio::test]
async fn both_secrets_work_within_the_grace_and_the_old_one_not_after() {
    let world = World::new().await;
    let first = world.minted("*").await;
    let second = world.rotated(first.id.as_str(), 60).await.unwrap();
    assert_eq!(second.old_secret_ends_at, NOW + 60);
    world.clock.advance(59);
    assert_eq!(world.verdict(&first.secret).await, Ok(()));
    assert_eq!(world.verdict(&second.secret).await, Ok(()));
    world.clock.advance(1);
    let old = world.verdict(&first.secret).await;
    assert_eq!(old, Err(ErrorCode::InvalidToken));
    assert_eq!(world.verdict(&second.secret).await, Ok(()));
}

#[tokio::test]
async fn a_grace_of_nothing_ends_the_old_secret_at_once() {
    let world = World::new().await;
    let first = world.minted("*").await;
    assert_eq!(world.verdict(&first.secret).await, Ok(()));
    let second = world.rotated(first.id.as_str(), 0).await.unwrap();
    assert_eq!(second.old_secret_ends_at, NOW);
    let old = world.verdict(&first.secret).await;
    assert_eq!(old, Err(ErrorCode::InvalidToken));
    assert_eq!(world.verdict(&second.secret).await, Ok(()));
}

#[tokio::test]
async fn a_second_rotation_ends_the_oldest_secret_at_once() {
    let world = World::new().await;
    let first = world.minted("*").await;
    let id = first.id.as_str();
    let second = world.rotated(id, 86_400).await.unwrap();
    for secret in [&first.secret, &second.secret] {
        assert_eq!(world.verdict(secret).await, Ok(()));
    }
    let third = world.rotated(id, 60).await.unwrap();
    let oldest = world.verdict(&first.secret).await;
    assert_eq!(oldest, Err(ErrorCode::InvalidToken));
    for secret in [&second.secret, &third.secret] {
        assert_eq!(world.verdict(secret).await, Ok(()));
    }
}

#[tokio::test]
async fn no_secret_outlives_the_credential() {
    let world = World::new().await;
    let request = world.key("*").expiring_at(Some(NOW + 100));
    let first = world.issuer.mint(request, &Authority::operator()).await;
    let first = first.unwrap();
    let second = world.rotated(first.id.as_str(), 3_600).await.unwrap();
    assert_eq!(second.old_secret_ends_at, NOW + 100);
    world.clock.advance(99);
    assert_eq!(world.verdict(&first.secret).await, Ok(()));
    world.clock.advance(1);
    assert_eq!(
        world.verdict(&second.secret).await,
        Err(ErrorCode::TokenExpired)
    );
    assert!(world.verdict(&first.secret).await.is_err());
    let late = world.rotated(first.id.as_str(), 0).await;
    assert_eq!(late.unwrap_err(), ErrorCode::Conflict);
}

#[tokio::test]
async fn revoking_ends_every_secret_and_rotating_brings_none_back() {
    let world = World::new().await;
    let first = world.minted("*").await;
    let id = first.id.as_str();
    let second = world.rotated(id, 3_600).await.unwrap();
    for secret in [&first.secret, &second.secret] {
        assert_eq!(world.verdict(secret).await, Ok(()));
    }
    world
        .issuer
        .revoke(KEY, &world.acme, id, None)
        .await
        .unwrap();
    for secret in [&first.secret, &second.secret] {
        assert!(world.verdict(secret).await.is_err());
    }
    let hashes = world.gate.stats().hashing.hashes;
    assert_eq!(world.rotated(id, 0).await.unwrap_err(), ErrorCode::Conflict);
    assert_eq!(world.gate.stats().hashing.hashes, hashes, "hashed in vain");
}

#[tokio::test]
async fn another_tenants_credential_and_no_credential_look_the_same() {
    let world = World::new().await;
    let minted = world.minted("*").await;
    let operator = Authority::operator();
    for id in [
        minted.id.as_str(),
        "00000000",
        "",
        "not an id of the format",
    ] {
        let globex = &world.globex;
        let rotated = world
            .issuer
            .rotate("tnx", globex, id, RotationGrace::default(), &operator)
            .await;
        assert_eq!(rotated.unwrap_err().code(), ErrorCode::NotFound, "{id}");
        let revoked = world.issuer.revoke(KEY, globex, id, None).await;
        assert_eq!(revoked.unwrap_err().code(), ErrorCode::NotFound, "{id}");
    }
    let other_kind = world
        .issuer
        .revoke(SecretKind::Pat, &world.acme, minted.id.as_str(), None)
        .await;
    assert_eq!(other_kind.unwrap_err().code(), ErrorCode::NotFound);
    assert_eq!(world.verdict(&minted.secret).await, Ok(()));
    assert_eq!(world.events.kinds(), [AuditKind::Minted]);
}

#[tokio::test]
async fn every_change_is_told_to_the_audit_once() {
    let world = World::new().await;
    let alice = world.logged_in(&world.alice, &world.acme).await;
    let minted = world.issuer.mint(world.key("*"), &alice).await.unwrap();
    let id = minted.id.as_str();
    let grace = RotationGrace::default();
    let rotated = world
        .issuer
        .rotate("tnx", &world.acme, id, grace, &alice)
        .await;
    rotated.unwrap();
    for _ in 0..2 {
        let by = Some(&world.alice);
        let revoked = world.issuer.revoke(KEY, &world.acme, id, by).await;
        revoked.unwrap();
    }
    let events = world.events.take();
    let kinds: Vec<AuditKind> = events.iter().map(|event| event.kind).collect();
    let all = [AuditKind::Minted, AuditKind::Rotated, AuditKind::Revoked];
    assert_eq!(kinds, all);
    for event in events {
        assert_eq!(event.at, NOW);
        assert_eq!(event.subject, Some(Subject::User(user("usr_alice"))));
        assert_eq!(event.tenant.as_ref(), Some(&world.acme));
        assert_eq!(event.target.as_deref(), Some(id));
    }
}

#[tokio::test]
async fn whoever_asks_for_more_than_they_have_is_told_to_the_audit() {
    let world = World::new().await;
    let bob = world.logged_in(&world.bob, &world.acme).await;
    let alices = world
        .issuer
        .mint(world.key("billing"), &Authority::operator())
        .await
        .unwrap();
    let id = alices.id.as_str();
    world.events.take();

    let (acme, globex) = (world.acme.clone(), world.globex.clone());
    let key = |tenant, asked| MintRequest::new("tnx", tenant, world.bob.clone(), scopes(asked));
    let grace = RotationGrace::default();
    world
        .issuer
        .mint(key(acme.clone(), "billing"), &bob)
        .await
        .unwrap_err();
    world
        .issuer
        .mint(key(globex.clone(), "links.read"), &bob)
        .await
        .unwrap_err();
    world
        .issuer
        .rotate("tnx", &acme, id, grace, &bob)
        .await
        .unwrap_err();
    world
        .issuer
        .rotate("tnx", &globex, id, grace, &bob)
        .await
        .unwrap_err();
    // A typing error is no attempt.
    world
        .issuer
        .mint(key(acme.clone(), "link.read"), &bob)
        .await
        .unwrap_err();
    let events = world.events.take();
    assert!(events.iter().all(|event| event.kind == AuditKind::Denied));
    assert!(
        events
            .iter()
            .all(|event| event.subject == Some(Subject::User(world.bob.clone())))
    );
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.tenant.as_ref(), event.target.as_deref(), event.cause))
        .collect();
    let expected = [
        (Some(&acme), None, Some(Cause::MissingScope)),
        (Some(&globex), None, Some(Cause::ForeignTenant)),
        (Some(&acme), Some(id), Some(Cause::MissingScope)),
        (Some(&globex), Some(id), Some(Cause::ForeignTenant)),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_grace_is_a_day_at_most_and_an_hour_if_not_said() {
    assert!(RotationGrace::from_secs(86_400).is_some());
    assert!(RotationGrace::from_secs(86_401).is_none());
    assert_eq!(
        Some(RotationGrace::default()),
        RotationGrace::from_secs(3_600)
    );
}

#[tokio::test]
async fn an_overload_is_no_answer_and_says_when_to_come_back() {
    let world = World::with_queue(0).await;
    let operator = Authority::operator();
    let refused = world.issuer.mint(world.key("*"), &operator).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.cause(), Some(Cause::HashQueueFull));
    assert_eq!(refused.status(), 503);
    assert!(refused.retry_after().is_some());

    let world = World::new().await;
    let minted = world.minted("*").await;
    world.events.take();
    world.store.is_down.store(true, Ordering::SeqCst);
    let id = minted.id.as_str();
    let refusals = [
        world
            .issuer
            .mint(world.key("*"), &operator)
            .await
            .unwrap_err(),
        world
            .issuer
            .rotate("tnx", &world.acme, id, RotationGrace::default(), &operator)
            .await
            .unwrap_err(),
        world
            .issuer
            .revoke(KEY, &world.acme, id, None)
            .await
            .unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.cause(), Some(Cause::StoreUnavailable));
        assert!(refusal.retry_after().is_some());
    }
    assert!(world.events.take().is_empty());
    assert_eq!(world.verdict(&minted.secret).await, Ok(()));
}

#[tokio::test]
async fn an_expiry_lies_in_the_future_and_a_brand_is_configured() {
    let world = World::new().await;
    let operator = Authority::operator();
    for past in [0, NOW - 1, NOW] {
        let request = world.key("*").expiring_at(Some(past));
        let refused = world.issuer.mint(request, &operator).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::ValidationError);
    }
    let mut request = world.key("*");
    request.brand = "nope".to_owned();
    let refused = world.issuer.mint(request, &operator).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::InternalError);
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_still_reaches_the_caches() {
    let world = World::new().await;
    let minted = world.minted("*").await;
    assert_eq!(world.verdict(&minted.secret).await, Ok(()));
    world.store.loses_answers.store(true, Ordering::SeqCst);
    let id = minted.id.as_str();
    tokio::select! {
        biased;
        _ = world.issuer.revoke(KEY, &world.acme, id, None) => unreachable!("the answer is lost"),
        () = std::future::ready(()) => {}
    }
    let refused = world.verdict(&minted.secret).await;
    assert_eq!(refused, Err(ErrorCode::TokenRevoked));
}

#[tokio::test]
async fn a_minted_secret_is_not_printed() {
    let world = World::new().await;
    let minted = world.minted("*").await;
    let rotated = world.rotated(minted.id.as_str(), 0).await.unwrap();
    for (secret, printed) in [
        (&minted.secret, format!("{minted:?}")),
        (&rotated.secret, format!("{rotated:?}")),
    ] {
        let tail = &secret.expose()[13..];
        assert!(!printed.contains(tail));
    }
}
