//! Finished routes, registered with one app after another.

use std::fmt;
use std::sync::Arc;

use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Resource as ActixResource, Route, Scope};

use gatewright_core::policy::allowed;

use crate::paths::{pattern, rank};

/// Makes a guarded route for one worker's app.
pub(crate) type Make = Box<dyn Fn() -> Route + Send + Sync>;

/// Routes that a [`GuardedScope`](crate::GuardedScope) found right. Cheap to clone; every worker's app registers them, and
/// all share their policies.
///
/// ```
/// # use actix_web::App;
/// # fn apps(routes: gatewright_actix::GuardedRoutes) {
/// let factory = move || App::new().configure(|config| routes.register(config));
/// # let _ = factory;
/// # }
/// ```
#[derive(Clone)]
#[must_use = "routes serve nothing until an app registers them"]
pub struct GuardedRoutes(Arc<Served>);

/// What is served, in the order in which paths are tried.
#[derive(Default)]
pub(crate) struct Served {
    resources: Vec<Resource>,
    /// Of the prefixes that scopes are nested under.
    fallbacks: Vec<(String, Make)>,
    fallback: Option<Make>,
}

/// All methods of a path.
pub(crate) struct Resource {
    path: String,
    methods: Vec<(&'static str, Make)>,
    /// Answers the other methods.
    others: Option<Make>,
}

impl GuardedRoutes {
    pub(crate) fn new(mut served: Served) -> Self {
        served
            .resources
            .sort_by_key(|resource| rank(&resource.path));
        served.fallbacks.sort_by_key(|(prefix, _)| {
            let stem = prefix.trim_end_matches('/');
            rank(&format!("{stem}/{{*rest}}"))
        });
        Self(Arc::new(served))
    }

    /// Registers the routes and, as the default service, the answer to unknown paths. For
    /// [`App::configure`](actix_web::App::configure) and [`Scope::configure`](actix_web::Scope::configure).
    ///
    /// What else is registered with the app is not guarded.
    pub fn register(&self, config: &mut ServiceConfig) {
        let served = &self.0;
        for resource in &served.resources {
            config.service(resource.make());
        }
        for (prefix, make) in &served.fallbacks {
            config.service(below(prefix).default_service(make()));
        }
        if let Some(make) = &served.fallback {
            config.default_service(make());
        }
    }
}

impl Served {
    /// The resource of a path; a new one answers unknown methods with `others`.
    pub(crate) fn resource(
        &mut self,
        path: String,
        others: impl FnOnce() -> Option<Make>,
    ) -> &mut Resource {
        let known = self.resources.iter().position(|known| known.path == path);
        let place = known.unwrap_or_else(|| {
            self.resources.push(Resource {
                path,
                methods: Vec::new(),
                others: others(),
            });
            self.resources.len() - 1
        });
        &mut self.resources[place]
    }

    /// Answers unknown paths under a prefix; the empty one is everything.
    pub(crate) fn fallback(&mut self, prefix: &str, make: Option<Make>) {
        if prefix.is_empty() {
            self.fallback = make;
        } else {
            self.fallbacks
                .extend(make.map(|make| (prefix.to_owned(), make)));
        }
    }
}

impl Resource {
    pub(crate) fn add(&mut self, method: &'static str, make: Make) {
        self.methods.push((method, make));
    }

    fn make(&self) -> ActixResource {
        let mut resource = web::resource(pattern(&self.path));
        let own_head = self.methods.iter().any(|(method, _)| *method == "HEAD");
        for &(method, ref make) in &self.methods {
            let head = method == "GET" && !own_head;
            let method = Method::from_bytes(method.as_bytes()).ok();
            // actix's own guards of methods write down each one that they try.
            let meant = move |context: &GuardContext<'_>| {
                let asked = &context.head().method;
                method.as_ref() == Some(asked) || head && *asked == Method::HEAD
            };
            resource = resource.route(make().guard(fn_guard(meant)));
        }
        match &self.others {
            Some(make) => {
                let methods = self.methods.iter().map(|(method, _)| *method);
                let allow = HeaderValue::from_str(&allowed(methods));
                let allow = allow.unwrap_or(HeaderValue::from_static(""));
                let allow = DefaultHeaders::new().add((ALLOW, allow));
                resource.default_service(make().wrap(allow))
            }
            None => resource,
        }
    }
}

/// The unknown paths of a nested scope, as axum parts them from those of the scope around it: the prefix itself and what is
/// below, but a slash after the prefix only where the prefix ends in one.
fn below(prefix: &str) -> Scope {
    let stem = prefix.trim_end_matches('/');
    let (slashes, whole) = (stem.matches('/').count(), stem.len() == prefix.len());
    let inside = move |context: &GuardContext<'_>| {
        let path = context.head().uri.path();
        match path.matches('/').count().saturating_sub(slashes) {
            0 => whole,
            1 if path.ends_with('/') => !whole,
            _ => true,
        }
    };
    web::scope(stem).guard(fn_guard(inside))
}

impl fmt::Debug for GuardedRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.0.resources.iter().map(|resource| &resource.path);
        f.debug_list().entries(paths).finish()
    }
}
