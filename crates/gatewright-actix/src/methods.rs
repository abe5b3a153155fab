//! The methods of a path, each with its policy.

use std::fmt;

use actix_web::{FromRequest, Handler, Responder};
use gatewright_core::policy::{LivePolicy, Policy};

use crate::handler::{Attach, attach};

/// The methods of one path. There is no way to add one without a policy.
#[must_use = "methods serve nothing until a path is given them"]
pub struct GuardedMethods {
    pub(crate) methods: Vec<Guardable>,
}

/// A method that waits for its policy to be compiled.
pub(crate) struct Guardable {
    pub(crate) method: &'static str,
    pub(crate) policy: Policy,
    pub(crate) compiled: Option<LivePolicy>,
    pub(crate) attach: Attach,
}

impl Guardable {
    pub(crate) fn new<H, Args>(method: &'static str, policy: Policy, handler: H) -> Self
    where
        H: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        H::Output: Responder + 'static,
    {
        Self {
            method,
            policy,
            compiled: None,
            attach: attach(handler),
        }
    }
}

macro_rules! methods {
    ($($(#[$note:meta])* $name:ident = $method:literal;)+) => {
        $(
            #[doc = concat!("Serves `", $method, "` with a handler, to whom the policy admits.")]
            $(#[$note])*
            pub fn $name<H, Args>(policy: Policy, handler: H) -> GuardedMethods
            where
                H: Handler<Args> + Send + Sync,
                Args: FromRequest + 'static,
                H::Output: Responder + 'static,
            {
                GuardedMethods { methods: Vec::new() }.$name(policy, handler)
            }
        )+

        impl GuardedMethods {
            $(
                #[doc = concat!("Also serves `", $method, "`.")]
                $(#[$note])*
                pub fn $name<H, Args>(mut self, policy: Policy, handler: H) -> Self
                where
                    H: Handler<Args> + Send + Sync,
                    Args: FromRequest + 'static,
                    H::Output: Responder + 'static,
                {
                    self.methods.push(Guardable::new($method, policy, handler));
                    self
                }
            )+
        }
    };
}

methods! {
    /// `HEAD` is answered by the same handler under the same policy, unless it has its own.
    get = "GET";
    head = "HEAD";
    post = "POST";
    put = "PUT";
    patch = "PATCH";
    delete = "DELETE";
    options = "OPTIONS";
}

impl fmt::Debug for GuardedMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = self.methods.iter();
        f.debug_map()
            .entries(methods.map(|method| (method.method, &method.policy)))
            .finish()
    }
}
