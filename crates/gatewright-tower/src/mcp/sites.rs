//! The names that a server goes by, and the pages that may call it.

use std::error::Error;
use std::fmt;

use gatewright_core::error::{AuthError, Cause};
use gatewright_core::origin::Origin;
use http::header::{HOST, HeaderValue, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Uri};

/// The names of a local machine, which no page can make its own.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Under which names a server is called, and by pages of which origins.
///
/// A page can make its own name resolve to a server in the reader's network ("DNS rebinding"), and then counts as one of that
/// server's. What gives it away is the name itself, in `Host` and in `Origin`. Programs send no `Origin`, and pass without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedSites {
    /// In lower case, without a port.
    hosts: Vec<Box<str>>,
    origins: Vec<Site>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Site {
    origin: Origin,
    any_port: bool,
}

impl TrustedSites {
    /// The host of this absolute URL, and pages of its origin. Where the host is `localhost`, `127.0.0.1` or `[::1]`, all three
    /// are trusted on every port.
    ///
    /// # Errors
    /// [`SiteError`] where the text is no URL of the scheme `http` or `https` with a host.
    pub fn of(url: &str) -> Result<Self, SiteError> {
        let origin = Origin::of_url(url).map_err(|_| SiteError(()))?;
        if !LOOPBACK.contains(&origin.host()) {
            return Ok(Self {
                hosts: vec![origin.host().into()],
                origins: vec![Site {
                    origin,
                    any_port: false,
                }],
            });
        }
        let local = |host| {
            let origin = Origin::parse(&format!("{}://{host}", origin.scheme()));
            origin.map(|origin| Site {
                origin,
                any_port: true,
            })
        };
        let origins: Result<_, _> = LOOPBACK.into_iter().map(local).collect();
        Ok(Self {
            hosts: LOOPBACK.map(Into::into).into(),
            origins: origins.map_err(|_| SiteError(()))?,
        })
    }

    /// Also requests to the names of the local machine, as those of a proxy or of a probe beside the server are. Pages gain
    /// nothing by it: their origins stay as they are.
    #[must_use]
    pub fn or_loopback(mut self) -> Self {
        self.hosts.extend(LOOPBACK.map(Into::into));
        self
    }

    /// Also requests to this host, whatever the port; an IPv6 address stands in brackets.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.hosts.push(host.to_ascii_lowercase().into());
        self
    }

    /// Also pages of this origin, such as `https://app.example` or `http://localhost:3000`.
    ///
    /// # Errors
    /// [`SiteError`] where the text is no origin.
    pub fn origin(mut self, text: &str) -> Result<Self, SiteError> {
        self.origins.push(Site {
            origin: Origin::parse(text).map_err(|_| SiteError(()))?,
            any_port: false,
        });
        Ok(self)
    }

    /// # Errors
    /// `forbidden_origin` for a host that is none of ours or not known, and for a page of a foreign origin.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), AuthError> {
        // RFC 9112 §3.2.2: the target names the host where it has an authority, and otherwise the field does. All that is said
        // must be right.
        let lines = headers.get_all(HOST);
        let fields = lines
            .iter()
            .map(|line| Authority::try_from(line.as_bytes()).ok());
        let mut named = uri
            .authority()
            .cloned()
            .map(Some)
            .into_iter()
            .chain(fields)
            .peekable();
        if named.peek().is_none() || !named.all(|host| host.is_some_and(|host| self.is_ours(&host)))
        {
            return Err(AuthError::from(Cause::ForeignOrigin)
                .with_message("Requests to this host are not served here"));
        }
        let trusts = |line: &HeaderValue| self.trusts(line.as_bytes());
        if !headers.get_all(ORIGIN).iter().all(trusts) {
            return Err(Cause::ForeignOrigin.into());
        }
        Ok(())
    }

    fn is_ours(&self, authority: &Authority) -> bool {
        !authority.as_str().contains('@')
            && self
                .hosts
                .iter()
                .any(|host| authority.host().eq_ignore_ascii_case(host))
    }

    fn trusts(&self, line: &[u8]) -> bool {
        self.origins
            .iter()
            .any(|site| site.origin.is(line) || site.any_port && site.origin.is_but_for_port(line))
    }
}

/// The text is no URL of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteError(());

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a site is an absolute URL of the scheme http or https with a host")
    }
}

