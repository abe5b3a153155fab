//! One gate for every credential an HTTP API accepts: API keys, personal access tokens, signed access tokens and visitors'
//! cookies, under one policy on each route.
//!
//! New here? Start with the guides in [`guides`], each of which appears when the features that it needs are on.
//!
//! # Contents
//!
//! Modules that are always there, in the order in which a request meets them:
//!
//! - [`credential`]: which bytes of a request are the credential, and of which kind;
//! - [`hash`], [`jwt`]: proof, by argon2id in a bounded pool or by a signature;
//! - [`federation`]: the identity providers of tenants;
//! - [`session`]: refresh tokens, and the sealed cookies of visitors;
//! - [`store`]: the records that proof needs, and the traits to keep them behind;
//! - [`principal`], [`scope`], [`role`]: who is calling, and what they may do;
//! - [`policy`], [`limit`]: what a route requires of its callers, and how often they may call;
//! - [`gate`]: all of these as one ladder, from the fields of a request to a decision;
//! - [`error`], [`dialect`]: why a request was refused, and how that looks on the wire;
//! - [`cors`], [`origin`]: which pages of other origins may call;
//! - [`cookie`]: how a cookie is set and read, and whose pages may send it;
//! - [`source`]: where a request came from, and which proxies are believed about it;
//! - [`document`]: what is derived from the table of routes: OpenAPI, a coverage page, a text to review;
//! - [`audit`], [`time`]: what happened, and the clock;
//! - [`config`]: a whole gate from a document, the environment and files, every mistake reported at once.
//!
//! What features add, all of them off by default:
//!
//! | feature | what it adds |
//! |---|---|
//! | `axum` | `gatewright::axum`: extractors, and a router in which every method has a policy; with `tower` |
//! | `actix-web` | `gatewright::actix`: the same for actix-web |
//! | `tower` | `gatewright::tower`: a layer for any `http` 1.x service, such as those of hyper and tonic |
//! | `client` | `gatewright::tower::client`: presents credentials, obtains tokens, retries; with `tower` |
//! | `mcp` | `gatewright::tower::mcp`: which tools of an MCP server a caller may list and call; with `tower` |
//! | `issuer` | `gatewright::issuer`: mints, rotates and revokes credentials, signs access tokens, answers OAuth clients |
//! | `jwks` | `gatewright::jwks`: fetches the keys of identity providers, asks them about tokens, and logs people in there (`gatewright::jwks::login`) |
//! | `sqlite` | `gatewright::sqlx`: the store in SQLite, compiled in |
//! | `testing` | `gatewright::testing`: a gate with credentials for tests, a clock that stands still |
//! | `bcrypt` | verifies bcrypt hashes that were made elsewhere, until the first use replaces them |
//!
//! # A pass and a refusal
//!
//! ```
//! use std::sync::Arc;
//!
//! use gatewright::credential::Field;
//! use gatewright::error::ErrorCode;
//! use gatewright::gate::{Arrival, Coherence, Gate};
//! use gatewright::hash::{TagKey, TagKeys};
//! use gatewright::jwt::{AccessTokenClaims, Algorithm, KeySet, LiveKeys, SigningKey, Verifier};
//! use gatewright::policy::{Policy, Realm, TokenTrust};
//! use gatewright::store::MemoryStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tags = TagKeys::new(TagKey::generate(1)?, [])?;
//! let gate = Gate::builder(Arc::new(MemoryStore::new()), Coherence::SingleProcess, tags).build()?;
//!
//! // Whose tokens are believed, and what two routes ask of them.
//! let (issuer, audience) = ("https://auth.example", "https://api.example");
//! let signing = SigningKey::generate(Algorithm::Es256)?;
//! let keys = Arc::new(LiveKeys::new(KeySet::from_keys([signing.verifying_key()])?));
//! let verifier = Verifier::builder(issuer, audience).algorithms([Algorithm::Es256]).rfc9068().build()?;
//! let realm = Realm::builder("links").trust(TokenTrust::new(verifier, keys)).build();
//! let compile = |scope| {
//!     let policy = Policy::jwt().scope(scope);
//!     gate.compile(&policy, &realm).map_err(|mistakes| format!("{mistakes:?}"))
//! };
//! let (reading, writing) = (compile("links.read")?, compile("links.write")?);
//!
//! // The token of a machine that may read.
//! let now = gate.clock().now();
//! let claims = AccessTokenClaims::new(issuer, "bot", audience, "bot", "token-1", now, now + 900);
//! let line = format!("Bearer {}", signing.sign("at+jwt", &claims.with_scope("links.read"))?);
//! let fields = [(Field::Authorization, line.as_bytes())];
//!
//! let admitted = gate.authenticate(&fields[..], &reading, &Arrival::new()).decided().await?;
//! assert!(admitted.principal.is_some());
//!
//! let refusal = gate.authenticate(&fields[..], &writing, &Arrival::new()).decided().await.unwrap_err();
//! assert_eq!(refusal.code(), ErrorCode::InsufficientScope);
//! assert_eq!(writing.refusal(&refusal, false).status, 403);
//! # Ok(())
//! # }
//! ```

pub mod config;

#[cfg(feature = "actix-web")]
pub use gatewright_actix as actix;
#[cfg(feature = "axum")]
pub use gatewright_axum as axum;
pub use gatewright_core::{
    audit, cookie, cors, credential, dialect, document, error, federation, gate, hash, jwt, limit,
    origin, policy, principal, role, scope, scopes, session, source, store, time,
};
#[cfg(feature = "issuer")]
pub use gatewright_issuer as issuer;
#[cfg(feature = "jwks")]
pub use gatewright_jwks as jwks;
#[cfg(feature = "sqlite")]
pub use gatewright_sqlx as sqlx;
#[cfg(feature = "testing")]
pub use gatewright_testing as testing;
#[cfg(feature = "tower")]
pub use gatewright_tower as tower;

pub mod guides;
