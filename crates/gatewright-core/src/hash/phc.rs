//! Stored argon2id hashes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::settings::{Argon2Settings, SettingsError};

/// A stored argon2id hash in the
/// [PHC string format](https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md):
/// `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.
///
/// A value of this type can be computed within the caps: at most 128 MiB, 10 passes, 4 lanes, a salt of 8–64 and
/// an output of 16–64 bytes. Cloning is cheap. `Debug` shows the settings only.
#[derive(Clone)]
pub struct Phc {
    /// Many are kept in memory and few are verified at a time, so salt and output are decoded when they are asked for.
    text: Arc<str>,
    settings: Argon2Settings,
}

/// What new hashes have, in bytes; RFC 9106 §3.1 and §4.
pub(super) const SALT_LENGTH: usize = 16;
pub(super) const OUTPUT_LENGTH: usize = 32;
/// The longest output of a stored hash, in bytes.
pub(super) const MAX_OUTPUT_LENGTH: usize = 64;

const SALT_LENGTHS: std::ops::RangeInclusive<usize> = 8..=64;
const OUTPUT_LENGTHS: std::ops::RangeInclusive<usize> = 16..=MAX_OUTPUT_LENGTH;
/// The longest text that can be valid: 45 characters of names and numbers, two fields of 86.
const MAX_TEXT_LENGTH: usize = 256;

impl Phc {
    /// The text that is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What this hash costs to verify.
    #[must_use]
    pub fn settings(&self) -> Argon2Settings {
        self.settings
    }

    /// Whether a new hash under `settings` would be stronger: more memory, more passes, a longer salt or output.
    ///
    /// A hash that is stronger than `settings` stays as it is, so that nodes with different settings don't
    /// rewrite each other's hashes for ever.
    #[must_use]
    pub fn needs_rehash(&self, settings: &Argon2Settings) -> bool {
        let stored = self.settings;
        let [salt, output] = self.encoded().map(decoded_length);
        stored.memory_kib() < settings.memory_kib()
            || stored.passes() < settings.passes()
            || salt < SALT_LENGTH
            || output < OUTPUT_LENGTH
    }

    /// The salt, then the output. They were decoded once when the value was made.
    pub(super) fn salt_and_output(&self) -> Result<(Vec<u8>, Vec<u8>), PhcError> {
        let [salt, output] = self.encoded();
        Ok((decode(salt)?, decode(output)?))
    }

    /// The last two fields, in base64.
    fn encoded(&self) -> [&str; 2] {
        let mut fields = self.text.rsplit('$');
        let (output, salt) = (fields.next(), fields.next());
        [salt, output].map(Option::unwrap_or_default)
    }

    /// `salt` and `output` have lengths within the limits.
    pub(super) fn from_parts(settings: Argon2Settings, salt: &[u8], output: &[u8]) -> Self {
        let text = format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            settings.memory_kib(),
            settings.passes(),
            settings.lanes(),
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(output),
        );
        Self {
            text: text.into(),
            settings,
        }
    }
}

impl fmt::Debug for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phc")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl FromStr for Phc {
    type Err = PhcError;

    fn from_str(text: &str) -> Result<Self, PhcError> {
        if text.len() > MAX_TEXT_LENGTH {
            return Err(PhcError::Syntax);
        }
        let mut fields = text.split('$');
        let (Some(""), Some(algorithm), Some(version), rest) =
            (fields.next(), fields.next(), fields.next(), fields)
        else {
            return Err(PhcError::Syntax);
        };
        if algorithm != "argon2id" {
            return Err(PhcError::Algorithm);
        }
        if version != "v=19" {
            return Err(PhcError::Version);
        }
        let mut fields = rest;
        let (Some(parameters), Some(salt), Some(output), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(PhcError::Syntax);
        };

        let settings = parameters_of(parameters)?;
        let salt = decode(salt)?;
        let output = decode(output)?;
        if !SALT_LENGTHS.contains(&salt.len()) {
            return Err(PhcError::Salt);
        }
        if !OUTPUT_LENGTHS.contains(&output.len()) {
            return Err(PhcError::Output);
        }
        Ok(Self {
            text: text.into(),
            settings,
        })
    }
}

/// `m=…,t=…,p=…`, in this order, as every implementation writes it.
fn parameters_of(text: &str) -> Result<Argon2Settings, PhcError> {
    let mut parts = text.split(',');
    let mut number = |name: &str| {
        let digits = parts
            .next()
            .and_then(|part| part.strip_prefix(name))
            .ok_or(PhcError::Syntax)?;
        decimal(digits)
    };
    let (memory_kib, passes, lanes) = (number("m=")?, number("t=")?, number("p=")?);
    if parts.next().is_some() {
        return Err(PhcError::Syntax);
    }
    Argon2Settings::bounded(memory_kib, passes, lanes).map_err(PhcError::Settings)
}

/// The format's decimals have no sign and no leading zero.
fn decimal(digits: &str) -> Result<u32, PhcError> {
    let canonical = digits == "0" || !digits.starts_with(['0', '+']);
    if !canonical {
        return Err(PhcError::Syntax);
    }
    digits.parse().map_err(|_| PhcError::Syntax)
}

/// Without padding, every character holds six bits.
const fn decoded_length(text: &str) -> usize {
    text.len() * 6 / 8
}

fn decode(text: &str) -> Result<Vec<u8>, PhcError> {
    STANDARD_NO_PAD.decode(text).map_err(|_| PhcError::Encoding)
}

/// Why a stored text is not a hash that can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PhcError {
    /// Not the fields of an argon2 PHC string.
    #[error("the stored hash is not a PHC string of argon2")]
    Syntax,
    /// Another algorithm than argon2id.
    #[error("the stored hash is not argon2id")]
    Algorithm,
    /// Another version than 0x13.
    #[error("the stored hash is not of argon2 version 19")]
    Version,
    /// Settings that can't be computed or are above the caps.
    #[error("the stored hash has unusable settings")]
    Settings(#[source] SettingsError),
    /// Salt or output isn't canonical base64 without padding.
    #[error("the stored hash is not encoded in canonical base64")]
    Encoding,
    /// The salt isn't 8–64 bytes.
    #[error("the stored hash has a salt of unusable length")]
    Salt,
    /// The output isn't 16–64 bytes.
    #[error("the stored hash has an output of unusable length")]
    Output,
}
