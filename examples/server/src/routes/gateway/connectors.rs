//! What an org plugs into the gateway.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::audit::AuditKind;
use gatewright_core::credential::{IdAlphabet, MintError, random_id};
use gatewright_core::error::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::told;
use crate::product::Connector;
use crate::routes::Site;
use crate::routes::caller::{Member, Path};
use crate::web::{Failure, Json, Listed, Paging, name, one_of, rfc3339, schema, settled};

const ID_PREFIX: &str = "conn_";
/// The characters of an id behind its prefix: 82 random bits.
const ID_LENGTH: usize = 16;

/// What to plug in.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewConnector {
    #[schema(value_type = schema::Name)]
    name: String,
    /// Which of the tools that are part of the server it has; `built-in`, which is all of them, unless said.
    #[serde(rename = "type")]
    #[schema(value_type = Option<schema::ConnectorType>)]
    kind: Option<String>,
}

/// A connector.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectorView {
    id: String,
    name: String,
    #[serde(rename = "type")]
    #[schema(value_type = schema::ConnectorType)]
    kind: String,
    #[schema(value_type = schema::Time)]
    created_at: String,
}

/// `GET /api/connectors`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<ConnectorView>, Failure> {
    let product = &site.app.product;
    let connectors = product.connectors(member.tenant.id(), &page).await?;
    Ok(connectors.map(ConnectorView::from).into())
}

/// `POST /api/connectors`
pub(super) async fn add(
    State(site): State<Site>,
    member: Member,
    Json(new): Json<NewConnector>,
) -> Result<(StatusCode, axum::Json<ConnectorView>), Failure> {
    name("name", &new.name)?;
    let kind = new.kind.unwrap_or_else(|| Connector::BUILT_IN.to_owned());
    one_of("type", &kind, &Connector::TYPES)?;
    settled(site.app.under_way.clone(), async move {
        let app = &site.app;
        let connector = Connector {
            id: new_id()?,
            name: new.name,
            kind,
            created_at: app.gate.clock().now(),
        };
        let tenant = member.tenant.id();
        if !app.product.insert_connector(tenant, &connector).await? {
            return Err(Failure::because(
                ErrorCode::Conflict,
                "The org has a connector of this name, or as many as it may have",
            ));
        }
        told(app, &member, AuditKind::ConnectorAdded, &connector.id).await?;
        Ok((StatusCode::CREATED, axum::Json(connector.into())))
    })
    .await
}

/// A connector's id, which nobody has had.
///
/// # Errors
/// Where the system gives no random bytes.
pub(crate) fn new_id() -> Result<String, MintError> {
    let id = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH)?;
    Ok(format!("{ID_PREFIX}{id}"))
}

/// `DELETE /api/connectors/{id}`
pub(super) async fn remove(
    State(site): State<Site>,
    member: Member,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    settled(site.app.under_way.clone(), async move {
        let (app, tenant) = (&site.app, member.tenant.id());
        let now = app.gate.clock().now();
        if !app.product.delete_connector(tenant, &id, now).await? {
            return Err(ErrorCode::NotFound.into());
        }
        told(app, &member, AuditKind::ConnectorRemoved, &id).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

impl From<Connector> for ConnectorView {
    fn from(connector: Connector) -> Self {
        Self {
            id: connector.id,
            name: connector.name,
            kind: connector.kind,
            created_at: rfc3339(connector.created_at),
        }
    }
}
