//! Guard tags: a cheap keyed check in front of argon2.

use std::fmt;

use aws_lc_rs::hmac;
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A key for guard tags. It is kept with the service's other keys and shared by all nodes: its tags are stored in
/// records, and whoever has it can compute them.
pub struct TagKey {
    id: u32,
    key: Zeroizing<[u8; 32]>,
}

impl TagKey {
    /// A new random key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] when the system has no random bytes.
    pub fn generate(id: u32) -> Result<Self, KeyError> {
        let mut key = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(&mut *key)?;
        Ok(Self { id, key })
    }

    /// A key that was kept.
    #[must_use]
    pub fn from_bytes(id: u32, key: [u8; 32]) -> Self {
        Self {
            id,
            key: Zeroizing::new(key),
        }
    }

    /// The number by which tags name this key.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The key itself, for keeping it.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.key
    }
}

impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TagKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// 16 bits of HMAC-SHA-256 over a whole credential, kept in the record beside its argon2 hash.
///
/// A wrong secret has the right tag once in 65,536 tries, so that guessing can't buy argon2 time. For random secrets
/// of 128 bits or more only: of a password, 16 bits would be given away to whoever reads the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardTag {
    /// The key that made it.
    pub key_id: u32,
    /// The tag.
    pub bits: u16,
}

impl GuardTag {
    /// For storage: the key's id above the 16 bits. Less than 2⁴⁸, so it fits a signed column as well.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        (u64::from(self.key_id) << 16) | u64::from(self.bits)
    }

    /// The reverse of [`to_u64`](Self::to_u64); `None` for a number that it can't have made.
    #[must_use]
    pub fn from_u64(stored: u64) -> Option<Self> {
        Some(Self {
            key_id: u32::try_from(stored >> 16).ok()?,
            bits: (stored & 0xFFFF) as u16,
        })
    }
}

/// What [`TagKeys::check`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TagVerdict {
    /// Go on to the proof.
    Matches,
    /// The secret is wrong.
    Differs,
    /// The tag was made with a key that isn't here. The record counts as one without a tag; it isn't refused.
    UnknownKey,
}

/// The current key and those before it.
pub struct TagKeys {
    current: (u32, hmac::Key),
    older: Vec<(u32, hmac::Key)>,
}

impl TagKeys {
    /// New tags are made with `current`; `older` keys still check theirs.
    ///
    /// # Errors
    ///
    /// [`KeyError::DuplicateId`] when two keys have one id.
    pub fn new(current: TagKey, older: impl IntoIterator<Item = TagKey>) -> Result<Self, KeyError> {
        let prepare = |key: &TagKey| (key.id, hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
        let mut keys = Self {
            current: prepare(&current),
            older: Vec::new(),
        };
        for key in older {
            if keys.find(key.id).is_some() {
                return Err(KeyError::DuplicateId(key.id));
            }
            keys.older.push(prepare(&key));
        }
        Ok(keys)
    }

    /// The tag of a whole credential under the current key.
    #[must_use]
    pub fn tag(&self, credential: &[u8]) -> GuardTag {
        let (key_id, key) = &self.current;
        GuardTag {
            key_id: *key_id,
            bits: bits(key, credential),
        }
    }

    /// Compares a stored tag with a presented credential, in constant time.
    #[must_use]
    pub fn check(&self, tag: GuardTag, credential: &[u8]) -> TagVerdict {
        let Some(key) = self.find(tag.key_id) else {
            return TagVerdict::UnknownKey;
        };
        if bool::from(bits(key, credential).ct_eq(&tag.bits)) {
            TagVerdict::Matches
        } else {
            TagVerdict::Differs
        }
    }

    fn find(&self, id: u32) -> Option<&hmac::Key> {
        std::iter::once(&self.current)
            .chain(&self.older)
            .find_map(|(key_id, key)| (*key_id == id).then_some(key))
    }
}

impl fmt::Debug for TagKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TagKeys")
            .field("current", &self.current.0)
            .field("older", &self.older.len())
            .finish_non_exhaustive()
    }
}

/// The first 16 bits, [RFC 2104 §5](https://www.rfc-editor.org/rfc/rfc2104#section-5).
fn bits(key: &hmac::Key, credential: &[u8]) -> u16 {
    let tag = hmac::sign(key, credential);
    match tag.as_ref() {
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The operating system gave no random bytes.
    #[error("the system's source of random bytes failed")]
    Random(#[from] SysError),
    /// Two keys have the same id, and it would not be clear which of them made a tag.
    #[error("two tag keys have the id {0}")]
    DuplicateId(u32),
}
