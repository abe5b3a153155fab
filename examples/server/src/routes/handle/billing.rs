//! Plans of handles. There is no payment provider: completing a checkout session changes the plan.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::audit::AuditKind;
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::principal::Tenant;
use gatewright_core::store::{MembershipStore, TenantRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::product::{CHECKOUT_SECS, Checkout};
use crate::realms::HANDLE;
use crate::routes::Site;
use crate::routes::caller::{Path, Person};
use crate::web::{Failure, Json, Query, rfc3339, schema, settled};

/// The characters of a session's id: 124 random bits.
const ID_LENGTH: usize = 24;

/// Which handle is meant.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    handle: String,
}

/// The plan of a handle.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanView {
    handle: String,
    plan: String,
    /// The calls that the handle has in a minute.
    #[schema(required = true)]
    requests_per_minute: Option<u32>,
}

/// What shall be bought.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewCheckout {
    handle: String,
    #[schema(value_type = schema::Plan)]
    plan: String,
}

/// A checkout session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckoutView {
    id: String,
    handle: String,
    plan: String,
    #[schema(value_type = String)]
    status: &'static str,
    /// Where completing it is asked for; absent once it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Time>)]
    expires_at: Option<String>,
}

/// `GET /v2/billing/plan?handle=`
pub(super) async fn plan(
    State(site): State<Site>,
    person: Person,
    Query(which): Query<Which>,
) -> Result<axum::Json<PlanView>, Failure> {
    let slug = TenantRef::Slug(&HANDLE, &which.handle);
    let tenant = owned(&site, &person, slug).await?;
    let rate = site.app.realms.handle.plans().rate(tenant.plan());
    Ok(axum::Json(PlanView {
        handle: tenant.slug().to_owned(),
        plan: tenant.plan().to_owned(),
        requests_per_minute: rate.map(|rate| rate.limit()),
    }))
}

/// `POST /v2/billing/checkout-session`
pub(super) async fn open(
    State(site): State<Site>,
    person: Person,
    Json(new): Json<NewCheckout>,
) -> Result<(StatusCode, axum::Json<CheckoutView>), Failure> {
    let app = &site.app;
    if !app.realms.handle.plans().knows(&new.plan) {
        return Err(Failure::out_of_range("plan", "is not a plan that there is"));
    }
    let slug = TenantRef::Slug(&HANDLE, &new.handle);
    let tenant = owned(&site, &person, slug).await?;
    let id = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH)?;
    let checkout = Checkout {
        id: format!("chk_{id}"),
        tenant: tenant.id().clone(),
        plan: new.plan,
    };
    let now = app.gate.clock().now();
    app.product
        .open_checkout(&checkout, &person.user, now)
        .await?;
    let view = CheckoutView {
        handle: tenant.slug().to_owned(),
        plan: checkout.plan,
        status: "open",
        complete_url: Some(format!(
            "{}/v2/billing/checkout-session/{}/complete",
            app.public_url, checkout.id
        )),
        expires_at: Some(rfc3339(now.saturating_add(CHECKOUT_SECS))),
        id: checkout.id,
    };
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// `POST /v2/billing/checkout-session/{id}/complete`: once, by whoever opened it, while they own the handle.
pub(super) async fn complete(
    State(site): State<Site>,
    person: Person,
    Path(id): Path<String>,
) -> Result<axum::Json<CheckoutView>, Failure> {
    let app = &site.app;
    let now = app.gate.clock().now();
    let checkout = app.product.checkout(&id, &person.user, now).await?;
    let checkout = checkout.ok_or(ErrorCode::NotFound)?;
    let tenant = owned(&site, &person, TenantRef::Id(&checkout.tenant)).await?;
    settled(site.app.under_way.clone(), async move {
        let app = &site.app;
        let (product, user) = (&app.product, &person.user);
        if !product.mark_checkout(&checkout.id, user, true).await? {
            return Err(Failure::because(
                ErrorCode::Conflict,
                "The session was completed before",
            ));
        }
        match app.store.set_plan(&checkout.tenant, &checkout.plan).await {
            Ok(changed) => app.gate.changes().publish(changed),
            Err(error) => {
                // Nothing was bought, so the session may be completed later.
                product.mark_checkout(&checkout.id, user, false).await?;
                return Err(error.into());
            }
        };
        app.audit.record(
            person
                .did(app, AuditKind::PlanChanged)
                .tenant(checkout.tenant)
                .target(&*checkout.plan),
        );
        Ok(axum::Json(CheckoutView {
            id: checkout.id,
            handle: tenant.slug().to_owned(),
            plan: checkout.plan,
            status: "completed",
            complete_url: None,
            expires_at: None,
        }))
    })
    .await
}

/// The handle, where the user owns it.
///
/// # Errors
/// `not_found` for people without a role in it, `insufficient_role` for those below its owner.
async fn owned(site: &Site, person: &Person, tenant: TenantRef<'_>) -> Result<Tenant, Failure> {
    let app = &site.app;
    let place = app.store.membership(&person.user, tenant).await?;
    let place = place.ok_or_else(|| person.denied(app, Cause::NoMembership))?;
    if app.realms.handle.roles().at_least(&place.role, "owner") {
        Ok(place.tenant)
    } else {
        Err(person.denied(app, Cause::MissingRole))
    }
}
