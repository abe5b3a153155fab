//! Mistakes in a client's configuration.

use thiserror::Error;

/// A client was configured in a way that can't work, or that would give its credential away.
///
/// Nothing of what was configured is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not of the form `scheme://host` or `scheme://host:port` with `https` or `http`.
    #[error("an origin is written as scheme://host or scheme://host:port")]
    NotAnOrigin,
    /// Not an absolute `https` or `http` URL, or one with user information or a fragment (RFC 6749 §3.2).
    #[error("a token endpoint is an absolute URL without user information or fragment")]
    NotAnEndpoint,
    /// Plain `http` to a host that isn't this machine.
    #[error("credentials go over https only, except to this machine itself")]
    PlainHttp,
    /// A client id, a secret or a token of no characters.
    #[error("the credential is empty")]
    EmptyCredential,
    /// A bearer token that isn't a `b64token` (RFC 6750 §2.1), or a key with other characters than visible ASCII.
    #[error("the credential has a character that its header field can't hold")]
    UnsendableCredential,
}
