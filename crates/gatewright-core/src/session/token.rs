//! Opaque tokens of 256 random bits, and what is kept of them.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// Their base64url, without padding.
const TOKEN_LENGTH: usize = 43;

/// A token of 256 random bits in 43 characters of base64url: a refresh token, or one that is sent by mail.
///
/// Redacted in `Debug`, not to be cloned, compared or displayed, and zeroed when it is dropped.
pub struct RefreshToken(Zeroizing<String>);

impl RefreshToken {
    /// A new one.
    ///
    /// # Errors
    /// [`SysError`] when the system has no random bytes.
    pub fn generate() -> Result<Self, SysError> {
        let mut bytes = Zeroizing::new([0_u8; TOKEN_BYTES]);
        SysRng.try_fill_bytes(&mut *bytes)?;
        let mut text = Zeroizing::new(String::with_capacity(TOKEN_LENGTH));
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        Ok(Self(text))
    }

    /// Reads what somebody presents; `None` for anything that no token of ours looks like.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        if text.len() != TOKEN_LENGTH {
            return None;
        }
        let mut bytes = Zeroizing::new([0_u8; TOKEN_BYTES]);
        // Canonical base64url alone: no second text of the same bytes.
        let written = URL_SAFE_NO_PAD.decode_slice(text, &mut *bytes).ok()?;
        let text = std::str::from_utf8(text).ok()?;
        (written == TOKEN_BYTES).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The token itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        let mut bytes = [0; TOKEN_BYTES];
        bytes.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        TokenDigest(bytes)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(redacted)")
    }
}

/// The SHA-256 of a token. A plain hash is enough: nobody guesses 256 random bits.
#[derive(Clone, Copy, Eq)]
pub struct TokenDigest([u8; TOKEN_BYTES]);

impl TokenDigest {
    /// A digest that a store kept; `None` for anything but 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; TOKEN_BYTES] {
        &self.0
    }
}

impl PartialEq for TokenDigest {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::hash::Hash for TokenDigest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_made_and_nothing_else() {
        let token = RefreshToken::generate().unwrap();
        let read = RefreshToken::read(token.expose().as_bytes()).unwrap();
        assert_eq!(read.digest(), token.digest());
        assert_ne!(RefreshToken::generate().unwrap().digest(), read.digest());
        for wrong in [
            "",
            "A",
            &"A".repeat(42),
            &"A".repeat(44),
            // Two bits beyond the last byte.
            &format!("{}B", "A".repeat(42)),
            &format!("{}+", "A".repeat(42)),
            &format!("{}=", "A".repeat(42)),
        ] {
            assert!(RefreshToken::read(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert!(RefreshToken::read(&[0xFF; 43]).is_none());
        assert!(!format!("{token:?}{:?}", token.digest()).contains(token.expose()));
    }

    #[test]
    fn the_digest_is_plain_sha_256_of_the_text() {
        // printf 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' | sha256sum
        let token = RefreshToken::read(&[b'A'; 43]).unwrap();
        let digest = token.digest();
        let hex: String = digest
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a"
        );
    }
}
