//! Why a request was refused: the code that goes over the wire, the precise cause for the log, and
//! the error that carries both.
//!
//! A stage of the gate yields a [`Cause`], one byte. It becomes an [`AuthError`] on its way out, and
//! [`dialect`](crate::dialect) alone turns that into a status, fields and a body.
//!
//! **Nothing that was presented belongs in an error.** Messages, sources and fields name what is
//! wrong, never the value that was wrong: they reach logs and answers.

mod cause;
mod code;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

pub use cause::Cause;
pub use code::{ErrorCode, RetryRule, UnknownErrorCode};

/// A refusal, or a failure to decide.
///
/// Cheap to make and to clone: 24 bytes, and no allocation unless a message, a source or a field of
/// its own is attached.
///
/// ```
/// use gatewright_core::error::{AuthError, Cause, ErrorCode};
///
/// let error = AuthError::from(Cause::Revoked);
/// assert_eq!(error.code(), ErrorCode::TokenRevoked);
/// assert_eq!(error.status(), 401);
/// assert_eq!(error.cause(), Some(Cause::Revoked));
/// ```
#[derive(Clone)]
pub struct AuthError {
    detail: Option<Arc<Detail>>,
    missing: u64,
    retry_after: Option<NonZeroU32>,
    code: ErrorCode,
    cause: Option<Cause>,
}

// `Admission` holds a `Result` of this by value on the warm path.
const _: () = assert!(size_of::<AuthError>() <= 24);
const _: () = assert!(size_of::<Option<AuthError>>() <= 24);

#[derive(Clone, Default)]
struct Detail {
    message: Option<Cow<'static, str>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    fields: Vec<(&'static str, String)>,
    /// The tenant that the request named, where the answer says where to read about it. Percent-encoded.
    tenant: Option<Box<str>>,
}

impl AuthError {
    /// An error of this code, with the code's own message and no cause.
    #[must_use]
    pub const fn new(code: ErrorCode) -> Self {
        Self {
            detail: None,
            missing: 0,
            retry_after: None,
            code,
            cause: None,
        }
    }

    /// Notes the precise cause for the log; the code stays.
    #[must_use]
    pub const fn with_cause(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// When the caller may try again, in seconds from now; 0 takes the hint back.
    ///
    /// It is shown with 429 and 503 only (RFC 9110 §10.2.3, RFC 6585 §4).
    #[must_use]
    pub const fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = NonZeroU32::new(seconds);
        self
    }

    /// Which of the scopes that the policy requires are missing: bit *i* stands for the *i*-th name
    /// of the list that is handed to the renderer.
    #[must_use]
    pub const fn with_missing(mut self, mask: u64) -> Self {
        self.missing = mask;
        self
    }

    /// Replaces the code's own message. It is shown to the caller and logged, so it must not hold
    /// anything that was presented.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.detail_mut().message = Some(message.into());
        self
    }

    /// Attaches what led here. It is for the log and never shown to the caller; still it must not
    /// hold anything that was presented.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.detail_mut().source = Some(Arc::from(source.into()));
        self
    }

    /// Adds a field to the answer, such as `allow` for a 405 or `ratelimit` for a 429. The name is in
    /// lower case. A field that the renderer sets by itself, and one whose name or value no header may
    /// have, is left out.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.detail_mut().fields.push((name, value.into()));
        self
    }

    /// The code that goes over the wire.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.code.status()
    }

    /// What a client should do about it.
    #[must_use]
    pub const fn retry(&self) -> RetryRule {
        self.code.retry()
    }

    /// The precise cause, where one is known. It is for the log: some causes share a code so that the
    /// caller can't tell them apart.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// Seconds to wait, where somebody knows.
    #[must_use]
    pub const fn retry_after(&self) -> Option<NonZeroU32> {
        self.retry_after
    }

    /// The mask of missing scopes; 0 if no scope is missing.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// The sentence for the caller: the message given, or the code's own.
    #[must_use]
    pub fn message(&self) -> &str {
        self.own_message().unwrap_or(self.code.message())
    }

    /// The message given by [`with_message`](Self::with_message), if any.
    #[must_use]
    pub fn own_message(&self) -> Option<&str> {
        self.detail.as_ref()?.message.as_deref()
    }

    /// The fields given by [`with_field`](Self::with_field), in that order.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields = self
            .detail
            .as_ref()
            .map_or(&[][..], |detail| &detail.fields);
        fields.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Notes the tenant that the request named, as a path segment: for answers that point to something of that tenant.
    pub(crate) fn set_tenant_segment(&mut self, segment: Box<str>) {
        self.detail_mut().tenant = Some(segment);
    }

    /// The tenant noted, percent-encoded.
    pub(crate) fn tenant_segment(&self) -> Option<&str> {
        self.detail.as_ref()?.tenant.as_deref()
    }

    fn detail_mut(&mut self) -> &mut Detail {
        Arc::make_mut(self.detail.get_or_insert_default())
    }
}

impl From<ErrorCode> for AuthError {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl From<Cause> for AuthError {
    fn from(cause: Cause) -> Self {
        Self::new(cause.code()).with_cause(cause)
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthError")
            .field("code", &self.code.as_str())
            .field("cause", &self.cause.map(Cause::as_str))
            .field("message", &self.message())
            .field("missing", &self.missing)
            .field("retry_after", &self.retry_after)
            .field("source", &self.source())
            .finish()
    }
}

impl Error for AuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.detail.as_ref()?.source.as_deref()?;
        Some(source)
    }
}
