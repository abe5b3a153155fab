//! The route table: every route of a service with its policy. Documents are drawn from it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{CompiledPolicy, Compiler, Policy, PolicyError, Realm};

/// Every guarded route of a service.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    rows: Vec<RouteRow>,
}

/// One route: what documents say of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct RouteRow {
    /// The path, parameters in braces.
    pub path: String,
    /// The method.
    pub method: String,
    /// The realm's name.
    pub realm: String,
    /// Whether callers who present nothing pass.
    pub public: bool,
    /// The path parameter that names the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What each accepted mode must bring.
    pub modes: Vec<RouteAlternative>,
}

/// What callers of one mode must bring.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct RouteAlternative {
    /// The mode: `JWT`, `PAT`, `API_KEY`.
    pub mode: &'static str,
    /// The scopes, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The lowest role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The feature that the tenant's plan must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
}

impl RouteTable {
    /// The rows, by path and method.
    #[must_use]
    pub fn rows(&self) -> &[RouteRow] {
        &self.rows
    }

    /// This table with the rows of `other`, for services of several routers.
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        self.rows.extend(other.rows);
        self.rows.sort();
        self
    }
}

impl fmt::Display for RouteTable {
    /// One line a route, in columns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .rows
            .iter()
            .map(|row| row.path.len())
            .max()
            .unwrap_or(0);
        for row in &self.rows {
            write!(f, "{:<7} {:<width$} ", row.method, row.path)?;
            let mut alternatives: Vec<String> = row.modes.iter().map(ToString::to_string).collect();
            if row.public {
                alternatives.push("NONE".to_owned());
            }
            writeln!(f, " {}", alternatives.join(" | "))?;
        }
        Ok(())
    }
}

impl fmt::Display for RouteAlternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mode)?;
        for scope in &self.scopes {
            write!(f, " {scope}")?;
        }
        if let Some(role) = &self.role {
            write!(f, " {role}+")?;
        }
        if let Some(feature) = &self.feature {
            write!(f, " plan:{feature}")?;
        }
        Ok(())
    }
}

/// A mistake, and the route that it is on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{method} {path}: {error}")]
#[non_exhaustive]
pub struct RouteError {
    /// The route's method.
    pub method: String,
    /// The route's path.
    pub path: String,
    /// The mistake.
    pub error: PolicyError,
}

/// Every mistake of a service's routes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RouteErrors(Vec<RouteError>);

impl RouteErrors {
    /// The mistakes, in the order of the routes.
    #[must_use]
    pub fn errors(&self) -> &[RouteError] {
        &self.0
    }
}

impl fmt::Display for RouteErrors {
    /// One line a mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// Compiles the policies of a service's routes, and keeps every mistake until the end. Adapters drive it.
#[derive(Debug)]
pub struct RouteTableBuilder {
    compiler: Compiler,
    rows: Vec<RouteRow>,
    taken: BTreeSet<(String, String)>,
    errors: Vec<RouteError>,
}

impl RouteTableBuilder {
    /// An empty table whose policies `compiler`'s gate will judge.
    #[must_use]
    pub const fn new(compiler: Compiler) -> Self {
        Self {
            compiler,
            rows: Vec::new(),
            taken: BTreeSet::new(),
            errors: Vec::new(),
        }
    }

    /// Adds a route. `path` is the whole path, nesting included, with parameters in braces (`{handle}`, `{*rest}`).
    /// Answers the compiled policy, or `None` after a mistake that [`finish`](Self::finish) will report.
    pub fn add(
        &mut self,
        method: &str,
        path: &str,
        policy: &Policy,
        realm: &Realm,
    ) -> Option<Arc<CompiledPolicy>> {
        let mut mistakes = Vec::new();
        if !self.taken.insert((method.to_owned(), shape(path))) {
            mistakes.push(PolicyError::DuplicateRoute);
        }
        let compiled = match self.compiler.compile(policy, realm) {
            Ok(compiled) => Some(compiled),
            Err(errors) => {
                mistakes.extend(errors);
                None
            }
        };
        if let Some(parameter) = compiled
            .as_deref()
            .and_then(CompiledPolicy::tenant_parameter)
        {
            match parameters(path).filter(|name| *name == parameter).count() {
                0 => mistakes.push(PolicyError::TenantParameterAbsent(parameter.into())),
                1 => {}
                _ => mistakes.push(PolicyError::TenantParameterTwice(parameter.into())),
            }
        }
        let sound = mistakes.is_empty();
        self.errors
            .extend(mistakes.into_iter().map(|error| RouteError {
                method: method.to_owned(),
                path: path.to_owned(),
                error,
            }));
        let compiled = compiled.filter(|_| sound)?;
        self.rows.push(row(method, path, &compiled));
        Some(compiled)
    }

    /// Keeps a mistake that the adapter found, for [`finish`](Self::finish) to report.
    pub fn reject(&mut self, method: &str, path: &str, error: PolicyError) {
        self.errors.push(RouteError {
            method: method.to_owned(),
            path: path.to_owned(),
            error,
        });
    }

    /// The table, if every route was right.
    ///
    /// # Errors
    /// Every mistake of every route.
    pub fn finish(mut self) -> Result<RouteTable, RouteErrors> {
        if self.errors.is_empty() {
            self.rows.sort();
            Ok(RouteTable { rows: self.rows })
        } else {
            Err(RouteErrors(self.errors))
        }
    }
}

fn row(method: &str, path: &str, policy: &CompiledPolicy) -> RouteRow {
    RouteRow {
        path: path.to_owned(),
        method: method.to_owned(),
        realm: policy.realm().name().to_owned(),
        public: policy.admits_anonymous(),
        tenant: policy.tenant_parameter().map(str::to_owned),
        modes: policy
            .modes()
            .map(|mode| RouteAlternative {
                mode: mode.as_str(),
                scopes: policy.scopes(mode).map(ToString::to_string).collect(),
                role: policy.role(mode).map(str::to_owned),
                feature: policy.feature(mode).map(str::to_owned),
            })
            .collect(),
    }
}

/// The path without the names of its parameters: `/a/{x}` and `/a/{y}` are one route.
fn shape(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        match segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
        {
            Some(name) if name.starts_with('*') => "{*}",
            Some(_) => "{}",
            None => segment,
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The names of a path's parameters: `handle` of `/handles/{handle}`, `rest` of `/files/{*rest}`.
fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.strip_prefix('*').unwrap_or(name))
    })
}
