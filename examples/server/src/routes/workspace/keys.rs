//! API keys: a member's own, and for those who may, everybody's.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::credential::SecretKind;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::principal::Mode;
use gatewright_core::scope::{Scope, ScopeSet};
use gatewright_core::store::{CredentialFilter, CredentialRecord, CredentialStore, PageRequest};
use gatewright_issuer::{Authority, MintRequest};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

use crate::app::App;
use crate::realms::{TEAM_KEYS_READ, TEAM_KEYS_WRITE, permits};
use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::routes::credentials::{RotateBody, expiry};
use crate::web::{
    Failure, Json, Listed, OptionalJson, Paging, Shown, name, rfc3339, schema, scopes, settled,
};

const BRAND: &str = "tnx";
/// The longest life that a key may be given, in days: ten years.
const MAX_DAYS: u64 = 3_650;

/// What a new key shall be.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewKey {
    #[schema(value_type = schema::Name)]
    name: String,
    /// `["*"]` unless said: all that the minter may do.
    #[schema(value_type = Option<Vec<schema::GrantableScope>>, min_items = 1, max_items = 64)]
    scopes: Option<Vec<String>>,
    /// Never unless said.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 3650)]
    expires_in_days: Option<Number>,
}

/// A key as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyView {
    prefix: String,
    name: String,
    owner: String,
    #[schema(value_type = schema::Scopes)]
    scopes: ScopeSet,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = Option<schema::Time>, required = true)]
    expires_at: Option<String>,
    #[schema(value_type = Option<schema::Time>, required = true)]
    revoked_at: Option<String>,
    #[schema(value_type = Option<schema::Time>, required = true)]
    last_used_at: Option<String>,
}

/// A key when it was minted: the one time that its secret is shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MintedKey {
    prefix: String,
    name: String,
    #[schema(value_type = String)]
    secret: Shown,
    #[schema(value_type = schema::Scopes)]
    scopes: ScopeSet,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = Option<schema::Time>, required = true)]
    expires_at: Option<String>,
}

/// A key's new secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RotatedKey {
    prefix: String,
    #[schema(value_type = String)]
    secret: Shown,
    /// Until when the secret before is honoured.
    #[schema(value_type = schema::Time)]
    old_secret_ends_at: String,
}

impl NewKey {
    /// One that never expires.
    pub(crate) fn named(name: String, scopes: Option<Vec<String>>) -> Self {
        Self {
            name,
            scopes,
            expires_in_days: None,
        }
    }
}

/// `GET /api/v1/users/api-keys`, `GET /api/v1/admin/api-keys`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<KeyView>, Failure> {
    page_of(&site.app, &member, &page).await
}

/// The keys that the caller may see.
pub(crate) async fn page_of(
    app: &App,
    member: &Member,
    page: &PageRequest,
) -> Result<Listed<KeyView>, Failure> {
    let mut filter = CredentialFilter::kind(SecretKind::ApiKey);
    if !permits(&member.principal, &app.realms.workspace, TEAM_KEYS_READ) {
        filter = filter.owned_by(member.user.clone());
    }
    let keys = app.store.list(member.tenant.id(), &filter, page).await?;
    Ok(keys.map(KeyView::from).into())
}

/// `POST /api/v1/users/api-keys`, `POST /api/v1/admin/api-keys`
pub(super) async fn mint(
    State(site): State<Site>,
    member: Member,
    Json(new): Json<NewKey>,
) -> Result<(StatusCode, axum::Json<MintedKey>), Failure> {
    let key = mint_for(&site.app, &member, new).await?;
    Ok((StatusCode::CREATED, axum::Json(key)))
}

/// Mints a key of the caller's.
pub(crate) async fn mint_for(
    app: &App,
    member: &Member,
    new: NewKey,
) -> Result<MintedKey, Failure> {
    name("name", &new.name)?;
    let scopes = match &new.scopes {
        Some(asked) => scopes(asked)?,
        None => ScopeSet::from(Scope::ALL),
    };
    let now = app.gate.clock().now();
    let expires_at = new
        .expires_in_days
        .map(|days| expiry("expires_in_days", &days, MAX_DAYS, now))
        .transpose()?;
    let authority = Authority::of(&member.principal, &app.realms.workspace);
    let tenant = member.tenant.id().clone();
    let request = MintRequest::new(BRAND, tenant, member.user.clone(), scopes)
        .named(&*new.name)
        .expiring_at(expires_at);
    let issuer = app.credentials.clone();
    let minted = settled(app.under_way.clone(), async move {
        Ok(issuer.mint(request, &authority).await?)
    })
    .await?;
    Ok(MintedKey {
        prefix: minted.id.to_string(),
        name: new.name,
        secret: Shown(minted.secret),
        scopes: minted.scopes,
        created_at: rfc3339(minted.created_at),
        expires_at: minted.expires_at.map(rfc3339),
    })
}

