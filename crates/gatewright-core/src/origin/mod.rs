//! Where a page is from: scheme, host and port, [RFC 6454](https://www.rfc-editor.org/rfc/rfc6454).
//!
//! An origin is configured as a person writes it and compared as a browser writes it, byte for byte: in lower case, without
//! the scheme's own port, an IPv6 address in its short form. Nothing that a request says is ever normalized, so no two texts
//! of a request mean the same origin.
//!
//! ```
//! use gatewright_core::origin::Origin;
//!
//! let site = Origin::of_url("https://API.example:443/v2").unwrap();
//! assert_eq!(site.as_str(), "https://api.example");
//! assert!(site.is(b"https://api.example"));
//! assert!(!site.is(b"https://api.example.evil.test"));
//! assert!(!site.is(b"null"));
//! ```

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest host name, in bytes ([RFC 1035 §2.3.4](https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4), as text).
const MAX_HOST_LENGTH: usize = 253;
/// The longest part of a host name between two dots.
const MAX_LABEL_LENGTH: usize = 63;

/// A scheme, a host and a port, as a browser writes them ([RFC 6454 §6.2](https://www.rfc-editor.org/rfc/rfc6454#section-6.2)).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    text: Box<str>,
    /// The place behind the scheme and `://`.
    host_at: usize,
    /// The place behind the host.
    port_at: usize,
}

/// Why a text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// It doesn't begin with a scheme and `://`, or a URL's scheme is neither `http` nor `https`.
    #[error("an origin begins with a scheme such as https, and ://")]
    Scheme,
    /// No host follows, or none that is a name in ASCII or an address; `user@host` is none.
    #[error("the host of an origin is a name in ASCII or an IP address")]
    Host,
    /// A colon without a number of 16 bits behind it.
    #[error("the port of an origin is a number up to 65535")]
    Port,
    /// A path, a query or a fragment.
    #[error("an origin ends with its host or its port")]
    Path,
}

impl Origin {
    /// An origin, such as `https://app.example` or `http://localhost:3000`.
    ///
    /// # Errors
    /// [`OriginError`], also for a slash at the end.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let (origin, rest) = Self::split(text)?;
        if rest.is_empty() {
            Ok(origin)
        } else {
            Err(OriginError::Path)
        }
    }

    /// The origin of an absolute URL of the scheme `http` or `https`, whatever its path.
    ///
    /// # Errors
    /// [`OriginError`], though never [`Path`](OriginError::Path).
    pub fn of_url(url: &str) -> Result<Self, OriginError> {
        let (origin, _) = Self::split(url)?;
        match origin.scheme() {
            "http" | "https" => Ok(origin),
            _ => Err(OriginError::Scheme),
        }
    }

    /// As a browser writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        let end = self.host_at.saturating_sub("://".len());
        self.text.get(..end).unwrap_or_default()
    }

    /// The host, in lower case; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text
            .get(self.host_at..self.port_at)
            .unwrap_or_default()
    }

    /// Whether the value of an `Origin` field is this one.
    #[must_use]
    #[inline]
    pub fn is(&self, line: &[u8]) -> bool {
        self.text.as_bytes() == line
    }

    /// The same, whatever the port of either is.
    #[must_use]
    pub fn is_but_for_port(&self, line: &[u8]) -> bool {
        let ours = self.text.as_bytes().get(..self.port_at).unwrap_or_default();
        match line.strip_prefix(ours) {
            Some([]) => true,
            Some([b':', digits @ ..]) => port(digits).is_some(),
            _ => false,
        }
    }

    /// The origin that a text begins with, and what follows.
    fn split(text: &str) -> Result<(Self, &str), OriginError> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginError::Scheme)?;
        if !is_scheme(scheme) {
            return Err(OriginError::Scheme);
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, after) = split_host(authority)?;
        let given = match after.strip_prefix(':') {
            Some(digits) => Some(port(digits.as_bytes()).ok_or(OriginError::Port)?),
            None if after.is_empty() => None,
            None => return Err(OriginError::Host),
        };

        let mut text = scheme.to_ascii_lowercase();
        let own = match text.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        text.push_str("://");
        let host_at = text.len();
        text.push_str(&host);
        let port_at = text.len();
        if let Some(port) = given.filter(|port| Some(*port) != own) {
            text.push_str(&format!(":{port}"));
        }
        let origin = Self {
            text: text.into(),
            host_at,
            port_at,
        };
        Ok((origin, rest))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.text)
    }
}

/// `scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )`, RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The host as a browser writes it, and what follows.
fn split_host(authority: &str) -> Result<(String, &str), OriginError> {
    if let Some(inner) = authority.strip_prefix('[') {
        let (address, after) = inner.split_once(']').ok_or(OriginError::Host)?;
        let address: Ipv6Addr = address.parse().map_err(|_| OriginError::Host)?;
        return Ok((written(address), after));
    }
    let (host, after) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
    let host = host.to_ascii_lowercase();
    // A browser takes `127.1` and `0x7f.1` for addresses, so what ends like one has to be one.
    let ends_in_number = host.rsplit('.').next().is_some_and(|last| {
        last.starts_with("0x") || !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
    });
    let good = if ends_in_number {
        host.parse::<Ipv4Addr>().is_ok()
    } else {
        host.len() <= MAX_HOST_LENGTH && host.split('.').all(is_label)
    };
    if good {
        Ok((host, after))
    } else {
        Err(OriginError::Host)
    }
}

