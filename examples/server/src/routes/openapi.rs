//! `GET /openapi.json`: what every operation takes and answers, and who may call it.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use gatewright_core::document::{self, OpenApiErrors};
use gatewright_core::error::ErrorCode;
use gatewright_core::policy::RouteTable;
use gatewright_core::scope::{Scope, ScopeCatalog};
use serde_json::{Value, json};

use super::whoami::Whoami;
use super::{Site, gateway, handle, oauth, workspace};
use crate::app::App;
use crate::mcp;
use crate::web::{Failure, Operation, Operations};

/// The document. The operations are described beside their routes; the policies say the rest.
///
/// # Errors
/// Operations without a route, routes without a description.
pub(crate) fn document(table: &RouteTable, app: &App) -> Result<Value, OpenApiErrors> {
    let mut all = Operations::default();
    operations(all.under(""));
    workspace::operations(all.under("/api/v1"));
    handle::operations(all.under("/v2"));
    mcp::operations(all.under(""));
    gateway::operations(all.under("/api"));
    oauth::operations(all.under(""));
    all.schema("GrantableScope", grantable(&app.realms.catalog));
    let (paths, schemas) = all.finish();
    let base = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gatewright reference server",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": &*app.public_url}],
        "paths": paths,
        "components": {"schemas": schemas},
    });
    document::openapi(table, Some(base))
}

/// `GET /openapi.json`
pub(super) async fn openapi(State(site): State<Site>) -> Result<impl IntoResponse, Failure> {
    let document: Bytes = match site.openapi.get() {
        Some(Ok(document)) => document.clone(),
        Some(Err(mistakes)) => return Err(Failure::internal(mistakes.clone())),
        None => return Err(ErrorCode::InternalError.into()),
    };
    Ok(([(CONTENT_TYPE, "application/json")], document))
}

/// The operations at the root.
fn operations(at: &mut Operations) {
    let any = json!({"type": "object", "required": ["openapi", "info", "paths"]});
    at.at(
        "GET /whoami",
        Operation::new("Credentials", "Say what this credential is")
            .may_query(
                "org",
                "The org in which the credential is to be judged; a token of an org's own provider needs it",
                &json!({"type": "string"}),
            )
            .answers::<Whoami>(200, "The verified principal")
            // Of a key that belongs to another org.
            .refuses(&[ErrorCode::InsufficientScope]),
    )
    .at(
        "GET /openapi.json",
        Operation::new("Documents", "Describe the API")
            .answers_schema(200, "This document", "application/json", &any)
            .without_store(),
    );
}

/// The scopes that may be granted: those of the catalog, what is narrower by a colon, and wildcards that cover some.
fn grantable(catalog: &ScopeCatalog) -> Value {
    let mut wildcards = BTreeSet::new();
    let mut names = Vec::new();
    for (scope, _) in catalog.iter() {
        let name = scope.as_str();
        names.push(escaped(name));
        for (place, _) in name.match_indices(['.', ':']) {
            let (above, _) = name.split_at(place.saturating_add(1));
            wildcards.insert(format!("{}\\*", escaped(above)));
        }
    }
    let pattern = format!(
        "^(\\*|{}|({})(:[A-Za-z0-9_-]+)*(:\\*)?)$",
        Vec::from_iter(wildcards).join("|"),
        names.join("|"),
    );
    json!({"pattern": pattern, "maxLength": Scope::MAX_LEN, "examples": ["*"]})
}

/// A scope in a regular expression: of its characters, the dot alone means something there.
fn escaped(scope: &str) -> String {
    scope.replace('.', "\\.")
}
