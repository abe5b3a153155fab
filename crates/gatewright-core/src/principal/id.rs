//! Identifiers, one type for each thing that has one.

use std::fmt;
use std::sync::Arc;

/// Why a text is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty.
    #[error("an identifier is never empty")]
    Empty,
    /// The text is longer than 255 bytes, the most a `sub` may have (OpenID Connect Core §2).
    #[error("an identifier has at most 255 bytes")]
    TooLong,
    /// The text holds a control character.
    #[error("an identifier has no control characters")]
    ControlCharacter,
    /// The text is not a visitor's identifier: 28 characters of base64url.
    #[error("a visitor's identifier is 28 characters of base64url")]
    NoVisitor,
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > 255 {
        return Err(IdError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::ControlCharacter);
    }
    Ok(())
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        ///
        /// 1 to 255 bytes without control characters; cloning shares the text.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and takes it as an identifier.
            ///
            /// # Errors
            /// [`IdError`] names the rule that `text` breaks.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, IdError> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    )+};
}

identifiers! {
    /// A person's account.
    UserId;
    /// A tenant: a workspace, a handle or an organisation.
    TenantId;
    /// A credential's public part: the prefix of an API key, the id of a personal access token, the `jti` of
    /// a JWT. It names the credential in lists and logs and proves nothing.
    CredentialId;
    /// Somebody as another issuer names them. Means nothing without the issuer, and the tenant that trusts it.
    ExternalId;
    /// One login of one user, the `sid` of the tokens it was given.
    SessionId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_cannot_name_anything() {
        assert_eq!(UserId::new(""), Err(IdError::Empty));
        assert_eq!(UserId::new("x".repeat(256)), Err(IdError::TooLong));
        assert_eq!(UserId::new("a\nb"), Err(IdError::ControlCharacter));
        assert_eq!(UserId::new("x".repeat(255)).unwrap().as_str().len(), 255);
    }
}
