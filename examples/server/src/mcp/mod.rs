//! Tools for MCP clients: what the server does over HTTP, offered to models.
//!
//! Every request is admitted by the gate, then by the rules of `gatewright_tower::mcp`, which read the body that runs; what
//! is left reaches `rmcp`. Nothing is kept between requests: each is answered in JSON, and there is no `initialize` that
//! others rely on.
//!
//! What each tool asks of its callers is said once, beside the tool.

mod connector;
mod endpoint;
mod server;
mod workspace;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use gatewright_axum::{GuardedRouter, post};
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::gate::{Gate, Guarded};
use gatewright_core::policy::{Policy, Realm};
use gatewright_tower::mcp::{SiteError, ToolErrors, ToolTable, TrustedSites};
use serde_json::json;

use crate::app::App;
use crate::realms::Realms;
use crate::routes::Site;
use crate::web::{Failure, Operation, Operations};
pub(crate) use connector::OrgConnectors;
use connector::OrgTools;
#[cfg(test)]
pub(crate) use connector::{Connector, ConnectorKind};
use workspace::WorkspaceTools;

/// What is known of MCP before the first request.
#[derive(Debug)]
pub(crate) struct Mcp {
    /// The names that the server is called by.
    sites: TrustedSites,
    /// What the tools of workspaces ask for.
    workspace: ToolTable,
}

/// Why tools cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum McpError {
    /// The public URL is none.
    #[error("MCP cannot be served at this public URL")]
    Site(#[from] SiteError),
    /// A tool asks for what there is not.
    #[error(transparent)]
    Tools(#[from] ToolErrors),
}

impl Mcp {
    /// # Errors
    /// [`McpError`], by variant.
    pub(crate) fn new(app: &App) -> Result<Self, McpError> {
        Ok(Self {
            // Proxies and probes beside the server call it by a local name.
            sites: TrustedSites::of(&app.public_url)?.or_loopback(),
            workspace: workspace::policies(app)?,
        })
    }

    /// Answers a request that the gate has admitted to an organisation, with the tools of its connectors. The realm is that
    /// of the route.
    ///
    /// # Errors
    /// [`Failure`], where the body does not arrive. Everything else is answered in JSON-RPC.
    pub(crate) async fn connectors(
        &self,
        app: &App,
        realm: &Realm,
        connectors: Arc<[connector::Connector]>,
        request: Request,
    ) -> Result<Response, Failure> {
        let tools = OrgTools::new(app.gate.clone(), realm.clone(), connectors);
        endpoint::serve(app, &self.sites, tools, request).await
    }
}

/// `/mcp`: the tools of the caller's workspace.
pub(crate) fn routes(gate: &Gate, realms: &Realms, app: &App) -> GuardedRouter<Site> {
    let either = Policy::jwt().role("member").or(Policy::api_key());
    GuardedRouter::new(gate.clone(), realms.mcp.clone())
        .behind_proxies(app.proxies.clone())
        .route("/mcp", post(either, workspace))
}

/// `/mcp/{org}`: the tools of an org's connectors. A key, a client's token or a token of the org's own provider need no
/// scope to come here: what they may call is judged by what they ask for, and lists are cut to it.
pub(crate) fn org_routes(gate: &Gate, realms: &Realms, app: &App) -> GuardedRouter<Site> {
    let either = Policy::jwt().or(Policy::api_key()).or(Policy::external());
    GuardedRouter::new(gate.clone(), realms.mcp_org.clone())
        .behind_proxies(app.proxies.clone())
        .route("/mcp/{org}", post(either.tenant_from("org"), org))
}

/// `POST /mcp`
async fn workspace(State(site): State<Site>, request: Request) -> Result<Response, Failure> {
    let tools = WorkspaceTools::new(site.app.clone(), site.mcp.workspace.clone());
    endpoint::serve(&site.app, &site.mcp.sites, tools, request).await
}

/// `POST /mcp/{org}`
async fn org(State(site): State<Site>, request: Request) -> Result<Response, Failure> {
    let caller = Guarded::of(request.extensions().get())?.caller()?;
    let tenant = caller.tenant().ok_or(Cause::NoMembership)?;
    let connectors = site.app.connectors.of(tenant);
    let (app, realm) = (&site.app, &site.app.realms.mcp_org);
    site.mcp.connectors(app, realm, connectors, request).await
}

/// What is sent and answered.
pub(crate) fn operations(at: &mut Operations) {
    let id = json!({"type": ["string", "integer"]});
    let request = json!({
        "type": "object",
        // Without an `id` it is a notification.
        "required": ["jsonrpc", "method"],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": id,
            // Others, such as `tools/call`, need parameters of their own.
            "method": {"type": "string", "examples": ["tools/list"]},
            "params": {"type": "object"},
        },
    });
    let answer = json!({
        "type": "object",
        "required": ["jsonrpc", "id"],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": id,
            "result": {"type": "object"},
            "error": {"type": "object", "required": ["code", "message"]},
        },
    });
    let spoken = |summary| {
        Operation::new("MCP", summary)
            .about("The Streamable HTTP transport of the Model Context Protocol, without sessions and streams.")
            .takes_schema(&request)
            .answers_schema(200, "The answer", "application/json", &answer)
            .answers_empty(202, "A notification was taken")
            .refuses(&[
                ErrorCode::ForbiddenOrigin,
                ErrorCode::InsufficientScope,
                ErrorCode::InsufficientRole,
                ErrorCode::UnsupportedMediaType,
            ])
    };
    let slug = json!({"type": "string", "pattern": "^[a-z0-9-]{3,40}$", "examples": ["acme-corp"]});
    at.at(
        "POST /mcp",
        spoken("Send a message to the tools of the workspace"),
    )
    .at(
        "POST /mcp/{org}",
        spoken("Send a message to the tools of the org's connectors").path(
            "org",
            "The org's slug",
            &slug,
        ),
    );
}
