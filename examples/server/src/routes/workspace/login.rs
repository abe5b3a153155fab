//! Logging in to a workspace.

use axum::extract::State;
use gatewright_core::error::Cause;
use gatewright_core::store::{MembershipStore, PageRequest, TenantRef};

use crate::realms::WORKSPACE;
use crate::routes::Site;
use crate::routes::login::{Comer, Credentials, TokenResponse};
use crate::web::{Failure, Json};

/// The `client_id` of logins here.
pub(super) const CLIENT: &str = "workspace-api";

/// `POST /api/v1/users/login`: the token names one workspace, that of the body or the first by slug.
pub(super) async fn login(
    State(site): State<Site>,
    comer: Comer,
    Json(credentials): Json<Credentials>,
) -> Result<axum::Json<TokenResponse>, Failure> {
    let app = &site.app;
    let asked = credentials.workspace.clone();
    let login = comer.check(app, credentials).await?;
    let user = &login.account.id;
    let membership = match asked {
        Some(slug) => {
            let tenant = TenantRef::Slug(&WORKSPACE, &slug);
            let membership = app.store.membership(user, tenant).await?;
            membership.ok_or_else(|| comer.refuse(app, &login, Cause::NoMembership))?
        }
        None => {
            let page = PageRequest::first();
            let places = app.store.memberships(user, &WORKSPACE, &page).await?;
            places.items.into_iter().next().ok_or_else(|| {
                let refusal = comer.refuse(app, &login, Cause::MissingRole);
                refusal.saying("The account belongs to no workspace")
            })?
        }
    };
    let tenant = Some(membership.tenant.id().clone());
    let audience = &app.realms.workspace_audience;
    let opened = comer.open(app, login, CLIENT, audience, tenant);
    Ok(axum::Json(opened.await?))
}
