//! Tools as rmcp serves them.

use std::borrow::Cow;

use axum::http::request::Parts;
use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::store::BoxFuture;
use gatewright_tower::mcp::ToolPolicies;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, JsonObject,
    ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
    Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::web::Failure;

/// The revisions that are spoken.
const REVISIONS: &[ProtocolVersion] =
    &[ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// Tools with what they ask for. Cheap to clone.
pub(super) trait Toolset: ToolPolicies + Clone + 'static {
    /// What a model is told about all of them.
    fn instructions(&self) -> String;

    /// All of them, in an order that stays; the layer leaves out what the caller may not call.
    fn tools(&self) -> Vec<Tool>;

    /// Calls one for whoever made the request with this head. Those that do not exist are `not_found`.
    fn call(
        &self,
        tool: String,
        arguments: JsonObject,
        caller: Parts,
    ) -> BoxFuture<'static, Result<Value, Failure>>;
}

/// A server of some tools and nothing else.
#[derive(Clone)]
pub(super) struct ToolServer<T>(T);

impl<T: Toolset> ToolServer<T> {
    pub(super) const fn new(tools: T) -> Self {
        Self(tools)
    }
}

impl<T: Toolset> ServerHandler for ToolServer<T> {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            ))
            .with_instructions(self.0.instructions())
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(REVISIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.0.tools()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.0.tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let result = match context.extensions.remove::<Parts>() {
            Some(caller) => {
                let arguments = request.arguments.unwrap_or_default();
                self.0
                    .call(request.name.into_owned(), arguments, caller)
                    .await
            }
            None => Err(Cause::GateMissing.into()),
        };
        Ok(match result {
            Ok(value) => CallToolResult::structured(value),
            Err(failure) => failed(&failure),
        }
        .into())
    }
}

/// The arguments of a tool that takes none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArguments {}

/// The arguments of a tool.
///
/// # Errors
/// `validation_error` where they are not of the type's shape.
pub(super) fn read<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(arguments)).map_err(|_| {
        Failure::because(
            ErrorCode::ValidationError,
            "The arguments are not those that the tool's schema describes",
        )
    })
}

/// A tool as lists show it. `arguments` is the schema of an object.
pub(super) fn described(
    name: impl Into<Cow<'static, str>>,
    description: &'static str,
    arguments: Value,
) -> Tool {
    let schema = match arguments {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    };
    Tool::new(name, description, schema)
}

/// What the model is told of a failure: the same as a client of the other routes.
fn failed(failure: &Failure) -> CallToolResult {
    let error = failure.error();
    if error.status() >= 500 {
        tracing::error!(target: "gatewright_server::request", ?error, "a tool failed");
    }
    let (code, message) = (error.code().as_str(), error.message());
    CallToolResult::structured_error(json!({"code": code, "message": message}))
}
