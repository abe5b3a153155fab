//! The response to come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

use super::McpBody;

/// The response of an MCP server behind its rules, or a refusal.
#[must_use = "futures do nothing unless polled"]
pub struct McpFuture<B, E>(Answering<B, E>);

type Answering<B, E> = Pin<Box<dyn Future<Output = Result<Response<McpBody<B>>, E>> + Send>>;

impl<B, E> McpFuture<B, E> {
    pub(super) fn new(
        answering: impl Future<Output = Result<Response<McpBody<B>>, E>> + Send + 'static,
    ) -> Self {
        Self(Box::pin(answering))
    }
}

impl<B, E> Future for McpFuture<B, E> {
    type Output = Result<Response<McpBody<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<B, E> fmt::Debug for McpFuture<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpFuture").finish_non_exhaustive()
    }
}
