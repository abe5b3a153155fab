//! The route table: every route of a service with its policy. Documents are drawn from it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::path::{Paths, joined, parameters, shape};
use super::{CompiledPolicy, Compiler, LivePolicy, Policy, PolicyError, Realm};

/// Every guarded route of a service.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    rows: Vec<RouteRow>,
    /// Of each row, in the same order.
    policies: Vec<RoutePolicy>,
}

/// A route's policy and who compiles its successors.
#[derive(Clone, Debug)]
struct RoutePolicy {
    live: LivePolicy,
    compiler: Compiler,
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
    /// The query parameter that may name the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_query: Option<String>,
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

    /// Each route with the policy that stands now, whatever [`rows`](Self::rows) said when the table was made.
    pub fn routes(&self) -> impl Iterator<Item = (RouteRow, Arc<CompiledPolicy>)> {
        self.rows.iter().zip(&self.policies).map(|(known, policy)| {
            let policy = policy.live.current();
            (row(&known.method, &known.path, &policy), policy)
        })
    }

    /// This table with the rows of `other`, for services of several routers.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let routes = |table: Self| table.rows.into_iter().zip(table.policies);
        Self::sorted(routes(self).chain(routes(other)).collect())
    }

    /// Puts other policies on routes while they serve, and answers the table as it then is. Each change names method, path
    /// and policy; the realm stays. Where a [`merged`](Self::merged) table has several such routes, all of them change. All
    /// changes are checked before the first is made; then each route changes by itself, and requests under way keep the
    /// policy that they arrived under.
    ///
    /// # Errors
    /// Every mistake of every change, and nothing is replaced. A route that is not in the table is a mistake, and so is one
    /// that is named twice.
    pub fn replace<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a str, &'a str, Policy)>,
    ) -> Result<Self, RouteErrors> {
        let mut errors = Vec::new();
        let mut replacements = Vec::new();
        let mut named = BTreeSet::new();
        for (method, path, policy) in changes {
            let mut mistakes = Vec::new();
            if !named.insert((method, path)) {
                mistakes.push(PolicyError::DuplicateRoute);
            }
            let routes = self.rows.iter().zip(&self.policies);
            let mut meant = routes
                .filter(|(row, _)| row.method == method && row.path == path)
                .peekable();
            if meant.peek().is_none() {
                mistakes.push(PolicyError::UnknownRoute);
            }
            for (_, RoutePolicy { live, compiler }) in meant {
                match resolve(compiler, path, &policy, live.current().realm()) {
                    Ok(compiled) => replacements.push((live, compiled)),
                    Err(others) => mistakes.extend(others),
                }
            }
            errors.extend(at(method, path, mistakes));
        }
        if !errors.is_empty() {
            return Err(RouteErrors(errors));
        }
        for (live, compiled) in replacements {
            // The same compiler made both.
            let _ = live.replace(compiled);
        }
        // Every row anew: another table of these routes may have replaced policies too.
        let rows = self.routes();
        Ok(Self {
            rows: rows
                .map(|(known, policy)| row(&known.method, &known.path, &policy))
                .collect(),
            policies: self.policies.clone(),
        })
    }

    fn sorted(mut routes: Vec<(RouteRow, RoutePolicy)>) -> Self {
        routes.sort_by(|(ours, _), (theirs, _)| ours.cmp(theirs));
        let (rows, policies) = routes.into_iter().unzip();
        Self { rows, policies }
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

/// The methods that a path has, as `Allow` lists them (RFC 9110 §10.2.1): `GET` brings `HEAD`, and each stands once.
#[must_use]
pub fn allowed<'a>(methods: impl IntoIterator<Item = &'a str>) -> String {
    let mut allowed = Vec::new();
    for method in methods {
        let answered = if method == "GET" {
            &["GET", "HEAD"][..]
        } else {
            &[method]
        };
        for method in answered {
            if !allowed.contains(method) {
                allowed.push(*method);
            }
        }
    }
    allowed.join(",")
}

/// A mistake, and the route that it is on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{method} {path}: {error}")]
#[non_exhaustive]
pub struct RouteError {
    /// The route's method; `*` where the mistake is one of the path.
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
    routes: Vec<(RouteRow, RoutePolicy)>,
    taken: BTreeSet<(String, String)>,
    paths: Paths,
    errors: Vec<RouteError>,
}

