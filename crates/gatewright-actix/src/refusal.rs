//! A handler's refusal.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use gatewright_core::dialect::{Dialect, RenderContext, render};
use gatewright_core::error::{AuthError, Cause, ErrorCode};

use crate::render::{self, HandlerRefusal};

/// An error that a handler answers, or an extractor: `Result<T, Refusal>`, or with `?` in a `Result<T, actix_web::Error>`.
///
/// The guard around the handler renders it in its route's dialect, or as problem details where the caller asked for them
/// (RFC 9457), and leaves the [`AuthError`] in the response's extensions. Outside of any guard it is rendered in the
/// canonical dialect.
///
/// ```
/// use gatewright_actix::Refusal;
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let rendered = render(&self.0, &RenderContext::new(Dialect::Canonical));
        let mut response = render::response(rendered, self.0.clone());
        response
            .extensions_mut()
            .insert(HandlerRefusal(self.0.clone()));
        response
    }
}
