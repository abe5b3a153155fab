//! Bodies that a service writes by itself.

use std::fmt;
use std::sync::Arc;

use super::Dialect;
use crate::error::{AuthError, ErrorCode};

/// What is known of a refusal when its body is written.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    pub(super) error: &'a AuthError,
    pub(super) message: &'a str,
    pub(super) missing: &'a [&'a str],
    pub(super) dialect: Dialect,
}

impl<'a> Refused<'a> {
    /// The code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.error.code()
    }

    /// The HTTP status, which the body doesn't change.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.error.status()
    }

    /// The sentence for the caller.
    #[must_use]
    pub const fn message(&self) -> &'a str {
        self.message
    }

    /// The scopes to ask for, all of them; empty unless some are missing.
    #[must_use]
    pub const fn missing_scopes(&self) -> &'a [&'a str] {
        self.missing
    }

    /// The dialect that the body would be in: the realm's, or [`Dialect::Problem`] where the caller asked for that.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }
}

/// A body in place of the dialect's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    pub(super) content_type: String,
    pub(super) bytes: Vec<u8>,
}

impl ErrorBody {
    /// A body of this media type, such as `text/plain; charset=utf-8`. What is no media type leaves the dialect's body in
    /// place.
    #[must_use]
    pub fn new(content_type: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            content_type: content_type.into(),
            bytes: bytes.into(),
        }
    }
}

/// Writes the bodies of refusals. It is asked for the body alone: status, challenge, `Retry-After` and `Cache-Control` are
/// not in its reach.
#[derive(Clone)]
pub struct BodyWriter(Arc<Write>);

type Write = dyn Fn(&Refused<'_>) -> Option<ErrorBody> + Send + Sync;

impl BodyWriter {
    /// Asks `write` for the body of each refusal; `None` leaves the dialect's.
    #[must_use]
    pub fn new(write: impl Fn(&Refused<'_>) -> Option<ErrorBody> + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    pub(super) fn write(&self, refused: &Refused<'_>) -> Option<ErrorBody> {
        (self.0)(refused)
    }
}

impl fmt::Debug for BodyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyWriter")
    }
}
