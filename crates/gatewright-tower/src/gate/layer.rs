//! The layer.

use std::borrow::Cow;
use std::net::IpAddr;

use gatewright_core::gate::Gate;
use gatewright_core::policy::LivePolicy;
use gatewright_core::source::TrustedProxies;
use http::request::Parts;
use tower_layer::Layer;

use super::{GateService, ReadSource, ReadTenant};
use crate::{Guard, HttpRefusal, source_behind};

/// Puts a gate in front of a service: whoever its policy doesn't admit is answered by the layer.
///
/// By default no tenant and no source address are known, and refusals are rendered in the dialect of the policy's realm.
#[derive(Clone, Debug)]
#[must_use = "a layer guards nothing until it is put around a service"]
pub struct GateLayer<T = ReadTenant, A = ReadSource, R = HttpRefusal> {
    guard: Guard<R>,
    tenant: T,
    source: A,
}

impl GateLayer {
    /// A layer that admits whom `policy` admits. `policy` must have been compiled by `gate`; otherwise every request is
    /// refused as `internal_error`. A [`LivePolicy`] may be replaced while requests run.
    pub fn new(gate: Gate, policy: impl Into<LivePolicy>) -> Self {
        Self::guarding(Guard::new(gate, policy))
    }
}

impl<R> GateLayer<ReadTenant, ReadSource, R> {
    /// A layer of this guard, for instance one that renders refusals in its own way.
    pub const fn guarding(guard: Guard<R>) -> Self {
        Self {
            guard,
            tenant: |_| None,
            source: |_| None,
        }
    }
}

impl<T, A, R> GateLayer<T, A, R> {
    /// Reads the tenant's name, decoded, from each request. A policy that names a tenant parameter needs this: without
    /// a name it admits nobody. A name that stands in the request as it is can be borrowed from it.
    pub fn tenant_from<F>(self, tenant: F) -> GateLayer<F, A, R>
    where
        F: for<'a> Fn(&'a Parts) -> Option<Cow<'a, str>> + Clone,
    {
        GateLayer {
            guard: self.guard,
            tenant,
            source: self.source,
        }
    }

    /// Reads the address that each request came from, for limits by source. A header says it truly only if a proxy of
    /// yours set it; [`behind_proxies`](Self::behind_proxies) reads those.
    pub fn source_from<F>(self, source: F) -> GateLayer<T, F, R>
    where
        F: Fn(&Parts) -> Option<IpAddr> + Clone,
    {
        GateLayer {
            guard: self.guard,
            tenant: self.tenant,
            source,
        }
    }

    /// As [`source_from`](Self::source_from), for a service behind proxies: `peer` reads the socket's other end, which is
    /// where a request came from unless `proxies` are believed to say otherwise. `None`, as a configuration without proxies
    /// has it, believes only the socket.
    pub fn behind_proxies<F>(
        self,
        proxies: impl Into<Option<TrustedProxies>>,
        peer: F,
    ) -> GateLayer<T, impl Fn(&Parts) -> Option<IpAddr> + Clone, R>
    where
        F: Fn(&Parts) -> Option<IpAddr> + Clone,
    {
        let proxies = proxies.into();
        self.source_from(move |parts: &Parts| match &proxies {
            Some(proxies) => source_behind(proxies, peer(parts), &parts.headers),
            None => peer(parts),
        })
    }
}

impl<S, T: Clone, A: Clone, R> Layer<S> for GateLayer<T, A, R> {
    type Service = GateService<S, T, A, R>;

    fn layer(&self, inner: S) -> Self::Service {
        GateService::new(
            inner,
            self.guard.clone(),
            self.tenant.clone(),
            self.source.clone(),
        )
    }
}
