//! The identity providers that orgs bring along, as the gate trusts them.

use std::fmt;
use std::sync::Arc;

use gatewright_core::federation::{
    ClaimPolicy, ClaimPolicyError, KeySource, Provider, ProviderError, TenantProviders,
    TenantProvidersError,
};
use gatewright_core::jwt::{Algorithm, TypRule, Verifier, VerifierError};
use gatewright_core::principal::Tenant;
use gatewright_core::scope::{ScopeSet, ScopeSetError};
use gatewright_jwks::{
    AllowedHostError, AllowedHosts, HttpClient, HttpClientError, KeySources, RefreshPolicy,
    TenantRegistry, UrlError,
};

use crate::idp_hosts::IdpHosts;
use crate::orgs::OrgListener;
use crate::product::{Connector, SsoConfig};
use crate::realms::MCP_CALL;
use crate::routes::same_issuer;

/// Trusts what orgs have configured, from the moment that it hears of it. Keys are fetched beside requests, and for as long
/// as an org names them: they stay where only other rules change, and all who name the same provider share them.
pub(crate) struct OrgProviders {
    registry: Arc<TenantRegistry>,
    sources: KeySources,
    public_url: Box<str>,
}

/// Why no providers can be trusted at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FederationError {
    /// The list of hosts is not one.
    #[error("the hosts of identity providers cannot be read")]
    Hosts(#[from] AllowedHostError),
    /// The client that fetches keys could not be made.
    #[error("keys of identity providers cannot be fetched")]
    Http(#[from] HttpClientError),
}

/// Why a configuration cannot be trusted.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("the issuer is this server")]
    OwnIssuer,
    #[error("it signs with an algorithm that there is not")]
    Algorithm,
    #[error(transparent)]
    Verifier(#[from] VerifierError),
    #[error(transparent)]
    Claims(#[from] ClaimPolicyError),
    #[error(transparent)]
    Scopes(#[from] ScopeSetError),
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Providers(#[from] TenantProvidersError),
}

impl OrgProviders {
    /// Puts what it hears into `registry`. Only `hosts` are reached without TLS or at private addresses. The server that is
    /// reached at `public_url` is nobody's provider.
    ///
    /// # Errors
    /// [`FederationError`], by variant.
    pub(crate) fn new(
        registry: Arc<TenantRegistry>,
        hosts: &IdpHosts,
        public_url: &str,
    ) -> Result<Self, FederationError> {
        Ok(Self {
            registry,
            sources: KeySources::new(http_client(hosts)?, RefreshPolicy::new()),
            public_url: public_url.into(),
        })
    }

    fn providers(&self, org: &Tenant, sso: &SsoConfig) -> Result<TenantProviders, Unfit> {
        // What the realm trusts by itself is never looked for here; this is for those who wrote it otherwise.
        if same_issuer(&sso.issuer, &self.public_url) {
            return Err(Unfit::OwnIssuer);
        }
        let verifier = verifier(sso)?;
        let claims = claims(sso)?;
        let keys: Arc<dyn KeySource> = match &sso.jwks_uri {
            Some(url) => self.sources.from_jwks_url(url)?,
            None => self.sources.from_issuer(&sso.issuer)?,
        };
        let provider = Provider::new(verifier, keys, claims)?;
        let ceiling = ScopeSet::from(MCP_CALL.clone());
        Ok(TenantProviders::new(org.clone(), ceiling, [provider])?)
    }
}

/// What asks identity providers. Only `hosts` are reached without TLS or at private addresses.
///
/// # Errors
/// [`FederationError`], by variant.
pub(crate) fn http_client(hosts: &IdpHosts) -> Result<HttpClient, FederationError> {
    let hosts: Vec<String> = hosts
        .iter()
        .map(|(host, port)| format!("{host}:{port}"))
        .collect();
    let hosts = AllowedHosts::parse(hosts.iter().map(String::as_str))?;
    Ok(HttpClient::builder().allow(hosts).build()?)
}

impl OrgListener for OrgProviders {
    fn sso_changed(&self, org: &Tenant, sso: Option<&SsoConfig>) {
        let slug = org.slug();
        let Some(sso) = sso else {
            self.registry.remove(slug);
            return;
        };
        match self.providers(org, sso) {
            Ok(providers) => self.registry.put(slug, Arc::new(providers)),
            Err(error) => {
                // What it replaces was taken back by the org; nothing is trusted rather than that.
                self.registry.remove(slug);
                tracing::error!(slug, %error, "an identity provider cannot be trusted as it is configured");
            }
        }
    }

    fn connectors_changed(&self, _: &Tenant, _: &[Connector]) {}
}

fn verifier(sso: &SsoConfig) -> Result<Verifier, Unfit> {
    let algorithms = sso.algorithms.iter().map(|name| name.parse());
    let algorithms: Vec<Algorithm> = algorithms
        .collect::<Result<_, _>>()
        .map_err(|_| Unfit::Algorithm)?;
    let typ = match &sso.typ {
        Some(typ) => TypRule::Exactly(typ.clone().into()),
        None => TypRule::Any,
    };
    let mut verifier = Verifier::builder(&*sso.issuer, &*sso.audience)
        .algorithms(algorithms)
        .typ(typ);
    if let Some(secs) = sso.max_age_secs {
        verifier = verifier.max_age_secs(secs);
    }
    Ok(verifier.build()?)
}

fn claims(sso: &SsoConfig) -> Result<ClaimPolicy, Unfit> {
    let mut claims = ClaimPolicy::builder();
    for client in &sso.allowed_clients {
        claims = claims.client(client);
    }
    for (path, value) in &sso.required_claims {
        claims = claims.require(path, [value.as_str()]);
    }
    if !sso.required_groups.is_empty() {
        let groups = sso.required_groups.iter().map(String::as_str);
        claims = claims.require(&sso.groups_claim, groups);
    }
    for path in &sso.scope_claims {
        claims = claims.scopes_at(path);
    }
    if !sso.default_scope.is_empty() {
        claims = claims.default_scopes(ScopeSet::parse(&sso.default_scope)?);
    }
    Ok(claims.build()?)
}

impl fmt::Debug for OrgProviders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrgProviders")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gatewright_core::federation::Federation as _;
    use gatewright_core::principal::TenantId;

    use super::*;
    use crate::realms::ORG;

    const ISSUER: &str = "http://127.0.0.1:9";

    fn sso() -> SsoConfig {
        SsoConfig {
            issuer: ISSUER.to_owned(),
            jwks_uri: None,
            audience: "apexmcp".to_owned(),
            algorithms: vec!["RS256".to_owned()],
            typ: None,
            allowed_clients: Vec::new(),
            max_age_secs: None,
            required_claims: BTreeMap::new(),
            required_groups: Vec::new(),
            groups_claim: "groups".to_owned(),
            scope_claims: vec!["scope".to_owned()],
            default_scope: "mcp:call".to_owned(),
        }
    }

    fn acme() -> Tenant {
        let id = TenantId::new("ten_acme").unwrap();
        Tenant::new(id, ORG.clone(), "acme", "free")
    }

    fn listening() -> (Arc<TenantRegistry>, OrgProviders) {
        let registry = Arc::<TenantRegistry>::default();
        let hosts = IdpHosts::parse("127.0.0.1:9").unwrap();
        let providers = OrgProviders::new(registry.clone(), &hosts, "https://api.test");
        (registry, providers.unwrap())
    }

    #[tokio::test]
    async fn keys_stay_where_only_rules_change() {
        let (registry, listener) = listening();
        let keys = || {
            let providers = registry.providers("acme").unwrap();
            Arc::clone(providers.provider(ISSUER).unwrap().keys().live())
        };
        listener.sso_changed(&acme(), Some(&sso()));
        let first = keys();
        let mut changed = sso();
        changed.required_groups = vec!["mcp".to_owned()];
        listener.sso_changed(&acme(), Some(&changed));
        assert!(Arc::ptr_eq(&first, &keys()));
        changed.jwks_uri = Some(format!("{ISSUER}/keys"));
        listener.sso_changed(&acme(), Some(&changed));
        assert!(!Arc::ptr_eq(&first, &keys()));
        listener.sso_changed(&acme(), None);
        assert!(registry.providers("acme").is_none());
    }

    #[tokio::test]
    async fn what_cannot_be_trusted_takes_the_place_of_what_could() {
        let (registry, listener) = listening();
        let wrong: [fn(&mut SsoConfig); 7] = [
            |sso| sso.issuer = "HTTPS://API.test:443/".to_owned(),
            |sso| sso.issuer = "http://10.0.0.1".to_owned(),
            |sso| sso.jwks_uri = Some("https://169.254.169.254/keys".to_owned()),
            |sso| sso.algorithms = vec!["none".to_owned()],
            |sso| sso.algorithms = vec!["HS256".to_owned()],
            |sso| sso.scope_claims = vec!["a..b".to_owned()],
            |sso| sso.issuer = "https://accounts.google.com".to_owned(),
        ];
        for (at, change) in wrong.into_iter().enumerate() {
            listener.sso_changed(&acme(), Some(&sso()));
            assert!(registry.providers("acme").is_some());
            let mut changed = sso();
            change(&mut changed);
            listener.sso_changed(&acme(), Some(&changed));
            assert!(registry.providers("acme").is_none(), "{at}");
        }
    }
}
