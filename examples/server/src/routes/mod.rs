//! Every route of the service, each with its policy.

mod caller;
mod coverage;
mod credentials;
mod gateway;
mod handle;
mod login;
mod oauth;
mod openapi;
#[cfg(test)]
mod tests;
mod whoami;
mod workspace;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::map_response;
use axum::response::Response;
use gatewright_axum::{GuardedRouter, get};
use gatewright_core::cookie::TrustedOrigins;
use gatewright_core::document::OpenApiErrors;
use gatewright_core::jwt::VerifierError;
use gatewright_core::origin::OriginError;
use gatewright_core::policy::{Policy, RouteErrors, RouteTable};
use gatewright_issuer::AuthorizationServer;

use crate::app::App;
use crate::mcp::{self, Mcp};
pub(crate) use caller::Member;
pub(crate) use gateway::{connector_id, same_issuer};
pub(crate) use openapi::document as openapi_document;
pub(crate) use whoami::Whoami;
pub(crate) use workspace::keys;

/// The longest body that is read.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;

/// What handlers share: the parts of the server, and what only its routes need. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Site(Arc<Shared>);

pub(crate) struct Shared {
    /// The server's parts.
    pub(crate) app: App,
    /// What the tools of MCP share.
    pub(crate) mcp: Mcp,
    /// Gives tokens to the clients of orgs.
    pub(crate) oauth: AuthorizationServer,
    /// Whose pages may log somebody in.
    pub(crate) pages: TrustedOrigins,
    /// The endpoint coverage map, known once all routes are.
    coverage: OnceLock<coverage::Coverage>,
    /// The OpenAPI document, or what is wrong with it: a mistake in a document is no reason not to serve.
    openapi: OnceLock<Result<Bytes, OpenApiErrors>>,
}

impl Deref for Site {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").finish_non_exhaustive()
    }
}

/// Why there is no router: a mistake of the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RouterError {
    /// In the policies of the routes.
    #[error(transparent)]
    Routes(#[from] RouteErrors),
    /// The public URL makes no issuer.
    #[error(transparent)]
    Issuer(#[from] VerifierError),
    /// The public URL is on no origin.
    #[error("the public URL is of no origin")]
    Origin(#[from] OriginError),
    /// In the tools.
    #[error(transparent)]
    Mcp(#[from] mcp::McpError),
}

/// The service's router and the table of its routes. Serve it with `into_make_service_with_connect_info::<SocketAddr>`, or
/// limits know no source address.
///
/// # Errors
/// Every mistake of every route's policy, or of every tool's.
pub(crate) fn router(app: App) -> Result<(Router, RouteTable), RouterError> {
    let site = Site(Arc::new(Shared {
        mcp: Mcp::new(&app)?,
        oauth: oauth::server(&app)?,
        pages: TrustedOrigins::of(&app.public_url)?,
        app,
        coverage: OnceLock::new(),
        openapi: OnceLock::new(),
    }));
    let (gate, realms) = (&site.app.gate, &site.app.realms);
    let anybody = Policy::jwt()
        .or(Policy::pat())
        .or(Policy::api_key())
        .or(Policy::external())
        .tenant_from_query("org");
    let (router, table) = GuardedRouter::new(gate.clone(), realms.root.clone())
        .behind_proxies(site.app.proxies.clone())
        .route("/whoami", get(anybody, whoami::whoami))
        .merge(mcp::routes(gate, realms, &site.app))
        .merge(mcp::org_routes(gate, realms, &site.app))
        .route("/openapi.json", get(Policy::public(), openapi::openapi))
        .nest("/api/v1", workspace::routes(gate, realms))
        .nest("/v2", handle::routes(gate, realms))
        .nest("/api", gateway::routes(gate, realms))
        .nest("/oauth", oauth::routes(gate, realms))
        .nest("/.well-known", oauth::documents(gate, realms))
        .with_state(site.clone())
        .finish()?;
    // Set once, here; nobody asks before the router is handed out.
    let _ = site.coverage.set(coverage::Coverage::of(&table));
    let document = openapi::document(&table, &site.app).map(|document| document.to_string().into());
    if let Err(mistakes) = &document {
        tracing::error!(%mistakes, "the OpenAPI document is wrong");
    }
    let _ = site.openapi.set(document);
    let router = router
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(map_response(not_to_be_stored));
    Ok((router, table))
}

/// Nearly every answer is for one caller alone, or holds a secret (RFC 9111 §5.2.2.5).
async fn not_to_be_stored(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
