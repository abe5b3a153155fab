//! The JSON-RPC message of a request, and the fields that repeat a part of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_core::dialect::RpcId;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use gatewright_core::json::{self, JsonError};
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

pub(super) const CALL: &str = "tools/call";
pub(super) const LIST: &str = "tools/list";

static METHOD: HeaderName = HeaderName::from_static("mcp-method");
static NAME: HeaderName = HeaderName::from_static("mcp-name");
static REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The first revision whose lists say who may keep them.
const CACHE_HINTS: &str = "2026-07-28";

/// Which member of `params` names what a method is about.
const NAMED_BY: [(&str, &[&str]); 3] = [
    ("name", &[CALL, "prompts/get"]),
    (
        "uri",
        &[
            "resources/read",
            "resources/subscribe",
            "resources/unsubscribe",
        ],
    ),
    ("taskId", &["tasks/get", "tasks/update", "tasks/cancel"]),
];

/// What of a message decides about it.
#[derive(Debug)]
pub(super) struct Message {
    id: Id,
    /// None: an answer to a request of the server's.
    method: Option<String>,
    /// The tool, prompt, resource or task that the method is about.
    name: Option<String>,
    revision: Option<String>,
}

#[derive(Debug)]
enum Id {
    Absent,
    Number(i64),
    Text(String),
}

impl Message {
    /// Reads one message (JSON-RPC 2.0 §4 and §5, as MCP narrows it): every reader of the same bytes finds what is found here.
    ///
    /// # Errors
    /// `invalid_payload`: with [`Cause::UnreadableBody`] for what is not JSON or repeats a member, without a cause for JSON
    /// of another shape, batches among it.
    pub(super) fn read(body: &[u8]) -> Result<Self, AuthError> {
        let message = json::parse(body).map_err(|error| {
            AuthError::from(Cause::UnreadableBody).with_message(match error {
                JsonError::Repeated => "The body names a member twice",
                _ => "The body is not JSON that can be read",
            })
        })?;
        let Value::Object(mut message) = message else {
            return Err(malformed("The body must be one JSON-RPC message"));
        };
        if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(malformed("`jsonrpc` must be \"2.0\""));
        }
        let id = match message.remove("id") {
            None => Id::Absent,
            Some(Value::String(text)) => Id::Text(text),
            Some(id) => Id::Number(
                id.as_i64()
                    .ok_or_else(|| malformed("`id` must be a string or a whole number"))?,
            ),
        };
        let answers = ["result", "error"].map(|member| message.contains_key(member));
        let method = match (message.remove("method"), answers) {
            (Some(Value::String(method)), [false, false]) => method,
            (None, [true, false] | [false, true]) if !matches!(id, Id::Absent) => {
                return Ok(Self {
                    id,
                    method: None,
                    name: None,
                    revision: None,
                });
            }
            _ => {
                return Err(malformed(
                    "The body is neither a request nor an answer to one",
                ));
            }
        };
        let mut params = match message.remove("params") {
            None => Map::new(),
            Some(Value::Object(params)) => params,
            // A reader could take an array for the members of the object, in their order.
            Some(_) => return Err(malformed("`params` must be an object")),
        };
        let named_by = NAMED_BY.iter().find_map(|(member, methods)| {
            methods
                .contains(&method.as_str())
                .then(|| params.remove(*member))
        });
        let name = match named_by {
            Some(Some(Value::String(name))) => Some(name),
            _ if method == CALL => return Err(malformed("`params.name` must be a string")),
            _ => None,
        };
        let revision = params
            .get("_meta")
            .and_then(|meta| meta.get("io.modelcontextprotocol/protocolVersion"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        Ok(Self {
            id,
            method: Some(method),
            name,
            revision,
        })
    }

    /// The `id` to answer with.
    pub(super) fn id(&self) -> RpcId<'_> {
        match &self.id {
            Id::Absent => RpcId::Null,
            Id::Number(number) => RpcId::Number(*number),
            Id::Text(text) => RpcId::Text(text),
        }
    }

    /// The tool that it calls.
    pub(super) fn tool(&self) -> Option<&str> {
        self.name.as_deref().filter(|_| self.is(CALL))
    }

    pub(super) fn is(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }

    /// Whether its revision of the protocol knows hints about caching.
    pub(super) fn knows_cache_hints(&self, headers: &HeaderMap) -> bool {
        let field = headers.get(&REVISION).and_then(|value| value.to_str().ok());
        // Revisions are dates: they sort as text.
        [self.revision.as_deref(), field]
            .into_iter()
            .flatten()
            .any(|revision| revision >= CACHE_HINTS)
    }

    /// Whether the fields that repeat the method and the name say what the body says. Who routes or filters by those fields
    /// relies on it.
    ///
    /// # Errors
    /// `invalid_request` with [`Cause::HeaderMismatch`] for a field that says something else, that is there more than once, or
    /// that says what the body leaves out.
    pub(super) fn agrees_with(&self, headers: &HeaderMap) -> Result<(), AuthError> {
        let as_it_stands = |value: &str| Some(value.to_owned());
        let method = sole(headers, &METHOD, as_it_stands);
        if method.is_some_and(|said| said.is_none() || said != self.method) {
            return Err(mismatch("`Mcp-Method` is not the method in the body"));
        }
        let name = sole(headers, &NAME, decoded);
        if name.is_some_and(|said| said.is_none() || said != self.name) {
            return Err(mismatch("`Mcp-Name` is not the name in the body"));
        }
        Ok(())
    }
}

/// What the one line of a field says: `None` where there is no line, `Some(None)` where there are several or it can't be read.
fn sole(
    headers: &HeaderMap,
    field: &HeaderName,
    read: impl Fn(&str) -> Option<String>,
) -> Option<Option<String>> {
    let mut lines = headers.get_all(field).iter();
    let line = lines.next()?;
    let alone = lines.next().is_none();
    Some(line.to_str().ok().filter(|_| alone).and_then(read))
}

fn mismatch(message: &'static str) -> AuthError {
    AuthError::from(Cause::HeaderMismatch).with_message(message)
}

fn malformed(message: &'static str) -> AuthError {
    AuthError::new(ErrorCode::InvalidPayload).with_message(message)
}

/// The value of a field: as it stands, or in base64 between marks where no field could hold it otherwise.
fn decoded(value: &str) -> Option<String> {
    let encoded = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}
