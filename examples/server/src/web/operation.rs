//! What an operation takes and answers, as the OpenAPI document says it. Who may call it, and how the gate refuses, is not
//! said here: that is drawn from the policies.

use std::collections::BTreeMap;

use gatewright_core::error::ErrorCode;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The operations of a service, by path and method, and the schemas that they name.
#[derive(Default)]
pub(crate) struct Operations {
    prefix: &'static str,
    paths: BTreeMap<String, Map<String, Value>>,
    schemas: Map<String, Value>,
}

impl Operations {
    /// What follows stands under this path.
    pub(crate) fn under(&mut self, prefix: &'static str) -> &mut Self {
        self.prefix = prefix;
        self
    }

    /// Adds an operation; `place` is its method and its path.
    pub(crate) fn at(&mut self, place: &str, operation: Operation) -> &mut Self {
        let (method, path) = place.split_once(' ').unwrap_or((place, ""));
        let path = format!("{}{path}", self.prefix);
        let (written, schemas) = operation.finish(&path);
        let item = self.paths.entry(path).or_default();
        item.insert(method.to_ascii_lowercase(), written);
        for (name, schema) in schemas {
            self.schema(&name, schema);
        }
        self
    }

    /// Adds a schema by name. What is known of it already stays, and is added to.
    pub(crate) fn schema(&mut self, name: &str, schema: Value) {
        let known = self.schemas.entry(name).or_insert_with(|| json!({}));
        if let (Value::Object(known), Value::Object(schema)) = (known, schema) {
            known.extend(schema);
        }
    }

    /// The paths and the schemas.
    pub(crate) fn finish(self) -> (Value, Value) {
        (json!(self.paths), Value::Object(self.schemas))
    }
}

/// One operation under construction.
pub(crate) struct Operation {
    written: Map<String, Value>,
    parameters: Vec<Value>,
    responses: Map<String, Value>,
    refusals: Vec<ErrorCode>,
    schemas: Vec<(String, Value)>,
}

impl Operation {
    pub(crate) fn new(tag: &str, summary: &str) -> Self {
        let mut written = Map::new();
        written.insert("tags".to_owned(), json!([tag]));
        written.insert("summary".to_owned(), json!(summary));
        Self {
            written,
            parameters: Vec::new(),
            responses: Map::new(),
            // Whatever it does, the database may be out of reach.
            refusals: vec![ErrorCode::TemporarilyUnavailable],
            schemas: Vec::new(),
        }
    }

    /// More to know about it.
    pub(crate) fn about(mut self, text: &str) -> Self {
        self.written.insert("description".to_owned(), json!(text));
        self
    }

    /// A parameter of the path, such as `{slug}`.
    pub(crate) fn path(self, name: &str, description: &str, schema: &Value) -> Self {
        self.parameter("path", name, description, true, schema)
    }

    /// A parameter of the query that must be there.
    pub(crate) fn query(self, name: &str, description: &str, schema: &Value) -> Self {
        self.parameter("query", name, description, true, schema)
            .refuses(&[ErrorCode::ValidationError])
    }

    /// A parameter of the query that may be left out. The handler or the gate refuses a wrong one.
    pub(crate) fn may_query(self, name: &str, description: &str, schema: &Value) -> Self {
        self.parameter("query", name, description, false, schema)
    }

    fn parameter(
        mut self,
        place: &str,
        name: &str,
        description: &str,
        required: bool,
        schema: &Value,
    ) -> Self {
        self.parameters.push(json!({
            "name": name,
            "in": place,
            "required": required,
            "description": description,
            "schema": schema,
        }));
        self
    }

    /// A body of JSON.
    pub(crate) fn takes<T: ToSchema>(mut self) -> Self {
        let schema = self.name::<T>(false);
        self.body(&schema, true)
    }

    /// A body of JSON of this schema.
    pub(crate) fn takes_schema(self, schema: &Value) -> Self {
        self.body(schema, true)
    }

    /// A body of JSON of this schema, or none.
    pub(crate) fn may_take(self, schema: &Value) -> Self {
        self.body(schema, false)
    }

