//! Conversions: reported by anybody, counted for the handle whose context they carry.

use axum::extract::State;
use axum::http::StatusCode;
use gatewright_core::credential::{IdAlphabet, random_id};
use gatewright_core::error::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::product::{Counted, NewConversion, Recorded};
use crate::routes::Site;
use crate::routes::caller::Member;
use crate::web::{Failure, Json, text};

const ID_LENGTH: usize = 20;
/// The longest context that is looked at, ours being far shorter.
const MAX_CTX_LENGTH: usize = 1_024;
/// The most that one conversion can be worth, or cost.
const MAX_VALUE: f64 = 1e9;

/// A report.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    #[schema(
        min_length = 1,
        max_length = 1024,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$"
    )]
    ctx: String,
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$", examples("purchase"))]
    event_type: String,
    #[serde(default)]
    #[schema(minimum = -1e9, maximum = 1e9)]
    value: f64,
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$"
    )]
    idempotency_key: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    id: String,
    deduped: bool,
}

/// What happened to a handle.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Analytics {
    handle: String,
    conversions: u64,
    value: f64,
    by_event_type: Vec<ByType>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ByType {
    event_type: String,
    count: u64,
    value: f64,
}

/// `POST /v2/public/conversions`: whether the context is one of ours is not told.
pub(super) async fn record(
    State(site): State<Site>,
    Json(report): Json<Report>,
) -> Result<(StatusCode, axum::Json<Receipt>), Failure> {
    text("ctx", &report.ctx, 1..=MAX_CTX_LENGTH)?;
    event_type(&report.event_type)?;
    if !(-MAX_VALUE..=MAX_VALUE).contains(&report.value) {
        let rule = "must be from -1,000,000,000 to 1,000,000,000";
        return Err(Failure::out_of_range("value", rule));
    }
    if let Some(key) = &report.idempotency_key {
        text("idempotencyKey", key, 1..=255)?;
    }
    let id = random_id(IdAlphabet::LowerAlphanumeric, ID_LENGTH)?;
    let new = NewConversion {
        id: format!("cnv_{id}"),
        ctx: report.ctx,
        event_type: report.event_type,
        // Turns -0 into 0: they are equal and should look it.
        value: report.value + 0.0,
        idempotency_key: report.idempotency_key,
        at: site.app.gate.clock().now(),
    };
    let (status, id, deduped) = match site.app.product.record_conversion(&new).await? {
        Recorded::New => (StatusCode::CREATED, new.id, false),
        Recorded::Repeated(first) => (StatusCode::OK, first, true),
        Recorded::Different => {
            return Err(Failure::because(
                ErrorCode::Conflict,
                "The idempotency key was used for another conversion",
            ));
        }
    };
    Ok((status, axum::Json(Receipt { id, deduped })))
}

/// `GET /v2/public/handles/{handle}/analytics`
pub(super) async fn analytics(
    State(site): State<Site>,
    member: Member,
) -> Result<axum::Json<Analytics>, Failure> {
    let product = &site.app.product;
    let counted = product.count_conversions(member.tenant.id()).await?;
    Ok(axum::Json(Analytics {
        handle: member.tenant.slug().to_owned(),
        conversions: counted.count,
        value: cents(counted.value),
        by_event_type: counted.by_type.into_iter().map(ByType::from).collect(),
    }))
}

impl From<Counted> for ByType {
    fn from(row: Counted) -> Self {
        Self {
            event_type: row.event_type,
            count: row.count,
            value: cents(row.value),
        }
    }
}

/// A sum without the dust that adding binary fractions leaves: three times 49.99 is 149.97.
fn cents(sum: f64) -> f64 {
    (sum * 1e4).round() / 1e4
}

fn event_type(value: &str) -> Result<(), Failure> {
    let fits = (1..=64).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte));
    fits.then_some(()).ok_or_else(|| {
        Failure::out_of_range(
            "eventType",
            "must be 1 to 64 of A-Z, a-z, 0-9, ., _, - and :",
        )
    })
}
