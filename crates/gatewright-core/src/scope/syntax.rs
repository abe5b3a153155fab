use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// One scope: a permission such as `links.read`, or a wildcard such as `links.*`.
///
/// A value of this type is well formed and at most [`Scope::MAX_LEN`] bytes long. The order is that of the
/// text and says nothing about covering. See the [module](crate::scope) for the syntax and its meaning.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    text: Cow<'static, str>,
    /// Follows from the text, and comes after it, so that the order is the text's.
    head: Head,
}

impl Scope {
    /// The longest scope that is accepted, in bytes.
    pub const MAX_LEN: usize = 256;

    /// `*`: covers every scope.
    pub const ALL: Scope = Scope::from_static("*");

    /// Makes a scope of a literal, in a `const`, where a malformed one does not compile.
    ///
    /// ```
    /// # use gatewright_core::scope::Scope;
    /// const WRITE: Scope = Scope::from_static("links.write");
    /// ```
    ///
    /// ```compile_fail,E0080
    /// # use gatewright_core::scope::Scope;
    /// const WRITE: Scope = Scope::from_static("links..write");
    /// ```
    ///
    /// Text that is only known at run time is read by [`str::parse`].
    ///
    /// # Panics
    ///
    /// If `text` is malformed. In a `const` that is a compile error.
    #[track_caller]
    #[must_use]
    #[expect(clippy::panic, reason = "the way to refuse a literal at compile time")]
    pub const fn from_static(text: &'static str) -> Scope {
        match validate(text.as_bytes()) {
            Ok(()) => Scope {
                text: Cow::Borrowed(text),
                head: Head::of(text.as_bytes()),
            },
            Err(error) => panic!("{}", error.message()),
        }
    }

    /// Of a text that was validated.
    fn of(text: String) -> Self {
        Scope {
            head: Head::of(text.as_bytes()),
            text: Cow::Owned(text),
        }
    }

    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is a permission, that is, has no `*`.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        !self.as_str().ends_with('*')
    }

    /// Whether everything that `other` denotes is denoted by `self`.
    ///
    /// This is a partial order: reflexive, transitive, and two scopes that cover each other are equal.
    /// Allocates nothing.
    #[must_use]
    #[inline]
    pub fn covers(&self, other: &Scope) -> bool {
        // Most scopes of a set are told apart by their heads, without a look at texts that lie elsewhere.
        self.head.may_begin(other.head) && self.covers_text(other.text.as_bytes())
    }

    fn covers_text(&self, other: &[u8]) -> bool {
        // `*` sits only at the end and after a separator, so dropping it leaves "", "p." or "p:", and what
        // the wildcard covers is what begins so, wildcards among them.
        match self.text.as_bytes() {
            [prefix @ .., b'*'] => other.starts_with(prefix),
            permission => {
                matches!(other.get(permission.len()), None | Some(b':'))
                    && other.starts_with(permission)
            }
        }
    }
}

/// The first bytes of a scope's text without its `*`, in one word: up to seven in the lower bytes, the first lowest, then
/// zeros; and in the highest byte, how many bits they are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Head(u64);

impl Head {
    const BYTES: usize = 7;

    const fn of(text: &[u8]) -> Self {
        let begin = match text {
            [begin @ .., b'*'] => begin,
            text => text,
        };
        let mut word = 0;
        let mut at = 0;
        while at < begin.len() && at < Self::BYTES {
            word |= (begin[at] as u64) << (8 * at);
            at += 1;
        }
        Self(word | (8 * at as u64) << (8 * Self::BYTES))
    }

    /// Whether the text of `other` begins as this one, as far as both heads go. The rest is for the texts to say.
    #[inline]
    const fn may_begin(self, other: Self) -> bool {
        let end = 8 * Self::BYTES;
        let differs = self.0 ^ other.0 | 1 << end;
        differs.trailing_zeros() as u64 >= self.0 >> end
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        validate(text.as_bytes())?;
        Ok(Scope::of(text.to_owned()))
    }
}

impl TryFrom<&str> for Scope {
    type Error = ScopeError;

    fn try_from(text: &str) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        validate(text.as_bytes())?;
        Ok(Scope::of(text))
    }
}

/// Why a text is not a scope.
///
/// Says what is wrong and where, in bytes from the start; never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// There is no text at all.
    #[error("{}", self.message())]
    Empty,
    /// The text is longer than [`Scope::MAX_LEN`] bytes.
    #[error("{}", self.message())]
    TooLong,
    /// A separator begins or ends the text, or follows another one; the empty segment is at `at`.
    #[error("{} (byte {at})", self.message())]
    EmptySegment {
        /// Where a segment should have begun.
        at: usize,
    },
    /// The byte at `at` is none of `A–Z a–z 0–9 _ - . : *`.
    #[error("{} (byte {at})", self.message())]
    BadByte {
        /// The first such byte.
        at: usize,
    },
    /// The `*` at `at` is not the whole of the last segment.
    #[error("{} (byte {at})", self.message())]
    MisplacedWildcard {
        /// The first such `*`.
        at: usize,
    },
}

impl ScopeError {
    const fn message(self) -> &'static str {
        match self {
            ScopeError::Empty => "a scope is empty",
            ScopeError::TooLong => "a scope is longer than 256 bytes",
            ScopeError::EmptySegment { .. } => "a scope has an empty segment",
            ScopeError::BadByte { .. } => {
                "a scope has a character other than A-Z a-z 0-9 _ - . : *"
            }
            ScopeError::MisplacedWildcard { .. } => {
                "a scope has a * that is not the whole of its last segment"
            }
        }
    }
}

