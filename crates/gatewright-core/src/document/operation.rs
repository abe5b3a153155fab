//! One operation: who may call it, and how others are refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::bodies::{
    self, CHALLENGE, HeaderField, PROBLEM, RATE_LIMIT, RATE_LIMIT_POLICY, RETRY_AFTER,
};
use super::openapi::{Object, OpenApiError, Place, member};
use super::refusals;
use crate::error::ErrorCode;
use crate::policy::{CompiledPolicy, RouteAlternative, RouteRow, RouteTable};
use crate::principal::Mode;

/// Where a service names its own refusals.
const OWN_REFUSALS: &str = "x-gatewright-refusals";

/// The security schemes, by what a caller has and where it is sent. The names are stable: clients are made from them.
const JWT: &str = "jwt";
const PAT: &str = "pat";
const PAT_FIELD: &str = "patHeader";
const API_KEY: &str = "apiKey";
const API_KEY_FIELD: &str = "apiKeyHeader";
const EXTERNAL: &str = "external";
const VISITOR: &str = "visitor";

/// The security schemes (OpenAPI 3.1 §4.8.27) that some route of the table names.
pub(super) fn schemes(table: &RouteTable) -> impl Iterator<Item = (&'static str, Value)> {
    let bearer = |format: &str, description: &str| json!({"type": "http", "scheme": "bearer", "bearerFormat": format, "description": description});
    let field = |description: &str| json!({"type": "apiKey", "in": "header", "name": "X-API-Key", "description": description});
    let all = [
        (JWT, bearer("JWT", "A signed access token.")),
        (PAT, bearer("PAT", "A personal access token.")),
        (PAT_FIELD, field("A personal access token.")),
        (API_KEY, bearer("API key", "An API key.")),
        (API_KEY_FIELD, field("An API key.")),
        (
            EXTERNAL,
            bearer(
                "JWT",
                "An access token of the tenant's own identity provider.",
            ),
        ),
    ];
    let mut used: Vec<&str> = Vec::new();
    // Realms whose visitors have different cookies need documents of their own: there is one scheme for visitors.
    let mut cookies: Vec<(&str, Value)> = Vec::new();
    for (_, policy) in table.routes() {
        used.extend(policy.modes().flat_map(|mode| ways(&policy, mode)));
        if let Some(visitors) = policy.visitors() {
            let description = "A visitor, known again by a cookie that the service sets.";
            let scheme = (
                VISITOR,
                json!({"type": "apiKey", "in": "cookie", "name": visitors.cookie().name(), "description": description}),
            );
            if !cookies.contains(&scheme) {
                cookies.push(scheme);
            }
        }
    }
    let all = all.into_iter().filter(move |(name, _)| used.contains(name));
    all.chain(cookies)
}

/// In which schemes a credential of this mode may be sent.
fn ways(policy: &CompiledPolicy, mode: Mode) -> impl Iterator<Item = &'static str> {
    let (bearer, field) = match mode {
        Mode::Jwt => (JWT, None),
        Mode::Pat => (PAT, Some(PAT_FIELD)),
        Mode::ApiKey => (API_KEY, Some(API_KEY_FIELD)),
        Mode::External => (EXTERNAL, None),
        Mode::Visitor => (VISITOR, None),
    };
    let field = field.filter(|_| policy.reads_api_key_field());
    [Some(bearer), field].into_iter().flatten()
}

/// The operation of a route that nobody has described.
pub(super) fn undescribed() -> Value {
    json!({"responses": {"default": {"description": "What the service answers"}}})
}

/// Writes a route's policy into its operation.
pub(super) struct Guarding<'a> {
    pub(super) at: Place,
    pub(super) row: &'a RouteRow,
    pub(super) policy: &'a CompiledPolicy,
    /// The operations' names, each of which is given once (OpenAPI 3.1 §4.8.10).
    pub(super) names: &'a mut BTreeSet<String>,
    pub(super) errors: &'a mut Vec<OpenApiError>,
}

