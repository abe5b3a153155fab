//! The methods of a path, each with its policy.

use std::fmt;
use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use gatewright_core::policy::{LivePolicy, Policy};

use crate::guarded::{GuardedHandler, Post};

/// Makes the handler's half of a route once its guard is known.
type Attach<S> = Box<dyn FnOnce(Arc<Post>) -> MethodRouter<S> + Send>;

/// The methods of one path. There is no way to add one without a policy.
#[must_use = "methods serve nothing until a path is given them"]
pub struct GuardedMethods<S = ()> {
    pub(crate) methods: Vec<Guardable<S>>,
}

/// A method that waits for its policy to be compiled.
pub(crate) struct Guardable<S> {
    pub(crate) method: &'static str,
    pub(crate) policy: Policy,
    pub(crate) compiled: Option<LivePolicy>,
    pub(crate) attach: Attach<S>,
}

impl<S> Guardable<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn new<H, T>(method: &'static str, filter: MethodFilter, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        Self {
            method,
            policy,
            compiled: None,
            attach: Box::new(move |post| on(filter, GuardedHandler { post, handler })),
        }
    }

    /// Serves every method.
    pub(crate) fn any<H, T>(policy: Policy, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        Self {
            method: "*",
            policy,
            compiled: None,
            attach: Box::new(move |post| any(GuardedHandler { post, handler })),
        }
    }

    pub(crate) fn with_state<S2>(self, state: S) -> Guardable<S2> {
        let attach = self.attach;
        Guardable {
            method: self.method,
            policy: self.policy,
            compiled: self.compiled,
            attach: Box::new(move |post| attach(post).with_state(state)),
        }
    }
}

macro_rules! methods {
    ($($(#[$note:meta])* $name:ident = $method:ident;)+) => {
        $(
            #[doc = concat!("Serves `", stringify!($method), "` with a handler, to whom the policy admits.")]
            $(#[$note])*
            pub fn $name<H, T, S>(policy: Policy, handler: H) -> GuardedMethods<S>
            where
                H: Handler<T, S>,
                T: 'static,
                S: Clone + Send + Sync + 'static,
            {
                GuardedMethods { methods: Vec::new() }.$name(policy, handler)
            }
        )+

        impl<S> GuardedMethods<S>
        where
            S: Clone + Send + Sync + 'static,
        {
            $(
                #[doc = concat!("Also serves `", stringify!($method), "`.")]
                $(#[$note])*
                pub fn $name<H, T>(mut self, policy: Policy, handler: H) -> Self
                where
                    H: Handler<T, S>,
                    T: 'static,
                {
                    let method = Guardable::new(stringify!($method), MethodFilter::$method, policy, handler);
                    self.methods.push(method);
                    self
                }
            )+
        }
    };
}

methods! {
    /// `HEAD` is answered by the same handler under the same policy, unless it has its own.
    get = GET;
    head = HEAD;
    post = POST;
    put = PUT;
    patch = PATCH;
    delete = DELETE;
    options = OPTIONS;
}

impl<S> fmt::Debug for GuardedMethods<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.methods.iter();
        f.debug_map()
            .entries(methods.map(|method| (method.method, &method.policy)))
            .finish()
    }
}
