//! Authorization server metadata (RFC 8414).

use gatewright_core::scope::ScopeSet;
use serde::Serialize;

use super::url::PublicUrl;
use super::{MetadataError, listed};

const GRANT_TYPES: [&str; 1] = ["client_credentials"];
/// How clients authenticate themselves at each endpoint (RFC 6749 §2.3.1, RFC 7591 §2).
const AUTH_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// Describes an authorization server to its clients.
///
/// It is published at [`well_known_path`](Self::well_known_path).
///
/// ```
/// use gatewright_issuer::AuthorizationServerMetadata;
///
/// let issuer = "https://gateway.example/eu";
/// let metadata = AuthorizationServerMetadata::new(
///     issuer,
///     "https://gateway.example/oauth/token",
///     "https://gateway.example/.well-known/jwks.json",
/// )?;
/// assert_eq!(metadata.well_known_path(), "/.well-known/oauth-authorization-server/eu");
/// let document = serde_json::to_value(&metadata)?;
/// assert_eq!(document["issuer"], issuer);
/// assert_eq!(document["grant_types_supported"], serde_json::json!(["client_credentials"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct AuthorizationServerMetadata {
    #[serde(skip)]
    url: PublicUrl,
    issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_endpoint: Option<String>,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_types_supported: Option<Vec<String>>,
    grant_types_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    service_documentation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_endpoint: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    introspection_endpoint: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    introspection_endpoint_auth_methods_supported: &'static [&'static str],
}

impl AuthorizationServerMetadata {
    /// A server with a token endpoint and a published key set. `issuer` is the `iss` of its tokens, to the letter.
    ///
    /// # Errors
    /// [`MetadataError`], by variant, for any of the URLs.
    pub fn new(issuer: &str, token_endpoint: &str, jwks_uri: &str) -> Result<Self, MetadataError> {
        let url = PublicUrl::parse(issuer)?;
        if !url.query().is_empty() {
            return Err(MetadataError::Query);
        }
        Ok(Self {
            url,
            issuer: issuer.to_owned(),
            authorization_endpoint: None,
            token_endpoint: checked(token_endpoint)?,
            jwks_uri: checked(jwks_uri)?,
            scopes_supported: Vec::new(),
            response_types_supported: None,
            grant_types_supported: &GRANT_TYPES,
            token_endpoint_auth_methods_supported: &AUTH_METHODS,
            service_documentation: None,
            revocation_endpoint: None,
            revocation_endpoint_auth_methods_supported: &[],
            introspection_endpoint: None,
            introspection_endpoint_auth_methods_supported: &[],
        })
    }

    /// Where tokens are revoked (RFC 7009).
    ///
    /// # Errors
    /// [`MetadataError`], by variant.
    pub fn with_revocation(mut self, endpoint: &str) -> Result<Self, MetadataError> {
        self.revocation_endpoint = Some(checked(endpoint)?);
        self.revocation_endpoint_auth_methods_supported = &AUTH_METHODS;
        Ok(self)
    }

    /// Where tokens are introspected (RFC 7662).
    ///
    /// # Errors
    /// [`MetadataError`], by variant.
    pub fn with_introspection(mut self, endpoint: &str) -> Result<Self, MetadataError> {
        self.introspection_endpoint = Some(checked(endpoint)?);
        self.introspection_endpoint_auth_methods_supported = &AUTH_METHODS;
        Ok(self)
    }

    /// The scopes that clients may ask for; `offline_access` is left out.
    #[must_use]
    pub fn with_scopes(mut self, scopes: &ScopeSet) -> Self {
        self.scopes_supported = listed(scopes);
        self
    }

    /// An authorization endpoint and its response types. No grant that is supported here uses one, so RFC 8414 §2 asks for
    /// neither, but there are clients that read no metadata without them. No response types make an empty list, not none:
    /// those clients ask for the member, and learn from it that they cannot begin there.
    ///
    /// # Errors
    /// [`MetadataError`], by variant.
    pub fn with_authorization(
        mut self,
        endpoint: &str,
        response_types: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, MetadataError> {
        self.authorization_endpoint = Some(checked(endpoint)?);
        let response_types = response_types.into_iter().map(Into::into);
        self.response_types_supported = Some(response_types.collect());
        Ok(self)
    }

    /// Where developers read on.
    ///
    /// # Errors
    /// [`MetadataError`], by variant.
    pub fn with_documentation(mut self, url: &str) -> Result<Self, MetadataError> {
        self.service_documentation = Some(checked(url)?);
        Ok(self)
    }

    /// The path that the document is published at, on the issuer's host: the issuer's own path follows the well-known one
    /// (RFC 8414 §3.1).
    #[must_use]
    pub fn well_known_path(&self) -> String {
        let path = self.url.path();
        let path = path.strip_suffix('/').unwrap_or(path);
        format!("/.well-known/oauth-authorization-server{path}")
    }
}

fn checked(url: &str) -> Result<String, MetadataError> {
    PublicUrl::parse(url).map(|url| url.as_str().to_owned())
}
