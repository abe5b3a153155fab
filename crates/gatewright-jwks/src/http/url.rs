//! URLs that came from outside.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::error::UrlError;
use crate::address::is_public;
use crate::allowed::AllowedHosts;

const MAX_BYTES: usize = 2048;

/// A URL that a client was willing to fetch from when it was configured. Each request judges it again.
///
/// `Debug` shows no path and no query: they may hold what its owner keeps to themselves.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl(Url);

impl RemoteUrl {
    /// Parses what somebody configured, or what a document names.
    pub(super) fn parse(text: &str, allowed: &AllowedHosts) -> Result<Self, UrlError> {
        // What the reader of URLs would mend is refused instead: nobody writes it in good faith.
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if text.len() > MAX_BYTES || !text.bytes().all(is_plain) {
            return Err(UrlError::Malformed);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Malformed)?;
        if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
            return Err(UrlError::Scheme);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() {
            return Err(UrlError::Malformed);
        }
        // An empty user too, which the reader would drop.
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        let url = Url::parse(text).map_err(|_| UrlError::Malformed)?;
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        let url = Self(url);
        url.judge(allowed).map(|_| url)
    }

    /// Whether the operator exempts the host; else it must be reached over TLS, and not at a private address that it
    /// names itself. What its name resolves to is for the resolver to judge.
    pub(super) fn judge(&self, allowed: &AllowedHosts) -> Result<bool, UrlError> {
        if allowed.contains(&self.0) {
            return Ok(true);
        }
        if self.0.scheme() != "https" {
            return Err(UrlError::Scheme);
        }
        match self.literal() {
            Some(address) if !is_public(address) => Err(UrlError::Address),
            _ => Ok(false),
        }
    }

    /// The whole URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host and the port, as logs show them.
    pub(crate) fn authority(&self) -> &str {
        self.0.authority()
    }

    pub(super) fn url(&self) -> Url {
        self.0.clone()
    }

    /// The host, where it is an address: a client connects to that without asking a resolver.
    fn literal(&self) -> Option<IpAddr> {
        let host = self.0.host_str()?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        bare.unwrap_or(host).parse().ok()
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteUrl({}://{})", self.0.scheme(), self.authority())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(text: &str) -> Result<(), UrlError> {
        let allowed = AllowedHosts::parse(["localhost:8080", "10.1.2.3:443"]).unwrap();
        RemoteUrl::parse(text, &allowed).map(drop)
    }

    #[test]
    fn urls_by_their_parts() {
        let table = [
            ("https://idp.example/keys?p=1", Ok(())),
            ("HTTPS://idp.example:8443", Ok(())),
            ("https://9.9.9.9/keys", Ok(())),
            ("https://[2606:4700::1111]/keys", Ok(())),
            ("http://localhost:8080/keys", Ok(())),
            ("https://10.1.2.3/keys", Ok(())),
            ("http://idp.example/keys", Err(UrlError::Scheme)),
            ("http://localhost/keys", Err(UrlError::Scheme)),
            ("ftp://idp.example/keys", Err(UrlError::Scheme)),
            ("file:///etc/passwd", Err(UrlError::Scheme)),
            ("gopher://127.0.0.1:6379/_x", Err(UrlError::Scheme)),
            ("https://u@idp.example/", Err(UrlError::Credentials)),
            ("https://u:p@idp.example/", Err(UrlError::Credentials)),
            ("https://@idp.example/", Err(UrlError::Credentials)),
            ("https://10.1.2.3@idp.example/", Err(UrlError::Credentials)),
            ("https://idp.example/keys#", Err(UrlError::Fragment)),
            ("https://idp.example/keys#a", Err(UrlError::Fragment)),
            ("https:idp.example", Err(UrlError::Malformed)),
            ("https:///idp.example", Err(UrlError::Malformed)),
            ("https://", Err(UrlError::Malformed)),
            ("//idp.example/keys", Err(UrlError::Malformed)),
            ("idp.example", Err(UrlError::Malformed)),
            ("", Err(UrlError::Malformed)),
            ("https://idp.example/a b", Err(UrlError::Malformed)),
            ("https://idp.example\\@10.0.0.1/", Err(UrlError::Malformed)),
            ("https://idp.exa\nmple/", Err(UrlError::Malformed)),
            ("https://idp.example:99999/", Err(UrlError::Malformed)),
            ("https://127.0.0.1/", Err(UrlError::Address)),
            ("https://127.1/", Err(UrlError::Address)),
            ("https://2130706433/", Err(UrlError::Address)),
            ("https://0x7f.0.0.1/", Err(UrlError::Address)),
            ("https://0177.0.0.1/", Err(UrlError::Address)),
            ("https://127.0.0.1./", Err(UrlError::Address)),
            ("https://0/", Err(UrlError::Address)),
            ("https://169.254.169.254/latest", Err(UrlError::Address)),
            ("https://10.1.2.3:8443/", Err(UrlError::Address)),
            ("https://[::1]/", Err(UrlError::Address)),
            ("https://[::ffff:127.0.0.1]/", Err(UrlError::Address)),
            ("https://[64:ff9b::7f00:1]/", Err(UrlError::Address)),
            ("https://[fd00:ec2::254]/", Err(UrlError::Address)),
        ];
        for (text, expected) in table {
            assert_eq!(judged(text), expected, "{text}");
        }
        let long = format!("https://idp.example/{}", "a".repeat(MAX_BYTES));
        assert_eq!(judged(&long), Err(UrlError::Malformed));
    }

    #[test]
    fn debug_shows_where_and_not_what() {
        let url = RemoteUrl::parse("https://idp.example/k?code=s3cret", &AllowedHosts::none());
        assert_eq!(
            format!("{:?}", url.unwrap()),
            "RemoteUrl(https://idp.example)"
        );
    }

    proptest! {
        /// Whatever is taken goes to a name over TLS, to a public address over TLS, or to an allowed host.
        #[test]
        fn nothing_private_is_taken(text in "https?:[/\\\\]{0,3}[a-z0-9.:@\\[\\]#?/]{0,30}") {
            let none = AllowedHosts::none();
            if let Ok(url) = RemoteUrl::parse(&text, &none) {
                prop_assert_eq!(url.0.scheme(), "https");
                prop_assert!(url.0.username().is_empty() && url.0.password().is_none());
                prop_assert!(url.literal().is_none_or(is_public));
            }
        }
    }
}
