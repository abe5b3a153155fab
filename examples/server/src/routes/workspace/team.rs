//! Who is in the workspace, in which role, and what those leave behind who go.

use axum::extract::State;
use gatewright_core::audit::AuditKind;
use gatewright_core::credential::SecretKind;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::principal::{TenantId, UserId};
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::{
    Account, AccountStore, ChangeKey, CredentialFilter, CredentialRecord, CredentialStore, Cursor,
    MembershipStore, PageRequest, RemoveOutcome, RoleOutcome, StoreError, TenantRef, Unpublished,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::keys::KeyView;
use crate::app::App;
use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::web::{Failure, Json, Listed, Paging, one_of, rfc3339, schema, settled};

/// The role of which a workspace always has somebody.
pub(super) const ADMIN: &str = "admin";
/// The roles that can be given. Platform administrators are made at the command line alone.
pub(super) const ROLES: [&str; 3] = ["member", "manager", ADMIN];

/// One of the team.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TeamMember {
    id: String,
    email: String,
    role: String,
}

/// What shall become of a member.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewRole {
    #[schema(value_type = schema::TeamRole)]
    role: String,
}

/// What somebody leaves behind who is no member any more.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Removed {
    /// The API keys that they minted in this workspace and that still work, all of them.
    credentials: Vec<LeftBehind>,
}

/// A key that still works.
#[derive(Debug, Serialize, ToSchema)]
struct LeftBehind {
    prefix: String,
    name: String,
    #[schema(value_type = schema::Scopes)]
    scopes: ScopeSet,
    #[schema(value_type = schema::Time)]
    created_at: String,
}

/// How many keys were revoked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevokedKeys {
    revoked: u64,
}

/// `GET /api/v1/users/team`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<TeamMember>, Failure> {
    let members = site.app.store.members(member.tenant.id(), &page).await?;
    let members = members.map(|member| TeamMember {
        id: member.user.to_string(),
        email: member.email,
        role: member.role.into(),
    });
    Ok(members.into())
}

/// `PATCH /api/v1/users/team/{user}`
pub(super) async fn change(
    State(site): State<Site>,
    member: Member,
    Path(user): Path<String>,
    Json(new): Json<NewRole>,
) -> Result<axum::Json<TeamMember>, Failure> {
    one_of("role", &new.role, &ROLES)?;
    settled(site.app.under_way.clone(), async move {
        let (app, tenant) = (&site.app, member.tenant.id());
        let (account, held) = colleague(app, &member, &user).await?;
        let (user, role) = (&account.id, new.role);
        let changed = app.store.change_role(tenant, user, &role, ADMIN).await;
        match told(app, user, changed)? {
            RoleOutcome::LastOfRole => return Err(last_admin()),
            RoleOutcome::Added => {
                // Removed since we looked: nobody comes back by a change of role.
                let removed = app.store.remove_member(tenant, user, ADMIN).await;
                told(app, user, removed)?;
                return Err(ErrorCode::NotFound.into());
            }
            _ => {}
        }
        if *held != *role {
            let event = member.did(app, AuditKind::RoleChanged);
            app.audit.record(event.target(user.as_str()));
        }
        Ok(axum::Json(TeamMember {
            id: user.to_string(),
            email: account.email,
            role,
        }))
    })
    .await
}

/// `DELETE /api/v1/users/team/{user}`: their sessions of this workspace end with their membership. Keys work for machines,
/// which may go on without whoever minted them: they are listed, for the administrator to decide.
pub(super) async fn remove(
    State(site): State<Site>,
    member: Member,
    Path(user): Path<String>,
) -> Result<axum::Json<Removed>, Failure> {
    settled(site.app.under_way.clone(), async move {
        let (app, tenant) = (&site.app, member.tenant.id());
        let (account, _) = colleague(app, &member, &user).await?;
        let user = &account.id;
        let removed = app.store.remove_member(tenant, user, ADMIN).await;
        match told(app, user, removed)? {
            RemoveOutcome::LastOfRole => return Err(last_admin()),
            RemoveOutcome::NotAMember => return Err(ErrorCode::NotFound.into()),
            _ => {}
        }
        let event = member.did(app, AuditKind::MemberRemoved);
        app.audit.record(event.target(user.as_str()));
        // Only now: from here on they mint nothing more by a login of theirs.
        let keys = live_keys(app, tenant, user).await?;
        let credentials = keys.into_iter().map(LeftBehind::from).collect();
        Ok(axum::Json(Removed { credentials }))
    })
    .await
}

/// `GET /api/v1/users/team/{user}/api-keys`: of whoever is a member, or has minted a key here before.
pub(super) async fn keys(
    State(site): State<Site>,
    member: Member,
    Path(user): Path<String>,
    Paging(page): Paging,
) -> Result<Listed<KeyView>, Failure> {
    let (app, tenant) = (&site.app, member.tenant.id());
    let account = known(app, tenant, &user).await?;
    let keys = app
        .store
        .list(tenant, &minted_by(&account.id), &page)
        .await?;
    Ok(keys.map(KeyView::from).into())
}

