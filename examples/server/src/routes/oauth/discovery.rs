//! The documents by which clients and resource servers find their way. They hold nothing but what the public URL tells.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::scope::ScopeSet;
use gatewright_issuer::{AuthorizationServerMetadata, MetadataError, ProtectedResourceMetadata};
use serde::Serialize;

use crate::realms::MCP_CALL;
use crate::routes::Site;
use crate::routes::caller::Path;
use crate::start::PUBLISH_LEAD_SECS;
use crate::web::{Failure, slug};

/// For how long caches may keep a document, in seconds. Whoever fetched the key set just before a new key was published has
/// fetched it anew long before that key signs.
const MAX_AGE_SECS: u64 = PUBLISH_LEAD_SECS / 3;

/// `GET /.well-known/jwks.json` (RFC 7517 §5)
pub(super) async fn jwks(State(site): State<Site>) -> Result<Response, Failure> {
    let now = site.app.gate.clock().now();
    document(&site.app.signing.jwks(now))
}

/// `GET /.well-known/oauth-authorization-server` (RFC 8414)
pub(super) async fn server(State(site): State<Site>) -> Result<Response, Failure> {
    let base = &*site.app.public_url;
    let at = |path: &str| format!("{base}{path}");
    let metadata = || {
        AuthorizationServerMetadata::new(base, &at("/oauth/token"), &at("/.well-known/jwks.json"))?
            .with_revocation(&at("/oauth/revoke"))?
            .with_introspection(&at("/oauth/introspect"))?
            // None is supported, and there are clients that read no metadata which does not say so.
            .with_authorization(&at("/oauth/authorize"), None::<String>)
    };
    let metadata = metadata().map_err(unpublished)?;
    document(&metadata.with_scopes(&offered()))
}

/// `GET /.well-known/oauth-protected-resource` (RFC 9728)
pub(super) async fn root(State(site): State<Site>) -> Result<Response, Failure> {
    document(&resource(&site, "")?.with_scopes(&offered()))
}

/// `GET /.well-known/oauth-protected-resource/mcp`: what the tools of a workspace ask for is its roles' and its keys' scopes,
/// which no client is registered for.
pub(super) async fn mcp(State(site): State<Site>) -> Result<Response, Failure> {
    document(&resource(&site, "/mcp")?)
}

/// `GET /.well-known/oauth-protected-resource/mcp/{org}`: the same whether there is such an org or not. Nobody learns here
/// who the customers are, or what they plugged in.
pub(super) async fn org(
    State(site): State<Site>,
    Path(org): Path<String>,
) -> Result<Response, Failure> {
    if slug("org", &org).is_err() {
        return Err(ErrorCode::NotFound.into());
    }
    document(&resource(&site, &format!("/mcp/{org}"))?.with_scopes(&offered()))
}

fn offered() -> ScopeSet {
    ScopeSet::from(MCP_CALL.clone())
}

fn resource(site: &Site, path: &str) -> Result<ProtectedResourceMetadata, Failure> {
    let base = &*site.app.public_url;
    ProtectedResourceMetadata::new(&format!("{base}{path}"), base).map_err(unpublished)
}

/// Under a public URL of plain `http`, clients are told nothing: they would send their secrets in the clear.
fn unpublished(error: MetadataError) -> Failure {
    AuthError::new(ErrorCode::NotFound)
        .with_source(error)
        .into()
}

fn document(document: &impl Serialize) -> Result<Response, Failure> {
    let text = serde_json::to_vec(document).map_err(Failure::internal)?;
    let fields = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CACHE_CONTROL, format!("public, max-age={MAX_AGE_SECS}")),
    ];
    Ok((fields, text).into_response())
}
