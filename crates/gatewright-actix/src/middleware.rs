//! The gate as middleware.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpRequest, HttpResponse};
use gatewright_core::gate::Gate;
use gatewright_core::policy::LivePolicy;
use gatewright_core::source::TrustedProxies;

use crate::guard::{self, After, Guard, asks_for_problem};

/// Puts a gate with one policy in front of an app, a scope or a resource: whoever the policy doesn't admit is answered by
/// it, with a response and never with an error that other middleware would let pass.
///
/// The source address is the socket's peer, unless [`behind_proxies`](Self::behind_proxies) or
/// [`source_from`](Self::source_from) says otherwise. The tenant's name is the path parameter that the policy names, unless [`tenant_from`](Self::tenant_from) says otherwise; around an app or a
/// scope, only the parameters of its own prefix are known, and without a name nobody is admitted.
#[derive(Clone, Debug)]
#[must_use = "middleware guards nothing until something is wrapped in it"]
pub struct GateMiddleware(Guard);

impl GateMiddleware {
    /// Middleware that admits whom `policy` admits. `policy` must have been compiled by `gate`; otherwise every request is
    /// refused as `internal_error`. A [`LivePolicy`] may be replaced while requests run.
    pub fn new(gate: Gate, policy: impl Into<LivePolicy>) -> Self {
        Self(Guard {
            gate,
            policy: policy.into(),
            source: Arc::new(guard::peer),
            tenant: None,
        })
    }

    /// Reads the tenant's name, decoded, from each request in another way. Without a name, a policy that names a tenant
    /// parameter admits nobody.
    pub fn tenant_from(
        mut self,
        tenant: impl Fn(&HttpRequest) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.0.tenant = Some(Arc::new(tenant));
        self
    }

    /// Reads the address that each request came from, for limits by source, in another way. A header says it truly only if
    /// a proxy of yours set it; [`behind_proxies`](Self::behind_proxies) reads those.
    pub fn source_from(
        mut self,
        source: impl Fn(&HttpRequest) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.0.source = Arc::new(source);
        self
    }

    /// As [`source_from`](Self::source_from), for a service behind proxies: a request came from the socket's peer, unless
    /// these are believed to say otherwise. `None`, as a configuration without proxies has it, believes only the socket.
    pub fn behind_proxies(mut self, proxies: impl Into<Option<TrustedProxies>>) -> Self {
        self.0.source = guard::behind(proxies.into());
        self
    }
}

impl<S, B> Transform<S, ServiceRequest> for GateMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = GateService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(GateService {
            service: Rc::new(service),
            guard: Rc::new(self.0.clone()),
        }))
    }
}

/// A service behind a gate; made by [`GateMiddleware`].
pub struct GateService<S> {
    service: Rc<S>,
    guard: Rc<Guard>,
}

impl<S, B> Service<ServiceRequest> for GateService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (service, guard) = (Rc::clone(&self.service), Rc::clone(&self.guard));
        Box::pin(async move {
            let mut after = After::new(guard.policy.standing(), request.request());
            if let Err(response) = guard.admit(request.request(), &mut after).await {
                return Ok(answer(request, response));
            }
            // Asked now: the service may change the request's fields, and an error brings back none.
            let problem = asks_for_problem(request.request());
            let answered = service.call(request).await;
            let answered = answered.map_err(|error| after.finish_error(error, problem))?;
            let (request, response) = answered.into_parts();
            let response = after.finish(response, problem);
            Ok(ServiceResponse::new(request, response))
        })
    }
}

/// The guard's own answer, in the place of the service's.
fn answer<B>(request: ServiceRequest, response: HttpResponse) -> ServiceResponse<EitherBody<B>> {
    request.into_response(response.map_into_right_body())
}

impl<S> fmt::Debug for GateService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateService")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}
