//! What goes on beside requests: hearing what others changed, and tidying up.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gatewright_core::gate::{Coherence, Gate};
use gatewright_core::store::{InviteStore, MailedTokenStore, RevocationStore, StoreError};
use gatewright_issuer::SigningKeysError;
use gatewright_sqlx::{ChangeFeed, DEAD_AFTER};
use sqlx::Sqlite;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::app::App;
use crate::audit;
use crate::telemetry::Metrics;

/// How long a node serves from memory without having heard from the database.
pub(crate) const MAX_SILENCE_SECS: u32 = 2;

const POLL_EVERY: Duration = Duration::from_millis(100);
/// After how long of silence the server says that it is not ready.
const NOT_READY_AFTER_MS: u64 = 2_000;
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
const RELOAD_EVERY: Duration = Duration::from_secs(60);
const PURGE_EVERY: Duration = Duration::from_secs(600);
/// For how long after its end a session is known, so that a refresh token that comes late is still seen as reused.
const KEPT_SESSIONS_SECS: u64 = 30 * 86_400;

/// When the database was last heard of.
#[derive(Debug)]
pub(crate) struct Pulse {
    started: Instant,
    /// Milliseconds after the start, plus one; 0 for never.
    heard: AtomicU64,
    draining: AtomicBool,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            heard: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        }
    }

    /// Whether the database was heard of lately, and nobody asked the server to end.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready_at(self.millis())
    }

    fn is_ready_at(&self, now: u64) -> bool {
        let heard = self.heard.load(Ordering::Relaxed);
        heard != 0
            && !self.draining.load(Ordering::Relaxed)
            && now.saturating_sub(heard) <= NOT_READY_AFTER_MS
    }

    /// Says that the server takes no more requests.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// The database was heard of as it was at this moment.
    fn beat(&self, at: u64) {
        self.heard.store(at, Ordering::Relaxed);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).map_or(u64::MAX, |ms| ms + 1)
    }
}

/// One process's part in what all processes on the database know.
pub(crate) struct Coherent {
    feed: ChangeFeed<Sqlite>,
    gate: Gate,
    app: App,
    pulse: Arc<Pulse>,
    /// The version of the signing keys in memory.
    signing_keys: Option<u64>,
}

impl Coherent {
    /// Takes part in the change feed. Returns once every other server on the database knows of this one, or has stopped
    /// serving from memory: only then may this one answer anybody, lest it changes what another still remembers.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    pub(crate) async fn join(app: &App, pulse: Arc<Pulse>) -> Result<Self, StoreError> {
        let feed = app.store.join(app.gate.changes().clone()).await?;
        let mut coherent = Self {
            feed,
            gate: app.gate.clone(),
            app: app.clone(),
            pulse,
            signing_keys: None,
        };
        if coherent.feed.others(DEAD_AFTER).await? > 0 {
            tracing::info!("other servers are on this database; waiting until they know");
            // Whoever read the list of nodes before this one stood in it trusts memory for no longer after that.
            let silence = Duration::from_secs(MAX_SILENCE_SECS.into());
            let until = Instant::now() + silence + POLL_EVERY;
            while Instant::now() < until {
                coherent.round().await?;
                sleep(POLL_EVERY).await;
            }
        }
        coherent.round().await?;
        Ok(coherent)
    }

    /// Hears what was changed, and who else is there. The gate is told last: what it may serve from memory rests on both.
    async fn round(&mut self) -> Result<(), StoreError> {
        let (began, began_ms) = (self.gate.clock().monotonic_nanos(), self.pulse.millis());
        // First, so that what the poll acknowledges is known here.
        self.read_configuration().await?;
        self.feed.poll().await?;
        let alone = self.feed.others(DEAD_AFTER).await? == 0;
        let coherence = if alone {
            Coherence::Bounded {
                max_silence_secs: MAX_SILENCE_SECS,
            }
        } else {
            Coherence::Strict
        };
        if self.gate.coherence() != coherence {
            tracing::info!(?coherence, "servers on this database came or went");
            self.gate.set_coherence(coherence);
        }
        // What was read says nothing about later: the round may have waited long, or the process slept.
        self.gate.heard_feed_as_of(began);
        self.pulse.beat(began_ms);
        Ok(())
    }

    /// Reads anew what is held in memory and of which the feed does not tell.
    async fn read_configuration(&mut self) -> Result<(), StoreError> {
        self.app.orgs.refresh().await?;
        let version = self.app.product.versions().await?.signing_keys;
        if self.signing_keys != Some(version) {
            let now = self.gate.clock().now();
            match self.app.signing.reload(now).await {
                Ok(()) => {}
                // Read again in the next round: nobody is told before that they are known here.
                Err(SigningKeysError::Store(error)) => return Err(error),
                // Keys that cannot be opened are no reason to hear of nothing else.
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "the signing keys cannot be read anew");
                }
            }
            self.signing_keys = Some(version);
        }
        Ok(())
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) -> Self {
        let mut failing = false;
        loop {
            tokio::select! {
                () = sleep(POLL_EVERY) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            match self.round().await {
                Ok(()) if failing => tracing::info!("the change feed is heard again"),
                Ok(()) => {}
                Err(error) if !failing => {
                    tracing::error!(error = %Chain(&error), "the change feed is not heard");
                }
                Err(_) => {}
            }
            failing = !self.pulse.is_ready();
        }
        // Nobody listens to the feed from here on, and whoever changes something will not wait for this server much longer.
        self.gate.set_coherence(Coherence::Strict);
        self
    }
}

