//! Where to go after a login.

const MAX_BYTES: usize = 1024;

/// A path on the service's own origin, with its query and fragment if it has any: nothing that a browser would take for
/// another host (RFC 9700 §4.11).
///
/// It begins with one slash, is at most 1024 bytes long, and holds visible ASCII without a backslash; anything else is to be
/// percent-encoded.
///
/// ```
/// use gatewright_jwks::login::LocalPath;
///
/// assert!(LocalPath::parse("/settings?tab=keys").is_some());
/// assert!(LocalPath::parse("//evil.example").is_none());
/// assert!(LocalPath::parse("/\\evil.example").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalPath(Box<str>);

impl LocalPath {
    /// Reads what somebody asks to go back to; `None` for what is no such path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Browsers drop tabs and line ends and read a backslash as a slash, so none of them gets past here.
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        let is_local = text.starts_with('/') && !text.starts_with("//");
        (is_local && text.len() <= MAX_BYTES && text.bytes().all(is_plain))
            .then(|| Self(text.into()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::Url;

    use super::*;

    #[test]
    fn paths_by_their_text() {
        let table = [
            ("/", true),
            ("/a/b?c=d&e=%2F#f", true),
            ("/a//b", true),
            ("/@evil.example", true),
            ("/:80", true),
            ("", false),
            ("a", false),
            ("//", false),
            ("//evil.example", false),
            ("///evil.example", false),
            ("/\\evil.example", false),
            ("/a\\b", false),
            ("\\/evil.example", false),
            ("/\t/evil.example", false),
            ("/\n/evil.example", false),
            ("/a b", false),
            (" /a", false),
            ("/\u{7f}", false),
            ("/\u{e4}", false),
            ("https://evil.example/", false),
            ("javascript:alert(1)", false),
        ];
        for (text, expected) in table {
            assert_eq!(LocalPath::parse(text).is_some(), expected, "{text:?}");
        }
        let long = format!("/{}", "a".repeat(1023));
        assert!(LocalPath::parse(&long).is_some());
        assert!(LocalPath::parse(&format!("{long}a")).is_none());
    }

    proptest! {
        /// What a browser's parser makes of it stays at home.
        #[test]
        fn no_path_leaves_the_origin(text in "/[/\\\\\t\n]{0,2}[a-z./\\\\:@?#%]{0,8}") {
            if let Some(path) = LocalPath::parse(&text) {
                let home = Url::parse("https://home.example/login").unwrap();
                prop_assert_eq!(home.join(path.as_str()).unwrap().origin(), home.origin());
            }
        }
    }
}
