//! A provider's keys, through rotation and outage.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use gatewright_core::federation::KeySource;
use gatewright_core::jwt::{Algorithm, JwtError, Verifier};
use gatewright_core::principal::TenantKind;
use gatewright_jwks::{FetchError, RefreshPolicy, RemoteKeys};
use gatewright_testing::{FakeClock, JwksAnswer, JwksServer, TestAuthority};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::server::{Server, answer};
use crate::{allowing, key_set, new_key, still, until};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

async fn provider() -> (TestAuthority, JwksServer) {
    let kind = TenantKind::from_static("workspace");
    let mut authority = TestAuthority::builder(kind)
        .algorithm(Algorithm::EdDsa)
        .build()
        .await;
    let server = authority.serve_as_issuer().await;
    (authority, server)
}

/// The keys of a provider, fetched once.
async fn fetched(server: &JwksServer, policy: RefreshPolicy) -> RemoteKeys {
    let http = allowing(server.url()).build().unwrap();
    let keys = RemoteKeys::from_jwks_url(&http, &server.jwks_url(), policy).unwrap();
    // Not asked for: whoever asks later may cause a fetch at once.
    while keys.fetched_at().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    keys
}

fn verify(authority: &TestAuthority, keys: &RemoteKeys, token: &str) -> Result<(), JwtError> {
    let verifier = Verifier::builder(authority.issuer(), authority.audience())
        .algorithms([Algorithm::EdDsa])
        .build()
        .unwrap();
    let now = authority.gate().clock().now();
    verifier.verify(token, &keys.live().load(), now).map(drop)
}

