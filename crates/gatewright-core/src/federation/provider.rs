//! What a tenant has configured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::shared_issuer::is_shared;
use super::{ClaimPolicy, Introspector, KeySource};
use crate::jwt::Verifier;
use crate::principal::Tenant;
use crate::scope::ScopeSet;

/// The identity providers of one tenant. What each of its members says holds until it is replaced as a whole: whatever was
/// verified under an earlier value is verified again under the later one.
#[derive(Debug)]
pub struct TenantProviders {
    tenant: Tenant,
    ceiling: ScopeSet,
    providers: Vec<Provider>,
}

/// One identity provider: how to check its tokens, with which keys, and what they may do.
#[derive(Debug)]
pub struct Provider {
    verifier: Verifier,
    issuer: Arc<str>,
    keys: Arc<dyn KeySource>,
    claims: ClaimPolicy,
    introspector: Option<Arc<dyn Introspector>>,
    /// Given when the provider becomes a tenant's, and never twice: what is cached belongs to tenant, ceiling and rules
    /// together.
    id: u64,
}

/// Why a provider can't be trusted as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The issuer signs for everybody who has an account there, and neither an allowed client nor a required claim tells
    /// this customer's tokens from a stranger's.
    #[error(
        "the issuer `{0}` is shared by many customers: name allowed clients or require a claim"
    )]
    SharedIssuer(Box<str>),
    /// The verifier takes shared secrets. Whoever can check such a token can make one.
    #[error("the tokens of a provider are verified by public keys alone")]
    SharedSecret,
    /// The verifier has rules that are for tokens of our own: private claims, an audience for each tenant, or any audience
    /// at all.
    #[error("a provider's verifier has rules for tokens of our own")]
    OwnRules,
}

/// Why providers can't stand side by side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TenantProvidersError {
    /// Two providers have one issuer, so that `iss` does not say which is meant.
    #[error("two providers have the issuer `{0}`")]
    IssuerTwice(Box<str>),
    /// More than one provider can be asked about opaque tokens. Such a token does not say whose it is, and to ask around
    /// would show one provider's tokens to another.
    #[error("more than one provider introspects tokens")]
    TwoIntrospectors,
}

impl TenantProviders {
    /// These providers for this tenant. Nothing that they sign grants more than `ceiling`.
    ///
    /// # Errors
    /// [`TenantProvidersError`], for two providers of one issuer or two that introspect.
    pub fn new(
        tenant: Tenant,
        ceiling: ScopeSet,
        providers: impl IntoIterator<Item = Provider>,
    ) -> Result<Self, TenantProvidersError> {
        // Tells cache entries of different configurations apart; nothing is decided by its value.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut all: Vec<Provider> = Vec::new();
        for mut provider in providers {
            if all.iter().any(|other| other.issuer == provider.issuer) {
                let issuer = provider.issuer().into();
                return Err(TenantProvidersError::IssuerTwice(issuer));
            }
            provider.id = NEXT.fetch_add(1, Ordering::Relaxed);
            all.push(provider);
        }
        let introspect = |provider: &&Provider| provider.introspector.is_some();
        if all.iter().filter(introspect).count() > 1 {
            return Err(TenantProvidersError::TwoIntrospectors);
        }
        Ok(Self {
            tenant,
            ceiling,
            providers: all,
        })
    }

    /// The tenant in which tokens of these providers are good.
    #[must_use]
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The most that a token of theirs grants.
    #[must_use]
    pub const fn ceiling(&self) -> &ScopeSet {
        &self.ceiling
    }

    /// The provider of exactly this `iss`: no prefix, no other case, no slash more or less.
    #[must_use]
    pub fn provider(&self, issuer: &str) -> Option<&Provider> {
        self.iter().find(|provider| *provider.issuer == *issuer)
    }

    /// The providers.
    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.providers.iter()
    }

    /// The one that is asked about opaque tokens.
    pub(crate) fn introspecting(&self) -> Option<(&Provider, &Arc<dyn Introspector>)> {
        self.iter()
            .find_map(|provider| Some((provider, provider.introspector.as_ref()?)))
    }
}

impl Provider {
    /// Trusts tokens that `verifier` accepts under a key of `keys` and whose claims are as `claims` says.
    ///
    /// # Errors
    /// [`ProviderError`], by variant.
    pub fn new(
        verifier: Verifier,
        keys: Arc<dyn KeySource>,
        claims: ClaimPolicy,
    ) -> Result<Self, ProviderError> {
        if is_shared(verifier.issuer()) && !claims.tells_customers_apart() {
            return Err(ProviderError::SharedIssuer(verifier.issuer().into()));
        }
        if verifier.takes_shared_secrets() {
            return Err(ProviderError::SharedSecret);
        }
        if verifier.has_own_rules() {
            return Err(ProviderError::OwnRules);
        }
        Ok(Self {
            issuer: verifier.issuer().into(),
            verifier,
            keys,
            claims,
            introspector: None,
            id: 0,
        })
    }

    /// Asks about tokens that are neither JWTs nor of a format of ours (RFC 7662). The answer must name the verifier's
    /// audience, as a token would.
    #[must_use]
    pub fn with_introspector(mut self, introspector: Arc<dyn Introspector>) -> Self {
        self.introspector = Some(introspector);
        self
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where its keys come from.
    #[must_use]
    pub fn keys(&self) -> &Arc<dyn KeySource> {
        &self.keys
    }

    /// What its tokens must say, and what they may do.
    #[must_use]
    pub const fn claims(&self) -> &ClaimPolicy {
        &self.claims
    }

    pub(crate) const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The issuer, to be shared by those of whom it is said.
    pub(crate) const fn shared_issuer(&self) -> &Arc<str> {
        &self.issuer
    }

    pub(crate) const fn id(&self) -> u64 {
        self.id
    }
}
