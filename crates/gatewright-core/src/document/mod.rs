//! What is drawn from a service's policies besides the decisions: the security half of an OpenAPI document, the coverage
//! page, the scopes to advertise, and a text to review and to hold later tables against.
//!
//! All of it is read from the [`RouteTable`](crate::policy::RouteTable) that judges the requests, so no document can promise
//! what the gate does not do.
//!
//! ```
//! use std::sync::Arc;
//!
//! use gatewright_core::document;
//! use gatewright_core::gate::{Coherence, Gate};
//! use gatewright_core::hash::{TagKey, TagKeys};
//! use gatewright_core::policy::{Policy, Realm};
//! use gatewright_core::store::MemoryStore;
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tags = TagKeys::new(TagKey::generate(1)?, [])?;
//! let gate = Gate::builder(Arc::new(MemoryStore::new()), Coherence::SingleProcess, tags).build()?;
//! let realm = Realm::builder("links").build();
//! let mut routes = gate.routes();
//! routes.add("GET", "/links/{slug}", &Policy::pat().scope("links.read"), &realm);
//! let table = routes.finish()?;
//!
//! // The service says what its operations take and answer; who may call them, and how they refuse, is added.
//! let operation = json!({"responses": {"200": {"description": "The link"}}, "x-gatewright-refusals": ["not_found"]});
//! let base = json!({
//!     "openapi": "3.1.0",
//!     "info": {"title": "Links", "version": "1"},
//!     "paths": {"/links/{slug}": {"get": operation}},
//! });
//! let openapi = document::openapi(&table, Some(base))?;
//! let get = &openapi["paths"]["/links/{slug}"]["get"];
//! assert_eq!(get["security"][0], json!({"pat": ["links.read"]}));
//! assert_eq!(get["responses"]["404"]["x-gatewright-codes"], json!(["not_found"]));
//! assert!(get["responses"]["401"]["headers"]["WWW-Authenticate"].is_object());
//!
//! // An operation without a policy is a mistake.
//! let forgotten = json!({
//!     "openapi": "3.1.0",
//!     "info": {"title": "Links", "version": "1"},
//!     "paths": {"/links/{slug}": {"get": {"responses": {}}, "delete": {"responses": {}}}},
//! });
//! let mistakes = document::openapi(&table, Some(forgotten)).unwrap_err();
//! assert_eq!(mistakes.to_string(), "DELETE /links/{slug}: the operation has no policy");
//!
//! // A change of a policy shows.
//! let reviewed = document::snapshot(&table).replace("links.read", "links.*");
//! let drift = document::drift(&reviewed, &table);
//! assert_eq!(
//!     drift[0].to_string(),
//!     "- GET /links/{slug} realm=links PAT links.*\n+ GET /links/{slug} realm=links PAT links.read",
//! );
//! # Ok(())
//! # }
//! ```

mod bodies;
mod coverage;
mod openapi;
mod operation;
mod refusals;
mod scopes;
mod snapshot;

pub use coverage::{coverage, coverage_page};
pub use openapi::{OpenApiError, OpenApiErrors, Place, openapi};
pub use scopes::{scopes_supported, scopes_supported_in};
pub use snapshot::{Difference, drift, snapshot};
