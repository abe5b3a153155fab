//! The names that a server goes by, and the pages that may call it.

use std::error::Error;
use std::fmt;

use gatewright_core::error::{AuthError, Cause};
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

/// An origin (RFC 6454 §6.2), in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Site {
    text: Box<str>,
    any_port: bool,
}

impl TrustedSites {
    /// The host of this absolute URL, and pages of its origin. Where the host is `localhost`, `127.0.0.1` or `[::1]`, all three
    /// are trusted on every port.
    ///
    /// # Errors
    /// [`SiteError`] where the text is no URL of the scheme `http` or `https` with a host.
    pub fn of(url: &str) -> Result<Self, SiteError> {
        let (scheme, authority) = parsed(url)?;
        let host = authority.host().to_ascii_lowercase();
        if LOOPBACK.contains(&&*host) {
            let any_port = |host| Site {
                text: format!("{scheme}://{host}").into(),
                any_port: true,
            };
            return Ok(Self {
                hosts: LOOPBACK.map(Into::into).into(),
                origins: LOOPBACK.map(any_port).into(),
            });
        }
        Ok(Self {
            hosts: vec![host.into()],
            origins: vec![Site {
                text: origin(&scheme, &authority),
                any_port: false,
            }],
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
    /// [`SiteError`] where the text is no origin of the scheme `http` or `https`.
    pub fn origin(mut self, text: &str) -> Result<Self, SiteError> {
        let (scheme, authority) = parsed(text)?;
        self.origins.push(Site {
            text: origin(&scheme, &authority),
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
        let trusts = |line: &HeaderValue| line.to_str().is_ok_and(|line| self.trusts(line));
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

    fn trusts(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.origins
            .iter()
            .any(|site| match origin.strip_prefix(&*site.text) {
                Some("") => true,
                Some(rest) => site.any_port && rest.strip_prefix(':').is_some_and(is_port),
                None => false,
            })
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// The scheme and the authority.
fn parsed(url: &str) -> Result<(String, Authority), SiteError> {
    let uri: Uri = url.parse().map_err(|_| SiteError(()))?;
    let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
    let authority = uri.authority().ok_or(SiteError(()))?;
    let known = scheme == "http" || scheme == "https";
    if !known || authority.host().is_empty() || authority.as_str().contains('@') {
        return Err(SiteError(()));
    }
    Ok((scheme, authority.clone()))
}

/// As browsers write it: without the scheme's own port.
fn origin(scheme: &str, authority: &Authority) -> Box<str> {
    let host = authority.host().to_ascii_lowercase();
    let own = if scheme == "https" { 443 } else { 80 };
    match authority.port_u16() {
        Some(port) if port != own => format!("{scheme}://{host}:{port}").into(),
        _ => format!("{scheme}://{host}").into(),
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
