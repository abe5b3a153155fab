//! Why a handler did not answer.

use axum::response::{IntoResponse, Response};
use gatewright_axum::Refusal;
use gatewright_core::credential::MintError;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::hash::{PasswordError, QueueFull};
use gatewright_core::principal::IdError;
use gatewright_core::store::StoreError;
use gatewright_issuer::IssueError;

/// An error of a handler. The guard around the handler renders it in its realm's dialect, and the server's log tells what
/// led to it.
#[derive(Debug)]
pub(crate) struct Failure(AuthError);

impl Failure {
    /// A field of the body or the query that is out of range. The message names the field and the rule, never the value.
    pub(crate) fn out_of_range(field: &str, rule: &str) -> Self {
        AuthError::new(ErrorCode::ValidationError)
            .with_message(format!("`{field}` {rule}"))
            .into()
    }

    /// A refusal with a sentence of its own.
    pub(crate) fn because(code: ErrorCode, message: &'static str) -> Self {
        AuthError::new(code).with_message(message).into()
    }

    /// The same refusal with a sentence of its own.
    pub(crate) fn saying(self, message: &'static str) -> Self {
        self.0.with_message(message).into()
    }

    /// A mistake of ours.
    pub(crate) fn internal(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        AuthError::new(ErrorCode::InternalError)
            .with_source(source)
            .into()
    }

    /// What is answered, and what led to it.
    pub(crate) fn error(&self) -> &AuthError {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> ErrorCode {
        self.0.code()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        Refusal::from(self.0).into_response()
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self(error)
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self(code.into())
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self(cause.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let cause = Cause::StoreUnavailable;
        Self(AuthError::from(cause).with_source(error))
    }
}

impl From<QueueFull> for Failure {
    fn from(_: QueueFull) -> Self {
        Cause::HashQueueFull.into()
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::QueueFull(full) => full.into(),
            error => Self::internal(error),
        }
    }
}

impl From<IssueError> for Failure {
    fn from(error: IssueError) -> Self {
        Self::internal(error)
    }
}

impl From<MintError> for Failure {
    fn from(error: MintError) -> Self {
        Self::internal(error)
    }
}

impl From<IdError> for Failure {
    fn from(error: IdError) -> Self {
        Self::internal(error)
    }
}
