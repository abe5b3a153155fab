//! Static keys of an org: they never expire, and their secret is shown once.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::credential::SecretKind;
use gatewright_core::error::ErrorCode;
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::{CredentialFilter, CredentialRecord, CredentialStore};
use gatewright_issuer::{Authority, MintRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scopes::granted;
use crate::realms::MCP_CALL;
use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::web::{
    Failure, Json, Listed, MAX_SCOPES, Paging, Shown, name, rfc3339, schema, settled,
};

/// The brand of orgs' keys.
pub(crate) const BRAND: &str = "apx_live_sk";

/// What a new key shall be.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewOrgKey {
    #[schema(value_type = schema::Name)]
    name: String,
    /// `["mcp:call"]` unless said: every connector of the org.
    #[schema(value_type = Option<Vec<schema::GatewayScope>>, min_items = 1, max_items = 64)]
    scopes: Option<Vec<String>>,
    /// The connectors that the key may call, by id: another way to say its scopes.
    #[schema(value_type = Option<Vec<schema::ConnectorId>>, min_items = 1, max_items = 64)]
    connectors: Option<Vec<String>>,
}

/// A key as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrgKeyView {
    prefix: String,
    name: String,
    #[schema(value_type = schema::Scopes)]
    scopes: ScopeSet,
    created_by: String,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = Option<schema::Time>, required = true)]
    revoked_at: Option<String>,
    #[schema(value_type = Option<schema::Time>, required = true)]
    last_used_at: Option<String>,
}

/// A key when it was minted: the one time that its secret is shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MintedOrgKey {
    prefix: String,
    name: String,
    #[schema(value_type = String)]
    secret: Shown,
    #[schema(value_type = schema::Scopes)]
    scopes: ScopeSet,
    #[schema(value_type = schema::Time)]
    created_at: String,
}

/// `GET /api/api-keys`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<OrgKeyView>, Failure> {
    let filter = CredentialFilter::kind(SecretKind::ApiKey);
    let tenant = member.tenant.id();
    let keys = site.app.store.list(tenant, &filter, &page).await?;
    Ok(keys.map(OrgKeyView::from).into())
}

/// `POST /api/api-keys`
pub(super) async fn mint(
    State(site): State<Site>,
    member: Member,
    Json(new): Json<NewOrgKey>,
) -> Result<(StatusCode, axum::Json<MintedOrgKey>), Failure> {
    name("name", &new.name)?;
    let app = &site.app;
    let tenant = member.tenant.id().clone();
    let mut scopes = new.scopes;
    if let Some(ids) = new.connectors {
        if ids.is_empty() || ids.len() > MAX_SCOPES {
            let rule = format!("must name 1 to {MAX_SCOPES}");
            return Err(Failure::out_of_range("connectors", &rule));
        }
        for id in &ids {
            if !app.product.has_connector(&tenant, id).await? {
                let message = "The org has no connector of this id";
                return Err(Failure::because(ErrorCode::NotFound, message));
            }
        }
        let bound = ids.iter().map(|id| format!("{MCP_CALL}:{id}"));
        scopes.get_or_insert_default().extend(bound);
    }
    let scopes = granted(&app.product, &tenant, scopes.as_deref()).await?;
    let authority = Authority::of(&member.principal, &app.realms.gateway);
    let request = MintRequest::new(BRAND, tenant, member.user.clone(), scopes).named(&*new.name);
    let issuer = app.credentials.clone();
    let minted = settled(site.app.under_way.clone(), async move {
        Ok(issuer.mint(request, &authority).await?)
    })
    .await?;
    let key = MintedOrgKey {
        prefix: minted.id.to_string(),
        name: new.name,
        secret: Shown(minted.secret),
        scopes: minted.scopes,
        created_at: rfc3339(minted.created_at),
    };
    Ok((StatusCode::CREATED, axum::Json(key)))
}

/// `DELETE /api/api-keys/{prefix}`: the same again changes nothing.
pub(super) async fn revoke(
    State(site): State<Site>,
    member: Member,
    Path(prefix): Path<String>,
) -> Result<StatusCode, Failure> {
    settled(site.app.under_way.clone(), async move {
        let (tenant, by) = (member.tenant.id(), Some(&member.user));
        let issuer = &site.app.credentials;
        issuer
            .revoke(SecretKind::ApiKey, tenant, &prefix, by)
            .await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// What minting refuses with.
pub(super) const REFUSALS: &[ErrorCode] = &[
    ErrorCode::InvalidScope,
    ErrorCode::InsufficientScope,
    ErrorCode::NotFound,
];

impl From<CredentialRecord> for OrgKeyView {
    fn from(key: CredentialRecord) -> Self {
        Self {
            prefix: key.id.to_string(),
            name: key.name,
            scopes: key.scopes,
            created_by: key.owner.to_string(),
            created_at: rfc3339(key.created_at),
            revoked_at: key.revoked_at.map(rfc3339),
            last_used_at: key.last_used_at.map(rfc3339),
        }
    }
}
