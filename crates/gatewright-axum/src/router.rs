//! A router whose every route has a policy.

use std::collections::BTreeMap;
use std::fmt;
use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use gatewright_core::error::ErrorCode;
use gatewright_core::gate::Gate;
use gatewright_core::policy::{
    LivePolicy, Policy, Realm, RouteErrors, RouteTable, RouteTableBuilder, allowed,
};
use gatewright_core::source::TrustedProxies;
use gatewright_tower::Guard;
use http::header::{ALLOW, HeaderValue};
use http::request::Parts;

use crate::Refusal;
use crate::guarded::{GuardedHandler, Post};
use crate::methods::{Guardable, GuardedMethods};
use crate::source::{self, ReadSource};

/// Collects routes with their policies, and makes an axum [`Router`] of them if every policy is right.
///
/// All of its routes are in one realm, whose dialect also answers unknown paths (404 `not_found`) and methods (405
/// `method_not_allowed`). The source address that limits go by is axum's `ConnectInfo<SocketAddr>`, unless
/// [`behind_proxies`](Self::behind_proxies) or [`source_from`](Self::source_from) says otherwise.
///
/// Paths are in axum's syntax: `{name}` is a segment, `{*rest}` at the end the rest. A parameter is named with ASCII letters,
/// digits and `_`, and a path has at most 16 of them, so that a service and its route table can be the same on every
/// framework. A path with a slash at the end is another path. `OPTIONS` is a method like others: a browser's preflight, which carries
/// no credential, gets 405 unless the realm says which pages of other origins may call
/// ([`RealmBuilder::cors`](gatewright_core::policy::RealmBuilder::cors)).
#[must_use = "routes serve nothing until `finish` makes a router of them"]
pub struct GuardedRouter<S = ()> {
    zone: Zone,
    routes: Vec<Route<S>>,
    nested: Vec<(String, Self)>,
    fallbacks: Vec<Route<S>>,
}

/// What the routes of one router have in common.
#[derive(Clone)]
struct Zone {
    gate: Gate,
    realm: Realm,
    source: Option<ReadSource>,
}

struct Route<S> {
    path: String,
    methods: Vec<Guardable<S>>,
    /// The zone of the router that was merged, where it isn't the router's own.
    zone: Option<Zone>,
}

