//! Where a credential may go.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Uri};

use super::ConfigError;

/// A scheme, a host and a port (RFC 6454 §4): the reach of a credential.
///
/// Parsing takes `https`, and `http` only to this machine itself: `localhost`, `127.0.0.0/8`, `[::1]`.
///
/// ```
/// use gatewright_tower::client::{ConfigError, Origin};
///
/// let origin: Origin = "https://api.example.com".parse()?;
/// assert_eq!(origin.to_string(), "https://api.example.com:443");
/// assert_eq!("http://api.example.com".parse::<Origin>(), Err(ConfigError::PlainHttp));
/// # Ok::<_, ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    /// An origin that may also be plain `http` to another machine, where whoever is on the way reads the credential.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAnOrigin`].
    pub fn insecure_http(text: &str) -> Result<Self, ConfigError> {
        let uri: Uri = text.parse().map_err(|_| ConfigError::NotAnOrigin)?;
        // `Uri` drops a fragment silently.
        if !matches!(uri.path(), "" | "/") || text.contains(['?', '#']) {
            return Err(ConfigError::NotAnOrigin);
        }
        Self::of(&uri).ok_or(ConfigError::NotAnOrigin)
    }

    /// The origin of an absolute URL; none where it has another scheme, user information or a host that isn't a plain
    /// name or address.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let place = Place::of(uri)?;
        Some(Self {
            scheme: place.scheme.clone(),
            host: place.host.to_ascii_lowercase(),
            port: place.port,
        })
    }

    /// Whether a credential can be read on the way there.
    pub(super) fn is_plain(&self) -> bool {
        self.scheme != Scheme::HTTPS && !is_this_machine(&self.host)
    }

    /// Whether a request goes here. A relative URL, and a `Host` field that names somebody else, say no.
    pub(super) fn is_target_of(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(place) = Place::of(uri) else {
            return false;
        };
        *place.scheme == self.scheme
            && self.is_at(place.host, place.port)
            && headers.get_all(HOST).iter().all(|host| {
                Authority::try_from(host.as_bytes()).is_ok_and(|authority| {
                    host_and_port(&authority, place.scheme)
                        .is_some_and(|(host, port)| self.is_at(host, port))
                })
            })
    }

    fn is_at(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host.eq_ignore_ascii_case(host)
    }
}

impl FromStr for Origin {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let origin = Self::insecure_http(text)?;
        if origin.is_plain() {
            return Err(ConfigError::PlainHttp);
        }
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// The parts of an origin, borrowed.
struct Place<'a> {
    scheme: &'a Scheme,
    host: &'a str,
    port: u16,
}

impl<'a> Place<'a> {
    fn of(uri: &'a Uri) -> Option<Self> {
        let scheme = uri.scheme()?;
        let (host, port) = host_and_port(uri.authority()?, scheme)?;
        Some(Self { scheme, host, port })
    }
}

/// Read strictly, as other readers of the same URL may: user information, and a port out of range, are nobody's origin.
fn host_and_port<'a>(authority: &'a Authority, scheme: &Scheme) -> Option<(&'a str, u16)> {
    let host = authority.host();
    let port = match authority.as_str().strip_prefix(host)? {
        "" | ":" if *scheme == Scheme::HTTPS => 443,
        "" | ":" if *scheme == Scheme::HTTP => 80,
        rest if *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP => {
            let digits = rest.strip_prefix(':')?;
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            digits.parse().ok()?
        }
        _ => return None,
    };
    is_host(host).then_some((host, port))
}

fn is_host(host: &str) -> bool {
    match bracketed(host) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    match bracketed(host) {
        Some(address) => address.parse() == Ok(Ipv6Addr::LOCALHOST),
        None => host == "localhost" || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback()),
    }
}

fn bracketed(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_an_origin() {
        use ConfigError::{NotAnOrigin, PlainHttp};
        for (text, parsed) in [
            ("https://api.example.com", Ok("https://api.example.com:443")),
            (
                "https://API.Example.com/",
                Ok("https://api.example.com:443"),
            ),
            (
                "https://api.example.com:8443",
                Ok("https://api.example.com:8443"),
            ),
            ("http://localhost", Ok("http://localhost:80")),
            ("http://127.9.9.9:3000", Ok("http://127.9.9.9:3000")),
            ("http://[::1]:3000", Ok("http://[::1]:3000")),
            ("http://api.example.com", Err(PlainHttp)),
            ("http://127.1", Err(PlainHttp)),
            ("http://10.0.0.1", Err(PlainHttp)),
            ("http://[::ffff:127.0.0.1]", Err(PlainHttp)),
            ("http://localhost.example.com", Err(PlainHttp)),
            ("https://user@api.example.com", Err(NotAnOrigin)),
            ("https://api.example.com/v1", Err(NotAnOrigin)),
            ("https://api.example.com?a", Err(NotAnOrigin)),
            ("https://api.example.com#a", Err(NotAnOrigin)),
            ("https://api.example.com:99999", Err(NotAnOrigin)),
            ("https://[v1.a]", Err(NotAnOrigin)),
            ("https://a*b", Err(NotAnOrigin)),
            ("ftp://api.example.com", Err(NotAnOrigin)),
            ("api.example.com", Err(NotAnOrigin)),
            ("/", Err(NotAnOrigin)),
            ("", Err(NotAnOrigin)),
        ] {
            let origin = text.parse::<Origin>().map(|origin| origin.to_string());
            assert_eq!(origin.as_deref().map_err(|error| *error), parsed, "{text}");
        }
        let insecure = Origin::insecure_http("http://api.internal").unwrap();
        assert_eq!(insecure.to_string(), "http://api.internal:80");
    }

    #[test]
    fn which_requests_go_to_an_origin() {
        let origin: Origin = "https://api.example.com".parse().unwrap();
        for (uri, host, goes) in [
            ("https://api.example.com/v1?a=b", None, true),
            ("https://API.EXAMPLE.COM:443/", None, true),
            ("https://api.example.com:/", None, true),
            ("https://api.example.com/", Some("api.example.com"), true),
            (
                "https://api.example.com/",
                Some("api.example.com:443"),
                true,
            ),
            ("https://api.example.com/", Some("evil.example"), false),
            (
                "https://api.example.com/",
                Some("api.example.com:8443"),
                false,
            ),
            ("https://api.example.com/", Some(""), false),
            ("http://api.example.com/", None, false),
            ("http://api.example.com:443/", None, false),
            ("https://api.example.com:8443/", None, false),
            ("https://api.example.com:99999/", None, false),
            ("https://api.example.com.evil.example/", None, false),
            ("https://evil.example/api.example.com", None, false),
            ("https://api.example.com@evil.example/", None, false),
            ("https://a:b@api.example.com/", None, false),
            ("https://api.example.com./", None, false),
            ("/v1", Some("api.example.com"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(HOST, HeaderValue::from_static(host));
            }
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(origin.is_target_of(&uri, &headers), goes, "{uri} {host:?}");
        }
    }

    #[test]
    fn one_of_two_host_fields_names_somebody_else() {
        let origin: Origin = "https://api.example.com".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("api.example.com"));
        headers.append(HOST, HeaderValue::from_static("evil.example"));
        assert!(!origin.is_target_of(&Uri::from_static("https://api.example.com/"), &headers));
    }
}
