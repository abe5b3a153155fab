//! The keys that outlive a process.

use super::{BoxFuture, StoreError};
use crate::jwt::Algorithm;
use crate::time::Timestamp;

/// A signing key at rest.
#[non_exhaustive]
pub struct StoredSigningKey {
    /// The key id, the thumbprint of the public key (RFC 7638).
    pub kid: String,
    /// The one algorithm that the key is used with.
    pub algorithm: Algorithm,
    /// The private key (PKCS#8), sealed by whoever stores it; the store does not look inside.
    pub sealed: zeroize::Zeroizing<Vec<u8>>,
    /// From when it is in the published set.
    pub published_at: Timestamp,
    /// From when it signs.
    pub active_from: Timestamp,
    /// From when it is neither used nor published; `None` while it is the newest.
    pub retire_after: Option<Timestamp>,
}

impl StoredSigningKey {
    /// A signing key at rest.
    #[must_use]
    pub const fn new(
        kid: String,
        algorithm: Algorithm,
        sealed: zeroize::Zeroizing<Vec<u8>>,
        published_at: Timestamp,
        active_from: Timestamp,
        retire_after: Option<Timestamp>,
    ) -> Self {
        Self {
            kid,
            algorithm,
            sealed,
            published_at,
            active_from,
            retire_after,
        }
    }
}

impl std::fmt::Debug for StoredSigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A guard-tag key at rest.
#[non_exhaustive]
pub struct StoredTagKey {
    /// The id that tags name their key by.
    pub id: u32,
    /// The 32 bytes of the key.
    pub key: zeroize::Zeroizing<Vec<u8>>,
}

impl StoredTagKey {
    /// A guard-tag key at rest.
    #[must_use]
    pub const fn new(id: u32, key: zeroize::Zeroizing<Vec<u8>>) -> Self {
        Self { id, key }
    }
}

impl std::fmt::Debug for StoredTagKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredTagKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Where keys live that all nodes share.
pub trait KeyStore: Send + Sync {
    /// Every signing key, oldest first.
    fn signing_keys(&self) -> BoxFuture<'_, Result<Vec<StoredSigningKey>, StoreError>>;

    /// Replaces the whole set, provided that it still consists of the key ids in `expected`. Answers whether it was.
    fn replace_signing_keys<'a>(
        &'a self,
        expected: &'a [String],
        keys: Vec<StoredSigningKey>,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Every guard-tag key, oldest first; the last one makes new tags.
    fn tag_keys(&self) -> BoxFuture<'_, Result<Vec<StoredTagKey>, StoreError>>;

    /// Stores `key`, unless its id is taken; then another node was first. Answers whether it was stored.
    fn insert_tag_key(&self, key: StoredTagKey) -> BoxFuture<'_, Result<bool, StoreError>>;
}
