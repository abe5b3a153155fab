//! The kinds of connectors that are built in.

use gatewright_core::time::Timestamp;
use rmcp::model::JsonObject;
use serde_json::Value;

use super::{clock, text};
use crate::web::Failure;

/// Which tools a connector has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectorKind {
    /// What time it is, and how long between two times.
    Clock,
    /// Words and characters of texts.
    Text,
}

/// A tool of a connector: it works on its arguments and the time alone.
pub(super) struct ConnectorTool {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) arguments: fn() -> Value,
    pub(super) run: fn(JsonObject, Timestamp) -> Result<Value, Failure>,
}

impl ConnectorKind {
    pub(crate) const ALL: [Self; 2] = [Self::Clock, Self::Text];

    /// The name on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Text => "text",
        }
    }

    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    pub(super) const fn tools(self) -> &'static [ConnectorTool] {
        match self {
            Self::Clock => clock::TOOLS,
            Self::Text => text::TOOLS,
        }
    }

    pub(super) fn tool(self, name: &str) -> Option<&'static ConnectorTool> {
        self.tools().iter().find(|tool| tool.name == name)
    }
}
