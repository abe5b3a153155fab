use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use super::{Scope, ScopeError, ScopeSet};

/// The scopes that a service knows, with a description of each, and which of them imply others.
///
/// Minting asks [`check`](ScopeCatalog::check), verification adds what is implied with
/// [`closure`](ScopeCatalog::closure), and metadata lists what [`iter`](ScopeCatalog::iter) yields.
///
/// ```
/// use gatewright_core::scope::{ScopeCatalog, ScopeSet};
///
/// let catalog = ScopeCatalog::builder()
///     .declare("links.read", "See links")
///     .declare("links.write", "Change links")
///     .declare("mcp:call", "Call tools of every connector")
///     .implies("links.write", "links.read")
///     .build()?;
///
/// let granted = ScopeSet::parse("links.write mcp:call:conn_1")?;
/// assert!(catalog.check(&granted).is_ok());
/// assert_eq!(catalog.closure(&granted).to_string(), "links.read links.write mcp:call:conn_1");
/// assert!(catalog.check(&ScopeSet::parse("links.delete")?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScopeCatalog {
    declared: BTreeMap<Scope, String>,
    implied: Vec<(Scope, Scope)>,
}

impl ScopeCatalog {
    /// Starts a catalog.
    pub fn builder() -> ScopeCatalogBuilder {
        ScopeCatalogBuilder::default()
    }

    /// The declared scopes and their descriptions, in the order of the scopes' text.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Scope, &str)> {
        self.declared
            .iter()
            .map(|(scope, description)| (scope, description.as_str()))
    }

    /// The description of a declared scope; `None` for any other, known or not.
    #[must_use]
    pub fn description(&self, scope: &Scope) -> Option<&str> {
        self.declared.get(scope).map(String::as_str)
    }

    /// The declared scopes, as for `scopes_supported` in metadata
    /// ([RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2)).
    #[must_use]
    pub fn scopes(&self) -> ScopeSet {
        self.declared.keys().cloned().collect()
    }

    /// Whether the catalog gives `scope` a meaning: a declared scope covers it (so `mcp:call:conn_1` is
    /// known where `mcp:call` is declared), or it is a wildcard and covers a declared scope, or it is `*`.
    #[must_use]
    pub fn knows(&self, scope: &Scope) -> bool {
        *scope == Scope::ALL
            || self.declared.keys().any(|declared| {
                declared.covers(scope) || (!scope.is_permission() && scope.covers(declared))
            })
    }

    /// Checks that all of `scopes` are [known](ScopeCatalog::knows), as before they are written into a
    /// credential.
    ///
    /// # Errors
    ///
    /// All those that are not. Toward the caller that is `invalid_scope`.
    pub fn check(&self, scopes: &ScopeSet) -> Result<(), UnknownScopes> {
        let unknown: ScopeSet = scopes
            .iter()
            .filter(|scope| !self.knows(scope))
            .cloned()
            .collect();
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(UnknownScopes(unknown))
        }
    }

    /// `scopes` with all that they imply, directly or by way of others.
    ///
    /// An edge adds its target when the set allows its source: `links.*` sets off what `links.write`
    /// implies, `links.write:one` does not.
    #[must_use]
    pub fn closure(&self, scopes: &ScopeSet) -> ScopeSet {
        let mut closed = scopes.clone();
        let mut waiting: Vec<&(Scope, Scope)> = self.implied.iter().collect();
        loop {
            let (fired, rest): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|(source, _)| closed.allows(source));
            if fired.is_empty() {
                return closed;
            }
            closed = closed
                .into_iter()
                .chain(fired.into_iter().map(|(_, target)| target.clone()))
                .collect();
            waiting = rest;
        }
    }
}

/// Gathers the scopes of a [`ScopeCatalog`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ScopeCatalogBuilder {
    declared: Vec<(String, String)>,
    implied: Vec<(String, String)>,
}

impl ScopeCatalogBuilder {
    /// Declares a scope. A wildcard may be declared too; all that it covers is then known.
    pub fn declare(mut self, scope: impl Into<String>, description: impl Into<String>) -> Self {
        self.declared.push((scope.into(), description.into()));
        self
    }

    /// Says that whoever holds `source` holds `target` as well.
    ///
    /// Both must be [known](ScopeCatalog::knows); declarations may come before or after. Edges may form a
    /// cycle, which makes the scopes on it worth the same.
    pub fn implies(mut self, source: impl Into<String>, target: impl Into<String>) -> Self {
        self.implied.push((source.into(), target.into()));
        self
    }

    /// Makes the catalog.
    ///
    /// # Errors
    ///
    /// Every [`CatalogMistake`] that was made, declarations first, each kind in the order it was written.
    pub fn build(self) -> Result<ScopeCatalog, CatalogError> {
        let mut catalog = ScopeCatalog::default();
        let mut mistakes = Vec::new();
        for (text, description) in self.declared {
            let Some(scope) = read(text, &mut mistakes) else {
                continue;
            };
            match catalog.declared.entry(scope) {
                Entry::Occupied(first) => {
                    let scope = first.key().clone();
                    mistakes.push(CatalogMistake::DeclaredTwice { scope });
                }
                Entry::Vacant(free) => {
                    free.insert(description);
                }
            }
        }
        for (source, target) in self.implied {
            let (source, target) = (read(source, &mut mistakes), read(target, &mut mistakes));
            for scope in [&source, &target].into_iter().flatten() {
                if !catalog.knows(scope) {
                    mistakes.push(CatalogMistake::UnknownEnd {
                        scope: scope.clone(),
                    });
                }
            }
            let (Some(source), Some(target)) = (source, target) else {
                continue;
            };
            let edge = (source, target);
            if catalog.implied.contains(&edge) {
                mistakes.push(CatalogMistake::ImpliedTwice {
                    from: edge.0,
                    to: edge.1,
                });
            } else {
                catalog.implied.push(edge);
            }
        }
        if mistakes.is_empty() {
            Ok(catalog)
        } else {
            Err(CatalogError(mistakes))
        }
    }
}

