//! The layer's own answers.

use bytes::Bytes;
use gatewright_core::dialect::{Dialect, RenderContext, Rendered, RpcId, render};
use gatewright_core::error::AuthError;
use gatewright_core::policy::CompiledPolicy;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;

use super::McpBody;
use crate::rendered_response;

/// A refusal by this policy, of the request with this `id`. The error stays in the extensions, for the service's own logs.
pub(super) fn refusal<B>(
    error: AuthError,
    policy: &CompiledPolicy,
    id: RpcId<'_>,
) -> Response<McpBody<B>> {
    finish(policy.rpc_refusal(&error, id), error)
}

/// A refusal that no policy stands behind.
pub(super) fn unguarded<B>(error: AuthError) -> Response<McpBody<B>> {
    finish(render(&error, &RenderContext::new(Dialect::JsonRpc)), error)
}

fn finish<B>(rendered: Rendered, error: AuthError) -> Response<McpBody<B>> {
    let mut response = rendered_response(rendered);
    response.extensions_mut().insert(error);
    response
}

/// What MCP servers answer where there is no such tool ("Tools", error handling): an error of the protocol, not of HTTP.
pub(super) fn unknown_tool<B>(id: RpcId<'_>) -> Response<McpBody<B>> {
    let id = match id {
        RpcId::Number(number) => json!(number),
        RpcId::Text(text) => json!(text),
        _ => json!(null),
    };
    let error = json!({"code": -32602, "message": "Unknown tool"});
    let body = json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string();
    let mut response = Response::new(McpBody::from(Bytes::from(body)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
