//! Lists of tools, cut to those that the caller may call.

use bytes::Bytes;
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_core::gate::Guarded;
use http::Response;
use http::header::CONTENT_LENGTH;
use http_body::Body;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use super::{McpBody, ToolPolicies};

/// Leaves the tools out that the caller may not call, and says that the list is the caller's alone.
///
/// # Errors
/// `internal_error` where the server's answer is no list that can be read: what can't be cut is not shown.
pub(super) async fn cut<B>(
    response: Response<B>,
    tools: &impl ToolPolicies,
    guarded: &Guarded,
    hints: bool,
) -> Result<Response<McpBody<B>>, AuthError>
where
    B: Body<Data = Bytes>,
{
    // No list, but why there is none.
    if !response.status().is_success() {
        return Ok(response.map(McpBody::served));
    }
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|_| unreadable())?.to_bytes();
    if body.is_empty() {
        return Ok(Response::from_parts(parts, McpBody::from(body)));
    }
    // Events of a stream are none, whatever the field says.
    let mut message: Map<String, Value> =
        serde_json::from_slice(&body).map_err(|_| unreadable())?;
    if message.contains_key("result") || !message.contains_key("error") {
        let result = message.get_mut("result").and_then(Value::as_object_mut);
        let result = result.ok_or_else(unreadable)?;
        let listed = result.get_mut("tools").and_then(Value::as_array_mut);
        listed.ok_or_else(unreadable)?.retain(|tool| {
            let name = tool.get("name").and_then(Value::as_str);
            name.and_then(|name| tools.policy(name, guarded))
                .is_some_and(|policy| guarded.judge(&policy).is_ok())
        });
        if hints || result.contains_key("cacheScope") || result.contains_key("ttlMs") {
            result.insert("cacheScope".to_owned(), json!("private"));
        }
    }
    parts.headers.remove(CONTENT_LENGTH);
    let body = McpBody::from(Bytes::from(Value::Object(message).to_string()));
    Ok(Response::from_parts(parts, body))
}

fn unreadable() -> AuthError {
    AuthError::new(ErrorCode::InternalError)
        .with_source("the server behind the layer answered `tools/list` with no list in JSON")
}
