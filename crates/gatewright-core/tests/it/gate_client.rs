//! The ladder for OAuth clients.

use std::net::IpAddr;

use gatewright_core::credential::{Formats, SecretFormat, SecretKind};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::gate::{Client, Coherence};
use gatewright_core::policy::Limits;
use gatewright_core::principal::{CredentialId, Verified};
use gatewright_core::store::{
    CredentialStore as _, MembershipStore as _, NewCredential, StoredSecret,
};
use gatewright_core::time::Clock as _;

use crate::fixture::{ELSEWHERE, HOME, NOW, World, pool, set, tenant, user};

const BRAND: &str = "apx_secret";

async fn world(queue: usize) -> World {
    let secrets = SecretFormat::unnamed(SecretKind::Client, BRAND);
    let formats = Formats::standard().with(secrets).unwrap();
    World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.formats(formats).hash_pool(pool(queue))
    })
    .await
}

fn secret(world: &World) -> String {
    let format = world.gate.formats().format(BRAND).unwrap();
    format.mint().unwrap().secret.expose().to_owned()
}

/// Registers `id` in `neo`. Answers its secret.
async fn client(world: &World, id: &str, change: impl FnOnce(&mut NewCredential)) -> String {
    let secret = secret(world);
    let text = secret.as_bytes();
    let hash = pool(1).hash(text).unwrap().await.unwrap();
    let stored = StoredSecret::new(hash, Some(world.gate.tag_keys().tag(text)));
    let id = CredentialId::new(id).unwrap();
    let tenant = tenant("ten_neo");
    let mut new = NewCredential::new(SecretKind::Client, id, tenant, user("alice"), stored, NOW);
    new.scopes = set("links.read");
    change(&mut new);
    let inserted = world.store.insert(new).await.unwrap();
    world.gate.changes().publish(inserted);
    secret
}

async fn ask(
    world: &World,
    id: &str,
    secret: &str,
    from: IpAddr,
) -> Result<Verified<Client>, AuthError> {
    world.gate.authenticate_client(id, secret, Some(from)).await
}

async fn refused(world: &World, id: &str, secret: &str) -> Cause {
    let refusal = ask(world, id, secret, HOME).await.unwrap_err();
    refusal.cause().unwrap()
}

#[tokio::test]
async fn a_proven_client_is_what_its_record_says() {
    let world = world(64).await;
    let right = client(&world, "cli_1", |new| new.expires_at = Some(NOW + 60)).await;
    for _ in 0..1_000 {
        let proven = ask(&world, "cli_1", &right, HOME).await.unwrap();
        assert_eq!(proven.id().as_str(), "cli_1");
        assert_eq!(proven.tenant().slug(), "neo");
        assert_eq!(proven.scopes(), &set("links.read"));
        assert_eq!(proven.expires_at(), Some(NOW + 60));
    }
    assert_eq!((world.hashed(), world.store.reads()), (1, 1));
    let plan = world.store.set_plan(&tenant("ten_neo"), "business").await;
    world.gate.changes().publish(plan.unwrap());
    let proven = ask(&world, "cli_1", &right, HOME).await.unwrap();
    assert_eq!(proven.tenant().plan(), "business");
    assert_eq!(world.gate.upkeep().await.unwrap().uses, 1);
}

#[tokio::test]
async fn a_secret_belongs_to_its_client_alone() {
    let world = world(64).await;
    let first = client(&world, "cli_1", |_| {}).await;
    let second = client(&world, "cli_2", |_| {}).await;
    ask(&world, "cli_1", &first, HOME).await.unwrap();
    ask(&world, "cli_2", &second, HOME).await.unwrap();
    assert_eq!(refused(&world, "cli_1", &second).await, Cause::TagMismatch);
    assert_eq!(
        refused(&world, "cli_3", &first).await,
        Cause::UnknownCredential
    );
}

#[tokio::test]
async fn what_no_client_can_have_costs_no_store_and_no_hash() {
    let world = world(64).await;
    let right = client(&world, "cli_1", |_| {}).await;
    let key = world.pat("links.read").await;
    let long = "x".repeat(256);
    for (id, secret) in [
        ("", right.as_str()),
        ("cli\n1", &right),
        (&long, &right),
        ("cli_1", ""),
        ("cli_1", &right[1..]),
        ("cli_1", &right[..right.len() - 1]),
        // Another kind of secret.
        (&key.id, &key.text),
    ] {
        let refusal = ask(&world, id, secret, HOME).await.unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::InvalidToken);
    }
    assert_eq!((world.hashed(), world.store.reads()), (0, 0));
}

