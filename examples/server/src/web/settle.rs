//! Changes that outlive the connection that asked for them.

use std::future::Future;

use super::Failure;

/// Runs a change to its end, even if the caller hangs up meanwhile.
///
/// A change is committed first and told to the caches afterwards; a handler that is dropped between the two would leave
/// them answering as before.
pub(crate) async fn settled<T, F>(change: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    match tokio::spawn(change).await {
        Ok(result) => result,
        Err(lost) => Err(Failure::internal(lost)),
    }
}