/// In its short form, which for one that maps an IPv4 address is not what [`Ipv6Addr`] shows
/// ([URL standard, IPv6 serializer](https://url.spec.whatwg.org/#concept-ipv6-serializer)).
fn written(address: Ipv6Addr) -> String {
    if address.to_ipv4_mapped().is_some() {
        let [.., high, low] = address.segments();
        format!("[::ffff:{high:x}:{low:x}]")
    } else {
        format!("[{address}]")
    }
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL_LENGTH).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn port(digits: &[u8]) -> Option<u16> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The right column is `new URL(text).origin` of Node.js where the scheme is `http` or `https`.
    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, origin) in [
            ("https://app.example", "https://app.example"),
            ("HTTPS://App.Example", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("https://app.example:0443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("http://app.example:443", "http://app.example:443"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
            ("http://[2001:DB8:0:0:1::1]", "http://[2001:db8::1:0:0:1]"),
            ("http://[::ffff:127.0.0.1]:8", "http://[::ffff:7f00:1]:8"),
            ("http://a_b.example", "http://a_b.example"),
            ("tauri://localhost", "tauri://localhost"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ] {
            let parsed = Origin::parse(text).unwrap();
            assert_eq!(parsed.as_str(), origin, "{text}");
            assert_eq!(Origin::parse(origin).unwrap(), parsed, "{text}");
            assert!(parsed.is(origin.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_no_origin() {
        use OriginError::{Host, Path, Port, Scheme};
        for (text, error) in [
            ("", Scheme),
            ("null", Scheme),
            ("*", Scheme),
            ("app.example", Scheme),
            ("//app.example", Scheme),
            ("://app.example", Scheme),
            ("1http://app.example", Scheme),
            ("https:/app.example", Scheme),
            ("ht tp://app.example", Scheme),
            ("https://", Host),
            ("https:///path", Host),
            ("https://:443", Host),
            ("https://*.example", Host),
            ("https://a..b", Host),
            ("https://app.example.", Host),
            ("https://user@app.example", Host),
            ("https://user:pass@app.example", Port),
            ("https://app.example\\.evil.test", Host),
            ("https://app example", Host),
            (" https://app.example", Scheme),
            ("https://app.example ", Host),
            ("https://b\u{fc}cher.example", Host),
            ("https://127.1", Host),
            ("https://0x7f.0x1", Host),
            ("https://256.0.0.1", Host),
            ("https://[::1", Host),
            ("https://[::1]a", Host),
            ("https://[app.example]", Host),
            ("https://app.example:", Port),
            ("https://app.example:65536", Port),
            ("https://app.example:+1", Port),
            ("https://app.example:8a", Port),
            ("https://app.example/", Path),
            ("https://app.example?a", Path),
            ("https://app.example#a", Path),
        ] {
            assert_eq!(Origin::parse(text), Err(error), "{text}");
        }
        let long = format!("https://{}", "a".repeat(64));
        assert_eq!(Origin::parse(&long), Err(Host));
        let long = format!("https://{}a", "a.".repeat(127));
        assert_eq!(Origin::parse(&long), Err(Host));
    }

    #[test]
    fn the_origin_of_a_url_ends_with_its_authority() {
        for url in [
            "https://api.test",
            "https://api.test/",
            "https://api.test/a/b",
            "https://api.test?a://b",
            "https://api.test#a@b",
        ] {
            assert_eq!(Origin::of_url(url).unwrap().as_str(), "https://api.test");
        }
        assert_eq!(Origin::of_url("ftp://a"), Err(OriginError::Scheme));
    }

    #[test]
    fn a_port_may_be_left_open() {
        let local = Origin::parse("http://localhost:80").unwrap();
        for (line, same) in [
            ("http://localhost", true),
            ("http://localhost:1", true),
            ("http://localhost:65535", true),
            ("http://localhost:", false),
            ("http://localhost:65536", false),
            ("http://localhost:8a", false),
            ("http://localhost:+8", false),
            ("http://localhost.evil.test", false),
            ("http://localhost:8/", false),
            ("https://localhost", false),
        ] {
            assert_eq!(local.is_but_for_port(line.as_bytes()), same, "{line}");
        }
        assert_eq!((local.scheme(), local.host()), ("http", "localhost"));
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_in_its_normal_form(text in "(?i)[a-z]{1,6}://[a-z0-9.\\[\\]:_-]{1,24}[/?#@]?[ -~]{0,4}") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(Origin::parse(origin.as_str()), Ok(origin.clone()));
                prop_assert!(origin.is_but_for_port(origin.as_str().as_bytes()));
                prop_assert!(!origin.as_str().contains(char::is_uppercase));
            }
        }
    }
}
