//! The tools of one organisation.

use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;
use gatewright_core::error::ErrorCode;
use gatewright_core::gate::{Gate, Guarded};
use gatewright_core::policy::{CompiledPolicy, Policy, Realm};
use gatewright_core::store::BoxFuture;
use gatewright_tower::mcp::ToolPolicies;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::Value;

use super::ConnectorKind;
use super::kind::ConnectorTool;
use crate::mcp::server::{Toolset, described};
use crate::web::Failure;

/// Stands between the id of a connector and the name of its tool. No tool has it in its name.
const SEPARATOR: &str = "__";

/// A connector that is switched on.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    /// A segment of a scope: letters, digits, `_` and `-`.
    pub(crate) id: Box<str>,
    pub(crate) kind: ConnectorKind,
}

/// The tools of the connectors of one organisation, as they are when a request arrives. A tool is called by the id of its
/// connector and its own name, such as `conn_1__echo`.
#[derive(Clone)]
pub(crate) struct OrgTools(Arc<Inner>);

struct Inner {
    gate: Gate,
    realm: Realm,
    connectors: Arc<[Connector]>,
}

impl OrgTools {
    /// Those of `connectors`, judged in `realm`.
    pub(crate) fn new(gate: Gate, realm: Realm, connectors: Arc<[Connector]>) -> Self {
        Self(Arc::new(Inner {
            gate,
            realm,
            connectors,
        }))
    }

    fn find(&self, name: &str) -> Option<(&Connector, &'static ConnectorTool)> {
        let (id, tool) = name.rsplit_once(SEPARATOR)?;
        let mut connectors = self.0.connectors.iter();
        let connector = connectors.find(|connector| *connector.id == *id)?;
        Some((connector, connector.kind.tool(tool)?))
    }
}

impl ToolPolicies for OrgTools {
    fn policy(&self, tool: &str, guarded: &Guarded) -> Option<Arc<CompiledPolicy>> {
        let (connector, _) = self.find(tool)?;
        // `mcp:call` covers it.
        let scope = format!("mcp:call:{}", connector.id);
        // Which credentials go here at all was judged by the route.
        let mode = guarded.principal()?.mode();
        let policy = Policy::mode(mode).scope(&scope);
        // Ids are made by the server. One that makes no scope has no tool that could be called.
        self.0.gate.compile_passing(&policy, &self.0.realm).ok()
    }
}

impl Toolset for OrgTools {
    fn instructions(&self) -> String {
        "The tools of an organisation's connectors.".to_owned()
    }

    fn tools(&self) -> Vec<Tool> {
        let connectors = self.0.connectors.iter();
        connectors
            .flat_map(|connector| {
                connector.kind.tools().map(move |tool| {
                    let name = format!("{}{SEPARATOR}{}", connector.id, tool.name);
                    described(name, tool.description, (tool.arguments)())
                        .with_annotations(ToolAnnotations::new().read_only(true).open_world(false))
                })
            })
            .collect()
    }

    fn call(
        &self,
        name: String,
        arguments: JsonObject,
        _: Parts,
    ) -> BoxFuture<'static, Result<Value, Failure>> {
        let tool = self.find(&name).map(|(_, tool)| tool);
        let now = self.0.gate.clock().now();
        Box::pin(async move {
            let tool = tool.ok_or(ErrorCode::NotFound)?;
            (tool.run)(arguments, now)
        })
    }
}

impl fmt::Debug for OrgTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OrgTools").field(&self.0.connectors).finish()
    }
}
