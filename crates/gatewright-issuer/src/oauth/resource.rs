//! Which protected resource a client's tokens are for.

use std::fmt;
use std::sync::Arc;

use gatewright_core::principal::Tenant;

/// Names the resource of each tenant: what its tokens' `aud` says, and what clients may ask for with `resource` (RFC 8707).
#[derive(Clone)]
pub struct TenantResource(Arc<dyn Fn(&Tenant) -> String + Send + Sync>);

impl TenantResource {
    /// A resource whose URL is `prefix` and the tenant's slug, such as `https://gateway.example/mcp/` and `acme`.
    #[must_use]
    pub fn under(prefix: &str) -> Self {
        let prefix: Box<str> = prefix.into();
        Self::by(move |tenant| format!("{prefix}{}", tenant.slug()))
    }

    /// A resource that `name` tells the URL of.
    #[must_use]
    pub fn by(name: impl Fn(&Tenant) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(name))
    }

    /// The URL of the tenant's resource.
    #[must_use]
    pub fn of(&self, tenant: &Tenant) -> String {
        (self.0)(tenant)
    }
}

impl fmt::Debug for TenantResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantResource")
    }
}
