//! The keys that visitors' cookies are sealed with.

use std::fmt;

use aws_lc_rs::hmac;
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use zeroize::Zeroizing;

/// A key for the seals of visitors' cookies. It is kept with the service's other keys and shared by all nodes: whoever has it
/// can give out entitlements.
pub struct VisitorKey {
    id: u32,
    key: Zeroizing<Vec<u8>>,
}

impl VisitorKey {
    /// The fewest bytes of a key: those of the hash (RFC 2104 §3).
    pub const MIN_BYTES: usize = 32;

    /// A new random key of [`MIN_BYTES`](Self::MIN_BYTES).
    ///
    /// # Errors
    /// [`VisitorKeyError::Random`] when the system has no random bytes.
    pub fn generate(id: u32) -> Result<Self, VisitorKeyError> {
        let mut key = Zeroizing::new(vec![0; Self::MIN_BYTES]);
        SysRng.try_fill_bytes(&mut key)?;
        Ok(Self { id, key })
    }

    /// A key that was kept.
    ///
    /// # Errors
    /// [`VisitorKeyError::TooShort`] below [`MIN_BYTES`](Self::MIN_BYTES).
    pub fn from_bytes(id: u32, key: &[u8]) -> Result<Self, VisitorKeyError> {
        if key.len() < Self::MIN_BYTES {
            return Err(VisitorKeyError::TooShort(id));
        }
        let key = Zeroizing::new(key.to_vec());
        Ok(Self { id, key })
    }

    /// The number by which seals name this key.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The key itself, for keeping it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for VisitorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VisitorKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The key of new seals, and those before it, whose seals still open.
///
/// To rotate, put a new key in the first place and keep the old one among the others until every cookie that it sealed was
/// renewed or has expired: the [idle time](super::VisitorTerms::idle_secs).
pub struct VisitorKeys {
    current: (u32, hmac::Key),
    older: Vec<(u32, hmac::Key)>,
}

impl VisitorKeys {
    /// New seals are made with `current`; what `older` keys sealed still opens.
    ///
    /// # Errors
    /// [`VisitorKeyError::DuplicateId`] when two keys have one id.
    pub fn new(
        current: VisitorKey,
        older: impl IntoIterator<Item = VisitorKey>,
    ) -> Result<Self, VisitorKeyError> {
        let prepare = |key: &VisitorKey| (key.id, hmac::Key::new(hmac::HMAC_SHA256, &key.key));
        let mut keys = Self {
            current: prepare(&current),
            older: Vec::new(),
        };
        for key in older {
            if keys.find(key.id).is_some() {
                return Err(VisitorKeyError::DuplicateId(key.id));
            }
            keys.older.push(prepare(&key));
        }
        Ok(keys)
    }

    pub(super) const fn current(&self) -> (u32, &hmac::Key) {
        (self.current.0, &self.current.1)
    }

    pub(super) fn find(&self, id: u32) -> Option<&hmac::Key> {
        std::iter::once(&self.current)
            .chain(&self.older)
            .find_map(|(key_id, key)| (*key_id == id).then_some(key))
    }
}

impl fmt::Debug for VisitorKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VisitorKeys")
            .field("current", &self.current.0)
            .field("older", &self.older.len())
            .finish_non_exhaustive()
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VisitorKeyError {
    /// The operating system gave no random bytes.
    #[error("the system's source of random bytes failed")]
    Random(#[from] SysError),
    /// The key has fewer than [`VisitorKey::MIN_BYTES`].
    #[error("the visitor key {0} has fewer than 32 bytes")]
    TooShort(u32),
    /// Two keys have the same id, and it would not be clear which of them made a seal.
    #[error("two visitor keys have the id {0}")]
    DuplicateId(u32),
}
