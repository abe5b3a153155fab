//! A key set that is kept fresh.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatewright_core::federation::{KeySource, Unreachable};
use gatewright_core::jwt::LiveKeys;
use gatewright_core::store::BoxFuture;
use gatewright_core::time::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::location::{Issuer, Location};
use super::policy::RefreshPolicy;
use super::task;
use crate::http::{FetchError, HttpClient, UrlError};
use crate::telemetry;

/// The keys of one provider: fetched as soon as they are configured, again before they expire, and again, once for all
/// who ask, when a token names a key that is not among them.
///
/// - A fetch that fails leaves the keys as they are, until the [policy](RefreshPolicy)'s outage is over; then there are
///   none, and [`refetch`](KeySource::refetch) answers [`Unreachable`].
/// - A set that has not changed leaves [`LiveKeys::generation`] as it is, so that tokens that were verified stay known.
/// - Keys that can't be used are left out one by one, shared secrets (`oct`) always: see
///   [`KeySet::from_jwks`](gatewright_core::jwt::KeySet::from_jwks).
/// - An empty set that a provider publishes is taken as it is: it has withdrawn its keys.
///
/// Nothing that asks holds up a fetch or ends it. Fetches end when this value is dropped; who still waits is answered
/// [`Unreachable`].
#[derive(Debug)]
pub struct RemoteKeys {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What the task that fetches and those who ask have in common.
pub(super) struct Shared {
    pub(super) http: HttpClient,
    pub(super) location: Location,
    pub(super) policy: RefreshPolicy,
    pub(super) live: Arc<LiveKeys>,
    pub(super) wake: Notify,
    state: Mutex<State>,
    /// The task alone holds the other end, so nobody waits for one that is gone.
    ended: watch::Receiver<Ended>,
}

/// Locked for moments, and never while something is waited for.
#[derive(Debug)]
pub(super) struct State {
    pub(super) fetching: bool,
    /// Somebody waits for a fetch that has not begun.
    pub(super) wanted: bool,
    /// Somebody asked for the fetch that is under way, before it began.
    pub(super) asked: bool,
    /// The end of the last fetch that was asked for or failed, by the monotonic clock.
    pub(super) ended_at: Option<u64>,
    pub(super) ended: Ended,
    pub(super) error: Option<FetchError>,
    pub(super) fetched_at: Option<Timestamp>,
    /// When the lifetime of the keys ends, by the monotonic clock.
    pub(super) fresh_until: Option<u64>,
}

/// How the last of so many fetches ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) fetches: u64,
    pub(super) outcome: Result<(), Unreachable>,
}

impl RemoteKeys {
    /// The keys at a URL, which are fetched from now on.
    ///
    /// # Errors
    ///
    /// A [`UrlError`], by what is wrong with the URL.
    pub fn from_jwks_url(
        http: &HttpClient,
        url: &str,
        policy: RefreshPolicy,
    ) -> Result<Self, UrlError> {
        let location = Location::Url(http.url(url)?);
        Ok(Self::start(http, location, policy))
    }

    /// The keys of an issuer, which are fetched from now on from where its metadata say (OpenID Connect Discovery §4): at
    /// `/.well-known/openid-configuration` behind the issuer, or, where the host has no such document, at
    /// `/.well-known/oauth-authorization-server` between its host and path (RFC 8414 §3.1). The metadata must name
    /// exactly this issuer, and they are read anew at each fetch.
    ///
    /// # Errors
    ///
    /// A [`UrlError`], by what is wrong with the issuer.
    pub fn from_issuer(
        http: &HttpClient,
        issuer: &str,
        policy: RefreshPolicy,
    ) -> Result<Self, UrlError> {
        let location = Location::Issuer(Issuer::new(http, issuer)?);
        Ok(Self::start(http, location, policy))
    }

    fn start(http: &HttpClient, location: Location, policy: RefreshPolicy) -> Self {
        let ended = Ended {
            fetches: 0,
            outcome: Ok(()),
        };
        let (sender, receiver) = watch::channel(ended);
        let shared = Arc::new(Shared {
            http: http.clone(),
            location,
            policy,
            live: Arc::default(),
            wake: Notify::new(),
            state: Mutex::new(State {
                fetching: true,
                wanted: false,
                asked: false,
                ended_at: None,
                ended,
                error: None,
                fetched_at: None,
                fresh_until: None,
            }),
            ended: receiver,
        });
        let task = http
            .runtime()
            .spawn(task::run(Arc::clone(&shared), sender))
            .abort_handle();
        Self { shared, task }
    }

    /// Why the last fetch failed, if it did.
    #[must_use]
    pub fn last_error(&self) -> Option<FetchError> {
        self.shared.state().error
    }

    /// When keys were last fetched, in seconds since the Unix epoch.
    #[must_use]
    pub fn fetched_at(&self) -> Option<Timestamp> {
        self.shared.state().fetched_at
    }
}

impl KeySource for RemoteKeys {
    fn live(&self) -> &Arc<LiveKeys> {
        &self.shared.live
    }

    fn refetch(&self) -> BoxFuture<'static, Result<(), Unreachable>> {
        let seen = match self.shared.ask() {
            Ok(outcome) => return Box::pin(ready(outcome)),
            Err(seen) => seen,
        };
        let mut ended = self.shared.ended.clone();
        let stopped = Unreachable::new(self.shared.cool_down_secs());
        Box::pin(async move {
            match ended.wait_for(|ended| ended.fetches > seen).await {
                Ok(ended) => ended.outcome,
                Err(_) => Err(stopped),
            }
        })
    }
}

impl Drop for RemoteKeys {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer while it cools down; else the number of fetches that have ended, one less than will have when the one
    /// that is under way, or that begins now, is over.
    fn ask(&self) -> Result<Result<(), Unreachable>, u64> {
        let now = self.policy.clock.monotonic_nanos();
        let mut state = self.state();
        if state.fetching || state.wanted {
            return Err(state.ended.fetches);
        }
        let since = state.ended_at.map(|at| now.saturating_sub(at));
        let cooling = since.and_then(|nanos| {
            self.policy
                .cool_down
                .checked_sub(Duration::from_nanos(nanos))
                .filter(|left| !left.is_zero())
        });
        if let Some(left) = cooling {
            let outcome = state.ended.outcome;
            return Ok(outcome.map_err(|_| Unreachable::new(whole_secs(left))));
        }
        state.wanted = true;
        let seen = state.ended.fetches;
        drop(state);
        self.wake.notify_one();
        Err(seen)
    }

    /// After how many seconds a failed fetch may be tried again.
    pub(super) fn cool_down_secs(&self) -> u32 {
        whole_secs(self.policy.cool_down)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("location", &self.location)
            .field("policy", &self.policy)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        telemetry::keys_changed(self.live.load().len(), 0);
    }
}

/// At least one, so that nobody comes back at once.
fn whole_secs(duration: Duration) -> u32 {
    let rounded_up = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    u32::try_from(rounded_up.max(1)).unwrap_or(u32::MAX)
}
