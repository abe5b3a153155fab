//! The response to come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use gatewright_core::error::AuthError;
use gatewright_core::gate::Pending;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::RenderRefusal;
use crate::guard::After;

pin_project! {
    /// The response of a service behind a gate, or the refusal.
    #[must_use = "futures do nothing unless polled"]
    pub struct GateFuture<S, B, R>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, S::Future, B>,
        after: After<R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F, B> {
        // The gate decides. What waits is boxed: the future of a warm call stays small.
        Waiting { pending: Pending, held: Option<Box<(S, Request<B>)>> },
        Serving { #[pin] future: F },
        Refused { error: AuthError },
        Preflight,
    }
}

impl<S, B, R> GateFuture<S, B, R>
where
    S: Service<Request<B>>,
{
    pub(crate) fn waiting(
        pending: Pending,
        service: S,
        request: Request<B>,
        after: After<R>,
    ) -> Self {
        let held = Some(Box::new((service, request)));
        Self {
            state: State::Waiting { pending, held },
            after,
        }
    }

    pub(crate) const fn serving(future: S::Future, after: After<R>) -> Self {
        Self {
            state: State::Serving { future },
            after,
        }
    }

    pub(crate) const fn preflight(after: After<R>) -> Self {
        Self {
            state: State::Preflight,
            after,
        }
    }

    pub(crate) const fn refused(error: AuthError, after: After<R>) -> Self {
        Self {
            state: State::Refused { error },
            after,
        }
    }
}

impl<S, B, R, ResBody> Future for GateFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    R: RenderRefusal<ResBody>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Waiting { pending, held } => {
                    let decision = ready!(Pin::new(pending).poll(context));
                    match (decision, held.take()) {
                        (Ok(admitted), Some(held)) => {
                            let (mut service, mut request) = *held;
                            this.after.admit(request.extensions_mut(), admitted);
                            State::Serving {
                                future: service.call(request),
                            }
                        }
                        (Err(error), _) => State::Refused { error },
                        // Only where the service panicked in `call` and the future is polled again.
                        (Ok(_), None) => return Poll::Pending,
                    }
                }
                StateProjection::Serving { future } => {
                    let mut answered = future.poll(context);
                    if let Poll::Ready(Ok(response)) = &mut answered {
                        this.after.finish(response);
                    }
                    return answered;
                }
                StateProjection::Refused { error } => {
                    return Poll::Ready(Ok(this.after.refusal(error.clone())));
                }
                StateProjection::Preflight => {
                    return Poll::Ready(Ok(this.after.preflight()));
                }
            };
            this.state.set(next);
        }
    }
}

impl<S, B, R> fmt::Debug for GateFuture<S, B, R>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateFuture")
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}
