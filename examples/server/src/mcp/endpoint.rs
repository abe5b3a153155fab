//! One endpoint: a request, the rules, the tools.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use gatewright_core::audit::{AuditEvent, AuditKind};
use gatewright_core::error::AuthError;
use gatewright_core::gate::Guarded;
use gatewright_tower::mcp::{McpLayer, McpService, TrustedSites};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tower_layer::Layer as _;
use tower_service::Service as _;

use super::server::{ToolServer, Toolset};
use crate::app::App;
use crate::routes::MAX_BODY_BYTES;
use crate::web::{Failure, arrived, source};

/// Answers a request that the gate has admitted, with these tools.
///
/// # Errors
/// [`Failure`], where the body does not arrive. Everything else is answered in JSON-RPC.
pub(super) async fn serve<T: Toolset>(
    app: &App,
    sites: &TrustedSites,
    tools: T,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let (guarded, source) = (
        parts.extensions.get::<Guarded>().cloned(),
        source(app, &parts),
    );
    let request = Request::from_parts(parts.clone(), body);
    let body = Body::from(arrived(request, &()).await?);

    let mut service = service(sites, tools);
    let answered = service.call(Request::from_parts(parts, body)).await;
    let response = answered.unwrap_or_else(|never| match never {});

    // The gate notes what it refuses by itself; this refusal came after it.
    if let Some(error) = response.extensions().get::<AuthError>()
        && let Some(cause) = error.cause().filter(|_| error.status() == 403)
        && let Some(caller) = guarded.as_ref().and_then(Guarded::principal)
    {
        let event = AuditEvent::new(AuditKind::Denied, app.gate.clock().now())
            .by(caller)
            .from(source)
            .because(cause);
        app.audit.record(event);
    }
    Ok(response.map(Body::new))
}

type Served<T> = McpService<StreamableHttpService<ToolServer<T>, NeverSessionManager>, T>;

fn service<T: Toolset>(sites: &TrustedSites, tools: T) -> Served<T> {
    // Hosts and origins are checked by the layer, in the form of its other refusals.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BODY_BYTES)
        .disable_allowed_hosts();
    let server = ToolServer::new(tools.clone());
    let transport = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::<NeverSessionManager>::default(),
        config,
    );
    McpLayer::new(tools, sites.clone())
        .max_body_bytes(MAX_BODY_BYTES)
        .layer(transport)
}
