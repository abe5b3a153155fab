//! What is allowed as a password.

use std::fmt;
use std::sync::Arc;

use gatewright_core::error::{AuthError, ErrorCode};
use zeroize::Zeroizing;

/// Those of the most common passwords that are long enough to be allowed otherwise, in lower case and in the order of
/// their bytes. Where they are from is in `common_passwords.LICENSE`.
const COMMON: &str = include_str!("common_passwords.txt");
/// A context word that is shorter is in too many passwords by chance.
const SHORTEST_WORD: usize = 3;
/// So many letters and digits of a password have to be left when its context words are taken out.
const OWN_CHARACTERS: usize = 4;

/// What is allowed as a password (OWASP ASVS 5.0, 6.2): 8 to 128 characters of any kind, not among the common ones,
/// and not made of words that everybody knows to belong to the service or to its user.
///
/// Nothing is asked of the kinds of characters. A password is taken as it was typed, neither trimmed nor cut; only
/// comparisons with lists are in lower case.
///
/// ```
/// use gatewright_issuer::{PasswordPolicy, WeakPassword};
///
/// let policy = PasswordPolicy::new().with_words(["Acme Links"]);
/// assert!(policy.accept("three brown cows".to_owned()).is_ok());
/// assert_eq!(policy.accept("Passw0rd".to_owned()).unwrap_err(), WeakPassword::Common);
/// assert_eq!(policy.accept("AcmeLinks2026".to_owned()).unwrap_err(), WeakPassword::MadeOfContext);
/// ```
#[derive(Clone, Debug, Default)]
pub struct PasswordPolicy {
    words: Arc<[Box<str>]>,
}

impl PasswordPolicy {
    /// The fewest characters.
    pub const MIN_CHARACTERS: usize = 8;
    /// The most characters.
    pub const MAX_CHARACTERS: usize = 128;

    /// The policy of a service without words of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also refuses passwords that are made of these words: the service's name, its company's, its products'. The words
    /// of a user's address and name need not be given, [`Accounts`](super::Accounts) adds them.
    #[must_use]
    pub fn with_words<W: AsRef<str>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        let mut all = self.words.to_vec();
        for word in words {
            add_words(&mut all, word.as_ref());
        }
        self.words = all.into();
        self
    }

    /// Takes a password that is allowed.
    ///
    /// # Errors
    /// [`WeakPassword`] names the rule that it breaks.
    pub fn accept(
        &self,
        password: impl Into<Zeroizing<String>>,
    ) -> Result<NewPassword, WeakPassword> {
        let text = password.into();
        // No character has more than four bytes, so that nothing longer needs counting.
        if text.len() > 4 * Self::MAX_CHARACTERS {
            return Err(WeakPassword::TooLong);
        }
        let characters = text.chars().count();
        if characters < Self::MIN_CHARACTERS {
            return Err(WeakPassword::TooShort);
        }
        if characters > Self::MAX_CHARACTERS {
            return Err(WeakPassword::TooLong);
        }
        if is_listed(&Zeroizing::new(text.to_lowercase()), COMMON) {
            return Err(WeakPassword::Common);
        }
        let words = Arc::clone(&self.words);
        let password = NewPassword { text, words };
        password.suits(&[])?;
        Ok(password)
    }
}

/// A password that the [`PasswordPolicy`] allows; there is no other way to one.
///
/// Redacted in `Debug`, not to be cloned, compared or displayed, and zeroed when it is dropped.
pub struct NewPassword {
    text: Zeroizing<String>,
    /// The words of the service.
    words: Arc<[Box<str>]>,
}

impl NewPassword {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Whether it is more than the service's words and those of `about`: the user's address and name.
    pub(super) fn suits(&self, about: &[&str]) -> Result<(), WeakPassword> {
        let mut words = self.words.to_vec();
        for text in about {
            add_words(&mut words, text);
        }
        // The longest first, or a part of a word would be taken out and leave the rest.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let mut rest = Zeroizing::new(self.text.to_lowercase());
        let mut is_found = false;
        for word in &words {
            if rest.contains(&**word) {
                is_found = true;
                rest = Zeroizing::new(rest.replace(&**word, " "));
            }
        }
        let letters = rest.chars().filter(|letter| letter.is_alphabetic());
        if is_found && letters.count() < OWN_CHARACTERS {
            return Err(WeakPassword::MadeOfContext);
        }
        Ok(())
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(redacted)")
    }
}

/// Which rule a password breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakPassword {
    /// Fewer than [`PasswordPolicy::MIN_CHARACTERS`] characters.
    #[error("The password has fewer than 8 characters")]
    TooShort,
    /// More than [`PasswordPolicy::MAX_CHARACTERS`] characters.
    #[error("The password has more than 128 characters")]
    TooLong,
    /// One of the passwords that are guessed first.
    #[error("The password is one of the most common ones")]
    Common,
    /// Hardly more than the names of the service and of the user.
    #[error("The password is made of your address, your name or the name of this service")]
    MadeOfContext,
}

