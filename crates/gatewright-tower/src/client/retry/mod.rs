//! Sends requests again, by the rules.

mod future;
mod layer;
mod rules;

pub use future::RetryFuture;
pub use layer::{AnyError, Retry, RetryErrors, RetryLayer};
