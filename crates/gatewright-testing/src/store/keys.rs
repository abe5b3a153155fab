//! Keys that all nodes share.

use std::sync::Arc;

use gatewright_core::jwt::Algorithm;
use gatewright_core::store::{StoredSigningKey, StoredTagKey};

use super::Store;
use super::fixture::{NOW, count, together};

fn signing(kid: &str, age: u64) -> StoredSigningKey {
    let published_at = NOW - age;
    StoredSigningKey::new(
        kid.to_owned(),
        Algorithm::EdDsa,
        vec![0, 255, age as u8].into(),
        published_at,
        published_at + 1,
        None,
    )
}

fn tag(id: u32, byte: u8) -> StoredTagKey {
    StoredTagKey::new(id, vec![byte; 32].into())
}

async fn kids<S: Store>(store: &S) -> Vec<String> {
    let keys = store.signing_keys().await.unwrap();
    keys.into_iter().map(|key| key.kid).collect()
}

async fn tags<S: Store>(store: &S) -> Vec<(u32, Vec<u8>)> {
    let keys = store.tag_keys().await.unwrap();
    keys.into_iter().map(|key| (key.id, key.key.to_vec())).collect()
}

/// Every field of a signing key is read again, and the oldest key is first in whatever order they were given.
pub async fn signing_keys_come_back_whole_and_oldest_first<S: Store>(store: Arc<S>) {
    assert_eq!(kids(&*store).await, [""; 0]);
    let mut retiring = signing("a-oldest", 90);
    retiring.algorithm = Algorithm::Es256;
    retiring.retire_after = Some(NOW + 90);
    let keys = vec![signing("b-newest", 0), retiring, signing("c-middle", 50)];
    assert!(store.replace_signing_keys(&[], keys).await.unwrap());

    let keys = store.signing_keys().await.unwrap();
    let seen: Vec<_> = keys
        .iter()
        .map(|key| (&*key.kid, key.algorithm, &**key.sealed, key.published_at, key.active_from, key.retire_after))
        .collect();
    assert_eq!(
        seen,
        [
            ("a-oldest", Algorithm::Es256, &[0, 255, 90][..], NOW - 90, NOW - 89, Some(NOW + 90)),
            ("c-middle", Algorithm::EdDsa, &[0, 255, 50], NOW - 50, NOW - 49, None),
            ("b-newest", Algorithm::EdDsa, &[0, 255, 0], NOW, NOW + 1, None),
        ]
    );
}

/// The set is replaced as a whole, by one who knows what stands in it, in any order, and by nobody else.
pub async fn signing_keys_are_replaced_only_where_they_stand<S: Store>(store: Arc<S>) {
    let expect = |kids: &[&str]| -> Vec<String> { kids.iter().map(|kid| (*kid).to_owned()).collect() };
    assert!(!store.replace_signing_keys(&expect(&["a"]), vec![signing("b", 1)]).await.unwrap());
    assert!(store.replace_signing_keys(&[], vec![signing("a", 2), signing("b", 1)]).await.unwrap());
    for stale in [&[][..], &["a"], &["b"], &["a", "c"], &["a", "b", "c"], &["a", "a"]] {
        let replaced = store.replace_signing_keys(&expect(stale), vec![signing("d", 0)]).await.unwrap();
        assert!(!replaced, "{stale:?}");
        assert_eq!(kids(&*store).await, ["a", "b"], "{stale:?}");
    }
    let next = vec![signing("b", 1), signing("c", 0)];
    assert!(store.replace_signing_keys(&expect(&["b", "a"]), next).await.unwrap());
    assert_eq!(kids(&*store).await, ["b", "c"]);
    assert!(store.replace_signing_keys(&expect(&["b", "c"]), vec![]).await.unwrap());
    assert_eq!(kids(&*store).await, [""; 0]);
}

/// Of many nodes that replace the same set at the same time one succeeds; from an empty store as well, where
/// there is no row to hold on to.
pub async fn of_many_replacements_one_succeeds<S: Store>(store: Arc<S>) {
    let mut standing = Vec::new();
    for generation in 0..4 {
        let replaced = together((0..16).map(|node| {
            let (store, expected) = (Arc::clone(&store), standing.clone());
            async move {
                let new = signing(&format!("{generation}-{node}"), 0);
                store.replace_signing_keys(&expected, vec![new]).await.unwrap()
            }
        }))
        .await;
        assert_eq!(count(&replaced, &true), 1);
        let winner = replaced.iter().position(|won| *won).unwrap();
        standing = kids(&*store).await;
        assert_eq!(standing, [format!("{generation}-{winner}")]);
    }
}

/// A tag key is stored under its id once, never overwritten, and the last one stored is the last one read.
pub async fn a_tag_key_is_stored_once<S: Store>(store: Arc<S>) {
    assert!(tags(&*store).await.is_empty());
    for (id, byte, stored) in [(7, 1, true), (7, 2, false), (u32::MAX, 3, true), (7, 4, false)] {
        assert_eq!(store.insert_tag_key(tag(id, byte)).await.unwrap(), stored);
    }
    assert_eq!(tags(&*store).await, [(7, vec![1; 32]), (u32::MAX, vec![3; 32])]);
}

/// Of many nodes that store a first key at the same time one succeeds, and all read that one.
pub async fn of_many_tag_keys_of_one_id_one_is_stored<S: Store>(store: Arc<S>) {
    let stored = together((0..16).map(|node| {
        let store = Arc::clone(&store);
        async move { store.insert_tag_key(tag(1, node)).await.unwrap() }
    }))
    .await;
    assert_eq!(count(&stored, &true), 1);
    let winner = stored.iter().position(|won| *won).unwrap();
    assert_eq!(tags(&*store).await, [(1, vec![winner as u8; 32])]);
}