impl RouteTableBuilder {
    /// An empty table whose policies `compiler`'s gate will judge.
    #[must_use]
    pub fn new(compiler: Compiler) -> Self {
        Self {
            compiler,
            routes: Vec::new(),
            taken: BTreeSet::new(),
            paths: Paths::default(),
            errors: Vec::new(),
        }
    }

    /// The whole path of a route that is declared with `path` under a prefix, which is empty or was answered by
    /// [`nested`](Self::nested). The same path may come again.
    ///
    /// Every framework serves the same paths, in one syntax: `{name}` is a segment that isn't empty, `{*rest}` at the end the
    /// rest, not empty either; a parameter is a whole segment, is named with ASCII letters, digits and `_`, and there are at
    /// most 16. What can't be served, or not beside another path, is a mistake that [`finish`](Self::finish) will report.
    pub fn path(&mut self, prefix: &str, path: &str) -> String {
        let whole = joined(prefix, path);
        let checked = self.paths.route(path, &whole);
        self.note(&whole, checked);
        whole
    }

    /// The whole prefix of routes that are nested under `inner`, within a prefix as for [`path`](Self::path). It begins
    /// with a literal segment and holds no wildcard.
    pub fn nested(&mut self, prefix: &str, inner: &str) -> String {
        let whole = joined(prefix, inner);
        let checked = self.paths.nest(inner, &whole);
        self.note(&whole, checked);
        whole
    }

    fn note(&mut self, path: &str, checked: Result<(), PolicyError>) {
        self.errors.extend(at("*", path, checked.err()));
    }

    /// Adds a route. `path` is the whole path, as [`path`](Self::path) answered it.
    /// Answers its policy, which [`RouteTable::replace`] may replace, or `None` after a mistake that
    /// [`finish`](Self::finish) will report.
    pub fn add(
        &mut self,
        method: &str,
        path: &str,
        policy: &Policy,
        realm: &Realm,
    ) -> Option<LivePolicy> {
        let resolved = resolve(&self.compiler, path, policy, realm);
        let is_new = self.taken.insert((method.to_owned(), shape(path)));
        let mut mistakes = Vec::new();
        if !is_new {
            mistakes.push(PolicyError::DuplicateRoute);
        }
        match resolved {
            Ok(compiled) if is_new => {
                let row = row(method, path, &compiled);
                let live = LivePolicy::new(compiled);
                let policy = RoutePolicy {
                    live: live.clone(),
                    compiler: self.compiler.clone(),
                };
                self.routes.push((row, policy));
                return Some(live);
            }
            Ok(_) => {}
            Err(others) => mistakes.extend(others),
        }
        self.errors.extend(at(method, path, mistakes));
        None
    }

    /// The table, if every route was right.
    ///
    /// # Errors
    /// Every mistake of every route.
    pub fn finish(self) -> Result<RouteTable, RouteErrors> {
        if self.errors.is_empty() {
            Ok(RouteTable::sorted(self.routes))
        } else {
            Err(RouteErrors(self.errors))
        }
    }
}

/// Compiles the policy of a path, and holds the tenant that it names against the path's parameters.
fn resolve(
    compiler: &Compiler,
    path: &str,
    policy: &Policy,
    realm: &Realm,
) -> Result<Arc<CompiledPolicy>, Vec<PolicyError>> {
    let compiled = compiler.compile(policy, realm)?;
    let Some(parameter) = compiled.tenant_parameter() else {
        return Ok(compiled);
    };
    match parameters(path).filter(|name| *name == parameter).count() {
        0 => Err(vec![PolicyError::TenantParameterAbsent(parameter.into())]),
        1 => Ok(compiled),
        _ => Err(vec![PolicyError::TenantParameterTwice(parameter.into())]),
    }
}

fn at(
    method: &str,
    path: &str,
    mistakes: impl IntoIterator<Item = PolicyError>,
) -> impl Iterator<Item = RouteError> {
    mistakes.into_iter().map(move |error| RouteError {
        method: method.to_owned(),
        path: path.to_owned(),
        error,
    })
}

fn row(method: &str, path: &str, policy: &CompiledPolicy) -> RouteRow {
    RouteRow {
        path: path.to_owned(),
        method: method.to_owned(),
        realm: policy.realm().name().to_owned(),
        public: policy.admits_anonymous(),
        tenant: policy.tenant_parameter().map(str::to_owned),
        tenant_query: policy.tenant_query_parameter().map(str::to_owned),
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