/// The tasks beside requests.
pub(crate) struct Background {
    stop: watch::Sender<bool>,
    feed: tokio::task::JoinHandle<Coherent>,
    chores: JoinSet<()>,
    gate: Gate,
}

impl Background {
    pub(crate) fn start(coherent: Coherent, metrics: Arc<Metrics>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let app = coherent.app.clone();
        let mut chores = JoinSet::new();

        let gate = app.gate.clone();
        repeat(&mut chores, "upkeep", &stopped, UPKEEP_EVERY, move || {
            let (gate, metrics) = (gate.clone(), Arc::clone(&metrics));
            async move {
                // What a busy server gathered in the meantime takes some milliseconds: not on the threads that serve.
                let drained = tokio::task::spawn_blocking(move || metrics.run_upkeep()).await;
                tell("metrics", drained);
                tell("upkeep", gate.upkeep().await.map(|_| ()));
            }
        });
        let signing = Arc::clone(&app.signing);
        let clock = Arc::clone(app.gate.clock());
        repeat(
            &mut chores,
            "signing keys",
            &stopped,
            RELOAD_EVERY,
            move || {
                let (signing, now) = (Arc::clone(&signing), clock.now());
                async move { tell("signing keys", signing.reload(now).await) }
            },
        );
        let purged = app.clone();
        repeat(&mut chores, "purge", &stopped, PURGE_EVERY, move || {
            purge(purged.clone())
        });

        Self {
            gate: app.gate.clone(),
            feed: tokio::spawn(coherent.run(stopped)),
            stop,
            chores,
        }
    }

    /// Ends the tasks, writes down what waits, and leaves the feed.
    pub(crate) async fn finish(mut self) {
        self.stop.send_replace(true);
        while self.chores.join_next().await.is_some() {}
        tell("upkeep", self.gate.upkeep().await.map(|_| ()));
        match self.feed.await {
            Ok(coherent) => tell("change feed", coherent.feed.leave().await),
            Err(error) => tracing::error!(%error, "the change feed's task failed"),
        }
    }
}

async fn purge(app: App) {
    let now = app.gate.clock().now();
    tell(
        "revocations",
        app.store.forget_revocations(now).await.map(|_| ()),
    );
    tell(
        "sessions",
        app.sessions.forget(KEPT_SESSIONS_SECS).await.map(|_| ()),
    );
    tell(
        "mailed tokens",
        app.store.forget_mailed_tokens(now).await.map(|_| ()),
    );
    tell("invites", app.store.forget_invites(now).await.map(|_| ()));
    tell("product", app.product.purge(now).await.map(|_| ()));
    tell(
        "purchase codes",
        app.product.forget_purchase_codes(now).await.map(|_| ()),
    );
    let before = now.saturating_sub(audit::KEPT_SECS);
    tell(
        "audit",
        audit::purge(app.store.pool(), before).await.map(|_| ()),
    );
}

/// Runs a chore now and then, until the stop. One that has begun is not cut off; one that panics is tried again.
fn repeat<F>(
    chores: &mut JoinSet<()>,
    name: &'static str,
    stop: &watch::Receiver<bool>,
    every: Duration,
    mut chore: impl FnMut() -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut stop = stop.clone();
    chores.spawn(async move {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            // In a task of its own, so that a panic costs this round and not all that would follow.
            tell(name, tokio::spawn(chore()).await);
        }
    });
}

fn tell<E: std::error::Error + 'static>(chore: &'static str, result: Result<(), E>) {
    if let Err(error) = result {
        tracing::warn!(chore, error = %Chain(&error), "a chore failed; it will be tried again");
    }
}

/// An error with what led to it.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'a));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_only_while_the_database_is_heard() {
        let pulse = Pulse::new();
        assert!(!pulse.is_ready(), "never heard");
        pulse.beat(pulse.millis());
        assert!(pulse.is_ready());
        let heard = pulse.heard.load(Ordering::Relaxed);
        assert!(pulse.is_ready_at(heard + NOT_READY_AFTER_MS));
        assert!(!pulse.is_ready_at(heard + NOT_READY_AFTER_MS + 1));
        pulse.drain();
        assert!(!pulse.is_ready());
    }

    #[tokio::test]
    async fn a_chore_that_panics_is_tried_again() {
        const SOON: Duration = Duration::from_millis(1);
        let (stop, stopped) = watch::channel(false);
        let (mut chores, rounds) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&rounds);
        repeat(&mut chores, "test", &stopped, SOON, move || {
            let round = counted.fetch_add(1, Ordering::Relaxed);
            async move { assert!(round > 0, "only the first round panics") }
        });
        while rounds.load(Ordering::Relaxed) < 3 {
            sleep(SOON).await;
        }
        stop.send_replace(true);
        chores.join_next().await.unwrap().unwrap();
    }
}
