//! The ladder for API keys and personal access tokens, rung by rung.

use std::net::IpAddr;

use gatewright_core::credential::SecretKind;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::gate::{Admission, Arrival};

use crate::fixture::{ELSEWHERE, HOME, NOW, World, at, cause};

#[tokio::test]
async fn what_is_malformed_costs_no_store_and_no_hash() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let mut flipped = key.text.clone();
    let last = flipped.pop().unwrap();
    flipped.push(if last == 'a' { 'b' } else { 'a' });
    for (text, expected) in [
        (flipped.as_str(), Cause::BadChecksum),
        (&key.text[..key.text.len() - 1], Cause::MalformedCredential),
        ("patv1_", Cause::MalformedCredential),
        ("something-else", Cause::UnknownFormat),
    ] {
        let Admission::Ready(decision) = world.admit(text, &policy, at("neo")) else {
            panic!("waits for something");
        };
        assert_eq!(cause(decision), expected);
    }
    assert_eq!((world.store.reads(), world.hashed()), (0, 0));
}

#[tokio::test]
async fn guessing_buys_no_argon2_and_does_not_hinder_the_right_holder() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    world.passes(&key.text, &policy).await;
    for guess in 0..10_000_u32 {
        // Every guess from a source of its own: no limiter helps here.
        let source = IpAddr::from(guess.to_be_bytes());
        let arrival = Arrival::new().source(Some(source));
        let decision = world.admit(&world.wrong(&key), &policy, arrival).decided();
        assert_eq!(cause(decision.await), Cause::TagMismatch);
        if guess % 1000 == 0 {
            world.passes(&key.text, &policy).await;
        }
    }
    assert_eq!(world.hashed(), 1, "the holder's first call alone");
}

#[tokio::test]
async fn guesses_at_a_key_that_nobody_has_proven_are_stopped_by_its_tag() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    for guess in 0..10_000_u32 {
        let source = IpAddr::from(guess.to_be_bytes());
        let arrival = Arrival::new().source(Some(source));
        let decision = world.admit(&world.wrong(&key), &policy, arrival).decided();
        assert_eq!(cause(decision.await).code(), ErrorCode::InvalidToken);
    }
    // One in 65,536 gets past the tag: more than six in 10,000 will not be seen.
    assert!(world.hashed() <= 6, "{}", world.hashed());
    assert_eq!(world.store.reads(), 1);
}

#[tokio::test]
async fn a_wrong_secret_is_hashed_once() {
    let world = World::new().await;
    let policy = world.anyone();
    let key = world
        .mint(SecretKind::Pat, "links.read", |new| new.secret.tag = None)
        .await;
    let wrong = world.wrong(&key);
    assert_eq!(world.refused(&wrong, &policy).await, Cause::WrongSecret);
    for _ in 0..5 {
        assert_eq!(
            world.refused(&wrong, &policy).await,
            Cause::RememberedWrongSecret
        );
    }
    assert_eq!(world.hashed(), 1);
    world.passes(&key.text, &policy).await;
}

#[tokio::test]
async fn ten_thousand_calls_are_hashed_once_and_read_once() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.api_key("*").await);
    for _ in 0..10_000 {
        world.passes(&key.text, &policy).await;
    }
    assert_eq!((world.hashed(), world.store.reads()), (1, 1));
}

#[tokio::test]
async fn the_failure_limiter_stands_before_the_store_and_counts_by_source_and_id() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let other = world.pat("links.read").await;
    for _ in 0..10 {
        assert_eq!(
            world.refused(&world.wrong(&key), &policy).await,
            Cause::TagMismatch
        );
    }
    let refusal = world.ask(&world.wrong(&key), &policy).await.unwrap_err();
    assert_eq!(refusal.cause(), Some(Cause::FailureLimited));
    assert_eq!(refusal.code(), ErrorCode::RateLimited);
    assert!(refusal.retry_after().is_some());

    // A holder whom nobody has proven yet and who shares the guesser's address waits with him; elsewhere he does not, and
    // once memory proves him he waits nowhere. Other ids behind the same address go on.
    assert_eq!(
        world.refused(&key.text, &policy).await,
        Cause::FailureLimited
    );
    world.passes(&other.text, &policy).await;
    let elsewhere = Arrival::new().source(Some(ELSEWHERE));
    let decision = world.admit(&key.text, &policy, elsewhere).decided().await;
    assert!(decision.is_ok());
    world.passes(&key.text, &policy).await;
    assert_eq!(
        world.refused(&world.wrong(&key), &policy).await,
        Cause::FailureLimited
    );
}

#[tokio::test]
async fn the_limiter_saves_the_store_from_ids_that_do_not_exist() {
    let world = World::new().await;
    let policy = world.anyone();
    let invented = world.gate.formats().format("tnx").unwrap().mint().unwrap();
    for _ in 0..10 {
        assert_eq!(
            world.refused(invented.secret.expose(), &policy).await,
            Cause::UnknownCredential
        );
    }
    let reads = world.store.reads();
    for _ in 0..10 {
        assert_eq!(
            world.refused(invented.secret.expose(), &policy).await,
            Cause::FailureLimited
        );
    }
    assert_eq!(world.store.reads(), reads);
    world.clock.advance(60);
    assert_eq!(
        world.refused(invented.secret.expose(), &policy).await,
        Cause::UnknownCredential
    );
}

