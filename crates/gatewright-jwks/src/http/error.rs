//! What can be wrong with a URL, a fetch or the client. Never what a peer sent.

use std::time::Duration;

use gatewright_core::jwt::KeySetError;

/// Why a URL is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Not an absolute URL with a host, longer than 2048 bytes, or with blanks, control characters or a backslash.
    #[error("this is not an absolute URL")]
    Malformed,
    /// Neither `https` nor, to a host and port that the operator allows, `http`.
    #[error("the URL must begin with https://")]
    Scheme,
    /// A user or a password stands before the host.
    #[error("the URL must not hold a user or a password")]
    Credentials,
    /// It ends in a fragment.
    #[error("the URL must not end in a fragment")]
    Fragment,
    /// An issuer with a query (RFC 8414 §2).
    #[error("an issuer must not hold a query")]
    Query,
    /// The host is an address that is not public, and the operator does not allow it.
    #[error("the URL leads to an address that is not public")]
    Address,
}

/// Why a fetch failed. It tells an operator, or the tenant who configured the provider, where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A URL that the provider's metadata names is not taken.
    #[error("the provider's metadata name a URL that is not taken: {0}")]
    Url(UrlError),
    /// The host's name leads to addresses that are not public, and to no other.
    #[error("the host leads to addresses that are not public")]
    Address,
    /// The name does not resolve, nobody listens, TLS fails, or the connection was cut.
    #[error("the host could not be connected to")]
    Connection,
    /// There was no whole answer in time.
    #[error("the host did not answer in time")]
    TimedOut,
    /// The answer is a redirect. None is followed.
    #[error("the host answered with a redirect")]
    Redirect,
    /// The answer has another status than 200.
    #[error("the host answered with the status {0}")]
    Status(u16),
    /// The body is longer than the client's limit.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer's media type is not the one that the protocol names.
    #[error("the answer is of another media type")]
    MediaType,
    /// The answer is not the JSON object that the protocol describes.
    #[error("the answer is not the document it should be")]
    Malformed,
    /// The metadata are of another issuer (OpenID Connect Discovery §4.3, RFC 8414 §3.3).
    #[error("the metadata are those of another issuer")]
    Issuer,
    /// The key set can't be used at all.
    #[error(transparent)]
    KeySet(KeySetError),
}

impl FetchError {
    /// A word for metrics, of a small fixed number.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::Address => "address",
            Self::Connection => "connection",
            Self::TimedOut => "timed_out",
            Self::Redirect => "redirect",
            Self::Status(_) => "status",
            Self::TooLarge | Self::KeySet(KeySetError::TooLarge) => "too_large",
            Self::MediaType => "media_type",
            Self::Malformed => "malformed",
            Self::Issuer => "issuer",
            Self::KeySet(_) => "key_set",
        }
    }
}

/// A failed fetch, and when the host asks to be left alone until.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) error: FetchError,
    pub(crate) retry_after: Option<Duration>,
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpClientError {
    /// It was built outside of a Tokio runtime.
    #[error("an HTTP client needs a Tokio runtime with I/O and time")]
    NoRuntime,
    /// TLS could not be set up: the machine's trusted certificates can't be read, for one.
    #[error("the HTTP client could not be set up")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}
