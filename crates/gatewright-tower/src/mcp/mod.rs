//! Which tools of an MCP server a caller may use, decided from the body that runs.
//!
//! - [`McpLayer`], [`McpService`], [`McpFuture`], [`McpBody`]: the middleware, to be put between a gate and a server;
//! - [`ToolPolicies`], [`ToolTable`], [`ToolTableBuilder`]: what each tool asks of its callers;
//! - [`TrustedSites`]: the names that the server goes by, and the pages that may call it.
//!
//! The server behind it speaks the stateless form of the Streamable HTTP transport: one JSON-RPC message to a `POST`,
//! answered in JSON, as `rmcp` does with `legacy_session_mode` off and `json_response` on. The layer
//!
//! - refuses foreign `Host` and `Origin` fields with 403, so that no page can reach a local server by DNS rebinding;
//! - reads bodies of at most [`McpLayer::MAX_BODY_BYTES`], after the gate has admitted the caller, and refuses with 400 what
//!   two readers could read differently: no JSON, several messages at once, members that occur twice;
//! - compares `Mcp-Method` and `Mcp-Name`, in every revision of the protocol, with the body: where they differ, the answer is
//!   400 with the JSON-RPC code −32020;
//! - refuses the call of a tool that the caller may not call with 403 and one challenge that names all that is missing
//!   (RFC 6750 §3.1), and leaves such tools out of `tools/list`, which it marks as private to the caller;
//! - lets clients that send `Accept: */*` or none through to servers that insist on both media types.
//!
//! Refusals are JSON-RPC errors with the `id` of the request. The caller stays in the request's extensions, as
//! [`Guarded`](gatewright_core::gate::Guarded), for the tools themselves.
//!
//! ```
//! use bytes::Bytes;
//! use gatewright_core::policy::{Policy, Realm};
//! use gatewright_core::principal::TenantKind;
//! use gatewright_testing::TestAuthority;
//! use gatewright_tower::GateLayer;
//! use gatewright_tower::mcp::{McpLayer, ToolTable, TrustedSites};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let authority = TestAuthority::new(TenantKind::from_static("org"), ["acme"]).await;
//! let gate = authority.gate().clone();
//! let caller = authority.key("acme", "mcp:call:clock").await;
//!
//! let realm = Realm::builder("mcp").build();
//! let tools = ToolTable::builder(gate.clone(), realm.clone())
//!     .tool("time_now", Policy::api_key().scope("mcp:call:clock"))
//!     .tool("word_count", Policy::api_key().scope("mcp:call:text"))
//!     .finish()?;
//! let server = service_fn(async |_: Request<Full<Bytes>>| {
//!     let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
//!     Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(answer)))
//! });
//! let sites = TrustedSites::of("https://mcp.example")?;
//! let anybody = gate.compile(&Policy::api_key(), &realm).map_err(|mistakes| format!("{mistakes:?}"))?;
//! let service = McpLayer::new(tools, sites).layer(server);
//!
//! for (tool, status) in [("time_now", 200), ("word_count", 403)] {
//!     let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
//!     let request = Request::post("/mcp")
//!         .header("host", "mcp.example")
//!         .header("content-type", "application/json")
//!         .header("x-api-key", &caller)
//!         .body(Full::<Bytes>::from(body))?;
//!     let guarded = GateLayer::new(gate.clone(), anybody.clone()).layer(service.clone());
//!     assert_eq!(guarded.oneshot(request).await?.status(), status);
//! }
//! # Ok(())
//! # }
//! ```

mod answer;
mod body;
mod future;
mod layer;
mod list;
mod media;
mod message;
mod service;
mod sites;
mod tools;

pub use body::McpBody;
pub use future::McpFuture;
pub use layer::McpLayer;
pub use service::McpService;
pub use sites::{SiteError, TrustedSites};
pub use tools::{ToolErrors, ToolPolicies, ToolTable, ToolTableBuilder};