    /// A form (RFC 6749 appendix B) of this schema. What is wrong with it is always `invalid_request`.
    pub(crate) fn takes_form(mut self, schema: &Value) -> Self {
        let body = json!({"required": true, "content": {FORM: {"schema": schema}}});
        self.written.insert("requestBody".to_owned(), body);
        self.refuses(&[ErrorCode::InvalidRequest, ErrorCode::PayloadTooLarge])
    }

    fn body(mut self, schema: &Value, required: bool) -> Self {
        let body = json!({"required": required, "content": {JSON: {"schema": schema}}});
        self.written.insert("requestBody".to_owned(), body);
        self.refuses(&[
            // A form that carries an access token.
            ErrorCode::InvalidRequest,
            ErrorCode::InvalidPayload,
            ErrorCode::ValidationError,
            ErrorCode::PayloadTooLarge,
        ])
    }

    /// An answer with a body.
    pub(crate) fn answers<T: ToSchema>(mut self, status: u16, description: &str) -> Self {
        let schema = self.name::<T>(true);
        self.answers_schema(status, description, JSON, &schema)
    }

    /// One page of a list, and the parameters that ask for another.
    pub(crate) fn lists<T: ToSchema>(mut self, description: &str) -> Self {
        let item = self.name::<T>(true);
        let page = json!({
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {
                "items": {"type": "array", "items": item, "maxItems": 100},
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "Asks for the next page; null on the last one.",
                },
            },
            "additionalProperties": false,
        });
        let cursor = json!({"type": "string", "maxLength": 1024, "pattern": "^[A-Za-z0-9_-]*$"});
        let limit = json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20});
        let next = "The `next_cursor` of the page before";
        self.parameter("query", "cursor", next, false, &cursor)
            .parameter("query", "limit", "The items of a page", false, &limit)
            .refuses(&[ErrorCode::ValidationError])
            .answers_schema(200, description, JSON, &page)
    }

    /// An answer of this media type and schema. One of the same status is added to.
    pub(crate) fn answers_schema(
        mut self,
        status: u16,
        description: &str,
        media_type: &str,
        schema: &Value,
    ) -> Self {
        let response = self
            .responses
            .entry(status.to_string())
            .or_insert_with(|| json!({"description": description, "content": {}}));
        if let Some(Value::Object(content)) = response.get_mut("content") {
            content.insert(media_type.to_owned(), json!({"schema": schema}));
        }
        self
    }

    /// An answer without a body.
    pub(crate) fn answers_nothing(self, description: &str) -> Self {
        self.answers_empty(204, description)
    }

    /// An answer of this status without a body.
    pub(crate) fn answers_empty(mut self, status: u16, description: &str) -> Self {
        let response = json!({"description": description});
        self.responses.insert(status.to_string(), response);
        self
    }

    /// It reads no store.
    pub(crate) fn without_store(mut self) -> Self {
        let store = ErrorCode::TemporarilyUnavailable;
        self.refusals.retain(|code| *code != store);
        self
    }

    /// What the handler itself refuses with.
    pub(crate) fn refuses(mut self, codes: &[ErrorCode]) -> Self {
        self.refusals.extend(codes);
        self
    }

    /// A reference to the type's schema, which is kept. Answers have no members but those that are described.
    fn name<T: ToSchema>(&mut self, answer: bool) -> Value {
        let mut all: Vec<(String, RefOr<Schema>)> = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut all);
        for (name, schema) in all {
            let mut schema = json!(schema);
            if answer
                && let Some(object) = schema
                    .as_object_mut()
                    .filter(|s| s.contains_key("properties"))
            {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            self.schemas.push((name, schema));
        }
        json!({"$ref": format!("#/components/schemas/{}", T::name())})
    }

    fn finish(mut self, path: &str) -> (Value, Vec<(String, Value)>) {
        // The parameter that every path with a handle has.
        if path.contains("{handle}") {
            let slug =
                json!({"type": "string", "pattern": "^[a-z0-9-]{3,40}$", "examples": ["studio"]});
            self = self.path("handle", "The handle", &slug);
        }
        let codes: Vec<&str> = self.refusals.iter().map(|code| code.as_str()).collect();
        self.written
            .insert("parameters".to_owned(), Value::Array(self.parameters));
        self.written
            .insert("responses".to_owned(), Value::Object(self.responses));
        self.written
            .insert("x-gatewright-refusals".to_owned(), json!(codes));
        (Value::Object(self.written), self.schemas)
    }
}