impl From<WeakPassword> for AuthError {
    fn from(rule: WeakPassword) -> Self {
        Self::new(ErrorCode::ValidationError).with_message(rule.to_string())
    }
}

/// The text in lower case, the text without what separates its words, and its words.
fn add_words(words: &mut Vec<Box<str>>, text: &str) {
    let text = text.to_lowercase();
    let parts = || {
        text.split(|letter: char| !letter.is_alphanumeric())
            .filter(|part| !part.is_empty())
    };
    let together: String = parts().collect();
    for word in parts().chain([&*text, &*together]) {
        if word.chars().count() >= SHORTEST_WORD && !words.iter().any(|known| **known == *word) {
            words.push(word.into());
        }
    }
}

/// Whether `text` is a line of `lines`, which are in the order of their bytes.
fn is_listed(text: &str, lines: &str) -> bool {
    let (text, lines) = (text.as_bytes(), lines.as_bytes());
    let (mut low, mut high) = (0, lines.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let head = lines.get(low..middle).unwrap_or_default();
        let start = head.iter().rposition(|byte| *byte == b'\n');
        let start = start.map_or(low, |at| low + at + 1);
        let tail = lines.get(start..high).unwrap_or_default();
        let line = tail.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match text.cmp(line) {
            std::cmp::Ordering::Equal => return !line.is_empty(),
            std::cmp::Ordering::Less => high = start,
            std::cmp::Ordering::Greater => low = start + line.len() + 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(text: &str) -> Result<NewPassword, WeakPassword> {
        PasswordPolicy::new().accept(text.to_owned())
    }

    #[test]
    fn the_list_is_sorted_and_every_line_is_found() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() >= 3_000, "ASVS 5.0, 6.2.4");
        assert!(
            lines
                .windows(2)
                .all(|pair| pair[0].as_bytes() < pair[1].as_bytes())
        );
        for line in &lines {
            assert_eq!(line.to_lowercase(), *line);
            assert!(line.chars().count() >= PasswordPolicy::MIN_CHARACTERS);
            assert!(is_listed(line, COMMON), "{line}");
            for near in [format!("{line}~"), format!("~{line}"), line[1..].to_owned()] {
                assert_eq!(is_listed(&near, COMMON), lines.contains(&&*near), "{near}");
            }
        }
        assert!(!is_listed("", COMMON));
        assert!(!is_listed("", ""));
    }

    #[test]
    fn asvs_6_2_passwords() {
        let ok = |text: &str| assert!(accept(text).is_ok(), "{text}");
        let refused = |text: &str, rule| assert_eq!(accept(text).unwrap_err(), rule, "{text}");
        // 6.2.1: at least eight characters; characters, not bytes.
        refused("kR7$wqz", WeakPassword::TooShort);
        refused("ÄÖÜäöüß", WeakPassword::TooShort);
        ok("kR7$wqzp");
        ok("ÄÖÜäöüßé");
        // 6.2.9: at least 64 are permitted; here 128, also of the longest characters.
        ok(&"🦀".repeat(128));
        refused(&"🦀".repeat(129), WeakPassword::TooLong);
        refused(&"kR7$".repeat(33), WeakPassword::TooLong);
        // 6.2.4: not among the top 3,000, however they are written.
        for common in [
            "password",
            "12345678",
            "iloveyou1",
            "PassWord",
            "QWERTYUIOP",
        ] {
            refused(common, WeakPassword::Common);
        }
        // 6.2.5: no rules about the kinds of characters.
        ok("justlowercase");
        ok("        ");
        ok("7295018364");
        // 6.2.8: as it was typed, neither cut nor changed.
        assert_eq!(accept(" Trailing ").unwrap().as_bytes(), b" Trailing ");
        // 6.2.10 and 6.2.11: nothing about age, and not the context's own words.
        let policy = PasswordPolicy::new().with_words(["Gate Wright"]);
        for own in ["gatewright", "GateWright!", "gate-wright-99", "wright2026"] {
            let rule = policy.accept(own.to_owned()).unwrap_err();
            assert_eq!(rule, WeakPassword::MadeOfContext, "{own}");
        }
        assert!(policy.accept("wrights open gates".to_owned()).is_ok());
        let alice = |text: &str| {
            let password = policy.accept(text.to_owned()).unwrap();
            password.suits(&["alice.smith@example.com", "Alice Liddell"])
        };
        for own in [
            "alice.smith@example.com",
            "AliceSmith1",
            "smith!alice",
            "example2026",
            "liddell99",
            "alice.gatewright",
        ] {
            assert_eq!(alice(own), Err(WeakPassword::MadeOfContext), "{own}");
        }
        assert_eq!(alice("alice likes tea"), Ok(()));
        assert_eq!(alice("kR7$wqzp"), Ok(()));
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let password = accept("kR7$wqzp").unwrap();
        assert_eq!(format!("{password:?}"), "NewPassword(redacted)");
    }
}
