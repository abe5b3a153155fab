//! Trust in identity providers that tenants bring along.
//!
//! A realm that federates asks a [`Federation`] which providers the tenant in the
//! path has configured. A token's `iss` picks one of them before any key is looked at; its claim policy says what the
//! token may do there. The crate that fetches keys over the network implements the traits here; nothing in here does I/O.

use std::fmt;
use std::sync::Arc;

use crate::credential::Secret;
use crate::jwt::LiveKeys;
use crate::store::BoxFuture;

/// Knows which providers each tenant has configured.
pub trait Federation: Send + Sync + fmt::Debug {
    /// The providers of the tenant with this slug; `None` where it has none. Asked on the way of every request whose
    /// credential is not ours, so it looks into memory alone.
    fn providers(&self, tenant: &str) -> Option<Arc<TenantProviders>>;
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

/// What a tenant has configured.
#[derive(Debug)]
#[non_exhaustive]
pub struct TenantProviders {}

/// Asks a provider about a token that only the provider can read (RFC 7662).
pub trait Introspector: Send + Sync + fmt::Debug {
    /// What the provider says of the token: the JSON object of its answer where the token is active, `None` where it is
    /// not.
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