impl Error for SiteError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(sites: &TrustedSites, fields: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        sites.check(&Uri::from_static("/mcp"), &headers).is_ok()
    }

    #[test]
    fn a_public_site_has_one_name_and_one_origin() {
        let sites = TrustedSites::of("https://API.example:443/base").unwrap();
        for (fields, trusted) in [
            (&[("host", "api.example")][..], true),
            (&[("host", "Api.Example:8443")], true),
            (
                &[("host", "api.example"), ("origin", "https://api.example")],
                true,
            ),
            (&[], false),
            (&[("host", "api.example.evil.test")], false),
            (&[("host", "evil.test")], false),
            (&[("host", "evil.test@api.example")], false),
            (&[("host", "api.example:80:80")], false),
            (&[("host", "127.0.0.1")], false),
            (&[("host", "")], false),
            (&[("host", "api.example"), ("host", "evil.test")], false),
            (&[("host", "api.example"), ("origin", "null")], false),
            (
                &[("host", "api.example"), ("origin", "http://api.example")],
                false,
            ),
            (
                &[
                    ("host", "api.example"),
                    ("origin", "https://api.example:8443"),
                ],
                false,
            ),
            (
                &[
                    ("host", "api.example"),
                    ("origin", "https://api.example.evil.test"),
                ],
                false,
            ),
            (
                &[
                    ("host", "api.example"),
                    ("origin", "https://api.example"),
                    ("origin", "https://evil.test"),
                ],
                false,
            ),
        ] {
            assert_eq!(passes(&sites, fields), trusted, "{fields:?}");
        }
        assert!(passes(
            &sites.clone().or_loopback(),
            &[("host", "127.0.0.1:8080")]
        ));
        let page = [
            ("host", "127.0.0.1:8080"),
            ("origin", "http://127.0.0.1:8080"),
        ];
        assert!(!passes(&sites.clone().or_loopback(), &page));
        let more = sites
            .host("mcp.internal")
            .origin("https://app.example")
            .unwrap();
        assert!(passes(
            &more,
            &[
                ("host", "MCP.internal:1"),
                ("origin", "https://app.example")
            ]
        ));
    }

    /// RFC 9112 §3.2.2.
    #[test]
    fn a_target_with_an_authority_must_be_ours_too() {
        let sites = TrustedSites::of("http://api.example").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("api.example"));
        let target = |text: &'static str| Uri::from_static(text);
        assert!(
            sites
                .check(&target("http://api.example/mcp"), &headers)
                .is_ok()
        );
        assert!(
            sites
                .check(&target("http://evil.test/mcp"), &headers)
                .is_err()
        );
        // HTTP/2 has no `Host`.
        assert!(
            sites
                .check(&target("http://api.example/mcp"), &HeaderMap::new())
                .is_ok()
        );
    }

    #[test]
    fn a_local_site_goes_by_every_local_name_and_port() {
        let sites = TrustedSites::of("http://127.0.0.1:8080").unwrap();
        for (host, origin, trusted) in [
            ("localhost:8080", "http://localhost:8080", true),
            ("[::1]:9", "http://[::1]:9", true),
            ("127.0.0.1", "http://localhost", true),
            ("localhost", "https://localhost", false),
            ("localhost", "http://localhost:", false),
            ("localhost", "http://localhost:99999", false),
            ("localhost", "http://localhost:8a", false),
            ("localhost", "http://localhost.evil.test", false),
            ("evil.example.com", "http://evil.example.com", false),
        ] {
            let fields = [("host", host), ("origin", origin)];
            assert_eq!(passes(&sites, &fields), trusted, "{fields:?}");
        }
    }

    #[test]
    fn a_local_site_with_tls_stays_one() {
        let sites = TrustedSites::of("https://[::1]:8443").unwrap();
        for (origin, trusted) in [
            ("https://localhost:3000", true),
            ("http://localhost:3000", false),
        ] {
            let fields = [("host", "127.0.0.1"), ("origin", origin)];
            assert_eq!(passes(&sites, &fields), trusted, "{origin}");
        }
    }

    #[test]
    fn what_is_no_site() {
        for text in [
            "",
            "api.example",
            "/mcp",
            "ftp://a",
            "https://a@b",
            "https://",
        ] {
            assert_eq!(TrustedSites::of(text), Err(SiteError(())), "{text}");
        }
    }
}
