//! The service.

use std::borrow::Cow;
use std::net::IpAddr;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use tower_service::Service;

use super::{GateFuture, ReadSource, ReadTenant};
use crate::{Guard, HttpRefusal, RenderRefusal};

/// A service behind a gate; made by [`GateLayer`](super::GateLayer).
#[derive(Clone, Debug)]
pub struct GateService<S, T = ReadTenant, A = ReadSource, R = HttpRefusal> {
    inner: S,
    guard: Guard<R>,
    tenant: T,
    source: A,
}

impl<S, T, A, R> GateService<S, T, A, R> {
    pub(super) const fn new(inner: S, guard: Guard<R>, tenant: T, source: A) -> Self {
        Self {
            inner,
            guard,
            tenant,
            source,
        }
    }
}

impl<S, T, A, R, ReqBody, ResBody> Service<Request<ReqBody>> for GateService<S, T, A, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    T: for<'a> Fn(&'a Parts) -> Option<Cow<'a, str>>,
    A: Fn(&Parts) -> Option<IpAddr> + Sync,
    R: RenderRefusal<ResBody> + Clone,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = GateFuture<S, ReqBody, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let tenant = (self.tenant)(&parts);
        let policy = self.guard.policy();
        let judged = self.guard.judge(&parts, policy, Ok(tenant.as_deref()), || {
            (self.source)(&parts)
        });
        drop(tenant);
        judged.proceed(&mut self.inner, parts, body)
    }
}
