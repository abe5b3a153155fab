//! Key sets and introspection, over HTTP on this machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "also in the functions that tests share"
)]

mod discovery;
mod fetching;
mod introspection;
mod keys;
mod login;
mod metrics;
mod server;
mod sharing;

use std::time::Duration;

use gatewright_core::jwt::{Algorithm, SigningKey};
use gatewright_jwks::{AllowedHosts, HttpClient, HttpClientBuilder, RefreshPolicy};
use gatewright_testing::FakeClock;
use serde_json::{Value, json};

/// A client that may reach the host of this URL.
fn allowing(url: &str) -> HttpClientBuilder {
    let host = url.trim_start_matches("http://").split('/').next().unwrap();
    HttpClient::builder().allow(AllowedHosts::parse([host]).unwrap())
}

/// Nothing is fetched but what a test asks for: lifetimes and retries are hours.
fn still(clock: &FakeClock) -> RefreshPolicy {
    let hour = Duration::from_secs(3600);
    RefreshPolicy::new()
        .with_lifetimes(hour..=hour, hour)
        .with_retries(hour..=hour)
        .with_clock(clock.clone())
}

/// A public key that nobody has seen before.
fn new_key() -> Value {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    key.public_jwk().unwrap()
}

fn key_set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// Waits for what happens in the background.
async fn until(mut happened: impl FnMut() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .expect("it never happened");
}