impl Guarding<'_> {
    /// `shared` are the parameters that the path's item has for all its operations.
    pub(super) fn write(&mut self, operation: &mut Object, shared: Option<&Value>) {
        if operation.contains_key("security") {
            let at = self.at.to_string();
            self.errors.push(OpenApiError::WrittenByHand(at));
        }
        operation.insert("security".to_owned(), self.security());
        if !operation.contains_key("operationId") {
            operation.insert("operationId".to_owned(), json!(self.operation_id()));
        }
        self.describe(operation);
        self.parameters(operation, shared);
        self.responses(operation);
    }

    fn security(&self) -> Value {
        let alternatives = self.policy.modes().flat_map(|mode| {
            let scopes: Vec<&str> = self
                .policy
                .scopes(mode)
                .map(|scope| scope.as_str())
                .collect();
            ways(self.policy, mode).map(move |scheme| json!({scheme: scopes}))
        });
        let mut all: Vec<Value> = alternatives.collect();
        // Where nothing is required, the list is empty; one empty requirement among others makes them optional.
        let new_visitors =
            self.policy.visitors().is_some() && self.policy.scopes(Mode::Visitor).next().is_none();
        if (self.policy.admits_anonymous() || new_visitors) && !all.is_empty() {
            all.push(json!({}));
        }
        Value::Array(all)
    }

    fn operation_id(&mut self) -> String {
        let mut name = self.at.method.to_ascii_lowercase();
        for word in self.at.path.split(|c: char| !c.is_ascii_alphanumeric()) {
            if !word.is_empty() {
                name.push('_');
                name.push_str(word);
            }
        }
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }

    fn describe(&self, operation: &mut Object) {
        let mut callers: Vec<String> = self.row.modes.iter().map(caller).collect();
        if self.row.public {
            callers.push("anybody".to_owned());
        }
        let mut text = format!("Who may call: {}.", callers.join("; "));
        if let Some(tenant) = &self.row.tenant {
            text.push_str(&format!(
                " Callers must belong to the tenant {}.",
                code(tenant)
            ));
        }
        if let Some(tenant) = &self.row.tenant_query {
            text.push_str(&format!(
                " Callers must belong to the tenant that {} names; without it, theirs is the credential's own.",
                code(tenant)
            ));
        }
        if let Some(Value::String(before)) = operation.get("description") {
            text = format!("{before}\n\n{text}");
        }
        operation.insert("description".to_owned(), Value::String(text));
        let policy = json!({
            "realm": self.row.realm,
            "public": self.row.public,
            "tenant": self.row.tenant,
            "tenant_query": self.row.tenant_query,
            "modes": self.row.modes,
        });
        operation.insert("x-gatewright-policy".to_owned(), policy);
    }

    fn parameters(&mut self, operation: &mut Object, shared: Option<&Value>) {
        let path = self.at.path.clone();
        let mut named = path
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
            .map(|name| ("path", name))
            .chain(self.row.tenant_query.iter().map(|name| ("query", &**name)))
            .peekable();
        if named.peek().is_none() {
            return;
        }
        let list = operation.entry("parameters").or_insert_with(|| json!([]));
        let Value::Array(list) = list else {
            let at = self.at.to_string();
            return self
                .errors
                .push(OpenApiError::Unreadable(format!("{at}: parameters")));
        };
        for (place, name) in named {
            let shared = shared.and_then(Value::as_array).into_iter().flatten();
            let known = shared
                .chain(list.iter())
                .any(|parameter| parameter["in"] == place && parameter["name"] == name);
            if !known {
                list.push(json!({
                    "name": name,
                    "in": place,
                    "required": place == "path",
                    "schema": {"type": "string", "minLength": 1},
                }));
            }
        }
    }

    fn responses(&mut self, operation: &mut Object) {
        let own = operation.remove(OWN_REFUSALS);
        let own = self.own(own);
        let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
        for code in refusals::of_gate(self.policy, &self.row.method)
            .into_iter()
            .chain(own.clone())
        {
            let same = by_status.entry(code.status()).or_default();
            if !same.contains(&code) {
                same.push(code);
            }
        }
        let mut responses = member(operation, "responses", self.errors);
        let limits = refusals::tells_limits(self.policy);
        for (status, codes) in by_status {
            let mut response = self.response(responses.remove(&status.to_string()));
            self.refusal(&mut response, &codes);
            if codes.iter().any(|code| challenges(*code)) {
                field(&mut response, &CHALLENGE, status == 401);
            }
            if matches!(status, 429 | 503) {
                field(&mut response, &RETRY_AFTER, true);
            }
            // Where the gate refuses, it says where the caller stands only if that is the reason.
            let admitted = own.iter().any(|code| code.status() == status);
            if limits && (status == 429 || admitted) {
                field(&mut response, &RATE_LIMIT, false);
                field(&mut response, &RATE_LIMIT_POLICY, false);
            }
            responses.insert(status.to_string(), Value::Object(response));
        }
        if limits {
            let successes = responses
                .iter_mut()
                .filter(|(status, _)| status.starts_with('2'));
            for response in successes.filter_map(|(_, response)| response.as_object_mut()) {
                if !response.contains_key("$ref") {
                    field(response, &RATE_LIMIT, false);
                    field(response, &RATE_LIMIT_POLICY, false);
                }
            }
        }
        operation.insert("responses".to_owned(), Value::Object(responses));
    }

    fn own(&mut self, named: Option<Value>) -> Vec<ErrorCode> {
        let named = match named {
            None => return Vec::new(),
            Some(Value::Array(named)) => named,
            Some(_) => {
                let at = self.at.to_string();
                self.errors
                    .push(OpenApiError::Unreadable(format!("{at}: {OWN_REFUSALS}")));
                return Vec::new();
            }
        };
        let mut codes = Vec::new();
        for name in named {
            match name.as_str().and_then(|name| name.parse().ok()) {
                Some(code) => codes.push(code),
                None => {
                    let name = name
                        .as_str()
                        .map_or_else(|| name.to_string(), str::to_owned);
                    self.errors
                        .push(OpenApiError::UnknownCode(self.at.clone(), name));
                }
            }
        }
        codes
    }

    /// The response that the base has, if it has one that can be added to.
    fn response(&mut self, theirs: Option<Value>) -> Object {
        let readable = |response: &Object| {
            !response.contains_key("$ref") && response.get("headers").is_none_or(Value::is_object)
        };
        match theirs {
            None => Object::new(),
            Some(Value::Object(response)) if readable(&response) => response,
            Some(_) => {
                let at = self.at.to_string();
                self.errors
                    .push(OpenApiError::Unreadable(format!("{at}: a response")));
                Object::new()
            }
        }
    }

    fn refusal(&mut self, response: &mut Object, codes: &[ErrorCode]) {
        let mut lines: Vec<String> = codes
            .iter()
            .map(|code| format!("- `{code}`: {}", code.message()))
            .collect();
        if let Some(Value::String(before)) = response.get("description") {
            lines.insert(0, format!("{before}\n"));
        }
        response.insert("description".to_owned(), json!(lines.join("\n")));
        let names: Value = codes.iter().map(|code| json!(code.as_str())).collect();
        response.insert("x-gatewright-codes".to_owned(), names);

        if self.policy.realm().writes_bodies() {
            return;
        }
        let mut content = member(response, "content", self.errors);
        for body in [bodies::of_dialect(self.policy.realm().dialect()), PROBLEM] {
            let mut media = member(&mut content, body.media_type, self.errors);
            let ours = json!({"$ref": format!("#/components/schemas/{}", body.name)});
            let schema = match media.remove("schema") {
                Some(theirs) if theirs != ours => json!({"anyOf": [theirs, ours]}),
                _ => ours,
            };
            media.insert("schema".to_owned(), schema);
            content.insert(body.media_type.to_owned(), Value::Object(media));
        }
        response.insert("content".to_owned(), Value::Object(content));
    }
}