#[tokio::test]
async fn guesses_are_limited_per_source_and_client() {
    let world = world(64).await;
    let right = client(&world, "cli_1", |_| {}).await;
    let other = client(&world, "cli_2", |_| {}).await;
    for _ in 0..10 {
        let cause = refused(&world, "cli_1", &secret(&world)).await;
        assert_ne!(cause, Cause::FailureLimited);
    }
    assert_eq!(
        refused(&world, "cli_1", &secret(&world)).await,
        Cause::FailureLimited
    );
    // Not proven yet, the holder can't be told from the guesser at the same address.
    assert_eq!(
        refused(&world, "cli_1", &right).await,
        Cause::FailureLimited
    );
    ask(&world, "cli_2", &other, HOME).await.unwrap();
    ask(&world, "cli_1", &right, ELSEWHERE).await.unwrap();
    ask(&world, "cli_1", &right, HOME).await.unwrap();
}

#[tokio::test]
async fn its_state_is_told_after_proof() {
    let world = world(64).await;
    let right = client(&world, "cli_1", |new| new.expires_at = Some(NOW + 60)).await;
    let early = client(&world, "cli_2", |new| new.not_before = Some(NOW + 60)).await;
    assert_eq!(refused(&world, "cli_2", &early).await, Cause::NotYetValid);
    ask(&world, "cli_1", &right, HOME).await.unwrap();
    world.clock.advance(60);
    assert_eq!(refused(&world, "cli_1", &right).await, Cause::Expired);
    ask(&world, "cli_2", &early, HOME).await.unwrap();
    let at = world.clock.now();
    let neo = tenant("ten_neo");
    let revoked = world.store.revoke(&neo, SecretKind::Client, "cli_2", at);
    world.gate.changes().publish(revoked.await.unwrap());
    assert_eq!(refused(&world, "cli_2", &early).await, Cause::Revoked);
    assert_eq!(
        refused(&world, "cli_2", &secret(&world)).await.code(),
        ErrorCode::InvalidToken
    );
}

#[tokio::test]
async fn a_full_queue_is_no_answer_about_the_client() {
    let world = world(0).await;
    let right = client(&world, "cli_1", |_| {}).await;
    for _ in 0..20 {
        let refusal = ask(&world, "cli_1", &right, HOME).await.unwrap_err();
        assert_eq!(refusal.cause(), Some(Cause::HashQueueFull));
        assert!(refusal.retry_after().is_some());
    }
}

/// A client calls by its tokens: not even one that memory proves is let in by its secret.
#[tokio::test]
async fn a_proven_secret_is_no_bearer_credential() {
    let world = world(64).await;
    let right = client(&world, "cli_1", |_| {}).await;
    ask(&world, "cli_1", &right, HOME).await.unwrap();
    assert_eq!(
        world.refused(&right, &world.anyone()).await,
        Cause::UnknownFormat
    );
    let counted = world.gate.stats().refusals;
    assert!(counted.contains(&(Cause::UnknownFormat, 1)));
    refused(&world, "nobody", &right).await;
    let counted = world.gate.stats().refusals;
    assert!(counted.contains(&(Cause::UnknownCredential, 1)));
}

/// Nor one that names its record itself, which memory finds by what the text looks like.
#[tokio::test]
async fn a_proven_secret_that_names_its_record_is_no_bearer_credential() {
    let secrets = SecretFormat::separated(SecretKind::Client, BRAND);
    let formats = Formats::standard().with(secrets).unwrap();
    let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.formats(formats)
    })
    .await;
    let format = world.gate.formats().format(BRAND).unwrap();
    let minted = format.mint().unwrap();
    let right = minted.secret.expose();
    let hash = pool(1).hash(right.as_bytes()).unwrap().await.unwrap();
    let id = minted.public_id.clone();
    let new = NewCredential::new(
        SecretKind::Client,
        CredentialId::new(id.as_str()).unwrap(),
        tenant("ten_neo"),
        user("alice"),
        StoredSecret::new(hash, None),
        NOW,
    );
    let inserted = world.store.insert(new).await.unwrap();
    world.gate.changes().publish(inserted);
    ask(&world, &id, right, HOME).await.unwrap();
    assert_eq!(
        world.refused(right, &world.anyone()).await,
        Cause::UnknownFormat
    );
}
