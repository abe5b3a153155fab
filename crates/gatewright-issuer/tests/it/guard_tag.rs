//! The keys of the guard tags.

use gatewright_core::hash::TagVerdict;
use gatewright_core::store::{KeyStore, MemoryStore, StoredTagKey};
use gatewright_issuer::{GuardTagError, guard_tag_keys};
use zeroize::Zeroizing;

#[tokio::test]
async fn nodes_share_the_first_key_whoever_makes_it() {
    let store = MemoryStore::new();
    let (one, other) = tokio::join!(guard_tag_keys(&store), guard_tag_keys(&store));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(other.check(one.tag(b"text"), b"text"), TagVerdict::Matches);
    assert_eq!(store.tag_keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_newest_key_makes_tags_and_older_ones_still_check_theirs() {
    let store = MemoryStore::new();
    let before = guard_tag_keys(&store).await.unwrap();
    let second = StoredTagKey::new(2, Zeroizing::new(vec![2; 32]));
    assert!(store.insert_tag_key(second).await.unwrap());
    let after = guard_tag_keys(&store).await.unwrap();
    let (old, new) = (before.tag(b"text"), after.tag(b"text"));
    assert_eq!((old.key_id, new.key_id), (1, 2));
    assert_eq!(after.check(old, b"text"), TagVerdict::Matches);
    assert_eq!(before.check(new, b"text"), TagVerdict::UnknownKey);
}

#[tokio::test]
async fn a_key_of_another_length_is_an_error() {
    let store = MemoryStore::new();
    let short = StoredTagKey::new(1, Zeroizing::new(vec![1; 31]));
    store.insert_tag_key(short).await.unwrap();
    let error = guard_tag_keys(&store).await.unwrap_err();
    assert!(matches!(error, GuardTagError::Length));
}
