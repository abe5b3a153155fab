//! What may stand in a record for a secret.

use std::str::FromStr;

use super::imported::{ImportError, ImportedHash};
use super::phc::{Phc, PhcError};
use super::settings::Argon2Settings;

/// The stored hash of a random secret: argon2id, or one that another system made and that the first use replaces.
///
/// Passwords have [`Phc`] alone. The text of each scheme begins in its own way, so a hash is never read as one of
/// another scheme. Cloning is cheap; `Debug` shows no hash.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SecretHash {
    /// Made here.
    Argon2id(Phc),
    /// Made elsewhere.
    Imported(ImportedHash),
}

impl SecretHash {
    /// The text that is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Argon2id(phc) => phc.as_str(),
            Self::Imported(imported) => imported.as_str(),
        }
    }

    /// Whether a new hash under `settings` would be stronger: always for one that was made elsewhere.
    #[must_use]
    pub fn needs_rehash(&self, settings: &Argon2Settings) -> bool {
        match self {
            Self::Argon2id(phc) => phc.needs_rehash(settings),
            Self::Imported(_) => true,
        }
    }

    /// Whether another system made it.
    #[must_use]
    pub const fn is_imported(&self) -> bool {
        matches!(self, Self::Imported(_))
    }
}

impl From<Phc> for SecretHash {
    fn from(phc: Phc) -> Self {
        Self::Argon2id(phc)
    }
}

impl From<&Phc> for SecretHash {
    fn from(phc: &Phc) -> Self {
        Self::Argon2id(phc.clone())
    }
}

impl From<ImportedHash> for SecretHash {
    fn from(imported: ImportedHash) -> Self {
        Self::Imported(imported)
    }
}

impl From<&Self> for SecretHash {
    fn from(hash: &Self) -> Self {
        hash.clone()
    }
}

impl FromStr for SecretHash {
    type Err = SecretHashError;

    /// Reads what [`as_str`](Self::as_str) wrote.
    fn from_str(text: &str) -> Result<Self, SecretHashError> {
        if ImportedHash::claims(text) {
            return Ok(Self::Imported(ImportedHash::read(text)?));
        }
        Ok(Self::Argon2id(text.parse()?))
    }
}

/// Why a stored text is not a hash that can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretHashError {
    /// Not argon2id that can be verified, nor anything else that is known.
    #[error(transparent)]
    Argon2id(#[from] PhcError),
    /// One of another system that can't be verified.
    #[error(transparent)]
    Imported(#[from] ImportError),
}