const fn validate(text: &[u8]) -> Result<(), ScopeError> {
    if text.is_empty() {
        return Err(ScopeError::Empty);
    }
    if text.len() > Scope::MAX_LEN {
        return Err(ScopeError::TooLong);
    }
    let mut segment = 0;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => {}
            b'.' | b':' if at > segment => segment = at + 1,
            b'.' | b':' => return Err(ScopeError::EmptySegment { at }),
            b'*' if at == segment && at + 1 == text.len() => {}
            b'*' => return Err(ScopeError::MisplacedWildcard { at }),
            _ => return Err(ScopeError::BadByte { at }),
        }
        at += 1;
    }
    if segment == text.len() {
        return Err(ScopeError::EmptySegment { at });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn accepts_the_syntax_and_nothing_else() {
        use ScopeError::*;
        let long = "a".repeat(256);
        for good in [
            "a",
            "*",
            "a.*",
            "a:*",
            "links.read",
            "mcp:call:conn_1",
            "A-Z_09.b:c",
            "-",
            "_",
            &long,
        ] {
            assert_eq!(scope(good).as_str(), good);
        }
        let longer = "a".repeat(257);
        for (bad, why) in [
            ("", Empty),
            (".", EmptySegment { at: 0 }),
            (":a", EmptySegment { at: 0 }),
            ("a.", EmptySegment { at: 2 }),
            ("a..b", EmptySegment { at: 2 }),
            ("a.:b", EmptySegment { at: 2 }),
            (" a", BadByte { at: 0 }),
            ("a b", BadByte { at: 1 }),
            ("a\n", BadByte { at: 1 }),
            ("a/b", BadByte { at: 1 }),
            ("a\"", BadByte { at: 1 }),
            ("ä", BadByte { at: 0 }),
            ("a.\u{ff0a}", BadByte { at: 2 }),
            ("**", MisplacedWildcard { at: 0 }),
            ("*.a", MisplacedWildcard { at: 0 }),
            ("a.*.b", MisplacedWildcard { at: 2 }),
            ("a.*b", MisplacedWildcard { at: 2 }),
            ("a*", MisplacedWildcard { at: 1 }),
            ("a.**", MisplacedWildcard { at: 2 }),
            (&longer, TooLong),
        ] {
            assert_eq!(bad.parse::<Scope>(), Err(why), "{bad:?}");
            assert_eq!(Scope::try_from(bad.to_owned()), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn covers_by_the_table_of_meanings() {
        for (a, b, covers) in [
            ("*", "*", true),
            ("*", "a.b:c", true),
            ("a", "*", false),
            ("a.*", "*", false),
            ("a:*", "*", false),
            ("mcp:call", "mcp:call:conn_1", true),
            ("mcp:call", "mcp:call:conn_1.x", true),
            ("mcp:call", "mcp:call:*", true),
            ("mcp:call:conn_1", "mcp:call", false),
            ("mcp", "mcp:call", true),
            ("links.read", "links.read", true),
            ("links.read", "links.read.all", false),
            ("links.read", "links.read.*", false),
            ("links.read", "links.read_all", false),
            ("links.*", "links.read", true),
            ("links.*", "links.read.all", true),
            ("links.*", "links.read:one", true),
            ("links.*", "links.*", true),
            ("links.*", "links.read.*", true),
            ("links.*", "links.read:*", true),
            ("links.*", "links", false),
            ("links.*", "links:read", false),
            ("links.*", "linksx.read", false),
            ("links.read", "links.*", false),
            ("links.read.*", "links.*", false),
            ("a:*", "a", false),
            ("a:*", "a:b", true),
            ("a:*", "a:b.c", true),
            ("a:*", "a.b", false),
            ("a", "a:*", true),
            ("a", "a:b.*", true),
            ("a", "a.b:c", false),
            ("a:b", "a:*", false),
            ("a:b", "a:b.c", false),
            ("Links.read", "links.read", false),
        ] {
            assert_eq!(scope(a).covers(&scope(b)), covers, "{a} covers {b}");
        }
    }

    /// Texts around the length of a head, and those that differ at its end, in it and beyond it.
    #[test]
    fn a_head_rules_out_nothing_that_is_covered() {
        let texts = [
            "*",
            "a",
            "a:*",
            "a.*",
            "abcde",
            "abcdef",
            "abcdefg",
            "abcdefgh",
            "abcdef:*",
            "abcde:*",
            "abcde.*",
            "abcde:f",
            "abcdef:g",
            "abcdef.g",
            "abcdefg:h",
            "abcdefg.*",
            "abcdefh",
            "abcdefgi",
            "Abcdefg",
            "abcdefgh:ijk",
            "abcdefgh:ijk:*",
        ];
        for ours in texts.map(scope) {
            for theirs in texts.map(scope) {
                let covers = ours.covers_text(theirs.as_str().as_bytes());
                assert_eq!(ours.covers(&theirs), covers, "{ours} covers {theirs}");
                assert_eq!(ours == theirs, ours.as_str() == theirs.as_str());
                assert_eq!(ours.cmp(&theirs), ours.as_str().cmp(theirs.as_str()));
            }
        }
    }

    #[test]
    fn errors_do_not_repeat_the_text() {
        let error = "hunter2 secret".parse::<Scope>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "a scope has a character other than A-Z a-z 0-9 _ - . : * (byte 7)"
        );
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
