//! What each tool asks of its callers.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use gatewright_core::gate::{Gate, Guarded};
use gatewright_core::policy::{CompiledPolicy, Policy, PolicyError, Realm};

/// Knows what a tool asks of its callers.
///
/// A [`ToolTable`] serves where the program declares its tools. Where tools come and go while requests run, a type of the
/// service's own does, with policies by [`Gate::compile_passing`].
pub trait ToolPolicies: Send + Sync {
    /// What a call of `tool` asks for, where there is such a tool for this caller; a tool of another tenant is none. The
    /// policy must have been compiled by the gate that admitted the request.
    fn policy(&self, tool: &str, guarded: &Guarded) -> Option<Arc<CompiledPolicy>>;
}

impl<T: ToolPolicies + ?Sized> ToolPolicies for Arc<T> {
    fn policy(&self, tool: &str, guarded: &Guarded) -> Option<Arc<CompiledPolicy>> {
        (**self).policy(tool, guarded)
    }
}

/// The tools that a program declares, each with its policy. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ToolTable(Arc<HashMap<Box<str>, Arc<CompiledPolicy>>>);

impl ToolTable {
    /// Starts a table whose policies `gate` judges, in `realm`.
    pub fn builder(gate: Gate, realm: Realm) -> ToolTableBuilder {
        ToolTableBuilder {
            gate,
            realm,
            tools: HashMap::new(),
            mistakes: Vec::new(),
        }
    }

    /// The tools and what they ask for, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<CompiledPolicy>)> {
        self.0.iter().map(|(name, policy)| (&**name, policy))
    }
}

impl ToolPolicies for ToolTable {
    fn policy(&self, tool: &str, _: &Guarded) -> Option<Arc<CompiledPolicy>> {
        self.0.get(tool).cloned()
    }
}

/// Collects tools; made by [`ToolTable::builder`].
#[derive(Debug)]
#[must_use = "tools are judged only once `finish` makes a table of them"]
pub struct ToolTableBuilder {
    gate: Gate,
    realm: Realm,
    tools: HashMap<Box<str>, Arc<CompiledPolicy>>,
    mistakes: Vec<(Box<str>, PolicyError)>,
}

impl ToolTableBuilder {
    /// Adds a tool and what its callers need. The request's own policy has decided about the tenant.
    pub fn tool(mut self, name: &str, policy: Policy) -> Self {
        match self.gate.compile(&policy, &self.realm) {
            Ok(policy) => {
                if self.tools.insert(name.into(), policy).is_some() {
                    self.mistakes
                        .push((name.into(), PolicyError::DuplicateRoute));
                }
            }
            Err(mistakes) => self
                .mistakes
                .extend(mistakes.into_iter().map(|mistake| (name.into(), mistake))),
        }
        self
    }

    /// The table, if every policy is right.
    ///
    /// # Errors
    /// Every mistake of every tool at once; a name that is declared twice is among them.
    pub fn finish(self) -> Result<ToolTable, ToolErrors> {
        if self.mistakes.is_empty() {
            Ok(ToolTable(Arc::new(self.tools)))
        } else {
            Err(ToolErrors(self.mistakes))
        }
    }
}

/// What is wrong with the tools of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolErrors(Vec<(Box<str>, PolicyError)>);

impl ToolErrors {
    /// The tools with their mistakes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &PolicyError)> {
        self.0.iter().map(|(tool, mistake)| (&**tool, mistake))
    }
}

impl fmt::Display for ToolErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (tool, mistake)) in self.iter().enumerate() {
            let separator = if place == 0 { "" } else { "\n" };
            match mistake {
                PolicyError::DuplicateRoute => {
                    write!(f, "{separator}tool {tool}: it is declared twice")?;
                }
                mistake => write!(f, "{separator}tool {tool}: {mistake}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ToolErrors {}
