//! The accounts elsewhere that a user logs in with.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::audit::AuditKind;
use gatewright_core::error::ErrorCode;
use gatewright_core::store::{LinkedLogin, LinkedLoginStore, UnlinkOutcome};
use serde::Serialize;
use utoipa::ToSchema;

use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::web::{Failure, Listed, Paging, rfc3339, schema, settled};

/// An account at a provider that its holder logs in with here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GrantView {
    id: String,
    /// The provider's issuer.
    issuer: String,
    /// The address that the provider knew when it was linked.
    email: String,
    #[schema(value_type = schema::Time)]
    linked_at: String,
}

/// `GET /api/v1/users/oauth-grants`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<GrantView>, Failure> {
    let links = site.app.store.linked_logins(&member.user, &page).await?;
    Ok(links.map(GrantView::from).into())
}

/// `DELETE /api/v1/users/oauth-grants/{id}`
pub(super) async fn unlink(
    State(site): State<Site>,
    member: Member,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    settled(site.app.under_way.clone(), async move {
        let app = &site.app;
        match app.store.unlink_login(&member.user, &id).await? {
            UnlinkOutcome::Unlinked => {}
            UnlinkOutcome::LastWayIn => {
                return Err(Failure::because(
                    ErrorCode::Conflict,
                    "It is the only way to log in: choose a password first",
                ));
            }
            _ => return Err(ErrorCode::NotFound.into()),
        }
        let event = member.did(app, AuditKind::LoginUnlinked);
        app.audit.record(event.target(id));
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

impl From<LinkedLogin> for GrantView {
    fn from(link: LinkedLogin) -> Self {
        Self {
            id: link.id.into(),
            issuer: link.issuer.into(),
            email: link.email,
            linked_at: rfc3339(link.linked_at),
        }
    }
}
