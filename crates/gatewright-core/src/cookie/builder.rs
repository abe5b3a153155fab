//! A cookie's attributes, and the rules that they must keep.

use super::Cookie;
use crate::tchar::is_tchar;

/// The longest lifetime of a cookie, in seconds: 400 days. Browsers cut what is longer, RFC 6265bis §5.5.
pub const MAX_AGE_SECS: u64 = 34_560_000;

/// The longest name, in bytes. Browsers keep names and values of 4096 together (RFC 6265bis §5.6), so this leaves room.
const MAX_NAME_LENGTH: usize = 256;
/// Browsers ignore an attribute with a longer value (RFC 6265bis §5.6), and the cookie would be kept without it.
const MAX_ATTRIBUTE_LENGTH: usize = 1024;
/// The longest host name, in bytes.
const MAX_DOMAIN_LENGTH: usize = 253;
/// The longest part of it between two dots.
const MAX_LABEL_LENGTH: usize = 63;

/// Which requests that pages of other sites cause carry the cookie, RFC 6265bis §4.1.2.7. A *site* is a registrable domain: hosts
/// of one site are no strangers by this measure, which is why [`TrustedOrigins`](super::TrustedOrigins) looks at origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// None: also who follows a link from another site arrives without it.
    Strict,
    /// Following a link, and nothing else.
    Lax,
    /// All of them. The cookie must be `Secure`.
    None,
}

impl SameSite {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// Collects what a [`Cookie`] is set with: `Path=/`, no `Domain`, `Secure`, `HttpOnly`, and no lifetime beyond the browser's own
/// session, where nothing else is said.
#[derive(Clone, Debug)]
#[must_use]
pub struct CookieBuilder {
    name: String,
    same_site: SameSite,
    path: String,
    domain: Option<String>,
    max_age_secs: Option<u64>,
    secure: bool,
    http_only: bool,
}

/// A mistake in what a [`CookieBuilder`] was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// A name is a token (RFC 6265bis §4.1.1, RFC 9110 §5.6.2), here of 256 bytes at most.
    #[error("the name of a cookie is a token of at most 256 bytes")]
    Name,
    /// A path begins with a slash and has only printable ASCII without semicolons, 1024 bytes at most; a space at its end would
    /// be lost (RFC 6265bis §4.1.1, §5.6).
    #[error("the path of a cookie begins with / and has no semicolon and no control character")]
    Path,
    /// A domain is a host name (RFC 6265bis §4.1.1, RFC 1123 §2.1) without a leading dot, and no address.
    #[error("the domain of a cookie is a host name")]
    Domain,
    /// A lifetime is between one second and [`MAX_AGE_SECS`] (RFC 6265bis §4.1.1, §5.5).
    #[error("the lifetime of a cookie is between one second and 400 days")]
    MaxAge,
    /// `SameSite=None` without `Secure` (RFC 6265bis §5.7).
    #[error("a cookie with SameSite=None must be Secure")]
    SameSiteNoneNotSecure,
    /// The prefixes `__Secure-`, `__Host-` and `__Http-` ask for `Secure` (RFC 6265bis §4.1.3).
    #[error("a cookie with this prefix must be Secure")]
    PrefixNotSecure,
    /// The prefix `__Host-` asks for `Path=/` (RFC 6265bis §4.1.3.2).
    #[error("a cookie with the prefix __Host- must have the path /")]
    HostPrefixPath,
    /// The prefix `__Host-` allows no `Domain` (RFC 6265bis §4.1.3.2).
    #[error("a cookie with the prefix __Host- must have no domain")]
    HostPrefixDomain,
    /// The prefixes `__Http-` and `__Host-Http-` ask for `HttpOnly`, in the browsers that know them.
    #[error("a cookie with this prefix must be HttpOnly")]
    PrefixNotHttpOnly,
}

impl CookieBuilder {
    pub(super) fn new(name: String, same_site: SameSite) -> Self {
        Self {
            name,
            same_site,
            path: "/".to_owned(),
            domain: None,
            max_age_secs: None,
            secure: true,
            http_only: true,
        }
    }

    /// Only with requests to this path and those below it. No protection from other pages of the host, which can ask for them.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Also with requests to the hosts below this one, all of which can then read and replace the cookie.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Kept for so many seconds, at most [`MAX_AGE_SECS`], and not only until the browser is closed.
    pub fn max_age_secs(mut self, secs: u64) -> Self {
        self.max_age_secs = Some(secs);
        self
    }

    /// Also without TLS, where anybody on the wire can read and replace it. Most browsers keep `Secure` cookies of
    /// `http://localhost`, so trying things out seldom needs this.
    pub fn insecure_without_tls(mut self) -> Self {
        self.secure = false;
        self
    }

    /// Also for scripts, those that an attacker got into a page included.
    pub fn insecure_for_scripts(mut self) -> Self {
        self.http_only = false;
        self
    }

    /// The cookie.
    ///
    /// # Errors
    /// Every [`CookieError`] at once.
    pub fn build(self) -> Result<Cookie, Vec<CookieError>> {
        // Browsers compare the prefixes in any case, RFC 6265bis §5.4.
        let prefixed = |prefix: &str| {
            let start = self.name.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let host = prefixed("__Host-");
        let http = prefixed("__Http-") || prefixed("__Host-Http-");
        let needs_secure = host || http || prefixed("__Secure-");
        let known_age = |secs| (1..=MAX_AGE_SECS).contains(&secs);

        let mistakes: Vec<CookieError> = [
            (!is_name(&self.name), CookieError::Name),
            (!is_path(&self.path), CookieError::Path),
            (
                !self.domain.as_deref().is_none_or(is_domain),
                CookieError::Domain,
            ),
            (
                !self.max_age_secs.is_none_or(known_age),
                CookieError::MaxAge,
            ),
            (
                self.same_site == SameSite::None && !self.secure,
                CookieError::SameSiteNoneNotSecure,
            ),
            (needs_secure && !self.secure, CookieError::PrefixNotSecure),
            (host && self.path != "/", CookieError::HostPrefixPath),
            (host && self.domain.is_some(), CookieError::HostPrefixDomain),
            (http && !self.http_only, CookieError::PrefixNotHttpOnly),
        ]
        .into_iter()
        .filter_map(|(wrong, mistake)| wrong.then_some(mistake))
        .collect();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }

        let mut attributes = format!("; Path={}", self.path);
        if let Some(domain) = &self.domain {
            attributes.push_str("; Domain=");
            attributes.push_str(domain);
        }
        if self.secure {
            attributes.push_str("; Secure");
        }
        if self.http_only {
            attributes.push_str("; HttpOnly");
        }
        attributes.push_str("; SameSite=");
        attributes.push_str(self.same_site.as_str());
        Ok(Cookie {
            name: self.name.into(),
            attributes: attributes.into(),
            max_age_secs: self.max_age_secs,
        })
    }
}

/// `cookie-name = token`
fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_LENGTH).contains(&name.len()) && name.bytes().all(is_tchar)
}

/// `path-value = *av-octet`; a browser replaces one that doesn't begin with a slash by the request's own.
fn is_path(path: &str) -> bool {
    path.len() <= MAX_ATTRIBUTE_LENGTH
        && path.starts_with('/')
        && !path.ends_with(' ')
        && path
            .bytes()
            .all(|byte| matches!(byte, 0x20..=0x3A | 0x3C..=0x7E))
}

/// `domain-value = <subdomain>`. An address has no hosts below it.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL_LENGTH).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last = domain.rsplit('.').next().unwrap_or(domain);
    domain.len() <= MAX_DOMAIN_LENGTH
        && domain.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}
