//! Routes of which every one has a policy.

use std::fmt;
use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::{FromRequest, Handler, HttpRequest, Responder, ResponseError as _};
use gatewright_core::error::ErrorCode;
use gatewright_core::gate::Gate;
use gatewright_core::policy::{
    LivePolicy, Policy, Realm, RouteErrors, RouteTable, RouteTableBuilder,
};
use gatewright_core::source::TrustedProxies;

use crate::Refusal;
use crate::guard::{self, Guard, ReadSource};
use crate::handler::{Attach, attach};
use crate::methods::{Guardable, GuardedMethods};
use crate::routes::{GuardedRoutes, Make, Served};

/// Collects routes with their policies, and makes [`GuardedRoutes`] of them if every policy is right.
///
/// All of its routes are in one realm, whose dialect also answers unknown paths (404 `not_found`) and methods (405
/// `method_not_allowed`). The source address that limits go by is the socket's peer, unless
/// [`behind_proxies`](Self::behind_proxies) or [`source_from`](Self::source_from) says otherwise.
///
/// Paths are in axum's syntax, so that a service and its route table are the same on both frameworks: `{name}` is a segment
/// that isn't empty, `{*rest}` at the end the rest, not empty either. A parameter is a whole segment and is named with ASCII
/// letters, digits and `_`; there are no regular expressions. Of several paths that match, the one with the earlier literal
/// segment is served, in whatever order they were declared. A path with a slash at the end is another path. As always in
/// actix, a path spelled with needless escapes (`/l%69nks`) is the same path.
///
/// `OPTIONS` is a method like others: a browser's preflight, which carries no credential, gets 405 unless the realm says
/// which pages of other origins may call ([`RealmBuilder::cors`](gatewright_core::policy::RealmBuilder::cors)).
#[must_use = "routes serve nothing until they are finished and registered"]
pub struct GuardedScope {
    zone: Zone,
    routes: Vec<Route>,
    nested: Vec<(String, Self)>,
    fallbacks: Vec<Route>,
}

/// What the routes of one scope have in common.
#[derive(Clone)]
struct Zone {
    gate: Gate,
    realm: Realm,
    source: Option<ReadSource>,
}

struct Route {
    path: String,
    methods: Vec<Guardable>,
    /// The zone of the scope that was merged, where it isn't the scope's own.
    zone: Option<Zone>,
}

impl GuardedScope {
    /// A scope without routes.
    pub const fn new(gate: Gate, realm: Realm) -> Self {
        Self {
            zone: Zone {
                gate,
                realm,
                source: None,
            },
            routes: Vec::new(),
            nested: Vec::new(),
            fallbacks: Vec::new(),
        }
    }

    /// Reads the source address of requests in another way, for this scope and those nested in it that don't say theirs.
    /// A header says it truly only if a proxy of yours set it; [`behind_proxies`](Self::behind_proxies) reads those.
    pub fn source_from(
        mut self,
        source: impl Fn(&HttpRequest) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.zone.source = Some(Arc::new(source));
        self
    }

    /// As [`source_from`](Self::source_from), for a service behind proxies: a request came from the socket's peer, unless
    /// these are believed to say otherwise. `None`, as a configuration without proxies has it, believes only the socket.
    pub fn behind_proxies(mut self, proxies: impl Into<Option<TrustedProxies>>) -> Self {
        self.zone.source = Some(guard::behind(proxies.into()));
        self
    }

    /// Serves a path, in axum's syntax. The same path may be added again with other methods.
    pub fn route(mut self, path: &str, methods: GuardedMethods) -> Self {
        self.routes.push(Route {
            path: path.to_owned(),
            methods: methods.methods,
            zone: None,
        });
        self
    }

    /// Serves the routes of `inner` under a prefix; `/` of it is the prefix itself. `inner` may be of another realm, but not
    /// of another gate: its routes would answer `internal_error`.
    pub fn nest(mut self, prefix: &str, inner: Self) -> Self {
        self.nested.push((prefix.to_owned(), inner));
        self
    }

    /// Serves the routes of `other` too, each in the realm that it was declared in. Unknown paths stay this scope's,
    /// unless `other` alone has a [`fallback`](Self::fallback); two are a mistake that [`finish`](Self::finish) reports.
    pub fn merge(mut self, other: Self) -> Self {
        let Self {
            zone,
            routes,
            mut nested,
            fallbacks,
        } = other;
        for (_, inner) in &mut nested {
            inner.zone.source = inner.zone.source.take().or_else(|| zone.source.clone());
        }
        let adopt = |mut route: Route| {
            route.zone.get_or_insert_with(|| zone.clone());
            route
        };
        self.routes.extend(routes.into_iter().map(adopt));
        self.fallbacks.extend(fallbacks.into_iter().map(adopt));
        self.nested.extend(nested);
        self
    }

