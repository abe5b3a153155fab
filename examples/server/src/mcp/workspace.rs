//! The tools of a workspace: the API for keys, as models call it.

use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;
use gatewright_core::error::ErrorCode;
use gatewright_core::gate::Guarded;
use gatewright_core::policy::{CompiledPolicy, Policy};
use gatewright_core::store::BoxFuture;
use gatewright_tower::mcp::{ToolErrors, ToolPolicies, ToolTable};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde::Deserialize;
use serde_json::{Value, json};

use super::server::{NoArguments, Toolset, described, read};
use crate::app::App;
use crate::routes::{Member, Whoami, keys};
use crate::web::{Failure, Paging};

/// A tool, with what it asks of its callers.
struct WorkspaceTool {
    name: &'static str,
    description: &'static str,
    /// What a key must carry; a user must be a member in any case.
    scope: Option<&'static str>,
    effect: Effect,
    arguments: fn() -> Value,
    run: fn(App, Member, JsonObject) -> BoxFuture<'static, Result<Value, Failure>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Adds,
    Destroys,
}

const TOOLS: &[WorkspaceTool] = &[
    WorkspaceTool {
        name: "whoami",
        description: "Say whose credential this is and what it may do.",
        scope: None,
        effect: Effect::Reads,
        arguments: || json!({"type": "object", "additionalProperties": false}),
        run: |_, member, arguments| {
            Box::pin(async move {
                let NoArguments {} = read(arguments)?;
                shown(&Whoami::of(&member.principal))
            })
        },
    },
    WorkspaceTool {
        name: "list_api_keys",
        description: "List API keys of the workspace: the caller's own, or everybody's for those who may see them. No secrets are shown.",
        scope: Some("keys.read"),
        effect: Effect::Reads,
        arguments: || {
            json!({
                "type": "object",
                "properties": {
                    "cursor": {"type": "string", "description": "The `next_cursor` of the page before."},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                },
                "additionalProperties": false,
            })
        },
        run: |app, member, arguments| {
            Box::pin(async move {
                let PageArguments { cursor, limit } = read(arguments)?;
                let Paging(page) = Paging::of(cursor, limit)?;
                shown(&keys::page_of(&app, &member, &page).await?)
            })
        },
    },
    WorkspaceTool {
        name: "mint_api_key",
        description: "Mint an API key. Its secret is shown this one time. Without scopes it may do all that the caller may.",
        scope: Some("keys.write"),
        effect: Effect::Adds,
        arguments: || {
            json!({
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 100},
                    "scopes": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 64},
                },
                "additionalProperties": false,
            })
        },
        run: |app, member, arguments| {
            Box::pin(async move {
                let MintArguments { name, scopes } = read(arguments)?;
                let new = keys::NewKey::named(name, scopes);
                shown(&keys::mint_for(&app, &member, new).await?)
            })
        },
    },
    WorkspaceTool {
        name: "revoke_api_key",
        description: "Revoke an API key, at once and for good. Revoking it again changes nothing.",
        scope: Some("keys.write"),
        effect: Effect::Destroys,
        arguments: || {
            json!({
                "type": "object",
                "required": ["prefix"],
                "properties": {"prefix": {"type": "string", "description": "The public part of the key."}},
                "additionalProperties": false,
            })
        },
        run: |app, member, arguments| {
            Box::pin(async move {
                let RevokeArguments { prefix } = read(arguments)?;
                keys::revoke_for(&app, member, &prefix).await?;
                Ok(json!({"prefix": prefix, "revoked": true}))
            })
        },
    },
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageArguments {
    cursor: Option<String>,
    limit: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MintArguments {
    name: String,
    scopes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeArguments {
    prefix: String,
}

impl WorkspaceTool {
    fn policy(&self) -> Policy {
        let key = match self.scope {
            Some(scope) => Policy::api_key().scope(scope),
            None => Policy::api_key(),
        };
        Policy::jwt().role("member").or(key)
    }

    fn described(&self) -> Tool {
        let hints = ToolAnnotations::new()
            .read_only(self.effect == Effect::Reads)
            .destructive(self.effect == Effect::Destroys)
            .idempotent(self.effect != Effect::Adds)
            .open_world(false);
        described(self.name, self.description, (self.arguments)()).with_annotations(hints)
    }
}

/// What the tools ask for.
///
/// # Errors
/// Every tool that asks for what there is not.
pub(super) fn policies(app: &App) -> Result<ToolTable, ToolErrors> {
    let table = ToolTable::builder(app.gate.clone(), app.realms.mcp.clone());
    TOOLS
        .iter()
        .fold(table, |table, tool| table.tool(tool.name, tool.policy()))
        .finish()
}

/// The tools of the caller's workspace.
#[derive(Clone)]
pub(super) struct WorkspaceTools {
    app: App,
    policies: ToolTable,
}

impl WorkspaceTools {
    pub(super) const fn new(app: App, policies: ToolTable) -> Self {
        Self { app, policies }
    }
}

impl ToolPolicies for WorkspaceTools {
    fn policy(&self, tool: &str, guarded: &Guarded) -> Option<Arc<CompiledPolicy>> {
        self.policies.policy(tool, guarded)
    }
}

impl Toolset for WorkspaceTools {
    fn instructions(&self) -> String {
        "Manages the API keys of one workspace.".to_owned()
    }

    fn tools(&self) -> Vec<Tool> {
        TOOLS.iter().map(WorkspaceTool::described).collect()
    }

    fn call(
        &self,
        name: String,
        arguments: JsonObject,
        caller: Parts,
    ) -> BoxFuture<'static, Result<Value, Failure>> {
        let app = self.app.clone();
        Box::pin(async move {
            let tool = TOOLS.iter().find(|tool| tool.name == name);
            let tool = tool.ok_or(ErrorCode::NotFound)?;
            let member = Member::of(&caller, &app)?;
            (tool.run)(app, member, arguments).await
        })
    }
}

impl fmt::Debug for WorkspaceTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkspaceTools").finish_non_exhaustive()
    }
}

fn shown(answer: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(answer).map_err(Failure::internal)
}
