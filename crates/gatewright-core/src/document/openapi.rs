//! The document as a whole: which operations there are, and what they share.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value, json};

use super::bodies::{self, Body};
use super::operation::{self, Guarding};
use crate::policy::RouteTable;

pub(super) type Object = Map<String, Value>;

/// The methods that OpenAPI has a place for (OpenAPI 3.1 §4.8.9).
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// Writes into an OpenAPI 3.1 document who may call what, and how callers are refused.
///
/// `base` describes what operations take and answer, whatever made it. Each operation gets
///
/// - `security`, one requirement for every alternative of its policy, with the scopes; no requirement at all where the route
///   is public, and the empty one beside the others where authentication is optional;
/// - a sentence in its description and the member `x-gatewright-policy`, which also say role, plan feature and tenant;
/// - the refusals that the gate can give on this route as responses, in the realm's dialect and as problem details, with
///   their header fields. A service names its own refusals by code in the operation's member `x-gatewright-refusals`; they
///   become responses of the same form, and the member is taken out;
/// - the parameters of its path, where the base has not described them, and an `operationId` where the base gives none.
///
/// Of a policy that was [replaced](RouteTable::replace), the document says what it is now.
///
/// `{*rest}` of a path is `{rest}` here. Routes that answer every method, a method that OpenAPI does not know, or unknown
/// paths have no place in it and are left out. Where the base has no paths (or there is no base), each route gets an operation of its own.
///
/// # Errors
/// Every mistake at once, see [`OpenApiError`].
pub fn openapi(table: &RouteTable, base: Option<Value>) -> Result<Value, OpenApiErrors> {
    let mut errors = Vec::new();
    let mut document = match base.unwrap_or_else(empty) {
        Value::Object(document) if is_3_1(&document) => document,
        _ => return Err(OpenApiErrors(vec![OpenApiError::NotOpenApi])),
    };
    if document.contains_key("security") {
        errors.push(OpenApiError::WrittenByHand("security".to_owned()));
    }
    let mut paths = member(&mut document, "paths", &mut errors);
    let described = !paths.is_empty();
    let mut served = BTreeSet::new();
    let mut names = operation_ids(&paths);
    let mut dialects = Vec::new();

    for (row, policy) in table.routes() {
        let Some(method) = METHODS
            .into_iter()
            .find(|m| row.method.eq_ignore_ascii_case(m))
        else {
            continue;
        };
        let path = template(&row.path);
        let at = Place {
            method: row.method.clone(),
            path: path.clone(),
        };
        if !served.insert((path.clone(), method)) {
            errors.push(OpenApiError::Indistinct(at));
            continue;
        }
        let known = paths
            .get(&path)
            .is_some_and(|item| item.get(method).is_some());
        if described && !known {
            errors.push(OpenApiError::Undocumented(at));
            continue;
        }
        let item = paths.entry(&*path).or_insert_with(|| json!({}));
        let parameters = item.get("parameters").cloned();
        let place = item
            .as_object_mut()
            .map(|item| item.entry(method).or_insert_with(operation::undescribed));
        let Some(Value::Object(operation)) = place else {
            errors.push(OpenApiError::Unreadable(at.to_string()));
            continue;
        };
        let dialect = policy.realm().dialect();
        if !dialects.contains(&dialect) {
            dialects.push(dialect);
        }
        let mut guarding = Guarding {
            at,
            row: &row,
            policy: &policy,
            names: &mut names,
            errors: &mut errors,
        };
        guarding.write(operation, parameters.as_ref());
    }
    for (path, item) in &paths {
        for method in METHODS {
            if item.get(method).is_some() && !served.contains(&(path.clone(), method)) {
                errors.push(OpenApiError::WithoutPolicy(Place {
                    method: method.to_ascii_uppercase(),
                    path: path.clone(),
                }));
            }
        }
    }
    document.insert("paths".to_owned(), Value::Object(paths));

    let mut components = member(&mut document, "components", &mut errors);
    let dialects = dialects.into_iter().map(bodies::of_dialect);
    let bodies = dialects.chain([bodies::PROBLEM]);
    put(
        &mut components,
        "schemas",
        bodies.map(|body: Body| (body.name, body.schema())),
        &mut errors,
    );
    let fields = bodies::FIELDS.iter();
    put(
        &mut components,
        "headers",
        fields.map(|field| (field.name, field.component(field.always))),
        &mut errors,
    );
    let schemes = operation::schemes(table);
    put(&mut components, "securitySchemes", schemes, &mut errors);
    document.insert("components".to_owned(), Value::Object(components));

    if errors.is_empty() {
        Ok(Value::Object(document))
    } else {
        Err(OpenApiErrors(errors))
    }
}

