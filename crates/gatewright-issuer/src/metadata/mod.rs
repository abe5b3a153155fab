//! The documents by which clients find their way.

mod resource;
mod server;
mod url;

use gatewright_core::scope::ScopeSet;

pub use resource::ProtectedResourceMetadata;
pub use server::AuthorizationServerMetadata;

/// Why a URL can't be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// It is not an absolute URL with a host, or it has a user, a fragment, or characters that no URL has.
    #[error("the URL is not absolute, or has a user or a fragment")]
    Url,
    /// It is `http` and not on this machine (RFC 8414 §2, RFC 9728 §1.2).
    #[error("the URL is not https")]
    NotHttps,
    /// It has a query, which an issuer has not (RFC 8414 §2).
    #[error("an issuer has no query")]
    Query,
}

/// The scopes as metadata lists them. `offline_access` is a matter between a client and the authorization server, not one of
/// a resource, and there are no refresh tokens that it could stand for.
fn listed(scopes: &ScopeSet) -> Vec<String> {
    let names = scopes.iter().map(|scope| scope.as_str());
    let listed = names.filter(|name| *name != "offline_access");
    listed.map(str::to_owned).collect()
}
