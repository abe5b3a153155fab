//! Text that must not leak.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text: a minted credential, a client secret, a password.
///
/// It can't be printed, copied or compared by accident: `Debug` is redacted, there is no `Display`, `Clone` or
/// `PartialEq`, and its memory is zeroed when it is dropped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over `text`. Copies that the caller made earlier are the caller's to clear.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself. What is done with it from here on is in plain sight of a review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        assert_eq!(secret.expose(), "hunter2");
    }
}
