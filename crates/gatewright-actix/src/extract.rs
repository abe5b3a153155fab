//! What a handler asks for of its caller.

use std::fmt;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use gatewright_core::error::AuthError;
use gatewright_core::gate::Guarded;
use gatewright_core::principal::{Principal, Verified};
use gatewright_core::scope::ScopeMarker;

use crate::Refusal;

/// The caller, proven by the gate in front of the handler.
///
/// Refuses with 401 `missing_bearer_token` where the policy admits callers who present nothing and this one did. On a route
/// behind no gate, or whose policy is public alone, it answers 500 `internal_error`: the log says
/// `GateMissing` or `PolicyMissing`.
///
/// Never ask for `Option<Authenticated>`: actix makes `None` of whatever refuses, so that a route behind no gate would look
/// like one where nobody presented anything. Ask for [`MaybeAuthenticated`].
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "handlers destructure it among their arguments"
)]
pub struct Authenticated(pub Verified<Principal>);

impl FromRequest for Authenticated {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found(request, |guarded| {
            Ok(Self(guarded.caller()?.clone()))
        }))
    }
}

impl Deref for Authenticated {
    type Target = Verified<Principal>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// The caller, if one presented a credential, on a route that admits both (`Policy::jwt().or(Policy::public())`).
///
/// What was presented is right: a bad credential was refused before the handler. Behind no gate it answers 500
/// `internal_error` with the cause `GateMissing`.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "handlers destructure it among their arguments"
)]
pub struct MaybeAuthenticated(pub Option<Verified<Principal>>);

impl FromRequest for MaybeAuthenticated {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found(request, |guarded| {
            Ok(Self(guarded.principal().cloned()))
        }))
    }
}

impl Deref for MaybeAuthenticated {
    type Target = Option<Verified<Principal>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// The caller of a route whose policy makes sure of the scope `M`.
///
/// It adds no requirement: it asserts that everybody whom the route's policy admits may do what `M` names, so that a
/// handler and its policy can't drift apart. Where the policy doesn't make sure of it, every call is 500
/// `internal_error`, whatever scopes the caller has, and the error's source names the scope.
pub struct Scoped<M> {
    principal: Verified<Principal>,
    scope: PhantomData<fn() -> M>,
}

impl<M> Scoped<M> {
    /// The caller.
    #[must_use]
    pub fn into_principal(self) -> Verified<Principal> {
        self.principal
    }
}

impl<M: ScopeMarker + 'static> FromRequest for Scoped<M> {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found(request, |guarded| {
            Ok(Self {
                principal: guarded.caller_with(M::SCOPE)?.clone(),
                scope: PhantomData,
            })
        }))
    }
}

impl<M> Deref for Scoped<M> {
    type Target = Verified<Principal>;

    fn deref(&self) -> &Self::Target {
        &self.principal
    }
}

impl<M> Clone for Scoped<M> {
    fn clone(&self) -> Self {
        Self {
            principal: self.principal.clone(),
            scope: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Scoped<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scoped").field(&self.principal).finish()
    }
}

/// What an extractor makes of what the guard left.
fn found<T>(
    request: &HttpRequest,
    make: impl FnOnce(&Guarded) -> Result<T, AuthError>,
) -> Result<T, Refusal> {
    let extensions = request.extensions();
    Ok(make(Guarded::of(extensions.get())?)?)
}
