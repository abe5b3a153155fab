//! The kinds of connectors that are built in.

use gatewright_core::time::Timestamp;
use rmcp::model::JsonObject;
use serde_json::Value;

use super::{clock, text};
use crate::web::Failure;

/// Which tools a connector has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectorKind {
    /// All tools that are part of the server.
    BuiltIn,
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
    pub(crate) const ALL: [Self; 3] = [Self::BuiltIn, Self::Clock, Self::Text];

    /// The name on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Clock => "clock",
            Self::Text => "text",
        }
    }

    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    pub(super) fn tools(self) -> impl Iterator<Item = &'static ConnectorTool> {
        let groups: [&[ConnectorTool]; 2] = match self {
            Self::BuiltIn => [clock::TOOLS, text::TOOLS],
            Self::Clock => [clock::TOOLS, &[]],
            Self::Text => [&[], text::TOOLS],
        };
        groups.into_iter().flatten()
    }

    pub(super) fn tool(self, name: &str) -> Option<&'static ConnectorTool> {
        self.tools().find(|tool| tool.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_its_tools_by_theirs() {
        for kind in ConnectorKind::ALL {
            assert_eq!(ConnectorKind::named(kind.as_str()), Some(kind));
            for tool in kind.tools() {
                assert!(kind.tool(tool.name).is_some());
                // What parts it from the id of its connector.
                assert!(!tool.name.contains("__"), "{}", tool.name);
                assert!((tool.arguments)().is_object());
            }
        }
        assert_eq!(ConnectorKind::BuiltIn.tools().count(), 4);
        assert_eq!(ConnectorKind::named("built-out"), None);
    }
}
