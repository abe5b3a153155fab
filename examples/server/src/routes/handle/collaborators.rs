//! Who may work on a handle.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::audit::AuditKind;
use gatewright_core::error::ErrorCode;
use gatewright_core::store::{AccountStore, MembershipStore, RemoveOutcome, RoleOutcome};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::routes::Site;
use crate::routes::caller::Member;
use crate::web::{Failure, Json, email, one_of, schema, settled};

/// The role of which a handle always has somebody.
const OWNER: &str = "owner";
/// The roles that can be given, none above that of the owners who give them; platform administrators are made at the
/// command line alone.
const ROLES: [&str; 3] = ["creator", "operator", OWNER];

/// Who shall be one, in which role.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewCollaborator {
    #[schema(value_type = schema::MailAddress)]
    email: String,
    #[schema(value_type = schema::GivableRole)]
    role: String,
}

/// A collaborator and the role.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Collaborator {
    email: String,
    role: String,
}

/// Who shall no longer be one.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Leaving {
    #[schema(value_type = schema::MailAddress)]
    email: String,
}

/// `PUT /v2/handles/{handle}/collaborators`: only people with a verified account. An address without one and an address
/// whose owner never verified it get the same answer.
pub(super) async fn put(
    State(site): State<Site>,
    member: Member,
    Json(new): Json<NewCollaborator>,
) -> Result<(StatusCode, axum::Json<Collaborator>), Failure> {
    email("email", &new.email)?;
    one_of("role", &new.role, &ROLES)?;
    let account = site.app.store.account_by_email(&new.email).await?;
    let account = account.filter(|account| account.verified).ok_or_else(|| {
        Failure::because(
            ErrorCode::NotFound,
            "No verified account has this mail address",
        )
    })?;
    settled(site.app.under_way.clone(), async move {
        let (app, tenant) = (&site.app, member.tenant.id());
        let changed = app
            .store
            .change_role(tenant, &account.id, &new.role, OWNER)
            .await?;
        let status = match app.gate.changes().publish(changed) {
            RoleOutcome::LastOfRole => return Err(last_owner()),
            RoleOutcome::Added => StatusCode::CREATED,
            _ => StatusCode::OK,
        };
        let event = member.did(app, AuditKind::RoleChanged);
        app.audit.record(event.target(account.id.as_str()));
        let collaborator = Collaborator {
            email: account.email,
            role: new.role,
        };
        Ok((status, axum::Json(collaborator)))
    })
    .await
}

/// `DELETE /v2/handles/{handle}/collaborators`: whether somebody who is no collaborator has an account is not told.
pub(super) async fn remove(
    State(site): State<Site>,
    member: Member,
    Json(leaving): Json<Leaving>,
) -> Result<StatusCode, Failure> {
    email("email", &leaving.email)?;
    let account = site.app.store.account_by_email(&leaving.email).await?;
    let account = account.ok_or(ErrorCode::NotFound)?;
    settled(site.app.under_way.clone(), async move {
        let (app, tenant) = (&site.app, member.tenant.id());
        let removed = app.store.remove_member(tenant, &account.id, OWNER).await?;
        match app.gate.changes().publish(removed) {
            RemoveOutcome::LastOfRole => return Err(last_owner()),
            RemoveOutcome::NotAMember => return Err(ErrorCode::NotFound.into()),
            _ => {}
        }
        let event = member.did(app, AuditKind::RoleChanged);
        app.audit.record(event.target(account.id.as_str()));
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

fn last_owner() -> Failure {
    Failure::because(ErrorCode::Conflict, "A handle keeps at least one owner")
}
