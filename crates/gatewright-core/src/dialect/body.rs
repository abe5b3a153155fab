//! The bodies of the dialects.

use serde::Serialize;

use super::{Dialect, RenderContext, RpcId};
use crate::error::{AuthError, Cause, ErrorCode};

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

#[derive(Serialize)]
struct Canonical<'a> {
    error: CanonicalError<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalError<'a> {
    code: &'a str,
    message: &'a str,
    status_code: u16,
}

#[derive(Serialize)]
struct Detail<'a> {
    detail: &'a str,
    code: &'a str,
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

#[derive(Serialize)]
struct OAuth<'a> {
    error: &'a str,
    error_description: String,
}

#[derive(Serialize)]
struct JsonRpc<'a> {
    jsonrpc: &'a str,
    id: Option<Id<'a>>,
    error: RpcError<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Id<'a> {
    Number(i64),
    Text(&'a str),
}

#[derive(Serialize)]
struct RpcError<'a> {
    code: i32,
    message: &'a str,
    data: RpcData<'a>,
}

#[derive(Serialize)]
struct RpcData<'a> {
    code: &'a str,
}

/// The media type and the bytes of the body.
pub(super) fn write(
    error: &AuthError,
    message: &str,
    context: &RenderContext<'_>,
) -> (&'static str, Vec<u8>) {
    let code = error.code().as_str();
    let status = error.status();
    match context.dialect {
        Dialect::Canonical => {
            let error = CanonicalError {
                code,
                message,
                status_code: status,
            };
            (JSON, bytes(&Canonical { error }))
        }
        Dialect::Detail => {
            let detail = message;
            (JSON, bytes(&Detail { detail, code }))
        }
        Dialect::Problem => {
            let problem = Problem {
                // RFC 9457 §4.2.1: with this type the title is the status's own phrase.
                r#type: "about:blank",
                title: reason_phrase(status),
                status,
                detail: message,
                code,
            };
            (PROBLEM, bytes(&problem))
        }
        Dialect::OAuth => {
            let error = OAuth {
                error: oauth_code(error.code()),
                error_description: super::challenge::description(message),
            };
            (JSON, bytes(&error))
        }
        Dialect::JsonRpc => {
            let response = JsonRpc {
                jsonrpc: "2.0",
                id: match context.rpc_id {
                    RpcId::Null => None,
                    RpcId::Number(number) => Some(Id::Number(number)),
                    RpcId::Text(text) => Some(Id::Text(text)),
                },
                error: RpcError {
                    code: rpc_code(error),
                    message,
                    data: RpcData { code },
                },
            };
            (JSON, bytes(&response))
        }
    }
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    // Strings and numbers in structs always serialize, and a `Vec` takes every write.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Our codes as OAuth registers them (RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §6.2, RFC 8707 §2).
fn oauth_code(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidScope
        | ErrorCode::InvalidGrant
        | ErrorCode::UnauthorizedClient
        | ErrorCode::UnsupportedGrantType
        | ErrorCode::InvalidTarget
        | ErrorCode::InvalidClient
        | ErrorCode::InvalidToken
        | ErrorCode::InsufficientScope
        | ErrorCode::TemporarilyUnavailable => code.as_str(),
        // "No client authentication included" is `invalid_client` as well.
        ErrorCode::MissingBearerToken | ErrorCode::InvalidCredentials => "invalid_client",
        ErrorCode::InvalidTokenFormat | ErrorCode::TokenExpired | ErrorCode::TokenRevoked => {
            "invalid_token"
        }
        ErrorCode::InvalidRefreshToken => "invalid_grant",
        ErrorCode::InsufficientRole | ErrorCode::FeatureLocked | ErrorCode::ForbiddenOrigin => {
            "access_denied"
        }
        ErrorCode::RateLimited | ErrorCode::QuotaExceeded => "temporarily_unavailable",
        ErrorCode::InternalError => "server_error",
        ErrorCode::InvalidRequest
        | ErrorCode::InvalidPayload
        | ErrorCode::ValidationError
        | ErrorCode::RefreshTokenMissing
        | ErrorCode::InvalidLink
        | ErrorCode::NotFound
        | ErrorCode::MethodNotAllowed
        | ErrorCode::Conflict
        | ErrorCode::PayloadTooLarge
        | ErrorCode::UnsupportedMediaType => "invalid_request",
    }
}

/// JSON-RPC 2.0 §5.1, and what MCP adds. Refusals share one number of the server's range; `data.code`
/// tells them apart.
fn rpc_code(error: &AuthError) -> i32 {
    match error.cause() {
        Some(Cause::HeaderMismatch) => return -32020,
        Some(Cause::UnreadableBody) => return -32700,
        _ => {}
    }
    match error.code() {
        ErrorCode::InvalidRequest | ErrorCode::InvalidPayload => -32600,
        ErrorCode::ValidationError => -32602,
        ErrorCode::InternalError => -32603,
        _ => -32000,
    }
}

/// RFC 9110 §15, RFC 6585 §4.
fn reason_phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
