//! A request to an OAuth endpoint, and the answer to it, without a framework.

use std::fmt;
use std::net::IpAddr;

use gatewright_core::dialect::Rendered;
use serde::Serialize;

/// What the endpoints look at of a request.
///
/// ```
/// use gatewright_issuer::OAuthRequest;
///
/// let authorization: &[&[u8]] = &[b"Basic YXB4X2NsaWVudF94OmFweF9zZWNyZXRfeQ=="];
/// let request = OAuthRequest::post(b"grant_type=client_credentials")
///     .content_type(Some(b"application/x-www-form-urlencoded"))
///     .authorization(authorization);
/// assert!(!format!("{request:?}").contains("YXB4"));
/// ```
#[derive(Clone, Copy)]
pub struct OAuthRequest<'a> {
    pub(super) method: &'a str,
    pub(super) authorization: &'a [&'a [u8]],
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) query: Option<&'a str>,
    pub(super) body: &'a [u8],
    pub(super) source: Option<IpAddr>,
}

impl<'a> OAuthRequest<'a> {
    /// A `POST` with this body and nothing else. Read no more of a body than
    /// [`MAX_BODY`](Self::MAX_BODY) and one byte: a longer one is refused.
    #[must_use]
    pub const fn post(body: &'a [u8]) -> Self {
        Self {
            method: "POST",
            authorization: &[],
            content_type: None,
            query: None,
            body,
            source: None,
        }
    }

    /// The longest body that is read, in bytes: twice the longest token.
    pub const MAX_BODY: usize = 32 * 1024;

    /// The method, where the framework lets others than `POST` through.
    #[must_use]
    pub const fn method(mut self, method: &'a str) -> Self {
        self.method = method;
        self
    }

    /// The values of all `Authorization` lines.
    #[must_use]
    pub const fn authorization(mut self, lines: &'a [&'a [u8]]) -> Self {
        self.authorization = lines;
        self
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(mut self, value: Option<&'a [u8]>) -> Self {
        self.content_type = value;
        self
    }

    /// The query string without its `?`.
    #[must_use]
    pub const fn query(mut self, query: Option<&'a str>) -> Self {
        self.query = query;
        self
    }

    /// The address that the request came from: the socket's, or what a trusted proxy says of it.
    #[must_use]
    pub const fn source(mut self, address: Option<IpAddr>) -> Self {
        self.source = address;
        self
    }
}

impl fmt::Debug for OAuthRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthRequest")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// The answer of an OAuth endpoint. It may hold a token, so nothing of its body is printed.
#[non_exhaustive]
pub struct OAuthAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The header fields; names are in lower case and occur once.
    pub fields: Vec<(&'static str, String)>,
    /// The body, of the type that `content-type` says; empty where there is none.
    pub body: Vec<u8>,
}

impl OAuthAnswer {
    /// A success that no cache keeps (RFC 6749 §5.1).
    pub(super) fn ok() -> Self {
        Self {
            status: 200,
            fields: vec![
                ("cache-control", "no-store".to_owned()),
                ("pragma", "no-cache".to_owned()),
            ],
            body: Vec::new(),
        }
    }

    /// [`ok`](Self::ok) with a body.
    pub(super) fn json(value: &impl Serialize) -> Self {
        let mut answer = Self::ok();
        answer
            .fields
            .push(("content-type", "application/json".to_owned()));
        // Strings and numbers in structs always serialize.
        answer.body = serde_json::to_vec(value).unwrap_or_default();
        answer
    }
}

impl From<Rendered> for OAuthAnswer {
    fn from(refusal: Rendered) -> Self {
        Self {
            status: refusal.status,
            fields: refusal.fields,
            body: refusal.body,
        }
    }
}

impl fmt::Debug for OAuthAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthAnswer")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}
