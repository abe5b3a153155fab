//! OAuth clients of an org: their secret is shown once.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::credential::SecretKind;
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::{CredentialFilter, CredentialRecord, CredentialStore};
use gatewright_issuer::Authority;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scopes::granted;
use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::web::{Failure, Json, Listed, Paging, Shown, name, rfc3339, schema, settled};

/// What a new client shall be.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewOauthClient {
    #[schema(value_type = schema::Name)]
    name: String,
    /// What its tokens may do at most; `["mcp:call"]` unless said.
    #[schema(value_type = Option<Vec<schema::GatewayScope>>, min_items = 1, max_items = 64)]
    scopes: Option<Vec<String>>,
}

/// A client as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OauthClientView {
    client_id: String,
    name: String,
    #[schema(value_type = schema::Scopes)]
    scopes: ScopeSet,
    created_by: String,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = Option<schema::Time>, required = true)]
    revoked_at: Option<String>,
}

/// A client when it was registered: the one time that its secret is shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisteredClient {
    client_id: String,
    #[schema(value_type = String)]
    client_secret: Shown,
    name: String,
    #[schema(value_type = schema::Scopes)]
    scopes: ScopeSet,
    #[schema(value_type = schema::Time)]
    created_at: String,
}

/// The parameters of the path to one client.
#[derive(Debug, Deserialize)]
pub(super) struct ClientPath {
    #[serde(rename = "clientId")]
    client_id: String,
}

/// `GET /api/oauth-clients`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<OauthClientView>, Failure> {
    let filter = CredentialFilter::kind(SecretKind::Client);
    let tenant = member.tenant.id();
    let clients = site.app.store.list(tenant, &filter, &page).await?;
    Ok(clients.map(OauthClientView::from).into())
}

/// `POST /api/oauth-clients`
pub(super) async fn register(
    State(site): State<Site>,
    member: Member,
    Json(new): Json<NewOauthClient>,
) -> Result<(StatusCode, axum::Json<RegisteredClient>), Failure> {
    name("name", &new.name)?;
    let tenant = member.tenant.id().clone();
    let scopes = granted(&site.app.product, &tenant, new.scopes.as_deref()).await?;
    let authority = Authority::of(&member.principal, &site.app.realms.gateway);
    let clients = site.app.clients();
    let request = clients.request(tenant, member.user.clone(), scopes);
    let request = request.named(&*new.name);
    let minted = settled(site.app.under_way.clone(), async move {
        Ok(clients.register(request, &authority).await?)
    })
    .await?;
    let client = RegisteredClient {
        client_id: minted.id.to_string(),
        client_secret: Shown(minted.secret),
        name: new.name,
        scopes: minted.scopes,
        created_at: rfc3339(minted.created_at),
    };
    Ok((StatusCode::CREATED, axum::Json(client)))
}

/// `DELETE /api/oauth-clients/{clientId}`: its tokens end with it. The same again changes nothing.
pub(super) async fn remove(
    State(site): State<Site>,
    member: Member,
    Path(path): Path<ClientPath>,
) -> Result<StatusCode, Failure> {
    settled(site.app.under_way.clone(), async move {
        let (tenant, by) = (member.tenant.id(), Some(&member.user));
        let clients = site.app.clients();
        clients.revoke(tenant, &path.client_id, by).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

impl From<CredentialRecord> for OauthClientView {
    fn from(client: CredentialRecord) -> Self {
        Self {
            client_id: client.id.to_string(),
            name: client.name,
            scopes: client.scopes,
            created_by: client.owner.to_string(),
            created_at: rfc3339(client.created_at),
            revoked_at: client.revoked_at.map(rfc3339),
        }
    }
}