/// `GET /api/v1/users/api-keys/{prefix}`
pub(super) async fn show(
    State(site): State<Site>,
    member: Member,
    Path(prefix): Path<String>,
) -> Result<axum::Json<KeyView>, Failure> {
    let key = visible(&site.app, &member, &prefix).await?;
    Ok(axum::Json(key.into()))
}

/// `DELETE /api/v1/users/api-keys/{prefix}`: the same again changes nothing.
pub(super) async fn revoke(
    State(site): State<Site>,
    member: Member,
    Path(prefix): Path<String>,
) -> Result<StatusCode, Failure> {
    revoke_for(&site.app, member, &prefix).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes a key that the caller may change.
pub(crate) async fn revoke_for(app: &App, member: Member, prefix: &str) -> Result<(), Failure> {
    let key = changeable(app, &member, prefix).await?;
    let issuer = app.credentials.clone();
    settled(app.under_way.clone(), async move {
        let (tenant, id) = (member.tenant.id(), key.id.as_str());
        issuer
            .revoke(SecretKind::ApiKey, tenant, id, Some(&member.user))
            .await?;
        Ok(())
    })
    .await
}

/// `POST /api/v1/users/api-keys/{prefix}/rotate`
pub(super) async fn rotate(
    State(site): State<Site>,
    member: Member,
    Path(prefix): Path<String>,
    OptionalJson(body): OptionalJson<RotateBody>,
) -> Result<axum::Json<RotatedKey>, Failure> {
    let grace = body.grace()?;
    let key = changeable(&site.app, &member, &prefix).await?;
    let authority = Authority::of(&member.principal, &site.app.realms.workspace);
    settled(site.app.under_way.clone(), async move {
        let (tenant, id) = (member.tenant.id(), key.id.as_str());
        let issuer = &site.app.credentials;
        let rotated = issuer.rotate(BRAND, tenant, id, grace, &authority).await?;
        Ok(axum::Json(RotatedKey {
            prefix: id.to_owned(),
            secret: Shown(rotated.secret),
            old_secret_ends_at: rfc3339(rotated.old_secret_ends_at),
        }))
    })
    .await
}

/// The key, where the caller may see it; any other is not there.
async fn visible(app: &App, member: &Member, prefix: &str) -> Result<CredentialRecord, Failure> {
    let found = app.store.find(SecretKind::ApiKey, prefix).await?;
    let realm = &app.realms.workspace;
    found
        .filter(|key| key.tenant.id() == member.tenant.id())
        .filter(|key| key.owner == member.user || permits(&member.principal, realm, TEAM_KEYS_READ))
        .ok_or_else(|| ErrorCode::NotFound.into())
}

/// The key, where the caller may also change it.
async fn changeable(app: &App, member: &Member, prefix: &str) -> Result<CredentialRecord, Failure> {
    let key = visible(app, member, prefix).await?;
    let realm = &app.realms.workspace;
    if key.owner == member.user || permits(&member.principal, realm, TEAM_KEYS_WRITE) {
        return Ok(key);
    }
    Err(if member.principal.mode() == Mode::Jwt {
        member.denied(app, Cause::MissingRole)
    } else {
        let message = "Token does not have the required scope: team.keys.write";
        member.denied(app, Cause::MissingScope).saying(message)
    })
}

impl From<CredentialRecord> for KeyView {
    fn from(key: CredentialRecord) -> Self {
        Self {
            prefix: key.id.to_string(),
            name: key.name,
            owner: key.owner.to_string(),
            scopes: key.scopes,
            created_at: rfc3339(key.created_at),
            expires_at: key.expires_at.map(rfc3339),
            revoked_at: key.revoked_at.map(rfc3339),
            last_used_at: key.last_used_at.map(rfc3339),
        }
    }
}
