//! What the gate answers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::AuthError;
use crate::limit::LimitState;
use crate::principal::{Principal, Verified};
use crate::store::BoxFuture;

/// The gate's answer: at once where memory knows it, otherwise a future.
#[must_use = "a request is neither admitted nor refused until its admission is looked at"]
#[derive(Debug)]
#[non_exhaustive]
pub enum Admission {
    /// Decided without waiting.
    Ready(Result<Admitted, AuthError>),
    /// A store or a hash has to be asked.
    Pending(Pending),
}

impl Admission {
    /// Waits for the decision, where it has to be waited for.
    ///
    /// # Errors
    /// The refusal.
    pub async fn decided(self) -> Result<Admitted, AuthError> {
        match self {
            Self::Ready(decision) => decision,
            Self::Pending(pending) => pending.await,
        }
    }
}

/// A decision that waits for a store or a hash. Owns copies of what it needs of the request.
#[must_use = "nothing is decided until the future is awaited"]
pub struct Pending(pub(super) BoxFuture<'static, Result<Admitted, AuthError>>);

impl Future for Pending {
    type Output = Result<Admitted, AuthError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

/// An admitted request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Admitted {
    /// Who is calling; `None` where the policy admits callers who present nothing and this one did.
    pub principal: Option<Verified<Principal>>,
    /// The tightest rate limit that the request was charged to.
    pub limits: Option<LimitState>,
}
