//! Sets of public keys.

use zeroize::Zeroizing;

use super::{Bounds, Setting, compare, wrong_type};
use crate::config::mistake::Notes;
use crate::config::tree::{Node, Value};
use crate::config::{MistakeKind, Path};
use crate::jwt::{KeySet, KeySetError, SkippedKey};

/// An issuer's public keys: a JWK Set ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)), written as a table
/// or as text in JSON.
#[derive(Clone, Debug)]
pub struct Jwks {
    keys: KeySet,
    skipped: Vec<SkippedKey>,
}

impl Jwks {
    /// Reads a JWK Set in JSON.
    ///
    /// # Errors
    ///
    /// As [`KeySet::from_jwks`]. Members that cannot be used are left out one by one; see [`skipped`](Self::skipped).
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetError> {
        let (keys, skipped) = KeySet::from_jwks(json)?;
        Ok(Self { keys, skipped })
    }

    /// The keys that can be used.
    #[must_use]
    pub const fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// The members that were left out, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }
}

/// By what the keys are: name, algorithm and thumbprint (RFC 7638), in the order of the set.
impl PartialEq for Jwks {
    fn eq(&self, other: &Self) -> bool {
        let keys = |set: &KeySet| -> Vec<_> {
            set.iter()
                .map(|key| {
                    (
                        key.kid().map(str::to_owned),
                        key.algorithm(),
                        key.thumbprint(),
                    )
                })
                .collect()
        };
        keys(&self.keys) == keys(&other.keys)
    }
}

impl Setting for Jwks {
    #[cfg(test)]
    fn type_name() -> String {
        "JWK Set".to_owned()
    }

    fn read(node: Node, _: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        let read = match &node.value {
            Value::Text(text) => Self::from_json(text.as_bytes()),
            Value::Table(_) => {
                // Whoever puts a private key here gets told so; its text shall not stay behind.
                let Ok(json) = serde_json::to_vec(&node).map(Zeroizing::new) else {
                    return wrong_type("a JWK Set", &node, at, notes);
                };
                Self::from_json(&json)
            }
            _ => return wrong_type("a JWK Set", &node, at, notes),
        };
        match read {
            Ok(jwks) => Some(jwks),
            Err(error) => {
                notes.note(
                    at.clone(),
                    MistakeKind::Refused(error.to_string()),
                    node.first_origin(),
                );
                None
            }
        }
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        compare(self, other, at, found);
    }
}
