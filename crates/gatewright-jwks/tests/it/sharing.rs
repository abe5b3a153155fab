//! One fetch for all who trust the same provider.

use std::sync::Arc;
use std::time::Duration;

use gatewright_jwks::{KeySources, RemoteKeys, UrlError};
use gatewright_testing::FakeClock;

use crate::server::Server;
use crate::{allowing, key_set, new_key, still};

#[tokio::test]
async fn the_same_url_is_one_source_while_somebody_holds_it() {
    let server = Server::saying(key_set(&[new_key()])).await;
    let http = allowing(server.url()).build().unwrap();
    let sources = KeySources::new(http, still(&FakeClock::at(1_000)));
    let first = sources.from_jwks_url(server.url()).unwrap();
    let again = sources
        .from_jwks_url(&format!("{}/", server.url()))
        .unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let other = sources
        .from_jwks_url(&format!("{}/b", server.url()))
        .unwrap();
    assert!(!Arc::ptr_eq(&first, &other));
    fetched(&first).await;
    fetched(&other).await;
    assert_eq!(server.seen().len(), 2);
    drop((first, again));
    let anew = sources.from_jwks_url(server.url()).unwrap();
    fetched(&anew).await;
    assert_eq!(server.seen().len(), 3);
}

/// Waits for the first fetch, and asks for none.
async fn fetched(keys: &RemoteKeys) {
    while keys.fetched_at().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_issuer_is_no_url_of_keys_and_spelled_in_one_way() {
    let server = Server::saying(key_set(&[new_key()])).await;
    let http = allowing(server.url()).build().unwrap();
    let sources = KeySources::new(http, still(&FakeClock::at(1_000)));
    let keys = sources.from_jwks_url(server.url()).unwrap();
    let issuer = sources.from_issuer(server.url()).unwrap();
    let slash = sources.from_issuer(&format!("{}/", server.url())).unwrap();
    let again = sources.from_issuer(server.url()).unwrap();
    assert!(Arc::ptr_eq(&issuer, &again));
    assert!(!Arc::ptr_eq(&issuer, &keys) && !Arc::ptr_eq(&issuer, &slash));
    let refused = sources.from_issuer("http://idp.example").unwrap_err();
    assert_eq!(refused, UrlError::Scheme);
}
