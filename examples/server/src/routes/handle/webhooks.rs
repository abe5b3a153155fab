//! Subscriptions to what happens to a handle.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::error::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::product::Webhook;
use crate::routes::Site;
use crate::routes::caller::Member;
use crate::web::{Failure, Json, Listed, Paging, Query, rfc3339, schema, url};

const ID_LENGTH: usize = 16;
const MAX_EVENTS: usize = 20;
const MAX_EVENT_LENGTH: usize = 64;

/// What to subscribe to.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewWebhook {
    #[schema(value_type = schema::HttpsUrl)]
    url: String,
    #[schema(value_type = Vec<schema::EventName>, min_items = 1, max_items = 20)]
    events: Vec<String>,
}

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookView {
    id: String,
    url: String,
    events: Vec<String>,
    #[schema(value_type = schema::Time)]
    created_at: String,
}

/// Which subscription to end.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    id: String,
}

/// `GET /v2/public/handles/{handle}/webhooks`
pub(super) async fn list(
    State(site): State<Site>,
    member: Member,
    Paging(page): Paging,
) -> Result<Listed<WebhookView>, Failure> {
    let webhooks = site.app.product.webhooks(member.tenant.id(), &page).await?;
    Ok(webhooks.map(WebhookView::from).into())
}

/// `POST /v2/public/handles/{handle}/webhooks`
pub(super) async fn subscribe(
    State(site): State<Site>,
    member: Member,
    Json(new): Json<NewWebhook>,
) -> Result<(StatusCode, axum::Json<WebhookView>), Failure> {
    url("url", &new.url, &["https"])?;
    events(&new.events)?;
    let id = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH)?;
    let webhook = Webhook {
        id: format!("whk_{id}"),
        url: new.url,
        events: new.events,
        created_at: site.app.gate.clock().now(),
    };
    let product = &site.app.product;
    if !product.insert_webhook(member.tenant.id(), &webhook).await? {
        return Err(Failure::because(
            ErrorCode::Conflict,
            "The handle has a subscription of this URL",
        ));
    }
    Ok((StatusCode::CREATED, axum::Json(webhook.into())))
}

/// `DELETE /v2/public/handles/{handle}/webhooks?id=`
pub(super) async fn unsubscribe(
    State(site): State<Site>,
    member: Member,
    Query(which): Query<Which>,
) -> Result<StatusCode, Failure> {
    let product = &site.app.product;
    if product
        .delete_webhook(member.tenant.id(), &which.id)
        .await?
    {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ErrorCode::NotFound.into())
    }
}

fn events(events: &[String]) -> Result<(), Failure> {
    let name = |event: &String| {
        (1..=MAX_EVENT_LENGTH).contains(&event.len())
            && event
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte))
    };
    let fits = (1..=MAX_EVENTS).contains(&events.len()) && events.iter().all(name);
    fits.then_some(()).ok_or_else(|| {
        Failure::out_of_range(
            "events",
            "must be 1 to 20 names of at most 64 of A-Z, a-z, 0-9, ., _, - and *",
        )
    })
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            url: webhook.url,
            events: webhook.events,
            created_at: rfc3339(webhook.created_at),
        }
    }
}