    /// Answers unknown paths, of any method, with a handler of its own instead of 404 `not_found`.
    pub fn fallback<H, Args>(mut self, policy: Policy, handler: H) -> Self
    where
        H: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        H::Output: Responder + 'static,
    {
        self.fallbacks.push(Route {
            path: "/*".to_owned(),
            methods: vec![Guardable::new("*", policy, handler)],
            zone: None,
        });
        self
    }

    /// The routes and the table of them, if every policy is right. Policies are compiled here, once for all workers.
    ///
    /// # Errors
    /// Every mistake of every route, nested ones included, at once; paths that cannot be served are among them.
    pub fn finish(mut self) -> Result<(GuardedRoutes, RouteTable), RouteErrors> {
        let mut table = self.zone.gate.routes();
        self.compile("", &mut table);
        let table = table.finish()?;
        let source: ReadSource = Arc::new(guard::peer);
        let mut served = Served::default();
        self.build("", &source, &mut served);
        Ok((GuardedRoutes::new(served), table))
    }

    /// Also puts whole paths in the place of those that were declared.
    fn compile(&mut self, prefix: &str, table: &mut RouteTableBuilder) {
        for route in &mut self.routes {
            route.path = table.path(prefix, &route.path);
            route.compile(&self.zone, table);
        }
        for fallback in &mut self.fallbacks {
            fallback.path = format!("{}/*", prefix.trim_end_matches('/'));
            fallback.compile(&self.zone, table);
        }
        for (inner_prefix, inner) in &mut self.nested {
            *inner_prefix = table.nested(prefix, inner_prefix);
            inner.compile(inner_prefix, table);
        }
    }

    /// Called once all policies are compiled.
    fn build(self, prefix: &str, inherited: &ReadSource, served: &mut Served) {
        let source = self.zone.source.as_ref().unwrap_or(inherited);
        for route in self.routes {
            let zone = route.zone.as_ref().unwrap_or(&self.zone);
            let resource = served.resource(route.path, || {
                zone.refuses(ErrorCode::MethodNotAllowed, source)
            });
            for method in route.methods {
                let name = method.method;
                if let Some(bound) = zone.bind(method, source) {
                    resource.add(name, bound);
                }
            }
        }
        let own = self.fallbacks.into_iter().find_map(|mut route| {
            let zone = route.zone.as_ref().unwrap_or(&self.zone);
            zone.bind(route.methods.pop()?, source)
        });
        let fallback = own.or_else(|| self.zone.refuses(ErrorCode::NotFound, source));
        served.fallback(prefix, fallback);
        for (inner_prefix, inner) in self.nested {
            inner.build(&inner_prefix, source, served);
        }
    }
}

impl Route {
    fn compile(&mut self, around: &Zone, table: &mut RouteTableBuilder) {
        let realm = &self.zone.as_ref().unwrap_or(around).realm;
        for method in &mut self.methods {
            method.compiled = table.add(method.method, &self.path, &method.policy, realm);
        }
    }
}

impl Zone {
    fn bind(&self, method: Guardable, inherited: &ReadSource) -> Option<Make> {
        Some(self.guarded(method.attach, method.compiled?, inherited))
    }

    /// A handler that answers everybody with this code, in the realm's dialect. It stands behind the gate too, so that
    /// asking for what isn't there is charged to the source address.
    fn refuses(&self, code: ErrorCode, inherited: &ReadSource) -> Option<Make> {
        let policy = self.gate.compile(&Policy::public(), &self.realm).ok()?;
        let refuse = attach(move || ready(Refusal::from(code).error_response()));
        Some(self.guarded(refuse, policy.into(), inherited))
    }

    fn guarded(&self, attach: Attach, policy: LivePolicy, inherited: &ReadSource) -> Make {
        let guard = Guard {
            gate: self.gate.clone(),
            policy,
            source: Arc::clone(self.source.as_ref().unwrap_or(inherited)),
            tenant: None,
        };
        Box::new(move || attach(&guard))
    }
}

impl fmt::Debug for GuardedScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<_> = self.routes.iter().map(|route| &route.path).collect();
        f.debug_struct("GuardedScope")
            .field("realm", &self.zone.realm.name())
            .field("routes", &routes)
            .field("nested", &self.nested)
            .finish_non_exhaustive()
    }
}
