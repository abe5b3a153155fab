//! A handler's refusal.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use gatewright_core::dialect::{Dialect, RenderContext, render};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_tower::{HandlerRefusal, rendered_response};

/// An error that a handler answers, or an extractor: `Result<T, Refusal>`.
///
/// The guard around the handler renders it in its route's dialect, or as problem details where the caller asked for them
/// (RFC 9457), and leaves the [`AuthError`] in the response's extensions. Outside of any guard it is rendered in the
/// canonical dialect.
///
/// ```
/// use gatewright_axum::Refusal;
/// use gatewright_core::error::ErrorCode;
///
/// async fn show() -> Result<&'static str, Refusal> {
///     Err(ErrorCode::NotFound.into())
/// }
/// # let _ = show;
/// ```
#[derive(Clone, Debug)]
pub struct Refusal(AuthError);

impl Refusal {
    /// The error.
    #[must_use]
    pub const fn error(&self) -> &AuthError {
        &self.0
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        Self(error)
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self(code.into())
    }
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        Self(cause.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let rendered = render(&self.0, &RenderContext::new(Dialect::Canonical));
        let mut response = rendered_response::<Body>(rendered);
        response
            .extensions_mut()
            .insert(HandlerRefusal::new(self.0.clone()));
        response.extensions_mut().insert(self.0);
        response
    }
}
