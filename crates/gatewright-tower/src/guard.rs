//! One gate with one policy, in front of a service: the steps that every adapter of http 1.x shares.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use gatewright_core::dialect::wants_problem;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::gate::{Admission, Admitted, Arrival, Gate};
use gatewright_core::limit::LimitState;
use gatewright_core::policy::CompiledPolicy;
use gatewright_core::principal::{Principal, Verified};
use http::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderValue};
use http::{Extensions, Request, Response};
use tower_service::Service;

use crate::HeaderFields;
use crate::gate::GateFuture;
use crate::render::{self, HandlerRefusal, HttpRefusal, RenderRefusal};

/// A gate and the policy that it judges by. Cheap to clone.
///
/// [`GateLayer`](crate::GateLayer) puts it around a service; adapters for frameworks call it directly.
pub struct Guard<R = HttpRefusal>(Arc<Inner<R>>);

struct Inner<R> {
    gate: Gate,
    policy: Arc<CompiledPolicy>,
    refusals: R,
}

impl Guard {
    /// A guard whose refusals are rendered in the dialect of the policy's realm.
    ///
    /// `policy` must have been compiled by `gate`; otherwise every request is refused as `internal_error`.
    #[must_use]
    pub fn new(gate: Gate, policy: Arc<CompiledPolicy>) -> Self {
        Self::rendering(gate, policy, HttpRefusal)
    }
}

impl<R> Guard<R> {
    /// A guard whose refusals `refusals` renders.
    #[must_use]
    pub fn rendering(gate: Gate, policy: Arc<CompiledPolicy>, refusals: R) -> Self {
        Self(Arc::new(Inner {
            gate,
            policy,
            refusals,
        }))
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Arc<CompiledPolicy> {
        &self.0.policy
    }

    /// Calls `service` if the request is admitted, and answers the refusal otherwise.
    ///
    /// `service` must be ready. It is replaced by its clone only where the decision has to be waited for, so that the
    /// service that was ready is the one called. `tenant` is the decoded value of the path parameter that the policy
    /// names; `source` is the address that the request came from, as far as it is known and trusted.
    pub fn call<S, B>(
        &self,
        service: &mut S,
        mut request: Request<B>,
        tenant: Option<&str>,
        source: Option<IpAddr>,
    ) -> GateFuture<S, B, R>
    where
        S: Service<Request<B>> + Clone,
    {
        let problem = asks_for_problem(request.headers());
        let arrival = Arrival::new()
            .tenant(tenant)
            .source(source)
            .query(request.uri().query());
        let fields = HeaderFields::new(request.headers());
        match self.0.gate.authenticate(&fields, &self.0.policy, &arrival) {
            Admission::Ready(Ok(admitted)) => {
                let after = self.admit(&mut request, admitted, problem);
                GateFuture::serving(service.call(request), after)
            }
            Admission::Ready(Err(error)) => GateFuture::refused(error, After::new(self, problem)),
            Admission::Pending(pending) => {
                let clone = service.clone();
                let ready = std::mem::replace(service, clone);
                GateFuture::waiting(pending, ready, request, After::new(self, problem))
            }
            // An answer that isn't known here admits nobody.
            _ => GateFuture::refused(ErrorCode::InternalError.into(), After::new(self, problem)),
        }
    }

    /// Refuses before the gate is asked, in the route's own dialect.
    pub fn refuse<S, B>(&self, error: AuthError, request: &Request<B>) -> GateFuture<S, B, R>
    where
        S: Service<Request<B>>,
    {
        GateFuture::refused(error, After::new(self, asks_for_problem(request.headers())))
    }

    /// Marks an admitted request, and notes what its response will need.
    pub(crate) fn admit<B>(
        &self,
        request: &mut Request<B>,
        admitted: Admitted,
        problem: bool,
    ) -> After<R> {
        let after = After {
            guard: self.clone(),
            problem,
            verified: admitted.principal.is_some(),
            limits: admitted.limits,
        };
        request.extensions_mut().insert(Guarded {
            policy: Arc::clone(&self.0.policy),
            principal: admitted.principal,
            limits: admitted.limits,
        });
        after
    }
}

impl<R> Clone for Guard<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> fmt::Debug for Guard<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}

fn asks_for_problem(headers: &HeaderMap) -> bool {
    wants_problem(headers.get_all(ACCEPT).iter().map(HeaderValue::as_bytes))
}

/// What a guard leaves in the extensions of a request that it admitted.
///
/// It is the only thing left there: who asks for the principal learns in the same step whether there was a gate at all.
#[derive(Clone, Debug)]
pub struct Guarded {
    policy: Arc<CompiledPolicy>,
    principal: Option<Verified<Principal>>,
    limits: Option<LimitState>,
}

impl Guarded {
    /// What the guard of this request found.
    ///
    /// # Errors
    /// `internal_error` with [`Cause::GateMissing`]: the request passed no guard, a mistake of the program.
    pub fn of(extensions: &Extensions) -> Result<&Self, AuthError> {
        extensions.get().ok_or_else(|| Cause::GateMissing.into())
    }

    /// The policy that the request was admitted by.
    #[must_use]
    pub const fn policy(&self) -> &Arc<CompiledPolicy> {
        &self.policy
    }

    /// The caller; `None` where the policy admits callers who present nothing and this one did.
    #[must_use]
    pub const fn principal(&self) -> Option<&Verified<Principal>> {
        self.principal.as_ref()
    }

    /// The tightest rate limit that the request was charged to.
    #[must_use]
    pub const fn limits(&self) -> Option<&LimitState> {
        self.limits.as_ref()
    }
}

/// What is done to a response on its way out.
pub(crate) struct After<R> {
    guard: Guard<R>,
    problem: bool,
    verified: bool,
    limits: Option<LimitState>,
}

impl<R> After<R> {
    fn new(guard: &Guard<R>, problem: bool) -> Self {
        Self {
            guard: guard.clone(),
            problem,
            verified: false,
            limits: None,
        }
    }

    /// Admits the request that was waited for.
    pub(crate) fn admit<B>(&mut self, request: &mut Request<B>, admitted: Admitted) {
        *self = self.guard.admit(request, admitted, self.problem);
    }

    /// The refusal, with its error left in the extensions for the service's own logs.
    pub(crate) fn refusal<B>(&self, error: AuthError) -> Response<B>
    where
        R: RenderRefusal<B>,
    {
        let inner = &self.guard.0;
        let mut response = inner.refusals.render(&error, &inner.policy, self.problem);
        response.extensions_mut().insert(error);
        response
    }

    /// Finishes what the service answered.
    pub(crate) fn finish<B>(&self, mut response: Response<B>) -> Response<B>
    where
        R: RenderRefusal<B>,
    {
        if let Some(error) = HandlerRefusal::take(&mut response) {
            let refusal = self.refusal(error);
            response = render::replace(response, refusal);
        }
        if self.verified {
            render::put(
                &mut response,
                CACHE_CONTROL,
                HeaderValue::from_static("no-store"),
            );
        }
        if let Some(limits) = &self.limits {
            render::put_fields(
                &mut response,
                [
                    ("ratelimit-policy", limits.policy_field()),
                    ("ratelimit", limits.field()),
                ],
            );
        }
        response
    }
}

impl<R> fmt::Debug for After<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("After")
            .field("guard", &self.guard)
            .field("verified", &self.verified)
            .finish_non_exhaustive()
    }
}
