//! Presents one credential that doesn't change.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use gatewright_core::credential::Secret;
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::presented::{Presented, wants};
use super::{ConfigError, Origin};

/// Presents a credential to the origins that it is bound to, and to nobody else.
///
/// A request to another origin passes without it, so that what follows redirects above this layer gives nothing away.
/// So does a request that has `Authorization` or `X-API-Key` already: a request presents one credential, and the caller's
/// own is never replaced; and so do CONNECT and TRACE, whose fields others read. To be sent to the bound origin a request
/// needs an absolute URL without user information, and a `Host` field, where it has one, that agrees with it.
///
/// **A client that follows redirects by itself must not be below this layer**: it would repeat the field wherever it is
/// sent. reqwest, for one, drops `Authorization` when the host changes, but not `X-API-Key`; build it with
/// `redirect(Policy::none())`.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct AttachLayer {
    presented: Arc<Presented>,
    origins: Arc<[Origin]>,
}

impl AttachLayer {
    /// Sends `Authorization: Bearer …` to `origin` (RFC 6750 §2.1): personal access tokens and JWTs.
    ///
    /// # Errors
    ///
    /// [`ConfigError::EmptyCredential`] and [`ConfigError::UnsendableCredential`].
    pub fn bearer(origin: Origin, token: &Secret) -> Result<Self, ConfigError> {
        Ok(Self::new(origin, Presented::bearer(token)?))
    }

    /// Sends `X-API-Key: …` to `origin`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::EmptyCredential`] and [`ConfigError::UnsendableCredential`].
    pub fn api_key(origin: Origin, key: &Secret) -> Result<Self, ConfigError> {
        Ok(Self::new(origin, Presented::api_key(key)?))
    }

    /// Sends the credential to this origin, too.
    pub fn and_to(mut self, origin: Origin) -> Self {
        self.origins = self.origins.iter().cloned().chain([origin]).collect();
        self
    }

    fn new(origin: Origin, presented: Presented) -> Self {
        Self {
            presented: Arc::new(presented),
            origins: Arc::new([origin]),
        }
    }
}

impl<S> Layer<S> for AttachLayer {
    type Service = Attach<S>;

    fn layer(&self, inner: S) -> Attach<S> {
        Attach {
            inner,
            layer: self.clone(),
        }
    }
}

impl fmt::Debug for AttachLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachLayer")
            .field("presented", &self.presented)
            .field("origins", &self.origins)
            .finish()
    }
}

/// A service whose requests present a credential; made by [`AttachLayer`].
#[derive(Clone, Debug)]
pub struct Attach<S> {
    inner: S,
    layer: AttachLayer,
}

impl<S, B> Service<Request<B>> for Attach<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if wants(&request, &self.layer.origins) {
            self.layer.presented.put(request.headers_mut());
        }
        self.inner.call(request)
    }
}
