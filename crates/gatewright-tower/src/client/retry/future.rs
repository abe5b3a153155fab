//! The response to come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::RetryErrors;
use super::rules::Course;
use crate::client::ReplayBody;
use crate::client::replay::replay;

pin_project! {
    /// The response of a service whose requests are sent again, after as many attempts as it takes.
    #[must_use = "futures do nothing unless polled"]
    pub struct RetryFuture<S, B, P>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S::Future>,
        service: S,
        // For the next attempt, if there may be one.
        again: Option<Request<B>>,
        course: Course,
        errors: P,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Attempt { #[pin] future: F },
        Waiting { #[pin] sleep: Sleep },
        Ready,
    }
}

impl<S, B, P> RetryFuture<S, B, P>
where
    S: Service<Request<B>>,
{
    pub(super) const fn new(
        attempt: S::Future,
        service: S,
        again: Option<Request<B>>,
        course: Course,
        errors: P,
    ) -> Self {
        Self {
            state: State::Attempt { future: attempt },
            service,
            again,
            course,
            errors,
        }
    }
}

impl<S, B, P, ResBody> Future for RetryFuture<S, B, P>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    P: RetryErrors<S::Error>,
    B: ReplayBody,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Attempt { future } => {
                    let result = ready!(future.poll(context));
                    if this.again.is_none() {
                        return Poll::Ready(result);
                    }
                    match wait(this.course, this.errors, &result) {
                        Some(wait) => State::Waiting { sleep: sleep(wait) },
                        None => return Poll::Ready(result),
                    }
                }
                StateProjection::Waiting { sleep } => {
                    ready!(sleep.poll(context));
                    State::Ready
                }
                StateProjection::Ready => {
                    ready!(this.service.poll_ready(context))?;
                    // Always there: without it there is no wait.
                    let Some(request) = this.again.take() else {
                        return Poll::Pending;
                    };
                    *this.again = replay(&request);
                    let future = this.service.call(request);
                    State::Attempt { future }
                }
            };
            this.state.set(next);
        }
    }
}

fn wait<B, E>(
    course: &mut Course,
    errors: &impl RetryErrors<E>,
    result: &Result<Response<B>, E>,
) -> Option<Duration> {
    match result {
        Ok(response) => course.after_answer(response.status(), response.headers()),
        Err(error) if errors.retries(error) => course.after_error(),
        Err(_) => None,
    }
}

impl<S, B, P> fmt::Debug for RetryFuture<S, B, P>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryFuture")
            .field("course", &self.course)
            .finish_non_exhaustive()
    }
}
