//! Private keys at rest.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

const NONCE_LEN: usize = 12;

/// The key that seals signing keys before a store sees them: AES-256-GCM with a random nonce, bound to the key id.
pub struct SealingKey(RandomizedNonceKey);

/// Why something could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A sealing key has 32 bytes.
    #[error("a sealing key has 32 bytes")]
    KeyLength,
    /// The cipher refused to seal.
    #[error("sealing failed")]
    Seal,
    /// What is stored was sealed under another key, for another key id, or was changed.
    #[error("what is stored was sealed under another key, or was changed")]
    Open,
}

impl SealingKey {
    /// The bytes of a key.
    pub const LEN: usize = 32;

    /// A sealing key from its 32 bytes.
    ///
    /// # Errors
    /// [`SealError::KeyLength`].
    pub fn new(bytes: &[u8]) -> Result<Self, SealError> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes)
            .map(Self)
            .map_err(|Unspecified| SealError::KeyLength)
    }

    /// Seals `plain`; `context` must be the same when it is opened.
    pub(crate) fn seal(
        &self,
        plain: &[u8],
        context: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let mut sealed = Zeroizing::new(plain.to_vec());
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut *sealed)
            .map_err(|Unspecified| SealError::Seal)?;
        sealed.extend_from_slice(nonce.as_ref());
        Ok(sealed)
    }

    pub(crate) fn open(
        &self,
        sealed: &[u8],
        context: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let split = sealed.len().checked_sub(NONCE_LEN).ok_or(SealError::Open)?;
        let (sealed, nonce) = sealed.split_at_checked(split).ok_or(SealError::Open)?;
        let nonce =
            Nonce::try_assume_unique_for_key(nonce).map_err(|Unspecified| SealError::Open)?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut plain)
            .map_err(|Unspecified| SealError::Open)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_it_sealed_for_the_same_context() {
        let key = SealingKey::new(&[7; 32]).unwrap();
        let sealed = key.seal(b"private", "kid-1").unwrap();
        assert_eq!(&**key.open(&sealed, "kid-1").unwrap(), b"private");
        assert_eq!(key.open(&sealed, "kid-2").unwrap_err(), SealError::Open);
        assert_eq!(
            SealingKey::new(&[8; 32])
                .unwrap()
                .open(&sealed, "kid-1")
                .unwrap_err(),
            SealError::Open
        );
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(key.open(&changed, "kid-1").unwrap_err(), SealError::Open);
        }
        for length in 0..sealed.len() {
            assert_eq!(
                key.open(&sealed[..length], "kid-1").unwrap_err(),
                SealError::Open
            );
        }
    }

    #[test]
    fn never_seals_the_same_way_twice() {
        let key = SealingKey::new(&[7; 32]).unwrap();
        assert_ne!(
            key.seal(b"x", "kid").unwrap(),
            key.seal(b"x", "kid").unwrap()
        );
        assert_eq!(SealingKey::new(&[7; 16]).unwrap_err(), SealError::KeyLength);
    }
}