fn read(text: String, mistakes: &mut Vec<CatalogMistake>) -> Option<Scope> {
    match text.parse() {
        Ok(scope) => Some(scope),
        Err(source) => {
            mistakes.push(CatalogMistake::Malformed { text, source });
            None
        }
    }
}

/// One thing wrong with a catalog. The text is the configuration's own and is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogMistake {
    /// A declaration, or an end of an edge, is not a scope.
    #[error("{text:?} is not a scope: {source}")]
    Malformed {
        /// What was written.
        text: String,
        /// What is wrong with it.
        source: ScopeError,
    },
    /// A scope is declared more than once.
    #[error("{scope} is declared twice")]
    DeclaredTwice {
        /// The scope.
        scope: Scope,
    },
    /// An edge begins or ends at a scope that is not known.
    #[error("{scope} is used in an implication but not declared")]
    UnknownEnd {
        /// The scope.
        scope: Scope,
    },
    /// An edge is given more than once.
    #[error("{from} is said to imply {to} twice")]
    ImpliedTwice {
        /// Where the edge begins.
        from: Scope,
        /// Where it ends.
        to: Scope,
    },
}

/// Everything wrong with a catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogError(Vec<CatalogMistake>);

impl CatalogError {
    /// The mistakes; at least one.
    #[must_use]
    pub fn mistakes(&self) -> &[CatalogMistake] {
        &self.0
    }
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the scope catalog is wrong")?;
        for (index, mistake) in self.0.iter().enumerate() {
            write!(f, "{} {mistake}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for CatalogError {}

/// The scopes of a request that no catalog entry gives a meaning.
///
/// Its text tells how many; which ones is for the caller to say to whoever may know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} of the scopes are not known", .0.len())]
pub struct UnknownScopes(ScopeSet);

impl UnknownScopes {
    /// The unknown scopes; at least one.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        text.parse().unwrap()
    }

    fn catalog() -> ScopeCatalog {
        ScopeCatalog::builder()
            .implies("links.write", "links.read")
            .implies("admin", "links.*")
            .implies("links.read", "see")
            .implies("see", "links.read")
            .declare("links.read", "See links")
            .declare("links.write", "Change links")
            .declare("see", "The old name of links.read")
            .declare("admin", "Everything about links")
            .declare("mcp:call", "Call tools")
            .declare("analytics.*", "Everything that is counted")
            .build()
            .unwrap()
    }

    #[test]
    fn knows_what_is_declared_its_narrowings_and_wildcards_over_it() {
        let catalog = catalog();
        for (scope, known) in [
            ("*", true),
            ("links.read", true),
            ("links.read:one", true),
            ("links.read:*", true),
            ("links.*", true),
            ("links:*", false),
            ("links", false),
            ("links.delete", false),
            ("links.read.*", false),
            ("mcp:call:conn_1", true),
            ("mcp:*", true),
            ("mcp:list", false),
            // Covers a declared scope, but is no wildcard and is not itself declared.
            ("mcp", false),
            ("analytics.views", true),
            ("analytics.*", true),
            ("analytics", false),
        ] {
            assert_eq!(catalog.knows(&scope.parse().unwrap()), known, "{scope}");
        }
        let unknown = catalog
            .check(&set("links.read nope mcp mcp:call:x"))
            .unwrap_err();
        assert_eq!(unknown.scopes(), &set("mcp nope"));
        assert_eq!(unknown.to_string(), "2 of the scopes are not known");
        assert!(ScopeCatalog::default().check(&set("* a")).is_err());
        assert!(ScopeCatalog::default().check(&set("*")).is_ok());
    }

    #[test]
    fn closes_over_chains_cycles_and_wildcards() {
        let catalog = catalog();
        for (granted, closed) in [
            ("", ""),
            ("mcp:call", "mcp:call"),
            ("links.write", "links.read links.write see"),
            ("see", "links.read see"),
            ("links.*", "links.* links.read see"),
            ("admin", "admin links.* links.read see"),
            ("links.write:one", "links.write:one"),
        ] {
            assert_eq!(catalog.closure(&set(granted)), set(closed), "{granted}");
        }
    }

    #[test]
    fn reports_every_mistake_at_once() {
        let error = ScopeCatalog::builder()
            .declare("a", "")
            .declare("a..b", "")
            .declare("a", "again")
            .implies("a", "b")
            .implies("c*", "d")
            .implies("a", "a:x")
            .implies("a", "a:x")
            .build()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the scope catalog is wrong: \"a..b\" is not a scope: a scope has an empty segment (byte 2); \
             a is declared twice; b is used in an implication but not declared; \
             \"c*\" is not a scope: a scope has a * that is not the whole of its last segment (byte 1); \
             d is used in an implication but not declared; a is said to imply a:x twice"
        );
        assert_eq!(error.mistakes().len(), 6);
    }

    #[test]
    fn lists_scopes_with_descriptions() {
        let catalog = catalog();
        assert_eq!(
            catalog.iter().next().unwrap(),
            (&"admin".parse().unwrap(), "Everything about links")
        );
        assert_eq!(catalog.iter().len(), 6);
        assert_eq!(
            catalog.scopes(),
            set("admin analytics.* links.read links.write mcp:call see")
        );
        assert_eq!(
            catalog.description(&"see".parse().unwrap()),
            Some("The old name of links.read")
        );
        assert_eq!(catalog.description(&"links.*".parse().unwrap()), None);
    }
}
