//! Gatewright for actix-web: routes that know their policies, middleware, extractors and refusals.
//!
//! - [`GuardedScope`], with [`get`], [`put`] and the other [`GuardedMethods`]: routes in which every method has a policy.
//!   [`finish`](GuardedScope::finish) reports all mistakes at once, and returns the table of routes and the
//!   [`GuardedRoutes`], which every worker's app registers.
//! - [`GateMiddleware`], [`GateService`]: one policy around a whole app, scope or resource.
//! - [`Authenticated`], [`MaybeAuthenticated`], [`Scoped`]: extractors of the proven caller.
//! - [`Refusal`]: how a handler refuses by itself, in the dialect of its route.
//!
//! Either way an admitted request has a [`Guarded`](gatewright_core::gate::Guarded) in its extensions, which the extractors
//! read. Without a gate in front of the handler they answer 500: they never let a request pass. Status, header fields and
//! body of the gate's answers are those of `gatewright-axum`.
//!
//! ```
//! use actix_web::App;
//! use actix_web::test::{TestRequest, call_service, init_service};
//! use gatewright_actix::{Authenticated, GuardedScope, get};
//! use gatewright_core::policy::{Policy, Realm};
//! use gatewright_core::principal::TenantKind;
//! use gatewright_testing::TestAuthority;
//!
//! async fn list(caller: Authenticated) -> String {
//!     format!("the links of {}", caller.subject())
//! }
//!
//! async fn create(caller: Authenticated) -> String {
//!     format!("a link for {}", caller.subject())
//! }
//!
//! # #[actix_web::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A gate for tests; a service builds its own over its store, by `Gate::builder`.
//! let authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
//! let gate = authority.gate().clone();
//! let reader = authority.key("acme", "links.read").await;
//!
//! let (routes, table) = GuardedScope::new(gate, Realm::builder("links").build())
//!     .route(
//!         "/links",
//!         get(Policy::api_key().scope("links.read"), list).post(Policy::api_key().scope("links.write"), create),
//!     )
//!     .route("/health", get(Policy::public(), async || "fine"))
//!     .finish()?;
//! println!("{table}");
//!
//! // A server is given the same as a factory: `HttpServer::new(move || App::new().configure(…))`.
//! let app = init_service(App::new().configure(|config| routes.register(config))).await;
//!
//! let call = |request: TestRequest| request.uri("/links").insert_header(("x-api-key", &*reader)).to_request();
//! let passed = call_service(&app, call(TestRequest::get())).await;
//! assert_eq!(passed.status(), 200);
//!
//! let refused = call_service(&app, call(TestRequest::post())).await;
//! assert_eq!(refused.status(), 403);
//! let challenge = refused.headers().get("www-authenticate").ok_or("a challenge")?.to_str()?;
//! assert!(challenge.ends_with(r#"scope="links.write""#));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! None.

mod extract;
mod fields;
mod guard;
mod handler;
mod methods;
mod middleware;
mod parameter;
mod paths;
mod refusal;
mod render;
mod routes;
mod scope;

pub use extract::{Authenticated, MaybeAuthenticated, Scoped};
pub use methods::{GuardedMethods, delete, get, head, options, patch, post, put};
pub use middleware::{GateMiddleware, GateService};
pub use refusal::Refusal;
pub use routes::GuardedRoutes;
pub use scope::GuardedScope;
