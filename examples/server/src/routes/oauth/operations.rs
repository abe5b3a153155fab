//! What the operations of the authorization server take and answer.

use gatewright_core::error::ErrorCode;
use serde_json::{Value, json};

use super::endpoints::UnsupportedResponseType;
use crate::web::{Operation, Operations};

const OAUTH: &str = "OAuth";
const DOCUMENTS: &str = "Documents";
const JSON: &str = "application/json";

/// Those under `/oauth` and `/.well-known`.
pub(in crate::routes) fn operations(at: &mut Operations) {
    of_endpoints(at);
    of_authorization(at);
    of_documents(at);
}

fn of_endpoints(at: &mut Operations) {
    let text = json!({"type": "string"});
    let url = json!({"type": "string", "format": "uri"});
    let token = json!({
        "grant_type": {"type": "string", "enum": ["client_credentials"]},
        "scope": {"type": "string", "description": "Some of the client's scopes; all of them unless said.", "examples": ["mcp:call"]},
        "resource": {"type": "array", "items": url, "maxItems": 16, "description": "What the token is for, which is the org's `/mcp/{org}` anyway (RFC 8707)."},
    });
    let granted = closed(
        &["access_token", "token_type", "expires_in", "scope"],
        &json!({
            "access_token": text,
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer", "minimum": 1},
            "scope": text,
        }),
    );
    let one = json!({"token": {"type": "string", "minLength": 1}, "token_type_hint": text});
    let seconds = json!({"type": "integer", "minimum": 0});
    let told = closed(
        &["active"],
        &json!({
            "active": {"type": "boolean"},
            "scope": text,
            "client_id": text,
            "token_type": text,
            "exp": seconds,
            "iat": seconds,
            "sub": text,
            "aud": {"anyOf": [text, {"type": "array", "items": text}]},
            "iss": text,
            "jti": text,
        }),
    );
    at.at(
        "POST /oauth/token",
        of_client("Exchange a client's secret for a token")
            .about("RFC 6749 §4.4. The client authenticates itself with `Basic`, or with `client_id` and `client_secret` in the form.")
            .takes_form(&form("grant_type", token))
            .answers_schema(200, "An access token (RFC 9068)", JSON, &granted)
            .refuses(&[
                ErrorCode::UnsupportedGrantType,
                ErrorCode::InvalidScope,
                ErrorCode::InvalidTarget,
            ]),
    )
    .at(
        "POST /oauth/revoke",
        of_client("Give a token back")
            .about("RFC 7009. Effective at once. A token that is unknown or over is answered alike.")
            .takes_form(&form("token", one.clone()))
            .answers_empty(200, "The token is good for nothing")
            .refuses(&[ErrorCode::InvalidGrant]),
    )
    .at(
        "POST /oauth/introspect",
        of_client("Say what a token is")
            .about("RFC 7662, for the client's own tokens. Any other is not active.")
            .takes_form(&form("token", one))
            .answers_schema(200, "What it says, if it is good", JSON, &told),
    );
}

fn of_authorization(at: &mut Operations) {
    for method in ["GET", "POST"] {
        at.at(
            &format!("{method} /oauth/authorize"),
            Operation::new(OAUTH, "Refuse to ask a user")
                .about("No response type is supported (RFC 6749 §3.1.1). It is here for clients that read no metadata without it.")
                .answers::<UnsupportedResponseType>(400, "Whatever was asked for")
                .without_store(),
        );
    }
}

fn of_documents(at: &mut Operations) {
    let keys = json!({
        "type": "object",
        "required": ["keys"],
        "properties": {"keys": {"type": "array", "items": {"type": "object", "required": ["kty", "kid", "alg"]}}},
    });
    let server = json!({
        "type": "object",
        "required": ["issuer", "token_endpoint", "jwks_uri", "response_types_supported"],
    });
    let resource = json!({
        "type": "object",
        "required": ["resource", "authorization_servers", "bearer_methods_supported"],
    });
    let slug = json!({"type": "string", "pattern": "^[a-z0-9-]{3,40}$", "examples": ["acme-corp"]});
    let plain = "Only where the public URL is of the scheme `https`, or on this machine.";
    at.at(
        "GET /.well-known/jwks.json",
        Operation::new(DOCUMENTS, "List the keys that sign access tokens")
            .answers_schema(200, "The key set (RFC 7517 §5)", JSON, &keys)
            .without_store(),
    );
    at.at(
        "GET /.well-known/oauth-authorization-server",
        of_metadata("Describe the authorization server")
            .about(plain)
            .answers_schema(200, "Its metadata (RFC 8414)", JSON, &server),
    );
    for (path, summary) in [
        ("", "Describe the server as a resource"),
        ("/mcp", "Describe the tools of workspaces as a resource"),
        ("/mcp/{org}", "Describe the tools of an org as a resource"),
    ] {
        let mut operation = of_metadata(summary).about(plain);
        if path.contains("{org}") {
            operation = operation.path("org", "The org, whether there is one or not", &slug);
        }
        at.at(
            &format!("GET /.well-known/oauth-protected-resource{path}"),
            operation.answers_schema(200, "Its metadata (RFC 9728)", JSON, &resource),
        );
    }
}

fn of_client(summary: &str) -> Operation {
    Operation::new(OAUTH, summary).refuses(&[ErrorCode::InvalidClient, ErrorCode::RateLimited])
}

fn of_metadata(summary: &str) -> Operation {
    Operation::new(DOCUMENTS, summary)
        .refuses(&[ErrorCode::NotFound])
        .without_store()
}

/// A form with these parameters, of which one must be there, and with the client's credentials.
fn form(required: &str, mut parameters: Value) -> Value {
    if let Value::Object(parameters) = &mut parameters {
        let credentials =
            ["client_id", "client_secret"].map(|name| (name.to_owned(), json!({"type": "string"})));
        parameters.extend(credentials);
    }
    // What nobody knows is passed over, but stands there once (RFC 6749 §3.2).
    json!({
        "type": "object",
        "required": [required],
        "properties": parameters,
        "additionalProperties": {"type": "string"},
        "maxProperties": 32,
    })
}

fn closed(required: &[&str], properties: &Value) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}