#[tokio::test]
async fn keys_are_fetched_when_they_are_configured() {
    let (authority, server) = provider().await;
    let http = allowing(server.url()).build().unwrap();
    let clock = FakeClock::at(1_000);
    let keys = RemoteKeys::from_issuer(&http, server.url(), still(&clock)).unwrap();
    // Nobody asked.
    until(|| keys.fetched_at() == Some(1_000)).await;
    let token = authority.token("usr_1").sign();
    assert_eq!(verify(&authority, &keys, &token), Ok(()));
    assert_eq!(server.requests(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_unknown_kids_are_one_fetch() {
    let (authority, server) = provider().await;
    let clock = FakeClock::at(1_000);
    let keys = Arc::new(fetched(&server, still(&clock)).await);
    clock.advance(30);
    authority.rotate_keys();
    let token = authority.token("usr_1").sign();
    assert_eq!(verify(&authority, &keys, &token), Err(JwtError::UnknownKey));
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { keys.refetch().await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), Ok(()));
        assert_eq!(verify(&authority, &keys, &token), Ok(()));
    }
    assert_eq!(server.jwks_requests(), 2);
}

#[tokio::test]
async fn a_rotation_right_after_the_first_fetch_is_followed() {
    let (authority, server) = provider().await;
    let keys = fetched(&server, still(&FakeClock::at(1_000))).await;
    authority.rotate_keys();
    let token = authority.token("usr_1").sign();
    assert_eq!(keys.refetch().await, Ok(()));
    assert_eq!(verify(&authority, &keys, &token), Ok(()));
    assert_eq!(keys.refetch().now_or_never(), Some(Ok(())));
    assert_eq!(server.jwks_requests(), 2);
}

#[tokio::test]
async fn a_fetch_that_was_asked_for_cools_down_for_thirty_seconds_after_its_end() {
    let (authority, server) = provider().await;
    let clock = FakeClock::at(1_000);
    let keys = fetched(&server, still(&clock)).await;
    assert_eq!(keys.refetch().await, Ok(()));
    authority.rotate_keys();
    for _ in 0..30 {
        assert_eq!(keys.refetch().now_or_never(), Some(Ok(())));
        assert_eq!(keys.live().load().len(), 1);
        clock.advance(1);
    }
    assert_eq!(server.jwks_requests(), 2);
    let asked = keys.refetch();
    // Asked within the fetch, answered at its end.
    clock.advance(100);
    assert_eq!(asked.await, Ok(()));
    assert_eq!((server.jwks_requests(), keys.live().load().len()), (3, 2));
    // It began at 30 s and ended at 130 s.
    clock.advance(29);
    assert_eq!(keys.refetch().now_or_never(), Some(Ok(())));
    clock.advance(1);
    assert_eq!(keys.refetch().await, Ok(()));
    assert_eq!(server.jwks_requests(), 4);
}

#[tokio::test]
async fn a_failed_fetch_cools_down_as_a_failure() {
    let (_authority, server) = provider().await;
    let clock = FakeClock::at(1_000);
    let keys = fetched(&server, still(&clock)).await;
    server.answer_with(JwksAnswer::ServerError);
    clock.advance(30);
    assert_eq!(keys.refetch().await.unwrap_err().retry_after_secs, 30);
    assert_eq!(keys.last_error(), Some(FetchError::Status(500)));
    clock.advance(12);
    let refused = keys.refetch().now_or_never().unwrap().unwrap_err();
    assert_eq!(refused.retry_after_secs, 18);
    assert_eq!(server.jwks_requests(), 2);
    // The keys are as they were.
    assert_eq!((keys.live().load().len(), keys.live().generation()), (1, 1));
    server.answer_with(JwksAnswer::Keys);
    clock.advance(18);
    assert_eq!(keys.refetch().await, Ok(()));
    assert_eq!(keys.last_error(), None);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_end_the_fetch() {
    let gate = Arc::new(Semaphore::new(1));
    let at_gate = Arc::clone(&gate);
    let server = Server::start(move |_| {
        let gate = Arc::clone(&at_gate);
        async move {
            gate.acquire().await.unwrap().forget();
            answer(200, &[], &key_set(&[new_key()]))
        }
    })
    .await;
    let clock = FakeClock::at(1_000);
    let http = allowing(server.url()).build().unwrap();
    let keys = RemoteKeys::from_jwks_url(&http, server.url(), still(&clock)).unwrap();
    keys.refetch().await.unwrap();
    clock.advance(30);
    // One never waits, one waits for a moment.
    drop(keys.refetch());
    assert_eq!(keys.refetch().now_or_never(), None);
    until(|| server.seen().len() == 2).await;
    let patient = keys.refetch();
    gate.add_permits(1);
    assert_eq!(patient.await, Ok(()));
    assert_eq!(keys.live().generation(), 2);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_host_that_hangs_holds_up_nobody() {
    let server = Server::start(|_| pending()).await;
    let clock = FakeClock::at(1_000);
    let http = allowing(server.url()).timeout(200 * MS).build().unwrap();
    let keys = RemoteKeys::from_jwks_url(&http, server.url(), still(&clock)).unwrap();
    let waiting = keys.refetch();
    until(|| server.seen().len() == 1).await;
    assert!(keys.live().load().is_empty());
    assert_eq!((keys.last_error(), keys.fetched_at()), (None, None));
    assert!(waiting.await.is_err());
    assert_eq!(keys.last_error(), Some(FetchError::TimedOut));
}

#[tokio::test]
async fn a_set_that_has_not_changed_leaves_the_generation() {
    let (first, second, third) = (new_key(), new_key(), new_key());
    let published = Arc::new(Mutex::new(vec![first.clone(), second.clone()]));
    let now = Arc::clone(&published);
    let server = Server::start(move |_| {
        let text = key_set(&now.lock().unwrap());
        async move { answer(200, &[], &text) }
    })
    .await;
    let clock = FakeClock::at(1_000);
    let http = allowing(server.url()).build().unwrap();
    let keys = RemoteKeys::from_jwks_url(&http, server.url(), still(&clock)).unwrap();
    let refetch = async |keys: &RemoteKeys| {
        clock.advance(30);
        keys.refetch().await.unwrap();
        keys.live().generation()
    };
    assert_eq!(refetch(&keys).await, 1);
    // Another order, and a key that can't be used.
    *published.lock().unwrap() = vec![json!({"kty": "??"}), second.clone(), first.clone()];
    assert_eq!(refetch(&keys).await, 1);
    // Another key under the same name.
    let mut renamed = third;
    renamed["kid"] = first["kid"].clone();
    *published.lock().unwrap() = vec![renamed, second.clone()];
    assert_eq!(refetch(&keys).await, 2);
    // The same key under another name.
    let mut renamed = second;
    renamed["kid"] = json!("other");
    published.lock().unwrap()[1] = renamed;
    assert_eq!(refetch(&keys).await, 3);
    // Withdrawn.
    published.lock().unwrap().clear();
    assert_eq!(refetch(&keys).await, 4);
    assert!(keys.live().load().is_empty());
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn odd_keys_are_left_out_one_by_one() {
    let good = new_key();
    let with = |name: &str, value: Value| {
        let mut key = new_key();
        key[name] = value;
        key
    };
    let set = [
        json!({"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "alg": "HS256", "kid": "hmac"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        json!("not a key"),
        json!({}),
        with("use", json!("enc")),
        with("alg", json!("RS256")),
        with("d", json!("AA")),
        with("kid", json!("twice")),
        with("kid", json!("twice")),
        good.clone(),
    ];
    let server = Server::saying(key_set(&set)).await;
    let http = allowing(server.url()).build().unwrap();
    let keys = RemoteKeys::from_jwks_url(&http, server.url(), RefreshPolicy::new()).unwrap();
    keys.refetch().await.unwrap();
    let taken = keys.live().load();
    let kids: Vec<_> = taken.iter().map(|key| key.kid()).collect();
    assert_eq!(kids, [good["kid"].as_str()]);
}

#[tokio::test]
async fn a_rotation_is_followed_without_anybody_asking() {
    let (authority, server) = provider().await;
    let policy = RefreshPolicy::new().with_lifetimes(20 * MS..=20 * MS, 20 * MS);
    let keys = fetched(&server, policy).await;
    let old = authority.token("usr_1").sign();
    authority.rotate_keys();
    let new = authority.token("usr_1").sign();
    until(|| verify(&authority, &keys, &new).is_ok()).await;
    assert_eq!(verify(&authority, &keys, &old), Ok(()));
    authority.retire_keys();
    until(|| verify(&authority, &keys, &old) == Err(JwtError::UnknownKey)).await;
    assert_eq!(verify(&authority, &keys, &new), Ok(()));
}

#[tokio::test]
async fn an_outage_is_endured_for_a_time_and_survived() {
    let (authority, server) = provider().await;
    let clock = FakeClock::at(1_000);
    let policy = RefreshPolicy::new()
        .with_lifetimes(20 * MS..=20 * MS, 20 * MS)
        .with_retries(10 * MS..=10 * MS)
        .with_cool_down(Duration::ZERO)
        .with_max_stale(HOUR)
        .with_clock(clock.clone());
    let keys = fetched(&server, policy).await;
    let token = authority.token("usr_1").sign();
    server.answer_with(JwksAnswer::Unavailable);
    until(|| keys.last_error() == Some(FetchError::Status(503))).await;
    // Up to the last second.
    clock.advance(3600);
    let before = server.requests();
    until(|| server.requests() > before + 3).await;
    assert_eq!(verify(&authority, &keys, &token), Ok(()));
    assert_eq!(keys.live().generation(), 1);
    // The lifetime is over, and so is the hour.
    clock.advance(1);
    until(|| keys.live().load().is_empty()).await;
    assert_eq!(verify(&authority, &keys, &token), Err(JwtError::UnknownKey));
    assert!(keys.refetch().await.is_err());
    assert_eq!(keys.live().generation(), 2);
    // Nobody asks, and they are back.
    server.answer_with(JwksAnswer::Keys);
    until(|| verify(&authority, &keys, &token).is_ok()).await;
    assert_eq!(keys.last_error(), None);
}

/// A host that says for how long to leave it alone is asked no earlier, and one that says nothing is.
#[tokio::test]
async fn a_host_that_asks_for_a_pause_gets_it() {
    let server = Server::start(|_| async { answer(429, &[("retry-after", "3600")], "") }).await;
    let http = allowing(server.url()).build().unwrap();
    let policy = || RefreshPolicy::new().with_retries(MS..=HOUR);
    let patient = RemoteKeys::from_jwks_url(&http, server.url(), policy()).unwrap();
    assert!(patient.refetch().await.is_err());
    let busy = Server::start(|_| async { answer(500, &[], "") }).await;
    let http = allowing(busy.url()).build().unwrap();
    let _impatient = RemoteKeys::from_jwks_url(&http, busy.url(), policy()).unwrap();
    until(|| busy.seen().len() >= 4).await;
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn fetches_end_with_their_owner() {
    let server = Server::start(|_| pending()).await;
    let http = allowing(server.url()).build().unwrap();
    let keys = RemoteKeys::from_jwks_url(&http, server.url(), RefreshPolicy::new()).unwrap();
    let waiting = keys.refetch();
    let live = Arc::downgrade(keys.live());
    until(|| server.seen().len() == 1).await;
    drop(keys);
    assert!(waiting.await.is_err());
    until(|| live.strong_count() == 0).await;
}

/// Callers may live on another runtime, or on none, and the one that fetches may be gone.
#[test]
fn who_waits_needs_no_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (_server, keys) = runtime.block_on(async {
        let server = Server::saying(key_set(&[new_key()])).await;
        let http = allowing(server.url()).build().unwrap();
        let keys = RemoteKeys::from_jwks_url(&http, server.url(), RefreshPolicy::new());
        (server, keys.unwrap())
    });
    let other = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    // The first may have come in time for the fetch that nobody asked for.
    for _ in 0..2 {
        assert_eq!(other.block_on(keys.refetch()), Ok(()));
    }
    assert_eq!(keys.live().load().len(), 1);
    drop(runtime);
    assert_eq!(other.block_on(keys.refetch()), Ok(()), "it cools down");
}
