//! Access tokens: kept, renewed, and fetched once for everybody who waits.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::Full;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tower_service::Service;

use super::granted::Token;
use super::jitter::jitter;
use super::{ApiError, ClientCredentials, TokenError, TokenErrorKind};

/// How long the token endpoint has for one answer.
const TIME_OUT: Duration = Duration::from_secs(30);
/// Seconds without a request after the first failure in a row, the second, and so on; the last goes on.
const RESTS: [u64; 5] = [1, 2, 4, 8, 16];
/// However long the token endpoint asks to be left alone.
const MAX_REST: Duration = Duration::from_secs(300);
/// An API that refuses every token must not cause a fetch each time.
const REJECTION_REST: Duration = Duration::from_secs(10);

/// The access tokens of one client; made by [`ClientCredentials::tokens`].
///
/// A token is kept and renewed shortly before it expires: a tenth of its lifetime, at most a minute, and some chance
/// earlier. There is one request at a time, whoever asks. It runs as a task of its own, so that it goes on if those who
/// wait give up. While a token is renewed, and if that fails, the old one is handed out until it expires.
///
/// After a failure the token endpoint is left alone for 1, 2, 4, 8 and then always 16 seconds, or as long as its
/// `Retry-After` asks, up to five minutes, and by chance up to a quarter longer. Until then, who needs a token is told
/// the same failure.
///
/// Clones share the token. Needs a tokio runtime with its timer.
#[derive(Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

struct Inner {
    fetch: Box<dyn Fn() -> Fetch + Send + Sync>,
    held: Mutex<Held>,
}

type Fetch = Pin<Box<dyn Future<Output = Result<Token, TokenError>> + Send>>;
type Landed = Result<Arc<Token>, TokenError>;

#[derive(Default)]
struct Held {
    token: Option<Arc<Token>>,
    flight: Option<Flight>,
    /// None after a fetch that succeeded.
    failure: Option<Failure>,
    /// When a token was last given up because an API refused it.
    rejected: Option<Instant>,
}

/// A request under way.
#[derive(Clone)]
struct Flight {
    began: Instant,
    landed: watch::Receiver<Option<Landed>>,
}

struct Failure {
    error: TokenError,
    in_a_row: usize,
    rests_until: Instant,
}

impl Tokens {
    pub(super) fn new<S, B>(client: ClientCredentials, service: S) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        S::Future: Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let service = Mutex::new(service);
        let fetch = move || -> Fetch {
            let mut service = lock(&service).clone();
            let request = client.request();
            Box::pin(async move {
                let sent = Instant::now();
                let exchange = async {
                    poll_fn(|context| service.poll_ready(context))
                        .await
                        .map_err(TokenError::transport)?;
                    let response = service.call(request).await;
                    Token::read(response.map_err(TokenError::transport)?, sent).await
                };
                let late = |_| TokenError::new(TokenErrorKind::TimedOut);
                timeout(TIME_OUT, exchange).await.map_err(late)?
            })
        };
        let inner = Inner {
            fetch: Box::new(fetch),
            held: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The value of an `Authorization` field with a token that is good now, marked as sensitive: for requests that
    /// don't pass a [`TokenLayer`](super::TokenLayer). It is the caller's to send it to the right place only.
    ///
    /// # Errors
    ///
    /// By [`TokenErrorKind`].
    pub async fn bearer(&self) -> Result<HeaderValue, TokenError> {
        Ok(self.current().await?.presented.value())
    }

    /// A token that is good now.
    pub(super) async fn current(&self) -> Landed {
        match self.inner.at_hand() {
            ControlFlow::Break(landed) => landed,
            ControlFlow::Continue(flight) => flight.landed().await,
        }
    }

    /// Gives up a token that an API refused, unless another was given up for that reason within the last ten seconds.
    pub(super) fn reject(&self, token: &Arc<Token>) {
        let mut held = lock(&self.inner.held);
        let is_held = held
            .token
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(held, token));
        let rests = held
            .rejected
            .is_some_and(|at| at.elapsed() < REJECTION_REST);
        if is_held && !rests {
            held.token = None;
            held.rejected = Some(Instant::now());
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("token", &lock(&self.inner.held).token)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The answer to who needs a token now, or the flight that will bring it.
    fn at_hand(self: &Arc<Self>) -> ControlFlow<Landed, Flight> {
        let now = Instant::now();
        let mut held = lock(&self.held);
        held.token.take_if(|token| now >= token.expires);
        let rests = held
            .failure
            .as_ref()
            .filter(|failure| now < failure.rests_until);
        match (held.token.clone(), rests) {
            (Some(token), rests) => {
                if now >= token.renew && rests.is_none() {
                    self.flight(&mut held, now);
                }
                ControlFlow::Break(Ok(token))
            }
            (None, Some(failure)) => ControlFlow::Break(Err(failure.error.clone())),
            (None, None) => ControlFlow::Continue(self.flight(&mut held, now)),
        }
    }

    /// The flight under way, or a new one.
    fn flight(self: &Arc<Self>, held: &mut Held, now: Instant) -> Flight {
        if let Some(flight) = held.flight.as_ref().filter(|flight| !flight.is_lost(now)) {
            return flight.clone();
        }
        let (sender, landed) = watch::channel(None);
        let flight = Flight { began: now, landed };
        held.flight = Some(flight.clone());
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let landed = inner.land((inner.fetch)().await, now);
            sender.send_replace(Some(landed));
        });
        flight
    }

