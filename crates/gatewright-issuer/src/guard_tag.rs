//! The keys of the guard tags, shared by all nodes of one store.

use gatewright_core::hash::{KeyError, TagKey, TagKeys};
use gatewright_core::store::{KeyStore, StoreError, StoredTagKey};
use zeroize::Zeroizing;

/// Why there are no guard-tag keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardTagError {
    /// The store does not answer.
    #[error("the guard-tag keys could not be read")]
    Store(#[from] StoreError),
    /// The system gave no random bytes, or two stored keys have one id.
    #[error("the guard-tag keys could not be made ready")]
    Key(#[from] KeyError),
    /// A stored key is not 32 bytes long.
    #[error("a stored guard-tag key has the wrong length")]
    Length,
}

/// The guard-tag keys of a store; the first one is made now if there is none. The newest makes new tags.
///
/// # Errors
/// [`GuardTagError`], by variant.
pub async fn guard_tag_keys(store: &dyn KeyStore) -> Result<TagKeys, GuardTagError> {
    let mut stored = store.tag_keys().await?;
    if stored.is_empty() {
        let first = TagKey::generate(1)?;
        let key = Zeroizing::new(first.expose().to_vec());
        // Another node may be first; then its key is the one to use.
        store
            .insert_tag_key(StoredTagKey::new(first.id(), key))
            .await?;
        stored = store.tag_keys().await?;
    }
    let mut keys = stored
        .iter()
        .map(|key| {
            let bytes =
                <[u8; 32]>::try_from(key.key.as_slice()).map_err(|_| GuardTagError::Length)?;
            Ok(TagKey::from_bytes(key.id, bytes))
        })
        .collect::<Result<Vec<_>, GuardTagError>>()?;
    let newest = keys.pop().ok_or(GuardTagError::Length)?;
    Ok(TagKeys::new(newest, keys)?)
}
