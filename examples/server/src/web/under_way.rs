//! What goes on although nobody waits for it.

use std::time::Duration;

use gatewright_core::error::AuthError;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long the end of the server waits for it.
const LONGEST: Duration = Duration::from_secs(5);

/// What goes on after its answer was given, or after its caller hung up. Cheap to clone: all clones know of the same.
///
/// Who was told that something will be done is owed it, and a change that was committed is to be written down: a server
/// that is stopped in an orderly way does it first.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnderWay(watch::Sender<()>);

impl UnderWay {
    /// Does what nobody is to wait for, and what a caller who hangs up does not end.
    pub(crate) fn later(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<(), AuthError>> + Send + 'static,
    ) {
        self.spawn(async move {
            if let Err(error) = work.await {
                tracing::error!(?error, "{what} was not finished; it can be asked for again");
            }
        });
    }

    /// Goes on whoever waits for it.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let under_way = self.0.subscribe();
        tokio::spawn(async move {
            let _until_it_ended = under_way;
            work.await
        })
    }

    /// Waits for all of it, and for a few seconds at most.
    pub(crate) async fn finish(&self) {
        if timeout(LONGEST, self.0.closed()).await.is_err() {
            tracing::error!("what was still under way is lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_was_promised_and_not_for_ever() {
        let (under_way, done) = (UnderWay::default(), Arc::new(AtomicU32::new(0)));
        under_way.finish().await;
        for seconds in [1, 3] {
            let done = Arc::clone(&done);
            under_way.clone().later("a test", async move {
                sleep(Duration::from_secs(seconds)).await;
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
        }
        under_way.finish().await;
        assert_eq!(done.load(Ordering::Relaxed), 2);

        under_way.later("what never ends", std::future::pending());
        let before = Instant::now();
        under_way.finish().await;
        assert!(before.elapsed() <= LONGEST + Duration::from_secs(1));
    }
}
