//! Hashes that another system made.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subtle::{Choice, ConstantTimeEq};

#[cfg(feature = "bcrypt")]
use super::bcrypt::Bcrypt;

/// The hash of a whole credential text that another system made, to be replaced by argon2id at its first use.
///
/// | constructor | what the old system kept | stored as |
/// |---|---|---|
/// | [`sha256`](Self::sha256), [`sha256_digest`](Self::sha256_digest) | SHA-256, in hex, base64 or bytes | `$sha256$<64 hex>` |
/// | [`of_text`](Self::of_text) | the text itself | `$sha256$<64 hex>` |
/// | `bcrypt` | bcrypt, `$2a$`, `$2b$` or `$2y$` | as it was |
/// | `bcrypt_truncating` | bcrypt of texts above 72 bytes | `$bcrypt-72` and the text as it was |
///
/// The last two exist with the feature `bcrypt`. None of these forms is a
/// [PHC string of argon2](super::Phc), nor can one of that be read as these. SHA-256 is of the text alone: a salt or a
/// key (HMAC) is not supported. `Debug` shows the scheme only; cloning is cheap.
///
/// SHA-256 is no protection for a short text: whoever reads the store can try texts at a rate of billions. That is what
/// the first use ends, and why a key that nobody uses should not stay imported for ever.
#[derive(Clone)]
pub struct ImportedHash(Arc<Parts>);

struct Parts {
    text: String,
    scheme: Scheme,
}

enum Scheme {
    Sha256([u8; 32]),
    #[cfg(feature = "bcrypt")]
    Bcrypt(Bcrypt),
}

const SHA256_PREFIX: &str = "$sha256$";
/// Before a bcrypt text: of what is presented, only the first 72 bytes count.
const TRUNCATING_PREFIX: &str = "$bcrypt-72";

impl ImportedHash {
    /// SHA-256 of the text, in hex (either case) or in base64 (either alphabet, padded or not).
    ///
    /// # Errors
    ///
    /// [`ImportError::Sha256`] when it is neither.
    pub fn sha256(encoded: &str) -> Result<Self, ImportError> {
        let output = match encoded.len() {
            64 => from_hex(encoded.as_bytes()),
            43 | 44 => from_base64(encoded),
            _ => None,
        };
        output.map(Self::sha256_digest).ok_or(ImportError::Sha256)
    }

    /// SHA-256 of the text, as bytes.
    #[must_use]
    pub fn sha256_digest(output: [u8; 32]) -> Self {
        let mut text = String::with_capacity(SHA256_PREFIX.len() + 64);
        text.push_str(SHA256_PREFIX);
        push_hex(&mut text, &output);
        let scheme = Scheme::Sha256(output);
        Self(Arc::new(Parts { text, scheme }))
    }

    /// For a system that kept the texts themselves. The text is hashed here and not kept.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let mut output = [0; 32];
        output.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Self::sha256_digest(output)
    }

    /// A bcrypt hash of texts that never have more than 72 bytes, which is all that bcrypt takes. A longer text, or one
    /// with a NUL, is never right.
    ///
    /// # Errors
    ///
    /// [`ImportError::BcryptVersion`] for another version than `2a`, `2b` or `2y`, [`ImportError::BcryptCost`] below 4
    /// and above 14, [`ImportError::Bcrypt`] for anything else that is not such a hash.
    #[cfg(feature = "bcrypt")]
    pub fn bcrypt(text: &str) -> Result<Self, ImportError> {
        let scheme = Scheme::Bcrypt(Bcrypt::parse(text, false)?);
        let text = text.to_owned();
        Ok(Self(Arc::new(Parts { text, scheme })))
    }

    /// A bcrypt hash by a system that cut longer texts to 72 bytes, as most do without saying so.
    ///
    /// Until the first use, any text with the same first 72 bytes is right, as it was in the old system. The one that is
    /// presented first is what argon2id takes over: from then on all of it counts.
    ///
    /// # Errors
    ///
    /// As [`bcrypt`](Self::bcrypt).
    #[cfg(feature = "bcrypt")]
    pub fn bcrypt_truncating(text: &str) -> Result<Self, ImportError> {
        let scheme = Scheme::Bcrypt(Bcrypt::parse(text, true)?);
        let text = format!("{TRUNCATING_PREFIX}{text}");
        Ok(Self(Arc::new(Parts { text, scheme })))
    }

    /// The text that is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The public id of a key [without one](crate::credential::SecretFormat::imported), where it follows from its hash:
    /// the first half of the SHA-256, in hex. `None` for bcrypt, by which nobody can look up anything.
    #[must_use]
    pub fn derived_id(&self) -> Option<String> {
        match &self.0.scheme {
            Scheme::Sha256(output) => {
                let mut id = String::with_capacity(32);
                push_hex(&mut id, output.first_chunk::<16>()?);
                Some(id)
            }
            #[cfg(feature = "bcrypt")]
            Scheme::Bcrypt(_) => None,
        }
    }

    /// Whether a stored text claims to be one of these, well formed or not.
    pub(super) fn claims(text: &str) -> bool {
        [SHA256_PREFIX, TRUNCATING_PREFIX, "$2"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
    }

    /// Reads what [`as_str`](Self::as_str) wrote. Only that: hex in lower case.
    pub(super) fn read(text: &str) -> Result<Self, ImportError> {
        if let Some(hex) = text.strip_prefix(SHA256_PREFIX) {
            let is_canonical =
                hex.len() == 64 && !hex.bytes().any(|byte| byte.is_ascii_uppercase());
            return match from_hex(hex.as_bytes()) {
                Some(output) if is_canonical => Ok(Self::sha256_digest(output)),
                _ => Err(ImportError::Sha256),
            };
        }
        Self::read_bcrypt(text)
    }

    #[cfg(feature = "bcrypt")]
    fn read_bcrypt(text: &str) -> Result<Self, ImportError> {
        match text.strip_prefix(TRUNCATING_PREFIX) {
            Some(text) => Self::bcrypt_truncating(text),
            None => Self::bcrypt(text),
        }
    }

    #[cfg(not(feature = "bcrypt"))]
    fn read_bcrypt(_text: &str) -> Result<Self, ImportError> {
        Err(ImportError::BcryptDisabled)
    }

    /// Whether it is the hash of `secret`, compared in constant time. Bcrypt takes its time: for the pool's threads.
    pub(super) fn verify(&self, secret: &[u8]) -> Choice {
        match &self.0.scheme {
            Scheme::Sha256(output) => digest(&SHA256, secret).as_ref().ct_eq(output),
            #[cfg(feature = "bcrypt")]
            Scheme::Bcrypt(bcrypt) => bcrypt.verify(secret),
        }
    }
}

