//! Remote trust: the key sets of identity providers, found by URL or by discovery, and token introspection.
//!
//! - [`RemoteKeys`] keeps a provider's keys fresh, as its [`RefreshPolicy`] says: a [`KeySource`] for a gate.
//! - [`KeySources`] shares one set among all who trust the same provider.
//! - [`Introspection`] asks a provider about tokens that only it can read (RFC 7662).
//! - [`login`] logs people in at an OpenID Connect provider: Google, or any other.
//! - [`TenantRegistry`] knows which providers each tenant has configured.
//! - [`HttpClient`] does the fetching, safely also from hosts that a tenant chose: [`AllowedHosts`], [`Resolver`],
//!   [`RemoteUrl`].
//! - [`FetchError`], [`UrlError`], [`AllowedHostError`] and [`HttpClientError`] say what is wrong, and never what was sent.
//!
//! Fetching happens in tasks of the Tokio runtime on which the [`HttpClient`] was built. Requests read what was fetched.
//!
//! # A token passes, another does not
//!
//! ```
//! use gatewright_core::federation::KeySource;
//! use gatewright_core::jwt::{Algorithm, JwtError, Verifier};
//! use gatewright_core::principal::TenantKind;
//! use gatewright_jwks::{AllowedHosts, HttpClient, RefreshPolicy, RemoteKeys, UrlError};
//! use gatewright_testing::{Broken, TestAuthority};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // An identity provider on this machine, which no client contacts unless the operator allows it.
//! let mut idp = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
//! let server = idp.serve_as_issuer().await;
//! let strict = HttpClient::builder().build()?;
//! let refused = RemoteKeys::from_issuer(&strict, server.url(), RefreshPolicy::new());
//! assert_eq!(refused.unwrap_err(), UrlError::Scheme);
//!
//! let host = server.url().trim_start_matches("http://");
//! let http = HttpClient::builder().allow(AllowedHosts::parse([host])?).build()?;
//! let keys = RemoteKeys::from_issuer(&http, server.url(), RefreshPolicy::new())?;
//! keys.refetch().await?;
//!
//! let verifier = Verifier::builder(server.url(), idp.audience()).algorithms([Algorithm::Rs256]).build()?;
//! let now = idp.gate().clock().now();
//! let verify = |token: &str| verifier.verify(token, &keys.live().load(), now).map(drop);
//! assert_eq!(verify(&idp.token("usr_1").sign()), Ok(()));
//! let foreign = idp.token("usr_1").broken(Broken::UnknownKid).sign();
//! assert_eq!(verify(&foreign), Err(JwtError::UnknownKey));
//! # Ok(())
//! # }
//! ```
//!
//! # Metrics
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `gatewright_jwks_fetches_total` | counter | `outcome`: `changed`, `unchanged`, or what failed: `url`, `address`, `connection`, `timed_out`, `redirect`, `status`, `too_large`, `malformed`, `issuer`, `key_set` |
//! | `gatewright_jwks_keys` | gauge | none: the usable keys of all sets |
//! | `gatewright_introspections_total` | counter | `outcome`: `active`, `inactive`, `busy`, or what failed, as above and `media_type` |
//!
//! [`KeySource`]: gatewright_core::federation::KeySource

mod address;
mod allowed;
mod document;
mod freshness;
mod http;
mod introspection;
mod keys;
pub mod login;
mod registry;
mod telemetry;

pub use allowed::{AllowedHostError, AllowedHosts};
pub use http::{
    FetchError, HttpClient, HttpClientBuilder, HttpClientError, RemoteUrl, Resolver,
    SystemResolver, UrlError,
};
pub use introspection::Introspection;
pub use keys::{KeySources, RefreshPolicy, RemoteKeys};
pub use registry::TenantRegistry;
