//! Keys, sealed by whoever stores them.

use super::MemoryStore;
use crate::store::{BoxFuture, KeyStore, StoreError, StoredSigningKey, StoredTagKey};

/// Both lists are kept oldest first.
#[derive(Default)]
pub(super) struct Keys {
    signing: Vec<StoredSigningKey>,
    tag: Vec<StoredTagKey>,
}

impl Keys {
    fn replace_signing(&mut self, expected: &[String], mut keys: Vec<StoredSigningKey>) -> bool {
        let mut standing: Vec<&str> = self.signing.iter().map(|key| key.kid.as_str()).collect();
        let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        standing.sort_unstable();
        expected.sort_unstable();
        let unchanged = standing == expected;
        if unchanged {
            keys.sort_by_key(|key| key.published_at);
            self.signing = keys;
        }
        unchanged
    }

    fn insert_tag(&mut self, key: StoredTagKey) -> bool {
        let free = self.tag.iter().all(|stored| stored.id != key.id);
        if free {
            self.tag.push(key);
        }
        free
    }
}

impl KeyStore for MemoryStore {
    fn signing_keys(&self) -> BoxFuture<'_, Result<Vec<StoredSigningKey>, StoreError>> {
        Box::pin(async move { Ok(self.read().keys.signing.iter().map(copy_signing).collect()) })
    }

    fn replace_signing_keys<'a>(
        &'a self,
        expected: &'a [String],
        keys: Vec<StoredSigningKey>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.write().keys.replace_signing(expected, keys)) })
    }

    fn tag_keys(&self) -> BoxFuture<'_, Result<Vec<StoredTagKey>, StoreError>> {
        Box::pin(async move {
            let state = self.read();
            let keys = state.keys.tag.iter();
            Ok(keys
                .map(|key| StoredTagKey::new(key.id, key.key.clone()))
                .collect())
        })
    }

    fn insert_tag_key(&self, key: StoredTagKey) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.write().keys.insert_tag(key)) })
    }
}

/// The records are no `Clone`, so that key material is not copied by accident.
fn copy_signing(key: &StoredSigningKey) -> StoredSigningKey {
    StoredSigningKey::new(
        key.kid.clone(),
        key.algorithm,
        key.sealed.clone(),
        key.published_at,
        key.active_from,
        key.retire_after,
    )
}
