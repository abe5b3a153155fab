//! The vocabulary and the decisions of Gatewright: credentials, scopes, policies, errors and the gate.
//!
//! The path of a request, and the module for each step:
//!
//! - [`credential`]: which bytes of a request are the credential, what kind it is, whether it is well formed;
//! - [`hash`], [`jwt`]: proof, by argon2id in a bounded pool or by a signature;
//! - [`federation`]: the identity providers that tenants bring along;
//! - [`session`]: refresh tokens, and the sealed cookies of visitors;
//! - [`store`]: the records that proof needs, the traits to keep them behind, and how a change reaches every cache;
//! - [`principal`]: who is calling, once that is proven;
//! - [`scope`], [`role`]: what a caller may do;
//! - [`policy`]: what a route requires of its callers, and the table of all routes;
//! - [`document`]: what is derived from that table: OpenAPI, the coverage map, a text to review;
//! - [`limit`]: how often a caller may do it;
//! - [`gate`]: all of these as one ladder, from the fields of a request to a decision;
//! - [`error`], [`dialect`]: why a request was refused, and how that looks on the wire;
//! - [`json`]: strict JSON, which all readers understand alike;
//! - [`cors`], [`origin`]: which pages of other origins may call;
//! - [`cookie`]: how a cookie is set and read, and whose pages may send it;
//! - [`source`]: where a request came from, and which proxies are believed about it;
//! - [`audit`]: what happened, for the record;
//! - [`time`]: the clock, injected.
//!
//! No runtime, no framework, no SQL and no HTTP types: adapters bring those.
//!
//! # A pass and a refusal
//!
//! ```
//! use std::sync::Arc;
//!
//! use gatewright_core::credential::{Field, SecretKind};
//! use gatewright_core::error::ErrorCode;
//! use gatewright_core::gate::{Arrival, Coherence, Gate};
//! use gatewright_core::hash::{TagKey, TagKeys};
//! use gatewright_core::policy::{Policy, Realm};
//! use gatewright_core::principal::{CredentialId, Tenant, TenantId, TenantKind, UserId};
//! use gatewright_core::scope::ScopeSet;
//! use gatewright_core::store::{CredentialStore, MembershipStore, MemoryStore, NewCredential, StoredSecret};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(MemoryStore::new());
//! let tags = TagKeys::new(TagKey::generate(1)?, [])?;
//! let gate = Gate::builder(Arc::clone(&store), Coherence::SingleProcess, tags).build()?;
//!
//! // A handle, and a token that may read its links.
//! let (handle, alice) = (TenantId::new("ten_1")?, UserId::new("usr_1")?);
//! let kind = TenantKind::from_static("handle");
//! let neo = Tenant::new(handle.clone(), kind.clone(), "neo", "free");
//! let _ = gate.changes().publish(store.create_tenant(neo, &alice, "owner").await?);
//!
//! let minted = gate.formats().format("patv1").ok_or("no such brand")?.mint()?;
//! let text = minted.secret.expose().as_bytes();
//! let hash = gate.hash_pool().hash(text)?.await.ok_or("not hashed")?;
//! let mut token = NewCredential::new(
//!     SecretKind::Pat,
//!     CredentialId::new(minted.public_id.as_str())?,
//!     handle.clone(),
//!     alice,
//!     StoredSecret::new(hash, Some(gate.tag_keys().tag(text))),
//!     gate.clock().now(),
//! );
//! token.scopes = ScopeSet::parse("links.read")?;
//! let _ = gate.changes().publish(store.insert(token).await?);
//!
//! // What two routes require.
//! let realm = Realm::builder("api").tenant_kind(kind).build();
//! let compile = |scope| {
//!     let policy = Policy::pat().scope(scope).tenant_from("handle");
//!     gate.compile(&policy, &realm).map_err(|mistakes| format!("{mistakes:?}"))
//! };
//! let (reading, writing) = (compile("links.read")?, compile("links.write")?);
//!
//! // A request for each, as an adapter hands it over.
//! let line = format!("Bearer {}", minted.secret.expose());
//! let fields = [(Field::Authorization, line.as_bytes())];
//! let arrival = Arrival::new().tenant(Some("neo"));
//!
//! let admitted = gate.authenticate(&fields[..], &reading, &arrival).decided().await?;
//! let caller = admitted.principal.ok_or("a policy for tokens admits no strangers")?;
//! assert_eq!(caller.tenant().map(Tenant::slug), Some("neo"));
//!
//! let refusal = gate.authenticate(&fields[..], &writing, &arrival).decided().await.unwrap_err();
//! assert_eq!(refusal.code(), ErrorCode::InsufficientScope);
//! let answer = writing.refusal(&refusal, false);
//! assert_eq!(answer.status, 403);
//! assert_eq!(
//!     String::from_utf8(answer.body)?,
//!     r#"{"error":{"code":"insufficient_scope","message":"Token does not have the required scope: links.write","statusCode":403}}"#,
//! );
//!
//! // A revoked token is refused by the first request that starts after the change was published.
//! let revoked = store.revoke(&handle, SecretKind::Pat, &minted.public_id, gate.clock().now()).await?;
//! let _ = gate.changes().publish(revoked);
//! let refusal = gate.authenticate(&fields[..], &reading, &arrival).decided().await.unwrap_err();
//! assert_eq!(refusal.code(), ErrorCode::TokenRevoked);
//! # Ok(())
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(example())
//! # }
//! ```

pub mod audit;
pub mod cookie;
pub mod cors;
pub mod credential;
pub mod dialect;
pub mod document;
pub mod error;
pub mod federation;
pub mod gate;
pub mod hash;
pub mod json;
pub mod jwt;
mod keyed;
pub mod limit;
pub mod origin;
pub mod policy;
pub mod principal;
pub mod role;
pub mod scope;
pub mod session;
pub mod source;
pub mod store;
mod stripe;
mod tchar;
pub mod time;
