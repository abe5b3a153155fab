//! Connectors: groups of tools that an organisation switches on, and grants one by one.
//!
//! A connector has an id, never used twice, and a kind that says which tools it has. A credential with the scope `mcp:call`
//! may call the tools of all connectors of its organisation, one with `mcp:call:<id>` those of one.

mod clock;
mod held;
mod kind;
mod org;
mod text;

pub(crate) use held::OrgConnectors;
pub(crate) use kind::ConnectorKind;
pub(crate) use org::{Connector, OrgTools};