impl fmt::Debug for ImportedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0.scheme {
            Scheme::Sha256(_) => "ImportedHash(sha256)",
            #[cfg(feature = "bcrypt")]
            Scheme::Bcrypt(_) => "ImportedHash(bcrypt)",
        })
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xF] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
}

fn from_hex(digits: &[u8]) -> Option<[u8; 32]> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let mut output = [0; 32];
    if pairs.len() != output.len() {
        return None;
    }
    for (byte, [high, low]) in output.iter_mut().zip(pairs) {
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some(output)
}

fn from_base64(text: &str) -> Option<[u8; 32]> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [&alphabet::STANDARD, &alphabet::URL_SAFE]
        .into_iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())?
        .try_into()
        .ok()
}

/// Why a hash can't be taken over. Says nothing of the hash itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Not 32 bytes in hex or base64.
    #[error("the hash is not a SHA-256 in hex or base64")]
    Sha256,
    /// Not the 60 characters of a bcrypt hash.
    #[error("the hash is not one of bcrypt")]
    Bcrypt,
    /// Another version than `2a`, `2b` or `2y`: `2` and `2x` are older mistakes.
    #[error("the hash is of a version of bcrypt that is not accepted")]
    BcryptVersion,
    /// A cost below 4, or above 14, which takes about a second.
    #[error("the hash has a cost of bcrypt that is not accepted")]
    BcryptCost,
    /// This build has no bcrypt: the feature `bcrypt` is off.
    #[error("the hash is of bcrypt, which this build does not have")]
    BcryptDisabled,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4's examples, from NIST's "Cryptographic Standards and Guidelines: Example Values", SHA-256, one and two
    /// blocks; the empty message from NIST CAVP, `SHA256ShortMsg.rsp`, Len = 0.
    #[test]
    fn is_the_sha256_of_nist() {
        for (message, hex) in [
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
        ] {
            let imported = ImportedHash::sha256(hex).unwrap();
            assert!(bool::from(imported.verify(message.as_bytes())), "{message}");
            assert!(!bool::from(imported.verify(b"abd")), "{message}");
            assert_eq!(ImportedHash::of_text(message).as_str(), imported.as_str());
            assert_eq!(imported.as_str(), format!("$sha256${hex}"));
            assert_eq!(imported.derived_id().as_deref(), hex.get(..32));
        }
    }

    /// `printf abc | openssl dgst -sha256 -binary | base64`, and the same with `+/` as `-_`.
    #[test]
    fn hex_and_base64_are_the_same_hash() {
        let hex = ImportedHash::of_text("abc");
        for encoded in [
            "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0",
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0=",
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
        ] {
            let imported = ImportedHash::sha256(encoded).unwrap();
            assert_eq!(imported.as_str(), hex.as_str(), "{encoded}");
        }
        for wrong in [
            "",
            "abc",
            "ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "+a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0=",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa1",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0a",
            "é0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855éé",
        ] {
            assert_eq!(
                ImportedHash::sha256(wrong).err(),
                Some(ImportError::Sha256),
                "{wrong}"
            );
        }
    }
}
