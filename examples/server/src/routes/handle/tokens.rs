//! Personal access tokens of a handle. People manage them; a token cannot manage tokens.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::credential::SecretKind;
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::{CredentialFilter, CredentialRecord, CredentialStore};
use gatewright_issuer::{Authority, MintRequest};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::routes::credentials::{RotateBody, expiry};
use crate::web::{
    Failure, Json, Listed, OptionalJson, Paging, Shown, name, rfc3339, schema, scopes, settled,
};

const BRAND: &str = "patv1";
/// The longest life that a token may be given, in days.
const MAX_DAYS: u64 = 365;
/// The life of a token when nothing is said, in days.
const DEFAULT_DAYS: u64 = 90;

/// What a new token shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewToken {
    #[schema(value_type = schema::Name)]
    name: String,
    #[schema(value_type = Vec<schema::GrantableScope>, min_items = 1, max_items = 64)]
    scopes: Vec<String>,
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 365)]
    expires_in_days: Option<Number>,
}

/// A token when it was minted: the one time that its secret is shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MintedToken {
    token_id: String,
    #[schema(value_type = String)]
    token: Shown,
    name: String,
    handle: String,
    #[schema(value_type = schema::Scopes)]
    scopes: ScopeSet,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = Option<schema::Time>, required = true)]
    expires_at: Option<String>,
}

/// A token as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenView {
    token_id: String,
    name: String,
    handle: String,
    #[schema(value_type = schema::Scopes)]
    scopes: ScopeSet,
    created_by: String,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = Option<schema::Time>, required = true)]
    expires_at: Option<String>,
    #[schema(value_type = Option<schema::Time>, required = true)]
    revoked_at: Option<String>,
    #[schema(value_type = Option<schema::Time>, required = true)]
    last_used_at: Option<String>,
}

/// A token's new secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RotatedToken {
    token_id: String,
    #[schema(value_type = String)]
    token: Shown,
    /// Until when the secret before is honoured.
    #[schema(value_type = schema::Time)]
    old_secret_ends_at: String,
}

/// The parameters of the path to one token.
#[derive(Debug, Deserialize)]
pub(super) struct TokenPath {
    #[serde(rename = "tokenId")]
    token_id: String,
}

/// `GET /v2/handles/{handle}/tokens`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<TokenView>, Failure> {
    let filter = CredentialFilter::kind(SecretKind::Pat);
    let tenant = member.tenant.id();
    let tokens = site.app.store.list(tenant, &filter, &page).await?;
    Ok(tokens.map(TokenView::from).into())
}

/// `POST /v2/handles/{handle}/tokens`
pub(super) async fn mint(
    State(site): State<Site>,
    member: Member,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, axum::Json<MintedToken>), Failure> {
    name("name", &new.name)?;
    let app = &site.app;
    let scopes = scopes(&new.scopes)?;
    let days = new.expires_in_days.unwrap_or_else(|| DEFAULT_DAYS.into());
    let expires_at = expiry("expiresInDays", &days, MAX_DAYS, app.gate.clock().now())?;
    let authority = Authority::of(&member.principal, &app.realms.handle);
    let tenant = member.tenant.id().clone();
    let request = MintRequest::new(BRAND, tenant, member.user.clone(), scopes)
        .named(&*new.name)
        .expiring_at(Some(expires_at));
    let issuer = app.credentials.clone();
    let minted = settled(site.app.under_way.clone(), async move {
        Ok(issuer.mint(request, &authority).await?)
    })
    .await?;
    let token = MintedToken {
        token_id: minted.id.to_string(),
        token: Shown(minted.secret),
        name: new.name,
        handle: member.tenant.slug().to_owned(),
        scopes: minted.scopes,
        created_at: rfc3339(minted.created_at),
        expires_at: minted.expires_at.map(rfc3339),
    };
    Ok((StatusCode::CREATED, axum::Json(token)))
}

/// `DELETE /v2/handles/{handle}/tokens/{tokenId}`: the same again changes nothing.
pub(super) async fn revoke(
    State(site): State<Site>,
    member: Member,
    Path(path): Path<TokenPath>,
) -> Result<StatusCode, Failure> {
    settled(site.app.under_way.clone(), async move {
        let (tenant, by) = (member.tenant.id(), Some(&member.user));
        let issuer = &site.app.credentials;
        issuer
            .revoke(SecretKind::Pat, tenant, &path.token_id, by)
            .await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// `POST /v2/handles/{handle}/tokens/{tokenId}/rotate`
pub(super) async fn rotate(
    State(site): State<Site>,
    member: Member,
    Path(path): Path<TokenPath>,
    OptionalJson(body): OptionalJson<RotateBody>,
) -> Result<axum::Json<RotatedToken>, Failure> {
    let grace = body.grace()?;
    let authority = Authority::of(&member.principal, &site.app.realms.handle);
    settled(site.app.under_way.clone(), async move {
        let (tenant, id) = (member.tenant.id(), path.token_id);
        let issuer = &site.app.credentials;
        let rotated = issuer.rotate(BRAND, tenant, &id, grace, &authority).await?;
        Ok(axum::Json(RotatedToken {
            token_id: id,
            token: Shown(rotated.secret),
            old_secret_ends_at: rfc3339(rotated.old_secret_ends_at),
        }))
    })
    .await
}

impl From<CredentialRecord> for TokenView {
    fn from(token: CredentialRecord) -> Self {
        Self {
            token_id: token.id.to_string(),
            name: token.name,
            handle: token.tenant.slug().to_owned(),
            scopes: token.scopes,
            created_by: token.owner.to_string(),
            created_at: rfc3339(token.created_at),
            expires_at: token.expires_at.map(rfc3339),
            revoked_at: token.revoked_at.map(rfc3339),
            last_used_at: token.last_used_at.map(rfc3339),
        }
    }
}
