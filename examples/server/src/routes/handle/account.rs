//! What belongs to a person and not to a handle.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::error::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::product::Domain;
use crate::routes::Site;
use crate::routes::caller::Person;
use crate::routes::login::{Comer, Credentials, TokenResponse};
use crate::web::{Failure, Json, Listed, Paging, domain, rfc3339, schema};

/// A domain to be added.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewDomain {
    #[schema(value_type = schema::DomainName)]
    domain: String,
}

/// A domain.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DomainView {
    domain: String,
    #[schema(value_type = schema::Time)]
    created_at: String,
}

/// `POST /v2/auth/login`: the token reaches every handle that the user has a role in.
pub(super) async fn login(
    State(site): State<Site>,
    comer: Comer,
    Json(credentials): Json<Credentials>,
) -> Result<axum::Json<TokenResponse>, Failure> {
    let app = &site.app;
    let login = comer.check(app, credentials).await?;
    let audience = &app.realms.handle_audience;
    let token = comer.open(app, login, "handle-api", audience, None).await?;
    Ok(axum::Json(token))
}

/// `GET /v2/account/domains`
pub(super) async fn domains(
    State(site): State<Site>,
    person: Person,
    Paging(page): Paging,
) -> Result<Listed<DomainView>, Failure> {
    let domains = site.app.product.domains(&person.user, &page).await?;
    Ok(domains.map(DomainView::from).into())
}

/// `POST /v2/account/domains`
pub(super) async fn add_domain(
    State(site): State<Site>,
    person: Person,
    Json(new): Json<NewDomain>,
) -> Result<(StatusCode, axum::Json<DomainView>), Failure> {
    let added = Domain {
        domain: domain("domain", &new.domain)?,
        created_at: site.app.gate.clock().now(),
    };
    if !site.app.product.insert_domain(&person.user, &added).await? {
        return Err(Failure::because(ErrorCode::Conflict, "The domain is taken"));
    }
    Ok((StatusCode::CREATED, axum::Json(added.into())))
}

impl From<Domain> for DomainView {
    fn from(row: Domain) -> Self {
        Self {
            domain: row.domain,
            created_at: rfc3339(row.created_at),
        }
    }
}
