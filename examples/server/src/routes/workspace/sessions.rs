//! Where the caller is logged in.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::error::ErrorCode;
use gatewright_core::principal::SessionId;
use gatewright_core::store::{SessionRecord, SessionStore};
use serde::Serialize;
use utoipa::ToSchema;

use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::web::{Failure, Listed, Paging, Source, rfc3339, schema, settled};

/// A login.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionView {
    id: String,
    /// The application that was logged in with.
    client: String,
    /// What it presented itself as, its `User-Agent`. May be empty.
    label: String,
    /// Whether it is the one of this request.
    current: bool,
    #[schema(value_type = schema::Time)]
    created_at: String,
    /// When it was last carried on.
    #[schema(value_type = schema::Time)]
    last_used_at: String,
    /// When it ends unless it is carried on.
    #[schema(value_type = schema::Time)]
    expires_at: String,
}

/// `GET /api/v1/users/sessions`: the caller's own, the oldest first.
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<SessionView>, Failure> {
    let mut sessions = site.app.sessions.list(&member.user, &page).await?;
    sessions.items.retain(|session| reaches(&member, session));
    let current = member.principal.session();
    let sessions = sessions.map(|session| SessionView {
        current: current == Some(&session.id),
        id: session.id.to_string(),
        client: session.client.into(),
        label: session.label.into(),
        created_at: rfc3339(session.created_at),
        last_used_at: rfc3339(session.last_used_at),
        expires_at: rfc3339(session.idle_expires_at.min(session.expires_at)),
    });
    Ok(sessions.into())
}

/// `DELETE /api/v1/users/sessions/{id}`: with its tokens, at once. Ending one's own is a logout.
pub(super) async fn end(
    State(site): State<Site>,
    member: Member,
    Source(source): Source,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let id = SessionId::new(id).map_err(|_| ErrorCode::NotFound)?;
    settled(site.app.under_way.clone(), async move {
        let app = &site.app;
        let session = app.store.session(&id).await?;
        let is_reached = session.is_some_and(|session| reaches(&member, &session));
        if !is_reached || !app.sessions.end_one(&member.user, &id, source).await? {
            return Err(ErrorCode::NotFound.into());
        }
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Whether the session is the caller's. A key reaches those of its workspace alone: who administers that can give it a new
/// secret, and what else its owner does is not theirs to know.
fn reaches(member: &Member, session: &SessionRecord) -> bool {
    session.user == member.user
        && (member.principal.session().is_some()
            || session.tenant.as_ref() == Some(member.tenant.id()))
}
