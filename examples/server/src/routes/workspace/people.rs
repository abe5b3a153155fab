//! Who is in the workspace.

use axum::extract::State;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::store::{AccountStore, MembershipStore, PageRequest, TenantRef};
use serde::Serialize;
use utoipa::ToSchema;

use crate::realms::WORKSPACE;
use crate::routes::Site;
use crate::routes::caller::Member;
use crate::routes::login::{self, Credentials, TokenResponse};
use crate::web::{Failure, Json, SameOrigin, Source, rfc3339, schema};

/// What people log in with, in their tokens.
pub(super) const CLIENT: &str = "workspace-api";

/// `POST /api/v1/users/login`: the token names one workspace, that of the body or the first by slug.
pub(super) async fn login(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    Json(credentials): Json<Credentials>,
) -> Result<axum::Json<TokenResponse>, Failure> {
    let app = &site.app;
    let asked = credentials.workspace.clone();
    let logged_in = login::check(&site, source, credentials).await?;
    let user = &logged_in.account.id;
    let membership = match asked {
        Some(slug) => {
            let tenant = TenantRef::Slug(&WORKSPACE, &slug);
            let membership = app.store.membership(user, tenant).await?;
            membership.ok_or_else(|| logged_in.refuse(app, source, Cause::NoMembership))?
        }
        None => {
            let page = PageRequest::first();
            let places = app.store.memberships(user, &WORKSPACE, &page).await?;
            places.items.into_iter().next().ok_or_else(|| {
                let refusal = logged_in.refuse(app, source, Cause::MissingRole);
                refusal.saying("The account belongs to no workspace")
            })?
        }
    };
    let tenant = Some(membership.tenant.id());
    let audience = &app.realms.workspace_audience;
    let token = logged_in.issue(app, source, CLIENT, audience, tenant)?;
    Ok(axum::Json(token))
}

/// The caller's profile.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    id: String,
    email: String,
    name: String,
    verified: bool,
    workspace: WorkspaceView,
    /// The user's role; `null` where a key is calling, which has scopes instead.
    #[schema(required = true)]
    role: Option<String>,
    #[schema(value_type = schema::Time)]
    created_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct WorkspaceView {
    slug: String,
    plan: String,
}

/// `GET /api/v1/users/me`
pub(super) async fn me(
    State(site): State<Site>,
    member: Member,
) -> Result<axum::Json<Me>, Failure> {
    let account = site.app.store.account(&member.user).await?;
    let account = account.ok_or(ErrorCode::NotFound)?;
    Ok(axum::Json(Me {
        id: account.id.to_string(),
        email: account.email,
        name: account.name,
        verified: account.verified,
        workspace: WorkspaceView {
            slug: member.tenant.slug().to_owned(),
            plan: member.tenant.plan().to_owned(),
        },
        role: member.role().map(str::to_owned),
        created_at: rfc3339(account.created_at),
    }))
}
