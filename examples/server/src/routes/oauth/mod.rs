//! The authorization server for the clients of orgs, and the documents by which they find it.

mod discovery;
mod endpoints;
mod operations;

use std::sync::Arc;

use gatewright_axum::{GuardedRouter, get, post};
use gatewright_core::gate::Gate;
use gatewright_core::jwt::VerifierError;
use gatewright_core::policy::Policy;
use gatewright_issuer::{AuthorizationServer, TenantResource};
use gatewright_sqlx::SqliteStore;

pub(super) use operations::operations;

use super::Site;
use crate::app::App;
use crate::realms::Realms;

/// Gives the clients of an org tokens for `/mcp/{org}`, and for nothing else.
///
/// # Errors
/// [`VerifierError::Issuer`] where the public URL makes none.
pub(super) fn server(app: &App) -> Result<AuthorizationServer, VerifierError> {
    let store = Arc::<SqliteStore>::clone(&app.store);
    let resource = TenantResource::under(&format!("{}/mcp/", app.public_url));
    AuthorizationServer::builder(app.gate.clone(), store, app.tokens.clone(), resource)
        .audit(app.audit.clone())
        .realm(app.realms.oauth.name())
        .build()
}

/// Everything under `/oauth`. Clients prove themselves to the endpoints, which is no matter of the gate's.
pub(super) fn routes(gate: &Gate, realms: &Realms) -> GuardedRouter<Site> {
    let public = Policy::public;
    GuardedRouter::new(gate.clone(), realms.oauth.clone())
        .route("/token", post(public(), endpoints::token))
        .route("/revoke", post(public(), endpoints::revoke))
        .route("/introspect", post(public(), endpoints::introspect))
        .route(
            "/authorize",
            get(public(), endpoints::authorize).post(public(), endpoints::authorize),
        )
}

/// Everything under `/.well-known` (RFC 8615).
pub(super) fn documents(gate: &Gate, realms: &Realms) -> GuardedRouter<Site> {
    let public = Policy::public;
    let resource = "/oauth-protected-resource";
    GuardedRouter::new(gate.clone(), realms.oauth.clone())
        .route("/jwks.json", get(public(), discovery::jwks))
        .route(
            "/oauth-authorization-server",
            get(public(), discovery::server),
        )
        .route(resource, get(public(), discovery::root))
        .route(&format!("{resource}/mcp"), get(public(), discovery::mcp))
        .route(
            &format!("{resource}/mcp/{{org}}"),
            get(public(), discovery::org),
        )
}