/// Whether a refusal of this code may come with a challenge.
fn challenges(code: ErrorCode) -> bool {
    code.status() == 401
        || matches!(
            code,
            ErrorCode::InsufficientScope | ErrorCode::InvalidRequest
        )
}

/// Adds a header field to a response, unless it has one of the name.
fn field(response: &mut Object, field: &HeaderField, always: bool) {
    let headers = response.entry("headers").or_insert_with(|| json!({}));
    if let Some(headers) = headers.as_object_mut() {
        headers.entry(field.name).or_insert_with(|| {
            if always == field.always {
                field.reference()
            } else {
                field.component(always)
            }
        });
    }
}

fn caller(alternative: &RouteAlternative) -> String {
    let mut text = alternative.mode.to_owned();
    let scopes: Vec<String> = alternative.scopes.iter().map(|scope| code(scope)).collect();
    let mut asked = Vec::new();
    match scopes.len() {
        0 => {}
        1 => asked.push(format!("the scope {}", scopes.concat())),
        _ => asked.push(format!("the scopes {}", scopes.join(", "))),
    }
    if let Some(role) = &alternative.role {
        asked.push(format!("the role {} or higher", code(role)));
    }
    if let Some(feature) = &alternative.feature {
        asked.push(format!("a plan that has {}", code(feature)));
    }
    if !asked.is_empty() {
        text.push_str(" with ");
        text.push_str(&asked.join(" and "));
    }
    text
}

/// A name in a text of Markdown.
fn code(name: &str) -> String {
    format!("`{}`", name.replace('`', "'"))
}
