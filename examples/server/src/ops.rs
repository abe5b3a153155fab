//! What operators ask: is it alive, is it ready, what is it doing. Nothing here reads a store, so nobody can wear one out
//! by asking.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::background::Pulse;
use crate::telemetry::Metrics;

/// `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn router(metrics: Arc<Metrics>, pulse: Arc<Pulse>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(pulse))
        .route("/metrics", get(scrape).with_state(metrics))
}

/// Ready means: the database was read and heard of within the last two seconds, and nobody asked the server to end.
async fn ready(State(pulse): State<Arc<Pulse>>) -> impl IntoResponse {
    let (status, text) = if pulse.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    };
    (status, [(CACHE_CONTROL, "no-store")], text)
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    (
        [
            (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
        ],
        metrics.render(),
    )
}
