//! The bodies and the header fields of refusals, as JSON Schema (OpenAPI 3.1 §4.8.24).

use serde_json::{Value, json};

use crate::dialect::Dialect;

/// The component that describes a dialect's body: its name, and how it is sent.
pub(super) struct Body {
    pub(super) name: &'static str,
    pub(super) media_type: &'static str,
    schema: fn() -> Value,
}

impl Body {
    pub(super) fn schema(&self) -> Value {
        (self.schema)()
    }
}

const CANONICAL: Body = Body {
    name: "CanonicalError",
    media_type: "application/json",
    schema: || {
        object(json!({"error": object(json!({
            "code": code(),
            "message": message(),
            "statusCode": status(),
        }))}))
    },
};

const DETAIL: Body = Body {
    name: "DetailError",
    media_type: "application/json",
    schema: || object(json!({"detail": message(), "code": code()})),
};

const OAUTH: Body = Body {
    name: "OAuthError",
    media_type: "application/json",
    schema: || object(json!({"error": registered_code(), "error_description": message()})),
};

const JSON_RPC: Body = Body {
    name: "JsonRpcError",
    media_type: "application/json",
    schema: || {
        object(json!({
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "integer", "null"]},
            "error": object(json!({
                "code": {"type": "integer"},
                "message": message(),
                "data": object(json!({"code": code()})),
            })),
        }))
    },
};

/// RFC 9457, which every route answers in on request.
pub(super) const PROBLEM: Body = Body {
    name: "ProblemDetails",
    media_type: "application/problem+json",
    schema: || {
        object(json!({
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": status(),
            "detail": message(),
            "code": code(),
        }))
    },
};

/// The body of refusals in a dialect.
pub(super) const fn of_dialect(dialect: Dialect) -> Body {
    match dialect {
        Dialect::Canonical => CANONICAL,
        Dialect::Detail => DETAIL,
        Dialect::Problem => PROBLEM,
        Dialect::OAuth => OAUTH,
        Dialect::JsonRpc => JSON_RPC,
    }
}

/// A header field of refusals: its name, and what is said of it.
pub(super) struct HeaderField {
    pub(super) name: &'static str,
    description: &'static str,
    whole_number: bool,
    /// Whether answers to which the component belongs always have it.
    pub(super) always: bool,
}

/// RFC 9110 §11.6.1.
pub(super) const CHALLENGE: HeaderField = HeaderField {
    name: "WWW-Authenticate",
    description: "How to authenticate, and what was wrong with what was presented (RFC 6750 §3).",
    whole_number: false,
    always: true,
};

/// RFC 9110 §10.2.3.
pub(super) const RETRY_AFTER: HeaderField = HeaderField {
    name: "Retry-After",
    description: "After how many seconds to try again.",
    whole_number: true,
    always: true,
};

pub(super) const RATE_LIMIT: HeaderField = HeaderField {
    name: "RateLimit",
    description: "What is left of the limit that is nearest, such as `\"plan\";r=12;t=31`.",
    whole_number: false,
    always: false,
};

pub(super) const RATE_LIMIT_POLICY: HeaderField = HeaderField {
    name: "RateLimit-Policy",
    description: "The limit that is nearest, such as `\"plan\";q=60;w=60`.",
    whole_number: false,
    always: false,
};

/// All fields that a document refers to.
pub(super) const FIELDS: [HeaderField; 4] = [CHALLENGE, RETRY_AFTER, RATE_LIMIT, RATE_LIMIT_POLICY];

impl HeaderField {
    pub(super) fn component(&self, always: bool) -> Value {
        let schema = if self.whole_number {
            json!({"type": "integer", "minimum": 1})
        } else {
            json!({"type": "string"})
        };
        json!({"description": self.description, "required": always, "schema": schema})
    }

    pub(super) fn reference(&self) -> Value {
        json!({"$ref": format!("#/components/headers/{}", self.name)})
    }
}

/// An object that has these members and no other.
fn object(properties: Value) -> Value {
    let required: Vec<&String> = properties
        .as_object()
        .map(|members| members.keys().collect())
        .unwrap_or_default();
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn code() -> Value {
    json!({"type": "string", "description": "Which refusal it is, for programs."})
}

/// OAuth has fewer codes than we do.
fn registered_code() -> Value {
    json!({"type": "string", "description": "The code that OAuth registers for it (RFC 6749 §5.2, RFC 6750 §3.1)."})
}

fn message() -> Value {
    json!({"type": "string", "description": "The refusal in words, for people. It may change."})
}

fn status() -> Value {
    json!({"type": "integer", "minimum": 400, "maximum": 599})
}
