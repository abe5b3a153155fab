//! A handler behind a gate.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use gatewright_tower::{GateFuture, Guard, HttpRefusal};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::path::PathParameters;
use crate::source::ReadSource;

/// The guard of one route, and what it reads of its requests.
pub(crate) struct Post {
    pub(crate) guard: Guard,
    pub(crate) source: ReadSource,
}

/// The handler of one route with its guard. A handler and not a layer: axum boxes nothing more for it.
pub(crate) struct GuardedHandler<H> {
    pub(crate) post: Arc<Post>,
    pub(crate) handler: H,
}

impl<H: Clone> Clone for GuardedHandler<H> {
    fn clone(&self) -> Self {
        Self {
            post: Arc::clone(&self.post),
            handler: self.handler.clone(),
        }
    }
}

impl<H, T, S> Handler<T, S> for GuardedHandler<H>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    type Future = GuardedFuture<H, T, S>;

    fn call(self, request: Request, state: S) -> Self::Future {
        let Post { guard, source } = &*self.post;
        let (mut head, body) = request.into_parts();
        let policy = guard.policy();
        let parameters;
        let tenant = match policy.tenant_parameter() {
            None => Ok(None),
            Some(name) => {
                parameters = PathParameters::of(&mut head);
                let parameters = parameters.as_ref().map_err(Clone::clone);
                parameters.and_then(|all| all.named(name)).map(Some)
            }
        };
        let judged = guard.judge(&head, policy, tenant, || source(&head));
        let mut service = HandlerCall::new(self.handler, state);
        GuardedFuture {
            response: judged.proceed(&mut service, head, body),
        }
    }
}

/// A handler and its state as the service of one call, which takes both: axum's own would clone them once more.
struct HandlerCall<H, T, S> {
    call: Option<(H, S)>,
    extracted: PhantomData<fn() -> T>,
}

impl<H, T, S> HandlerCall<H, T, S> {
    const fn new(handler: H, state: S) -> Self {
        Self {
            call: Some((handler, state)),
            extracted: PhantomData,
        }
    }
}

impl<H: Clone, T, S: Clone> Clone for HandlerCall<H, T, S> {
    fn clone(&self) -> Self {
        Self {
            call: self.call.clone(),
            extracted: PhantomData,
        }
    }
}

impl<H, T, S> Service<Request> for HandlerCall<H, T, S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Called<H::Future>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match self.call {
            Some(_) => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }

    #[inline]
    fn call(&mut self, request: Request) -> Self::Future {
        // No closure: it would be handed a copy of the request.
        let Some((handler, state)) = self.call.take() else {
            return Called { response: None };
        };
        Called {
            response: Some(handler.call(request, state)),
        }
    }
}

pin_project! {
    /// The response of a handler; never where it was called twice, which nobody does.
    struct Called<F> {
        #[pin]
        response: Option<F>,
    }
}

impl<F: Future<Output = Response>> Future for Called<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().response.as_pin_mut() {
            Some(response) => response.poll(context).map(Ok),
            None => Poll::Pending,
        }
    }
}

pin_project! {
    /// The response of a guarded handler.
    pub(crate) struct GuardedFuture<H, T, S>
    where
        H: Handler<T, S>,
        T: 'static,
        S: Clone,
        S: Send,
        S: Sync,
        S: 'static,
    {
        #[pin]
        response: GateFuture<HandlerCall<H, T, S>, Body, HttpRefusal>,
    }
}

impl<H, T, S> Future for GuardedFuture<H, T, S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    type Output = Response;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let answered: Result<Response, Infallible> = ready!(self.project().response.poll(context));
        let Ok(response) = answered;
        Poll::Ready(response)
    }
}
