//! What handlers take from a proven caller.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use gatewright_axum::Refusal;
use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::gate::Guarded;
use gatewright_core::principal::{Principal, Tenant, UserId, Verified};

use super::Site;
use crate::app::App;
use crate::web::{Failure, source};

/// A caller with a user behind the credential.
#[derive(Clone)]
pub(crate) struct Person {
    /// The caller.
    pub(crate) principal: Verified<Principal>,
    /// The user: who logged in, or who minted the key.
    pub(crate) user: UserId,
    source: Option<IpAddr>,
}

/// A [`Person`] in the tenant of the request.
#[derive(Clone)]
pub(crate) struct Member {
    person: Person,
    /// The tenant.
    pub(crate) tenant: Tenant,
}

impl Deref for Member {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.person
    }
}

impl FromRequestParts<Site> for Person {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Refusal> {
        Ok(Self::of(parts, &site.app)?)
    }
}

impl FromRequestParts<Site> for Member {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Refusal> {
        Ok(Self::of(parts, &site.app)?)
    }
}

impl Person {
    /// Whoever made the request with this head.
    fn of(parts: &Parts, app: &App) -> Result<Self, AuthError> {
        let principal = Guarded::of(parts.extensions.get())?.caller()?.clone();
        // Machines have nothing of their own here.
        let user = principal.user().ok_or(ErrorCode::InsufficientScope)?;
        Ok(Self {
            user: user.clone(),
            principal,
            source: source(app, parts),
        })
    }

    /// Something that the caller did just now, in the tenant of the request.
    pub(crate) fn did(&self, app: &App, kind: AuditKind) -> AuditEvent {
        AuditEvent::new(kind, app.gate.clock().now())
            .by(&self.principal)
            .from(self.source)
    }

    /// Notes that the caller was refused, as the gate notes what it refuses by itself, and answers the refusal.
    pub(crate) fn denied(&self, app: &App, cause: Cause) -> Failure {
        app.audit
            .record(self.did(app, AuditKind::Denied).because(cause));
        cause.into()
    }
}

impl Member {
    /// Whoever made the request with this head.
    ///
    /// # Errors
    /// `insufficient_scope` for a machine, `not_found` for a caller without a tenant.
    pub(crate) fn of(parts: &Parts, app: &App) -> Result<Self, AuthError> {
        let person = Person::of(parts, app)?;
        let tenant = person.principal.tenant().cloned();
        Ok(Self {
            person,
            tenant: tenant.ok_or(Cause::NoMembership)?,
        })
    }

    /// The role of a user; keys have none.
    pub(crate) fn role(&self) -> Option<&str> {
        self.principal.role().map(|role| role.as_str())
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Person").field(&self.user).finish()
    }
}

/// The parameters of the path. The router has matched them, so a failure is the client's bad percent-encoding.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: serde::de::DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0))
            .map_err(|_| ErrorCode::NotFound.into())
    }
}
