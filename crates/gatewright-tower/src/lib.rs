//! Gatewright as a tower layer for any http 1.x service.
//!
//! - [`GateLayer`], [`GateService`], [`GateFuture`]: the middleware. Until it is told where to find them, it knows neither
//!   a tenant ([`ReadTenant`]) nor the caller's address ([`ReadSource`]).
//! - [`RenderRefusal`], [`HttpRefusal`], [`GrpcRefusal`], [`HandlerRefusal`]: how refusals become responses.
//! - [`Guard`], [`Judged`], [`HeaderFields`], [`source_behind`], [`rendered_response`]: the middleware's steps one by one, for
//!   adapters of frameworks.
//!
//! Admitted requests reach the service with [`Guarded`](gatewright_core::gate::Guarded) in their extensions. The layer
//! answers the others itself, and leaves the [`AuthError`](gatewright_core::error::AuthError) in the response's extensions
//! for your logs.
//!
//! ```
//! use bytes::Bytes;
//! use gatewright_core::gate::Guarded;
//! use gatewright_core::policy::{Policy, Realm};
//! use gatewright_core::principal::TenantKind;
//! use gatewright_testing::TestAuthority;
//! use gatewright_tower::GateLayer;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! // A gate for tests; a service builds its own over its store, by `Gate::builder`.
//! let authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
//! let gate = authority.gate().clone();
//! let reader = authority.key("acme", "links.read").await;
//! let writer = authority.key("acme", "links.write").await;
//!
//! let whoami = service_fn(async |request: Request<Full<Bytes>>| {
//!     let guarded = Guarded::of(request.extensions().get())?;
//!     let caller = guarded.principal().map(|principal| principal.subject().to_string());
//!     Ok::<_, BoxError>(Response::new(Full::<Bytes>::from(caller.unwrap_or_default())))
//! });
//!
//! let policy = Policy::api_key().scope("links.read");
//! let policy = gate.compile(&policy, &Realm::builder("links").build()).map_err(|mistakes| format!("{mistakes:?}"))?;
//! let service = GateLayer::new(gate, policy).layer(whoami);
//!
//! let call = |key: &str| Request::get("/").header("x-api-key", key).body(Full::default());
//! let passed = service.clone().oneshot(call(&reader)?).await?;
//! assert_eq!(passed.status(), 200);
//!
//! let refused = service.oneshot(call(&writer)?).await?;
//! assert_eq!(refused.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! # hyper
//!
//! A guarded service is served like any other, by `hyper_util::service::TowerToHyperService`. Where routes differ in their
//! policies, each gets a layer of its own, behind whatever picks the route: `examples/hyper` does it in one file.
//!
//! # tonic
//!
//! `tonic::transport::Server::layer` puts the gate in front of every method of a server, and callers present credentials
//! as metadata of the same names (`authorization`, `x-api-key`). gRPC has its own form of a refusal: hand [`GrpcRefusal`]
//! to [`Guard::rendering`], and the guard to [`GateLayer::guarding`]. `examples/tonic` does it in one file.
//!
//! # Features
//!
//! - `client`: the module `client`, the other side of a gate: it presents credentials, obtains tokens and sends requests
//!   again. Off by default.
//! - `mcp`: the module `mcp`, which tools of an MCP server a caller may use. Off by default.

#[cfg(feature = "client")]
pub mod client;
mod fields;
mod gate;
mod grpc;
mod guard;
#[cfg(feature = "mcp")]
pub mod mcp;
mod render;

pub use fields::{HeaderFields, source_behind};
pub use gate::{GateFuture, GateLayer, GateService, ReadSource, ReadTenant};
pub use grpc::GrpcRefusal;
pub use guard::{Guard, Judged};
pub use render::{HandlerRefusal, HttpRefusal, RenderRefusal, rendered_response};
