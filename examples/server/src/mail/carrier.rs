//! What a letter is given to.

use std::future::Future;
use std::sync::Arc;

use super::letter::{Coding, Letter};

/// Takes letters out of the process.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// How it wants bodies that are not ASCII.
    const CODING: Coding;

    /// Takes a letter, or says why not. One that is told of as not taken may have been, where the answer was lost.
    fn carry(&self, letter: &Arc<Letter>) -> impl Future<Output = Result<(), Undelivered>> + Send;
}

/// Why a letter was not taken. Says nothing that was in it, nor whom it was for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undelivered {
    /// It will never be: the server judged this very letter (RFC 5321 §4.2.3, replies 55z).
    #[error("refused with {0}")]
    Refused(u16),
    /// Not now.
    #[error("{0}")]
    NotNow(String),
}
