//! Trust in identity providers that tenants bring along.
//!
//! - **What a tenant has configured**: [`TenantProviders`], each [`Provider`] with the rules for its tokens.
//! - **What a token may do there**: [`ClaimPolicy`], read from the claims and cut to the tenant's ceiling.
//! - **Who keeps it current**: [`Federation`], [`KeySource`] and [`Introspector`], which the crate that goes over the
//!   network implements. Nothing in here does I/O.
//!
//! A realm that [federates](crate::policy::RealmBuilder::federate) asks its [`Federation`] which providers the tenant in
//! the path has. A token's `iss` picks one of them before any key is looked at, so that a key of one customer's provider
//! never meets a token for another customer. What comes out is a
//! [`Subject::External`](crate::principal::Subject::External): never one of our users.
//!
//! ```
//! use std::sync::Arc;
//!
//! use gatewright_core::federation::{ClaimPolicy, KeySource, Provider, TenantProviders, Unreachable};
//! use gatewright_core::jwt::{Algorithm, LiveKeys, TypRule, Verifier};
//! use gatewright_core::principal::{Tenant, TenantId, TenantKind};
//! use gatewright_core::scope::ScopeSet;
//! use gatewright_core::store::BoxFuture;
//!
//! /// Keys that never change.
//! #[derive(Debug)]
//! struct Fixed(Arc<LiveKeys>);
//!
//! impl KeySource for Fixed {
//!     fn live(&self) -> &Arc<LiveKeys> {
//!         &self.0
//!     }
//!
//!     fn refetch(&self) -> BoxFuture<'static, Result<(), Unreachable>> {
//!         Box::pin(async { Ok(()) })
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::builder("https://login.acme.example", "https://api.example/mcp/acme")
//!     .algorithms([Algorithm::Rs256])
//!     .typ(TypRule::Any)
//!     .build()?;
//! let claims = ClaimPolicy::builder()
//!     .client("acme-agent")
//!     .require("groups", ["mcp-users"])
//!     .scopes_at("scope")
//!     .scopes_at("realm_access.roles")
//!     .role("mcp-caller", ScopeSet::parse("mcp:call")?)
//!     .build()?;
//! let provider = Provider::new(verifier, Arc::new(Fixed(Arc::default())), claims)?;
//! let acme = Tenant::new(TenantId::new("ten_1")?, TenantKind::from_static("org"), "acme", "pro");
//! let providers = TenantProviders::new(acme, ScopeSet::parse("mcp:call")?, [provider])?;
//! assert!(providers.provider("https://login.acme.example").is_some());
//! assert!(providers.provider("https://login.acme.example/").is_none());
//! # Ok(())
//! # }
//! ```

mod claim_path;
mod claim_policy;
mod provider;
mod shared_issuer;

use std::fmt;
use std::sync::Arc;

pub use claim_policy::{ClaimPolicy, ClaimPolicyBuilder, ClaimPolicyError, ClaimRefusal};
pub use provider::{Provider, ProviderError, TenantProviders, TenantProvidersError};
pub use shared_issuer::is_shared as is_shared_issuer;

use crate::credential::Secret;
use crate::jwt::LiveKeys;
use crate::store::BoxFuture;

/// Knows which providers each tenant has configured.
pub trait Federation: Send + Sync + fmt::Debug {
    /// The providers of the tenant with this slug; `None` where it has none. Asked on the way of every request whose
    /// credential is not ours, so it looks into memory alone.
    fn providers(&self, tenant: &str) -> Option<Arc<TenantProviders>>;

    /// Shows the providers of the tenant, if it has any, where they are. Asked instead of [`providers`](Self::providers) about
    /// tokens that were verified before: a shared pointer that is cloned for each request is counted by all cores in one
    /// place, which whoever can should spare them.
    fn look(&self, tenant: &str, look: &mut dyn FnMut(&TenantProviders)) {
        if let Some(providers) = self.providers(tenant) {
            look(&providers);
        }
    }
}

/// The keys of a provider, which somebody keeps fresh.
pub trait KeySource: Send + Sync + fmt::Debug {
    /// The keys as they stand.
    fn live(&self) -> &Arc<LiveKeys>;

    /// Asked when a token names a key that the set does not hold. Completes when a fetch that began after the call or was
    /// under way at it has ended, or at once while the source is cooling down; many callers share one fetch, and one who
    /// goes away does not end it.
    fn refetch(&self) -> BoxFuture<'static, Result<(), Unreachable>>;
}

/// Asks a provider about a token that only the provider can read (RFC 7662).
pub trait Introspector: Send + Sync + fmt::Debug {
    /// What the provider says of the token: the JSON object of its answer, `active` included, where the token is active,
    /// `None` where it is not. The object is not trusted beyond that: it is read strictly and judged like a token's claims.
    fn introspect(&self, token: &Secret)
    -> BoxFuture<'static, Result<Option<String>, Unreachable>>;
}

/// A provider did not answer, which says nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identity provider is out of reach")]
#[non_exhaustive]
pub struct Unreachable {
    /// After how many seconds to try again.
    pub retry_after_secs: u32,
}

impl Unreachable {
    /// Worth another try after so many seconds.
    #[must_use]
    pub const fn new(retry_after_secs: u32) -> Self {
        Self { retry_after_secs }
    }
}
