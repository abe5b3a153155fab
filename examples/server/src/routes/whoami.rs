//! What a credential says about its holder.

use axum::Json;
use gatewright_axum::Authenticated;
use gatewright_core::principal::{Principal, Tenant};
use gatewright_core::scope::ScopeSet;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::{rfc3339, schema};

/// The verified principal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Whoami {
    /// `jwt`, `pat`, `api_key` or `external`.
    kind: String,
    /// `user:`, `client:` or `external:`, and the id.
    subject: String,
    #[schema(required = true)]
    tenant: Option<TenantView>,
    #[schema(value_type = schema::Scopes)]
    scopes: ScopeSet,
    #[schema(required = true)]
    role: Option<String>,
    credential_id: String,
    #[schema(value_type = Option<schema::Time>, required = true)]
    expires_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct TenantView {
    id: String,
    kind: String,
    slug: String,
    plan: String,
}

/// `GET /whoami`: reads nothing beyond what the gate has read.
pub(super) async fn whoami(Authenticated(principal): Authenticated) -> Json<Whoami> {
    Json(Whoami::of(&principal))
}

impl Whoami {
    pub(crate) fn of(principal: &Principal) -> Self {
        Self {
            kind: principal.mode().as_str().to_ascii_lowercase(),
            subject: principal.subject().to_string(),
            tenant: principal.tenant().map(TenantView::of),
            scopes: principal.scopes().clone(),
            role: principal.role().map(ToString::to_string),
            credential_id: principal.credential().to_string(),
            expires_at: principal.expires_at().map(rfc3339),
        }
    }
}

impl TenantView {
    fn of(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id().to_string(),
            kind: tenant.kind().to_string(),
            slug: tenant.slug().to_owned(),
            plan: tenant.plan().to_owned(),
        }
    }
}
