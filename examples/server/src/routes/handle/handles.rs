//! Handles.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::audit::AuditKind;
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::error::ErrorCode;
use gatewright_core::principal::{Tenant, TenantId};
use gatewright_core::store::{InsertOutcome, MembershipStore};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::realms::{FIRST_PLAN, HANDLE};
use crate::routes::Site;
use crate::routes::caller::{Member, Person};
use crate::web::{Failure, Json, Listed, Paging, name, schema, settled, slug};

/// The characters of a tenant's id behind its prefix: 103 random bits.
const ID_LENGTH: usize = 20;

/// What a new handle shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewHandle {
    #[schema(value_type = schema::Slug)]
    handle: String,
    #[schema(value_type = Option<schema::Name>)]
    display_name: Option<String>,
}

/// What shall change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HandleChange {
    #[schema(value_type = Option<schema::Name>)]
    display_name: Option<String>,
}

/// A handle as its people see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HandleView {
    handle: String,
    display_name: String,
    plan: String,
    #[schema(required = true)]
    role: Option<String>,
    /// The context under which conversions count for the handle.
    ctx: String,
}

impl HandleView {
    fn of(site: &Site, tenant: &Tenant, display_name: Option<String>, role: Option<&str>) -> Self {
        Self {
            handle: tenant.slug().to_owned(),
            display_name: display_name.unwrap_or_else(|| tenant.slug().to_owned()),
            plan: tenant.plan().to_owned(),
            role: role.map(str::to_owned),
            ctx: site.app.product.ctx().seal(tenant.id()),
        }
    }
}

/// `GET /v2/handles`: all that the user owns or collaborates on, by name.
pub(super) async fn list(
    State(site): State<Site>,
    person: Person,
    Paging(page): Paging,
) -> Result<Listed<HandleView>, Failure> {
    let app = &site.app;
    let places = app.store.memberships(&person.user, &HANDLE, &page).await?;
    let tenants: Vec<&TenantId> = places.items.iter().map(|place| place.tenant.id()).collect();
    let mut names = app.product.display_names(&tenants).await?;
    let handles = places.map(|place| {
        let chosen = names.remove(place.tenant.id().as_str());
        HandleView::of(&site, &place.tenant, chosen, Some(&*place.role))
    });
    Ok(handles.into())
}

/// `POST /v2/handles`: whoever creates a handle owns it.
pub(super) async fn create(
    State(site): State<Site>,
    person: Person,
    Json(new): Json<NewHandle>,
) -> Result<(StatusCode, axum::Json<HandleView>), Failure> {
    slug("handle", &new.handle)?;
    if let Some(chosen) = &new.display_name {
        name("displayName", chosen)?;
    }
    settled(site.app.under_way.clone(), async move {
        let app = &site.app;
        let id = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH)?;
        let id = TenantId::new(format!("ten_{id}"))?;
        let tenant = Tenant::new(id, HANDLE.clone(), new.handle, FIRST_PLAN);
        let created = app
            .store
            .create_tenant(tenant.clone(), &person.user, "owner")
            .await?;
        if app.gate.changes().publish(created) != InsertOutcome::Inserted {
            return Err(Failure::because(ErrorCode::Conflict, "The handle is taken"));
        }
        app.audit.record(
            person
                .did(app, AuditKind::RoleChanged)
                .tenant(tenant.id().clone())
                .target(person.user.as_str()),
        );
        if let Some(chosen) = &new.display_name {
            app.product.set_display_name(tenant.id(), chosen).await?;
        }
        let view = HandleView::of(&site, &tenant, new.display_name, Some("owner"));
        Ok((StatusCode::CREATED, axum::Json(view)))
    })
    .await
}

/// `GET /v2/handles/{handle}`
pub(super) async fn show(
    State(site): State<Site>,
    member: Member,
) -> Result<axum::Json<HandleView>, Failure> {
    let tenant = &member.tenant;
    let mut names = site.app.product.display_names(&[tenant.id()]).await?;
    let chosen = names.remove(tenant.id().as_str());
    let view = HandleView::of(&site, tenant, chosen, member.role());
    Ok(axum::Json(view))
}

/// `PATCH /v2/handles/{handle}`
pub(super) async fn change(
    State(site): State<Site>,
    member: Member,
    Json(change): Json<HandleChange>,
) -> Result<axum::Json<HandleView>, Failure> {
    if let Some(chosen) = &change.display_name {
        name("displayName", chosen)?;
        let product = &site.app.product;
        product.set_display_name(member.tenant.id(), chosen).await?;
    }
    show(State(site), member).await
}
