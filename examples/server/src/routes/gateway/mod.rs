//! The gateway's own API, `/api`: an org's admins manage it, its keys may look.

mod audit;
mod clients;
mod connectors;
mod keys;
mod operations;
mod orgs;
mod scopes;
mod sso;

use gatewright_axum::{GuardedRouter, delete, get, post};
use gatewright_core::gate::Gate;
use gatewright_core::policy::Policy;

pub(crate) use connectors::new_id as connector_id;
pub(super) use operations::operations;
pub(crate) use sso::same_issuer;

use super::Site;
use crate::realms::{MCP_CALL, Realms};

/// Everything under `/api`.
pub(super) fn routes(gate: &Gate, realms: &Realms) -> GuardedRouter<Site> {
    // A key that is bound to connectors is for calling those, and not for looking around.
    let key = || Policy::api_key().scope(MCP_CALL.as_str());
    let admin = || Policy::jwt().role("admin").tenant_from_query("org");
    let reader = || admin().or(key());

    GuardedRouter::new(gate.clone(), realms.gateway.clone())
        .route("/auth/login", post(Policy::public(), orgs::login))
        .route(
            "/orgs",
            get(Policy::jwt().or(key()), orgs::list).post(Policy::jwt(), orgs::create),
        )
        .route(
            "/api-keys",
            get(reader(), keys::list).post(admin(), keys::mint),
        )
        .route("/api-keys/{prefix}", delete(admin(), keys::revoke))
        .route(
            "/oauth-clients",
            get(reader(), clients::list).post(admin(), clients::register),
        )
        .route(
            "/oauth-clients/{clientId}",
            delete(admin(), clients::remove),
        )
        .route(
            "/sso",
            get(reader(), sso::show)
                .put(admin(), sso::put)
                .delete(admin(), sso::remove),
        )
        .route(
            "/connectors",
            get(reader(), connectors::list).post(admin(), connectors::add),
        )
        .route("/connectors/{id}", delete(admin(), connectors::remove))
        .route("/audit", get(reader(), audit::list))
}
