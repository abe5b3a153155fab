//! Why there is no access token.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::ApiError;

/// Whose fault it is that there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenErrorKind {
    /// The token endpoint refused, with an error of RFC 6749 §5.2: `invalid_client`, `invalid_scope` and the like. The
    /// same request would be refused again.
    Refused,
    /// The token endpoint can't answer now: 429, or 500 and above.
    Unavailable,
    /// The token endpoint was not reached, or its answer broke off, or the service that asks it panicked.
    Transport,
    /// The token endpoint gave no whole answer within 30 seconds, or none before the token in it expired.
    TimedOut,
    /// The answer is none that RFC 6749 §5 allows.
    Malformed,
}

/// A token could not be obtained.
#[derive(Clone)]
pub struct TokenError {
    kind: TokenErrorKind,
    api: Option<Arc<ApiError>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl TokenError {
    pub(super) const fn new(kind: TokenErrorKind) -> Self {
        Self {
            kind,
            api: None,
            source: None,
        }
    }

    pub(super) fn transport(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(Arc::from(source.into())),
            ..Self::new(TokenErrorKind::Transport)
        }
    }

    /// An answer that isn't 200.
    pub(super) fn answered(error: ApiError) -> Self {
        let status = error.status();
        let kind = if status.as_u16() == 429 || status.is_server_error() {
            TokenErrorKind::Unavailable
        } else if status.is_client_error() && error.code_text().is_some() {
            TokenErrorKind::Refused
        } else {
            TokenErrorKind::Malformed
        };
        Self {
            api: Some(Arc::new(error)),
            ..Self::new(kind)
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn kind(&self) -> TokenErrorKind {
        self.kind
    }

    /// What the token endpoint answered, if that was an error.
    #[must_use]
    pub fn api_error(&self) -> Option<&ApiError> {
        self.api.as_deref()
    }

    /// Whether a later attempt may succeed although nothing changes here.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            TokenErrorKind::Unavailable | TokenErrorKind::Transport | TokenErrorKind::TimedOut
        )
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TokenErrorKind::Refused => "the token endpoint refused",
            TokenErrorKind::Unavailable => "the token endpoint is unavailable",
            TokenErrorKind::Transport => "the token endpoint could not be reached",
            TokenErrorKind::TimedOut => "the token endpoint did not answer in time",
            TokenErrorKind::Malformed => "the token endpoint's answer is not valid",
        })?;
        match self.api.as_ref().and_then(|error| error.code_text()) {
            Some(code) => write!(f, ": {code}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenError")
            .field("kind", &self.kind)
            .field("api_error", &self.api)
            .field("source", &self.source)
            .finish()
    }
}

impl Error for TokenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match (&self.source, &self.api) {
            (Some(source), _) => Some(source.as_ref()),
            (None, Some(api)) => Some(api.as_ref()),
            (None, None) => None,
        }
    }
}
