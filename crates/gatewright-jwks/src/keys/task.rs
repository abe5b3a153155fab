//! The task that fetches one provider's keys.

use std::sync::Arc;
use std::time::Duration;

use gatewright_core::federation::Unreachable;
use gatewright_core::jwt::KeySet;
use tokio::sync::watch;
use tokio::time::timeout;

use super::location::Fetched;
use super::remote::{Ended, Shared};
use crate::freshness::jittered;
use crate::http::{Failure, FetchError};
use crate::telemetry::{self, FetchOutcome};

/// Fetches, rests, and fetches again, for ever. One fetch at a time.
pub(super) async fn run(shared: Arc<Shared>, ended: watch::Sender<Ended>) {
    let mut failures: u32 = 0;
    loop {
        let now = shared.policy.clock.now();
        let fetch = shared.location.fetch(&shared.http, now);
        // With discovery it is up to three requests, and who waits is told of one time-out.
        let fetched = timeout(shared.http.timeout(), fetch)
            .await
            .unwrap_or(Err(FetchError::TimedOut.into()));
        let pause = match fetched {
            Ok(fetched) => {
                failures = 0;
                let pause = shared.accept(&fetched);
                shared.end(&ended, Ok(()));
                pause
            }
            Err(failure) => {
                failures = failures.saturating_add(1);
                let pause = shared.endure(&failure, failures);
                shared.end(&ended, Err(failure.error));
                pause
            }
        };
        shared.rest(pause).await;
    }
}

impl Shared {
    /// Puts the keys in place if they are others, and says when to fetch again.
    fn accept(&self, fetched: &Fetched) -> Duration {
        let lifetime = self.policy.lifetime(fetched.lifetime);
        let before = self.live.load();
        if is_same(&before, &fetched.keys) {
            telemetry::fetched(FetchOutcome::Unchanged);
        } else {
            self.live.replace(fetched.keys.clone());
            telemetry::fetched(FetchOutcome::Changed);
            telemetry::keys_changed(before.len(), fetched.keys.len());
            tracing::info!(
                host = self.location.host(),
                keys = fetched.keys.len(),
                skipped = fetched.skipped.len(),
                "key set changed"
            );
            for skipped in &fetched.skipped {
                tracing::debug!(
                    host = self.location.host(),
                    index = skipped.index(),
                    reason = %skipped.reason(),
                    "key skipped"
                );
            }
        }
        let clock = &self.policy.clock;
        let mut state = self.state();
        state.fetched_at = Some(clock.now());
        state.fresh_until = Some(later(clock.monotonic_nanos(), lifetime));
        jittered(lifetime)
    }

    /// Keeps the keys or, when the outage has lasted too long, gives them up; says when to try again.
    fn endure(&self, failure: &Failure, failures: u32) -> Duration {
        telemetry::fetched(FetchOutcome::Failed(failure.error));
        tracing::warn!(
            host = self.location.host(),
            error = %failure.error,
            failures,
            "key set not fetched"
        );
        let pause = jittered(self.policy.pause(failures, failure.retry_after));
        let keys = self.live.load().len();
        let Some(fresh_until) = self.state().fresh_until.filter(|_| keys > 0) else {
            return pause;
        };
        let now = self.policy.clock.monotonic_nanos();
        let left = later(fresh_until, self.policy.max_stale).saturating_sub(now);
        if left == 0 {
            self.live.replace(KeySet::default());
            telemetry::keys_changed(keys, 0);
            tracing::error!(
                host = self.location.host(),
                "key set given up: the provider has been out of reach for too long"
            );
            return pause;
        }
        pause.min(Duration::from_nanos(left))
    }

    /// Tells all who wait how it went.
    fn end(&self, ended: &watch::Sender<Ended>, outcome: Result<(), FetchError>) {
        let retry = Unreachable::new(self.cool_down_secs());
        let now = self.policy.clock.monotonic_nanos();
        let mut state = self.state();
        state.fetching = false;
        // Keys that came by themselves are no reason to miss the rotation that follows on them.
        if state.asked || outcome.is_err() {
            state.ended_at = Some(now);
        }
        state.error = outcome.err();
        state.ended = Ended {
            fetches: state.ended.fetches.saturating_add(1),
            outcome: outcome.map_err(|_| retry),
        };
        ended.send_replace(state.ended);
    }

    /// Until the pause is over or somebody wants a fetch, which then begins.
    async fn rest(&self, pause: Duration) {
        let asked = async {
            loop {
                self.wake.notified().await;
                // Of those who asked before the last fetch began, nobody waits any more.
                if self.state().wanted {
                    break;
                }
            }
        };
        // Whichever it is.
        let _ = timeout(pause, asked).await;
        let mut state = self.state();
        state.asked = std::mem::take(&mut state.wanted);
        state.fetching = true;
    }
}

/// Whether two sets verify the same tokens, in whatever order they list their keys.
fn is_same(one: &KeySet, other: &KeySet) -> bool {
    identities(one) == identities(other)
}

fn identities(keys: &KeySet) -> Vec<(Option<&str>, &'static str, Option<String>)> {
    let identity = |key| {
        let key: &gatewright_core::jwt::VerifyingKey = key;
        (key.kid(), key.algorithm().as_str(), key.thumbprint())
    };
    let mut all: Vec<_> = keys.iter().map(identity).collect();
    all.sort_unstable();
    all
}

fn later(nanos: u64, by: Duration) -> u64 {
    nanos.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX))
}