    /// Takes in how the flight ended that began at `began`.
    fn land(&self, fetched: Result<Token, TokenError>, began: Instant) -> Landed {
        let now = Instant::now();
        let landed = match fetched {
            // The answer came later than the token is good for.
            Ok(token) if now >= token.expires => Err(TokenError::new(TokenErrorKind::TimedOut)),
            fetched => fetched.map(Arc::new),
        };
        let mut held = lock(&self.held);
        // If it was taken for lost, another has begun, and that one counts.
        if held
            .flight
            .take_if(|flight| flight.began == began)
            .is_some()
        {
            match &landed {
                Ok(token) => (held.token, held.failure) = (Some(Arc::clone(token)), None),
                Err(error) => {
                    let in_a_row = held.failure.as_ref().map_or(0, |last| last.in_a_row + 1);
                    held.failure = Some(Failure::new(error.clone(), in_a_row, now));
                }
            }
        }
        landed
    }
}

impl Flight {
    /// Its task is gone by a panic or with its runtime, or that runtime stands still.
    fn is_lost(&self, now: Instant) -> bool {
        now - self.began >= TIME_OUT || self.landed.has_changed().is_err()
    }

    async fn landed(mut self) -> Landed {
        match timeout(TIME_OUT, self.landed.wait_for(Option::is_some)).await {
            Ok(landed) => landed
                .ok()
                .and_then(|landed| landed.clone())
                .unwrap_or_else(|| {
                    Err(TokenError::transport("the task that fetches it has ended"))
                }),
            Err(_) => Err(TokenError::new(TokenErrorKind::TimedOut)),
        }
    }
}

impl Failure {
    /// A failure after `in_a_row` others.
    fn new(error: TokenError, in_a_row: usize, now: Instant) -> Self {
        let [.., longest] = RESTS;
        let rest = Duration::from_secs(RESTS.get(in_a_row).copied().unwrap_or(longest));
        let asked = error.api_error().and_then(ApiError::retry_after);
        let rest = asked.map_or(rest, |asked| asked.clamp(rest, MAX_REST));
        Self {
            error,
            in_a_row,
            // Clients that failed together don't come back together.
            rests_until: now + rest + jitter(rest / 4),
        }
    }
}

/// What a panic elsewhere left behind is whole: no lock is held while foreign code runs, except `Clone`.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
