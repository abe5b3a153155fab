//! The endpoint coverage map: which credential goes where, drawn from the policies that judge it.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use gatewright_core::error::ErrorCode;
use gatewright_core::policy::RouteTable;
use serde_json::json;

use super::Site;
use crate::web::Failure;

/// The map of a table, `{"routes": […]}`.
pub(super) fn document(table: &RouteTable) -> Bytes {
    json!({ "routes": table.rows() }).to_string().into()
}

/// `GET /v2/coverage`
pub(super) async fn coverage(State(site): State<Site>) -> Result<impl IntoResponse, Failure> {
    let document = site.coverage.get().ok_or(ErrorCode::InternalError)?;
    Ok(([(CONTENT_TYPE, "application/json")], document.clone()))
}