#[tokio::test]
async fn state_is_told_to_the_right_holder_alone() {
    let world = World::new().await;
    let policy = world.anyone();
    let revoked = world.pat("links.read").await;
    world.revoke(&revoked).await;
    let expired = world
        .mint(SecretKind::Pat, "*", |new| new.expires_at = Some(NOW))
        .await;
    let early = world
        .mint(SecretKind::Pat, "*", |new| new.not_before = Some(NOW + 1))
        .await;
    let last_second = world
        .mint(SecretKind::Pat, "*", |new| new.expires_at = Some(NOW + 1))
        .await;
    for (key, state, code) in [
        (&revoked, Cause::Revoked, ErrorCode::TokenRevoked),
        (&expired, Cause::Expired, ErrorCode::TokenExpired),
        (&early, Cause::NotYetValid, ErrorCode::InvalidToken),
    ] {
        for _ in 0..2 {
            let wrong = world.refused(&world.wrong(key), &policy).await;
            assert_eq!(wrong.code(), ErrorCode::InvalidToken);
            assert_ne!(wrong, state);
            let told = world.refused(&key.text, &policy).await;
            assert_eq!((told, told.code()), (state, code));
        }
    }
    world.passes(&last_second.text, &policy).await;
    world.clock.advance(1);
    assert_eq!(
        world.refused(&last_second.text, &policy).await,
        Cause::Expired
    );
    world.passes(&early.text, &policy).await;
}

#[tokio::test]
async fn a_client_secret_is_no_bearer_credential() {
    use gatewright_core::credential::{Formats, SecretFormat};
    use gatewright_core::gate::Coherence;
    use gatewright_core::policy::Limits;

    let format = SecretFormat::separated(SecretKind::Client, "cli");
    let secret = format.mint().unwrap().secret;
    let formats = Formats::builder().secret(format).jwt().build().unwrap();
    let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.formats(formats)
    })
    .await;
    assert_eq!(
        world.refused(secret.expose(), &world.anyone()).await,
        Cause::UnknownFormat
    );
    assert_eq!(world.store.reads(), 0);
}

#[tokio::test]
async fn both_secrets_of_a_grace_prove_side_by_side() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    world.passes(&key.text, &policy).await;
    let new = world.rotate(&key, 60).await;
    for _ in 0..20 {
        world.passes(&key.text, &policy).await;
        world.passes(&new, &policy).await;
    }
    assert_eq!(world.hashed(), 2, "each secret once");
    assert!(
        world
            .refused(&world.wrong(&key), &policy)
            .await
            .code()
            .status()
            == 401
    );
    world.clock.advance(59);
    world.passes(&key.text, &policy).await;
    world.clock.advance(1);
    assert_eq!(
        world.refused(&key.text, &policy).await.code(),
        ErrorCode::InvalidToken
    );
    world.passes(&new, &policy).await;
}

#[tokio::test]
async fn a_revocation_during_a_grace_ends_both_secrets() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let new = world.rotate(&key, 3600).await;
    world.passes(&key.text, &policy).await;
    world.passes(&new, &policy).await;
    world.revoke(&key).await;
    assert_eq!(world.refused(&new, &policy).await, Cause::Revoked);
    assert_eq!(world.refused(&key.text, &policy).await.code().status(), 401);
}

#[tokio::test]
async fn a_second_rotation_ends_the_first_secret_at_once() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let second = world.rotate(&key, 3600).await;
    let third = world.rotate(&key, 3600).await;
    assert_eq!(
        world.refused(&key.text, &policy).await.code(),
        ErrorCode::InvalidToken
    );
    world.passes(&second, &policy).await;
    world.passes(&third, &policy).await;
}

#[tokio::test]
async fn ipv6_sources_count_by_their_network() {
    let world = World::new().await;
    let (policy, key) = (world.anyone(), world.pat("links.read").await);
    let source = |last: u16| -> IpAddr { format!("2001:db8::{last:x}").parse().unwrap() };
    for guess in 0..10 {
        let arrival = Arrival::new().source(Some(source(guess)));
        let decision = world.admit(&world.wrong(&key), &policy, arrival).decided();
        assert_eq!(cause(decision.await), Cause::TagMismatch);
    }
    let arrival = Arrival::new().source(Some(source(99)));
    let decision = world.admit(&world.wrong(&key), &policy, arrival).decided();
    assert_eq!(cause(decision.await), Cause::FailureLimited);
    let arrival = Arrival::new().source(Some(HOME));
    let decision = world.admit(&key.text, &policy, arrival).decided().await;
    assert!(decision.is_ok());
}