/// The method and the path of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The method, in upper case.
    pub method: String,
    /// The path, as OpenAPI writes it.
    pub path: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A mistake in the document that a table was to be written into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenApiError {
    /// The base is no OpenAPI document of version 3.1.
    #[error("the base is no OpenAPI document of version 3.1")]
    NotOpenApi,
    /// An operation is described that no route serves.
    #[error("{0}: the operation has no policy")]
    WithoutPolicy(Place),
    /// A route is served that the base does not describe.
    #[error("{0}: the route is not described")]
    Undocumented(Place),
    /// Two routes that OpenAPI cannot tell apart, such as `/files/{name}` and `/files/{*name}`.
    #[error("{0}: another route looks the same")]
    Indistinct(Place),
    /// `security` stands in the base: it is what policies say.
    #[error("{0}: security is written by hand")]
    WrittenByHand(String),
    /// A code in `x-gatewright-refusals` that is none.
    #[error("{0}: `{1}` is no error code")]
    UnknownCode(Place, String),
    /// A component of the base has the name of one of ours, and is another.
    #[error("components/{0} is something else in the base")]
    Taken(String),
    /// A member that isn't of its type, or a reference that leads nowhere.
    #[error("{0} cannot be read")]
    Unreadable(String),
}

/// Every mistake of a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct OpenApiErrors(Vec<OpenApiError>);

impl OpenApiErrors {
    /// The mistakes.
    #[must_use]
    pub fn errors(&self) -> &[OpenApiError] {
        &self.0
    }
}

impl fmt::Display for OpenApiErrors {
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

fn empty() -> Value {
    json!({"openapi": "3.1.0", "info": {"title": "API", "version": "0"}})
}

fn is_3_1(document: &Object) -> bool {
    let version = document.get("openapi").and_then(Value::as_str);
    version.is_some_and(|version| version == "3.1" || version.starts_with("3.1."))
}

/// The names of the operations that the base gives.
fn operation_ids(paths: &Object) -> BTreeSet<String> {
    let items = paths.values().filter_map(Value::as_object);
    let operations = items.flat_map(Map::values);
    let names = operations.filter_map(|operation| operation.get("operationId")?.as_str());
    names.map(str::to_owned).collect()
}

/// Takes out a member that is an object, if it is there.
pub(super) fn member(from: &mut Object, name: &str, errors: &mut Vec<OpenApiError>) -> Object {
    match from.remove(name) {
        Some(Value::Object(object)) => object,
        None => Object::new(),
        Some(_) => {
            errors.push(OpenApiError::Unreadable(name.to_owned()));
            Object::new()
        }
    }
}

fn put(
    components: &mut Object,
    kind: &str,
    ours: impl Iterator<Item = (&'static str, Value)>,
    errors: &mut Vec<OpenApiError>,
) {
    let mut all = member(components, kind, errors);
    for (name, value) in ours {
        match all.get(name) {
            Some(theirs) if *theirs != value => {
                errors.push(OpenApiError::Taken(format!("{kind}/{name}")));
            }
            _ => {
                all.insert(name.to_owned(), value);
            }
        }
    }
    components.insert(kind.to_owned(), Value::Object(all));
}

/// A path as OpenAPI writes it: `{*rest}` is `{rest}`.
fn template(path: &str) -> String {
    path.replace("{*", "{")
}