/// `DELETE /api/v1/users/team/{user}/api-keys`: all that they minted in this workspace, also after they have left it.
pub(super) async fn revoke_keys(
    State(site): State<Site>,
    member: Member,
    Path(user): Path<String>,
) -> Result<axum::Json<RevokedKeys>, Failure> {
    settled(site.app.under_way.clone(), async move {
        let (app, tenant) = (&site.app, member.tenant.id());
        still_admin(app, &member).await?;
        let account = known(app, tenant, &user).await?;
        if account.platform_admin {
            return Err(untouchable(app, &member));
        }
        let mut revoked = 0;
        loop {
            let keys = live_keys(app, tenant, &account.id).await?;
            // Once more: a key may have minted another one until it was revoked itself.
            if keys.is_empty() {
                return Ok(axum::Json(RevokedKeys { revoked }));
            }
            for key in keys {
                let (id, by) = (key.id.as_str(), Some(&member.user));
                app.credentials
                    .revoke(SecretKind::ApiKey, tenant, id, by)
                    .await?;
                revoked += 1;
            }
        }
    })
    .await
}

/// Refuses a caller who is no administrator at this moment: a key may have been minted by one who is none any more.
pub(super) async fn still_admin(app: &App, member: &Member) -> Result<(), Failure> {
    let tenant = TenantRef::Id(member.tenant.id());
    let held = app.store.membership(&member.user, tenant).await?;
    let roles = app.realms.workspace.roles();
    if held.is_some_and(|held| roles.at_least(&held.role, ADMIN)) {
        return Ok(());
    }
    Err(member.denied(app, Cause::MissingRole))
}

/// Another member whom the caller may change, and their role. Whoever belongs to other workspaces alone is not there.
async fn colleague(app: &App, member: &Member, user: &str) -> Result<(Account, Box<str>), Failure> {
    still_admin(app, member).await?;
    let tenant = member.tenant.id();
    let account = account(app, user).await?;
    if account.platform_admin {
        let listed = is_listed(app, tenant, &account.id).await?;
        return Err(if listed {
            untouchable(app, member)
        } else {
            ErrorCode::NotFound.into()
        });
    }
    let held = app.store.membership(&account.id, TenantRef::Id(tenant));
    let held = held.await?.ok_or(ErrorCode::NotFound)?;
    Ok((account, held.role))
}

/// Whoever is a member, or was one and has minted a key.
async fn known(app: &App, tenant: &TenantId, user: &str) -> Result<Account, Failure> {
    let account = account(app, user).await?;
    let user = &account.id;
    let (minted, first) = (minted_by(user), PageRequest::first());
    let keys = app.store.list(tenant, &minted, &first).await?;
    if !keys.items.is_empty() {
        return Ok(account);
    }
    let belongs = if account.platform_admin {
        is_listed(app, tenant, user).await?
    } else {
        let membership = app.store.membership(user, TenantRef::Id(tenant));
        membership.await?.is_some()
    };
    if belongs {
        Ok(account)
    } else {
        Err(ErrorCode::NotFound.into())
    }
}

async fn account(app: &App, user: &str) -> Result<Account, Failure> {
    let user = UserId::new(user).map_err(|_| ErrorCode::NotFound)?;
    let account = app.store.account(&user).await?;
    Ok(account.ok_or(ErrorCode::NotFound)?)
}

/// Whether the list of the team has the user. A platform administrator holds a membership everywhere, and is told of
/// where it was given to them.
async fn is_listed(app: &App, tenant: &TenantId, user: &UserId) -> Result<bool, Failure> {
    let mut page = PageRequest::first();
    loop {
        let members = app.store.members(tenant, &page).await?;
        if members.items.iter().any(|member| member.user == *user) {
            return Ok(true);
        }
        match next(members.next) {
            Some(next) => page = next,
            None => return Ok(false),
        }
    }
}

/// All keys that the user minted in this workspace and that still work.
async fn live_keys(
    app: &App,
    tenant: &TenantId,
    user: &UserId,
) -> Result<Vec<CredentialRecord>, Failure> {
    let now = app.gate.clock().now();
    let filter = minted_by(user);
    let mut live = Vec::new();
    let mut page = PageRequest::first();
    loop {
        let keys = app.store.list(tenant, &filter, &page).await?;
        live.extend(keys.items.into_iter().filter(|key| {
            key.revoked_at.is_none() && key.expires_at.is_none_or(|expires_at| now < expires_at)
        }));
        match next(keys.next) {
            Some(next) => page = next,
            None => return Ok(live),
        }
    }
}

fn next(cursor: Option<Cursor>) -> Option<PageRequest> {
    PageRequest::new(Some(cursor?), PageRequest::MAX_LIMIT)
}

fn minted_by(user: &UserId) -> CredentialFilter {
    CredentialFilter::kind(SecretKind::ApiKey).owned_by(user.clone())
}

/// What the store answered to a change of this user's membership, when the caches know of it. An answer that was lost may
/// have been a success.
fn told<T>(
    app: &App,
    user: &UserId,
    answer: Result<Unpublished<T>, StoreError>,
) -> Result<T, Failure> {
    let changes = app.gate.changes();
    answer
        .map(|change| changes.publish(change))
        .map_err(|error| {
            changes.raise(&ChangeKey::User(user.as_str().into()));
            error.into()
        })
}

fn last_admin() -> Failure {
    Failure::because(
        ErrorCode::Conflict,
        "A workspace keeps at least one administrator",
    )
}

fn untouchable(app: &App, member: &Member) -> Failure {
    let refusal = member.denied(app, Cause::MissingRole);
    refusal.saying("The operator alone changes what is a platform administrator's")
}

impl From<CredentialRecord> for LeftBehind {
    fn from(key: CredentialRecord) -> Self {
        Self {
            prefix: key.id.to_string(),
            name: key.name,
            scopes: key.scopes,
            created_at: rfc3339(key.created_at),
        }
    }
}
