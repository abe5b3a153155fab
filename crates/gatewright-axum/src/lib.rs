//! Gatewright for axum: extractors, refusals and a router that knows its policies.
//!
//! - [`GuardedRouter`], with [`get`], [`put`] and the other [`GuardedMethods`]: a router in which every method has a policy.
//!   [`finish`](GuardedRouter::finish) reports all mistakes at once, and returns the table of routes.
//! - [`Authenticated`], [`MaybeAuthenticated`], [`Scoped`]: extractors of the proven caller.
//! - [`Refusal`]: how a handler refuses by itself, in the dialect of its route.
//!
//! The layer of `gatewright-tower` guards a plain [`Router`](axum::Router) as a whole; the extractors work there too.
//! Without a gate in front of the handler they answer 500: they never let a request pass.
//!
//! ```
//! use axum::body::Body;
//! use axum::http::Request;
//! use gatewright_axum::{Authenticated, GuardedRouter, get};
//! use gatewright_core::policy::{Policy, Realm};
//! use gatewright_core::principal::TenantKind;
//! use gatewright_testing::TestAuthority;
//! use tower::ServiceExt as _;
//!
//! async fn list(caller: Authenticated) -> String {
//!     format!("the links of {}", caller.subject())
//! }
//!
//! async fn create(caller: Authenticated) -> String {
//!     format!("a link for {}", caller.subject())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A gate for tests; a service builds its own over its store, by `Gate::builder`.
//! let authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
//! let gate = authority.gate().clone();
//! let reader = authority.key("acme", "links.read").await;
//!
//! let (router, table) = GuardedRouter::new(gate, Realm::builder("links").build())
//!     .route(
//!         "/links",
//!         get(Policy::api_key().scope("links.read"), list).post(Policy::api_key().scope("links.write"), create),
//!     )
//!     .route("/health", get(Policy::public(), async || "fine"))
//!     .finish()?;
//! println!("{table}");
//!
//! let call = |method: &str| Request::builder().method(method).uri("/links").header("x-api-key", &reader);
//! let passed = router.clone().oneshot(call("GET").body(Body::empty())?).await?;
//! assert_eq!(passed.status(), 200);
//!
//! let refused = router.oneshot(call("POST").body(Body::empty())?).await?;
//! assert_eq!(refused.status(), 403);
//! let challenge = refused.headers()["www-authenticate"].to_str()?;
//! assert!(challenge.ends_with(r#"scope="links.write""#));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `connect-info` (default): reads the caller's address, which limits by source need, from axum's `ConnectInfo<SocketAddr>`;
//!   serve the router by `into_make_service_with_connect_info`. Without this feature no address is known, unless
//!   [`GuardedRouter::source_from`] says how to find it. Behind your own proxies, [`GuardedRouter::behind_proxies`] reads
//!   what they wrote.

mod extract;
mod guarded;
mod methods;
mod path;
mod refusal;
mod router;
mod source;

pub use extract::{Authenticated, MaybeAuthenticated, Scoped};
pub use methods::{GuardedMethods, delete, get, head, options, patch, post, put};
pub use refusal::Refusal;
pub use router::GuardedRouter;