impl<S> GuardedRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// A router without routes.
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

    /// Reads the source address of requests in another way, for this router and those nested in it that don't say theirs.
    /// A header says it truly only if a proxy of yours set it; [`behind_proxies`](Self::behind_proxies) reads those.
    pub fn source_from(
        mut self,
        source: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.zone.source = Some(Arc::new(source));
        self
    }

    /// As [`source_from`](Self::source_from), for a service behind proxies: a request came from axum's
    /// `ConnectInfo<SocketAddr>`, unless these are believed to say otherwise. `None`, as a configuration without proxies has
    /// it, believes only the socket.
    pub fn behind_proxies(mut self, proxies: impl Into<Option<TrustedProxies>>) -> Self {
        self.zone.source = Some(source::behind(proxies.into()));
        self
    }

    /// Serves a path. The same path may be added again with other methods.
    pub fn route(mut self, path: &str, methods: GuardedMethods<S>) -> Self {
        self.routes.push(Route {
            path: path.to_owned(),
            methods: methods.methods,
            zone: None,
        });
        self
    }

    /// Serves the routes of `inner` under a prefix, as [`Router::nest`] does. `inner` may be of another realm, but not of
    /// another gate: its routes would answer `internal_error`.
    pub fn nest(mut self, prefix: &str, inner: Self) -> Self {
        self.nested.push((prefix.to_owned(), inner));
        self
    }

    /// Serves the routes of `other` too, each in the realm that it was declared in. Unknown paths stay this router's,
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
        let adopt = |mut route: Route<S>| {
            route.zone.get_or_insert_with(|| zone.clone());
            route
        };
        self.routes.extend(routes.into_iter().map(adopt));
        self.fallbacks.extend(fallbacks.into_iter().map(adopt));
        self.nested.extend(nested);
        self
    }

    /// Answers unknown paths, of any method, with a handler of its own instead of 404 `not_found`.
    pub fn fallback<H, T>(mut self, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.fallbacks.push(Route {
            path: "/*".to_owned(),
            methods: vec![Guardable::any(policy, handler)],
            zone: None,
        });
        self
    }

    /// Gives the handlers their state.
    pub fn with_state<S2>(self, state: S) -> GuardedRouter<S2> {
        let routes = |routes: Vec<Route<S>>| {
            routes
                .into_iter()
                .map(|route| route.with_state(&state))
                .collect()
        };
        GuardedRouter {
            zone: self.zone,
            routes: routes(self.routes),
            fallbacks: routes(self.fallbacks),
            nested: self
                .nested
                .into_iter()
                .map(|(prefix, inner)| (prefix, inner.with_state(state.clone())))
                .collect(),
        }
    }

    /// The router and the table of its routes, if every policy is right.
    ///
    /// What is added to the [`Router`] afterwards is not guarded.
    ///
    /// # Errors
    /// Every mistake of every route, nested ones included, at once; paths that cannot be served are among them.
    pub fn finish(mut self) -> Result<(Router<S>, RouteTable), RouteErrors> {
        let mut table = self.zone.gate.routes();
        self.compile("", &mut table);
        let table = table.finish()?;
        let source: ReadSource = Arc::new(source::peer);
        Ok((self.build(&source), table))
    }

    fn compile(&mut self, prefix: &str, table: &mut RouteTableBuilder) {
        for route in &mut self.routes {
            let path = table.path(prefix, &route.path);
            route.compile(&path, &self.zone, table);
        }
        for fallback in &mut self.fallbacks {
            let path = format!("{}/*", prefix.trim_end_matches('/'));
            fallback.compile(&path, &self.zone, table);
        }
        for (inner_prefix, inner) in &mut self.nested {
            let whole = table.nested(prefix, inner_prefix);
            inner.compile(&whole, table);
        }
    }

    /// Called once all policies are compiled.
    fn build(self, inherited: &ReadSource) -> Router<S> {
        let source = self.zone.source.as_ref().unwrap_or(inherited);
        let mut router = Router::new();

        let mut paths: BTreeMap<String, (Zone, Vec<&str>, MethodRouter<S>)> = BTreeMap::new();
        for route in self.routes {
            let zone = route.zone.unwrap_or_else(|| self.zone.clone());
            let (_, methods, served) = paths
                .entry(route.path)
                .or_insert_with(|| (zone.clone(), Vec::new(), MethodRouter::new()));
            for method in route.methods {
                methods.push(method.method);
                if let Some(method) = zone.guarded(method, source) {
                    *served = std::mem::take(served).merge(method);
                }
            }
        }
        for (path, (zone, methods, mut served)) in paths {
            if let Some(refused) = zone.refuses(ErrorCode::MethodNotAllowed, source) {
                // axum would say `HEAD` twice where it is declared beside `GET`.
                let allow = HeaderValue::from_str(&allowed(methods));
                let allow = allow.unwrap_or(HeaderValue::from_static(""));
                served =
                    served.fallback(refused.layer(map_response(move |mut response: Response| {
                        response.headers_mut().insert(ALLOW, allow.clone());
                        ready(response)
                    })));
            }
            router = router.route(&path, served);
        }
        for (prefix, inner) in self.nested {
            router = router.nest(&prefix, inner.build(source));
        }

        let own = self.fallbacks.into_iter().find_map(|mut route| {
            let zone = route.zone.as_ref().unwrap_or(&self.zone);
            zone.guarded(route.methods.pop()?, source)
        });
        match own {
            Some(own) => router.fallback(own),
            None => match self.zone.refuses(ErrorCode::NotFound, source) {
                Some(refused) => router.fallback(refused),
                None => router,
            },
        }
    }
}

impl<S> Route<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn compile(&mut self, path: &str, around: &Zone, table: &mut RouteTableBuilder) {
        let realm = &self.zone.as_ref().unwrap_or(around).realm;
        for method in &mut self.methods {
            method.compiled = table.add(method.method, path, &method.policy, realm);
        }
    }

    fn with_state<S2>(self, state: &S) -> Route<S2> {
        Route {
            path: self.path,
            methods: self
                .methods
                .into_iter()
                .map(|method| method.with_state(state.clone()))
                .collect(),
            zone: self.zone,
        }
    }
}

impl Zone {
    fn guarded<S>(&self, method: Guardable<S>, inherited: &ReadSource) -> Option<MethodRouter<S>> {
        let post = self.post(method.compiled?, inherited);
        Some((method.attach)(post))
    }

    /// A handler that answers everybody with this code, in the realm's dialect. It stands behind the gate too, so that
    /// asking for what isn't there is charged to the source address.
    fn refuses<S>(&self, code: ErrorCode, inherited: &ReadSource) -> Option<MethodRouter<S>>
    where
        S: Clone + Send + Sync + 'static,
    {
        let policy = self.gate.compile(&Policy::public(), &self.realm).ok()?;
        Some(any(GuardedHandler {
            post: self.post(policy.into(), inherited),
            handler: move || ready(Refusal::from(code)),
        }))
    }

    fn post(&self, policy: LivePolicy, inherited: &ReadSource) -> Arc<Post> {
        Arc::new(Post {
            guard: Guard::new(self.gate.clone(), policy),
            source: Arc::clone(self.source.as_ref().unwrap_or(inherited)),
        })
    }
}

impl<S> fmt::Debug for GuardedRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<_> = self.routes.iter().map(|route| &route.path).collect();
        f.debug_struct("GuardedRouter")
            .field("realm", &self.zone.realm.name())
            .field("routes", &routes)
            .field("nested", &self.nested)
            .finish_non_exhaustive()
    }
}
