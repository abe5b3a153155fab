//! Changes that outlive the connection that asked for them.

use std::future::Future;

use super::{Failure, UnderWay};

/// Runs a change to its end, even if the caller hangs up meanwhile.
///
/// A change is committed first and told to the caches afterwards; a handler that is dropped between the two would leave
/// them answering as before. An orderly end of the server waits for it among what is `under_way`.
pub(crate) async fn settled<T, F>(under_way: UnderWay, change: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Failure>> + Send + 'static,
{
    match under_way.spawn(change).await {
        Ok(result) => result,
        Err(lost) => Err(Failure::internal(lost)),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_end_waits_for_a_change_whose_caller_hung_up() {
        let under_way = UnderWay::default();
        let (go_on, gone_on) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let mut called = Box::pin(settled(under_way.clone(), async move {
            let _ = gone_on.await;
            Ok(done.send(()))
        }));
        assert!(called.as_mut().now_or_never().is_none());
        drop(called);
        let mut end = pin!(under_way.finish());
        assert!(end.as_mut().now_or_never().is_none());
        go_on.send(()).unwrap();
        end.await;
        assert_eq!(is_done.now_or_never(), Some(Ok(())));
    }
}
