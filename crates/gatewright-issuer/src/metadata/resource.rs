//! Protected resource metadata (RFC 9728).

use gatewright_core::scope::ScopeSet;
use serde::Serialize;

use super::url::PublicUrl;
use super::{MetadataError, listed};

/// Describes a protected resource to clients that were refused by it: where they get tokens, and for what.
///
/// It is published at [`well_known_path`](Self::well_known_path), and challenges name its
/// [`well_known_url`](Self::well_known_url).
///
/// ```
/// use gatewright_issuer::ProtectedResourceMetadata;
///
/// let resource = "https://gateway.example/mcp/acme";
/// let metadata = ProtectedResourceMetadata::new(resource, "https://gateway.example")?;
/// assert_eq!(
///     metadata.well_known_url(),
///     "https://gateway.example/.well-known/oauth-protected-resource/mcp/acme",
/// );
/// assert_eq!(serde_json::to_value(&metadata)?["resource"], resource);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct ProtectedResourceMetadata {
    #[serde(skip)]
    url: PublicUrl,
    resource: String,
    authorization_servers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<String>,
}

impl ProtectedResourceMetadata {
    /// The resource that clients call at exactly this URL, with tokens of this authorization server.
    ///
    /// # Errors
    /// [`MetadataError`], by variant, for either URL.
    pub fn new(resource: &str, authorization_server: &str) -> Result<Self, MetadataError> {
        let metadata = Self {
            url: PublicUrl::parse(resource)?,
            resource: resource.to_owned(),
            authorization_servers: Vec::new(),
            scopes_supported: Vec::new(),
            // Never the query, never the body (RFC 6750 §5.3).
            bearer_methods_supported: ["header"],
            resource_name: None,
        };
        metadata.with_authorization_server(authorization_server)
    }

    /// One more authorization server, by its issuer, such as a customer's own.
    ///
    /// # Errors
    /// [`MetadataError`], by variant.
    pub fn with_authorization_server(mut self, issuer: &str) -> Result<Self, MetadataError> {
        let url = PublicUrl::parse(issuer)?;
        if !url.query().is_empty() {
            return Err(MetadataError::Query);
        }
        self.authorization_servers.push(issuer.to_owned());
        Ok(self)
    }

    /// The scopes that the resource asks for; `offline_access` is left out.
    #[must_use]
    pub fn with_scopes(mut self, scopes: &ScopeSet) -> Self {
        self.scopes_supported = listed(scopes);
        self
    }

    /// What people call the resource.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        self.resource_name = Some(name.to_owned());
        self
    }

    /// The path that the document is published at, with the resource's query where it has one: what follows the host is put
    /// behind the well-known path (RFC 9728 §3.1).
    #[must_use]
    pub fn well_known_path(&self) -> String {
        let path = match self.url.path() {
            "/" => "",
            path => path,
        };
        let query = self.url.query();
        format!("/.well-known/oauth-protected-resource{path}{query}")
    }

    /// The whole URL of the document, for the parameter `resource_metadata` of challenges (RFC 9728 §5.1).
    #[must_use]
    pub fn well_known_url(&self) -> String {
        format!("{}{}", self.url.origin(), self.well_known_path())
    }
}
