//! Secrets, in base64.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Bounds, Setting, compare, wrong_type};
use crate::config::Path;
use crate::config::mistake::Notes;
use crate::config::tree::{Node, Value};

/// The bytes of a secret, written in base64 with padding ([RFC 4648 §4](https://www.rfc-editor.org/rfc/rfc4648#section-4)).
/// They are zeroed when it is dropped, and never shown.
#[derive(Default)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// These bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

impl Setting for SecretBytes {
    #[cfg(test)]
    fn type_name() -> String {
        "base64".to_owned()
    }

    fn read(node: Node, _: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        const EXPECTED: &str = "bytes in base64, with padding";
        let Value::Text(text) = &node.value else {
            return wrong_type(EXPECTED, &node, at, notes);
        };
        // Longer than is decoded, so that it is never copied elsewhere; what was decoded before a mistake is erased.
        let mut bytes = Vec::with_capacity(text.len() + 4);
        match STANDARD.decode_vec(text.trim(), &mut bytes) {
            Ok(()) => Some(Self::new(bytes)),
            Err(_) => {
                bytes.zeroize();
                wrong_type(EXPECTED, &node, at, notes)
            }
        }
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        // Both are the operator's own; nobody who could measure this chooses either.
        compare(&*self.0, &*other.0, at, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let secret = SecretBytes::new(b"hunter2".to_vec());
        assert_eq!(format!("{secret:?}"), "SecretBytes(…)");
    }
}
