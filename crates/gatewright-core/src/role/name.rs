use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a role: 1 to 64 bytes of `[A-Za-z0-9_-]`, case-sensitive. Cheap to clone.
///
/// Names are not ordered, since the order of their text would be mistaken for that of the roles; that is
/// [`Roles::at_least`](super::Roles::at_least).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Role(Arc<str>);

impl Role {
    /// The longest name that is accepted, in bytes.
    pub const MAX_LEN: usize = 64;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl AsRef<str> for Role {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        if text.is_empty() {
            return Err(RoleError::Empty);
        }
        if text.len() > Role::MAX_LEN {
            return Err(RoleError::TooLong);
        }
        let outside =
            |byte: u8| !matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        match text.bytes().position(outside) {
            Some(at) => Err(RoleError::BadByte { at }),
            None => Ok(Role(text.into())),
        }
    }
}

impl TryFrom<&str> for Role {
    type Error = RoleError;

    fn try_from(text: &str) -> Result<Self, RoleError> {
        text.parse()
    }
}

impl TryFrom<String> for Role {
    type Error = RoleError;

    fn try_from(text: String) -> Result<Self, RoleError> {
        text.parse()
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(RoleVisitor)
    }
}

// A visitor of our own, since serde's for `String` would have its errors quote the text.
struct RoleVisitor;

impl Visitor<'_> for RoleVisitor {
    type Value = Role;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a role")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Role, E> {
        text.parse().map_err(E::custom)
    }
}

/// Why a text is not the name of a role. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// There is no text at all.
    #[error("a role's name is empty")]
    Empty,
    /// The text is longer than [`Role::MAX_LEN`] bytes.
    #[error("a role's name is longer than {} bytes", Role::MAX_LEN)]
    TooLong,
    /// The byte at `at` is none of `A–Z a–z 0–9 _ -`.
    #[error("a role's name has a character other than A-Z a-z 0-9 _ - (byte {at})")]
    BadByte {
        /// The first such byte, counted from 0.
        at: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_names_only() {
        let long = "a".repeat(64);
        for good in ["admin", "Platform-Admin_2", "-", &long] {
            assert_eq!(good.parse::<Role>().unwrap().as_str(), good);
        }
        let longer = "a".repeat(65);
        for (bad, why) in [
            ("", RoleError::Empty),
            (&longer, RoleError::TooLong),
            ("a b", RoleError::BadByte { at: 1 }),
            ("a.b", RoleError::BadByte { at: 1 }),
            ("*", RoleError::BadByte { at: 0 }),
            ("adm\u{131}n", RoleError::BadByte { at: 3 }),
        ] {
            assert_eq!(bad.parse::<Role>(), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn is_a_string_when_serialized() {
        let role: Role = serde_json::from_str(r#""own\u0065r""#).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), r#""owner""#);
        let error = serde_json::from_str::<Role>(r#""hunter2 ""#)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("a role's name has a character"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
        assert!(serde_json::from_str::<Role>("null").is_err());
    }
}
