//! Invitations to the workspace.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::error::AuthError;
use gatewright_core::store::{Invite, InviteStore};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::team::{ROLES, still_admin};
use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::web::{
    Failure, Json, Listed, Paging, SameOrigin, Source, email, one_of, rfc3339, schema, settled,
};

/// Who is invited, and to which role.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewInvite {
    #[schema(value_type = schema::AccountAddress)]
    email: String,
    #[schema(value_type = schema::TeamRole)]
    role: String,
}

/// An invitation. Its token is in the mail alone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InviteView {
    id: String,
    email: String,
    role: String,
    /// The user who invites.
    invited_by: String,
    #[schema(value_type = schema::Time)]
    created_at: String,
    #[schema(value_type = schema::Time)]
    expires_at: String,
}

/// What whoever was invited sends.
#[derive(Deserialize, ToSchema)]
pub(super) struct Acceptance {
    /// The token of the mail.
    #[schema(value_type = schema::MailedToken)]
    token: String,
    /// What they are called; counts where the address has no account yet.
    #[schema(value_type = Option<schema::Name>)]
    name: Option<String>,
    /// Their password; needed where the address has no account yet, and passed over where it has.
    #[schema(value_type = Option<schema::ChosenPassword>)]
    password: Option<String>,
}

/// Where somebody belongs now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InviteAccepted {
    /// The workspace's slug, to log in to.
    workspace: String,
    /// The role; `null` for who was a member before, and keeps theirs.
    #[schema(required = true)]
    role: Option<String>,
}

/// `GET /api/v1/users/invites`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<InviteView>, Failure> {
    let invites = site.app.store.invites(member.tenant.id(), &page).await?;
    Ok(invites.map(InviteView::from).into())
}

/// `POST /api/v1/users/invites`
pub(super) async fn invite(
    State(site): State<Site>,
    Source(source): Source,
    member: Member,
    Json(new): Json<NewInvite>,
) -> Result<(StatusCode, axum::Json<InviteView>), Failure> {
    email("email", &new.email)?;
    one_of("role", &new.role, &ROLES)?;
    settled(site.app.under_way.clone(), async move {
        let app = &site.app;
        still_admin(app, &member).await?;
        let (by, roles) = (&member.principal, app.realms.workspace.roles());
        let invite = app
            .accounts
            .invite(by, roles, &new.email, &new.role, source);
        Ok((StatusCode::CREATED, axum::Json(invite.await?.into())))
    })
    .await
}

/// `DELETE /api/v1/users/invites/{id}`
pub(super) async fn withdraw(
    State(site): State<Site>,
    Source(source): Source,
    member: Member,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    settled(site.app.under_way.clone(), async move {
        still_admin(&site.app, &member).await?;
        let accounts = &site.app.accounts;
        accounts
            .withdraw_invite(&member.principal, &id, source)
            .await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// `POST /api/v1/users/invites/accept`: who has the token has shown that the address is theirs. It logs nobody in.
pub(super) async fn accept(
    State(site): State<Site>,
    Source(source): Source,
    _: SameOrigin,
    Json(acceptance): Json<Acceptance>,
) -> Result<axum::Json<InviteAccepted>, Failure> {
    let policy = &site.app.password_policy;
    let password = acceptance.password.map(|password| policy.accept(password));
    let password = password.transpose().map_err(AuthError::from)?;
    settled(site.app.under_way.clone(), async move {
        let (accounts, roles) = (&site.app.accounts, site.app.realms.workspace.roles());
        let name = acceptance.name.unwrap_or_default();
        let accepted = accounts.accept_invite(&acceptance.token, roles, &name, password, source);
        let accepted = accepted.await?;
        Ok(axum::Json(InviteAccepted {
            workspace: accepted.tenant.slug().to_owned(),
            role: accepted.role.map(Into::into),
        }))
    })
    .await
}

impl From<Invite> for InviteView {
    fn from(invite: Invite) -> Self {
        Self {
            id: invite.id.into(),
            email: invite.email,
            role: invite.role.into(),
            invited_by: invite.inviter.to_string(),
            created_at: rfc3339(invite.created_at),
            expires_at: rfc3339(invite.expires_at),
        }
    }
}
