//! Orgs, and how people come to them.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::audit::AuditKind;
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::principal::{Tenant, TenantId};
use gatewright_core::store::{InsertOutcome, MembershipStore, Page, TenantRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::realms::{FIRST_PLAN, ORG};
use crate::routes::Site;
use crate::routes::caller::Person;
use crate::routes::login::{Comer, Credentials, TokenResponse};
use crate::web::{Failure, Json, Listed, Paging, schema, settled, slug};

/// The characters of a tenant's id behind its prefix: 103 random bits.
const ID_LENGTH: usize = 20;

/// `POST /api/auth/login`: the token is for one org, that of the body, or for whichever the request names.
pub(super) async fn login(
    State(site): State<Site>,
    comer: Comer,
    Json(credentials): Json<Credentials>,
) -> Result<axum::Json<TokenResponse>, Failure> {
    let app = &site.app;
    let asked = credentials.org.clone();
    let login = comer.check(app, credentials).await?;
    let membership = match asked {
        Some(slug) => {
            let tenant = TenantRef::Slug(&ORG, &slug);
            let found = app.store.membership(&login.account.id, tenant).await?;
            Some(found.ok_or_else(|| comer.refuse(app, &login, Cause::NoMembership))?)
        }
        None => None,
    };
    let tenant = membership.map(|place| place.tenant.id().clone());
    let audience = &app.realms.gateway_audience;
    let opened = comer.open(app, login, "gateway-api", audience, tenant);
    Ok(axum::Json(opened.await?))
}

/// What a new org shall be.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewOrg {
    #[schema(value_type = schema::Slug)]
    slug: String,
}

/// An org as its people see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrgView {
    id: String,
    slug: String,
    plan: String,
    /// The user's role; `null` where a key is calling.
    #[schema(required = true)]
    role: Option<String>,
}

impl OrgView {
    fn of(tenant: &Tenant, role: Option<&str>) -> Self {
        Self {
            id: tenant.id().to_string(),
            slug: tenant.slug().to_owned(),
            plan: tenant.plan().to_owned(),
            role: role.map(str::to_owned),
        }
    }
}

/// `GET /api/orgs`: all that the user belongs to, by name; of a credential that is for one org, that one.
pub(super) async fn list(
    State(site): State<Site>,
    person: Person,
    Paging(page): Paging,
) -> Result<Listed<OrgView>, Failure> {
    let principal = &person.principal;
    if let Some(own) = principal.tenant() {
        let role = principal.role().map(|role| role.as_str());
        let own = (page.after().is_none()).then(|| OrgView::of(own, role));
        return Ok(Page::cut(Vec::from_iter(own), &page, |org| org.slug.clone()).into());
    }
    let store = &site.app.store;
    let places = store.memberships(&person.user, &ORG, &page).await?;
    let orgs = places.map(|place| OrgView::of(&place.tenant, Some(&*place.role)));
    Ok(orgs.into())
}

/// `POST /api/orgs`: whoever creates an org is its first admin.
pub(super) async fn create(
    State(site): State<Site>,
    person: Person,
    Json(new): Json<NewOrg>,
) -> Result<(StatusCode, axum::Json<OrgView>), Failure> {
    slug("slug", &new.slug)?;
    settled(site.app.under_way.clone(), async move {
        let app = &site.app;
        let id = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH)?;
        let id = TenantId::new(format!("ten_{id}"))?;
        let tenant = Tenant::new(id, ORG.clone(), new.slug, FIRST_PLAN);
        let created = app
            .store
            .create_tenant(tenant.clone(), &person.user, "admin")
            .await?;
        if app.gate.changes().publish(created) != InsertOutcome::Inserted {
            return Err(Failure::because(ErrorCode::Conflict, "The org is taken"));
        }
        app.audit.record(
            person
                .did(app, AuditKind::RoleChanged)
                .tenant(tenant.id().clone())
                .target(person.user.as_str()),
        );
        let view = OrgView::of(&tenant, Some("admin"));
        Ok((StatusCode::CREATED, axum::Json(view)))
    })
    .await
}
