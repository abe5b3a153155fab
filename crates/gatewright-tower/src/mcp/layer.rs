//! The layer.

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::{McpService, TrustedSites};

/// Puts the rules of [`mcp`](crate::mcp) in front of an MCP server. It stands behind a gate: a request that passed none is
/// answered 500 `internal_error`.
#[must_use = "a layer guards nothing until it is put around a service"]
pub struct McpLayer<P> {
    tools: Arc<P>,
    sites: TrustedSites,
    max_body_bytes: usize,
}

pub(super) struct Rules<P> {
    pub(super) tools: Arc<P>,
    pub(super) sites: TrustedSites,
    pub(super) max_body_bytes: usize,
}

impl<P> McpLayer<P> {
    /// The longest body that is read unless another length is given: 1 MiB.
    pub const MAX_BODY_BYTES: usize = 1 << 20;

    /// A layer that judges calls by what `tools` asks for. A tool that `tools` doesn't know is none: it is neither listed nor
    /// called, whatever the server behind the layer has.
    pub fn new(tools: P, sites: TrustedSites) -> Self {
        Self {
            tools: Arc::new(tools),
            sites,
            max_body_bytes: Self::MAX_BODY_BYTES,
        }
    }

    /// The same with another bound for bodies, in bytes.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }
}

impl<S, P> Layer<S> for McpLayer<P> {
    type Service = McpService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        let rules = Rules {
            tools: Arc::clone(&self.tools),
            sites: self.sites.clone(),
            max_body_bytes: self.max_body_bytes,
        };
        McpService::new(inner, Arc::new(rules))
    }
}

impl<P> Clone for McpLayer<P> {
    fn clone(&self) -> Self {
        Self {
            tools: Arc::clone(&self.tools),
            sites: self.sites.clone(),
            max_body_bytes: self.max_body_bytes,
        }
    }
}

impl<P> fmt::Debug for McpLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpLayer")
            .field("sites", &self.sites)
            .field("max_body_bytes", &self.max_body_bytes)
            .finish_non_exhaustive()
    }
}
