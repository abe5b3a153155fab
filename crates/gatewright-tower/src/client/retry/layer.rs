//! The layer and its service.

use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::RetryFuture;
use super::rules::Course;
use crate::client::ReplayBody;
use crate::client::replay::replay;

/// Long enough for all five waits, and for a limit that opens every minute.
const TOTAL: Duration = Duration::from_secs(120);

/// Sends a request again where that can help, up to five times.
///
/// | answer | sent again |
/// |---|---|
/// | 429 | after its `Retry-After` (seconds or a date, RFC 9110 §10.2.3); where there is none, as the next row |
/// | 500, 502, 503, 504 | after 1, 2, 4, 8 and 16 seconds; after a 503 not before its `Retry-After` |
/// | no answer | likewise |
/// | any other | never |
///
/// Up to a quarter of a wait is added by chance, so that clients don't come back together.
///
/// Where the request may have been carried out, that is after a 5xx or no answer, it is sent again only if its method is
/// idempotent (RFC 9110 §9.2.2) or it has an `Idempotency-Key`. A body that can be sent only once is never sent again.
///
/// The waits and the attempts before them take at most two minutes together: a wait that would go on past that isn't
/// begun, and the last answer is returned at once. An attempt itself is not cut short; put a time-out inside.
///
/// Needs a tokio runtime with its timer.
#[derive(Clone, Copy, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct RetryLayer<P = AnyError> {
    total: Duration,
    errors: P,
}

impl RetryLayer {
    /// A layer that takes any error of the service for no answer.
    pub const fn new() -> Self {
        Self {
            total: TOTAL,
            errors: AnyError,
        }
    }
}

impl<P> RetryLayer<P> {
    /// Begins no wait that would end later than this after the request came.
    pub const fn with_total(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// Sends again only after those errors of the service that `retry` says yes to.
    pub fn retry_errors_if<E, F>(self, retry: F) -> RetryLayer<F>
    where
        F: Fn(&E) -> bool + Clone,
    {
        RetryLayer {
            total: self.total,
            errors: retry,
        }
    }
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, P: Clone> Layer<S> for RetryLayer<P> {
    type Service = Retry<S, P>;

    fn layer(&self, inner: S) -> Retry<S, P> {
        Retry {
            inner,
            layer: self.clone(),
        }
    }
}

/// Says after which errors of a service a request is sent again.
pub trait RetryErrors<E> {
    /// Whether another attempt may fare better.
    fn retries(&self, error: &E) -> bool;
}

impl<E, F: Fn(&E) -> bool> RetryErrors<E> for F {
    fn retries(&self, error: &E) -> bool {
        self(error)
    }
}

/// After any error.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AnyError;

impl<E> RetryErrors<E> for AnyError {
    fn retries(&self, _: &E) -> bool {
        true
    }
}

/// A service that sends requests again; made by [`RetryLayer`].
#[derive(Clone, Debug)]
pub struct Retry<S, P = AnyError> {
    inner: S,
    layer: RetryLayer<P>,
}

impl<S, P, B, ResBody> Service<Request<B>> for Retry<S, P>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    P: RetryErrors<S::Error> + Clone,
    B: ReplayBody,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RetryFuture<S, B, P>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> RetryFuture<S, B, P> {
        let course = Course::new(&request, self.layer.total);
        let again = replay(&request);
        // The service that was made ready is called, and its clone left behind.
        let clone = self.inner.clone();
        let mut service = std::mem::replace(&mut self.inner, clone);
        let attempt = service.call(request);
        RetryFuture::new(attempt, service, again, course, self.layer.errors.clone())
    }
}
