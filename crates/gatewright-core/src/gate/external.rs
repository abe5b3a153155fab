//! The ladder for tokens of tenants' own identity providers.
//!
//! The tenant in the request has its providers looked up, and the token's `iss` picks one of them, before any key is
//! looked at. A token that was verified before is found again by its signature, under the configuration that stands: a
//! provider that was removed or replaced, or a ceiling that was lowered, counts from the next request on.
//!
//! A key that the provider's set does not hold may be new, so the set is fetched again: once for all who ask meanwhile, and
//! not at all for a source address that has been wrong about this provider too often of late. Whoever has it fetched is
//! counted as wrong beforehand, and forgiven if the token was good.

use std::net::IpAddr;
use std::sync::Arc;

use super::builder::MAX_TOKEN_LIFE_SECS;
use super::caller::Caller;
use super::secret::failure_limited;
use super::shared::{Request, Shared};
use super::token::cause_of;
use super::{Admission, Pending};
use crate::credential::JwtShape;
use crate::error::{AuthError, Cause};
use crate::federation::{Federation, Provider, TenantProviders, Unreachable};
use crate::jwt::{Claims, JwtError, insecure_unverified_issuer};
use crate::limit::Remembered;
use crate::policy::Grants;
use crate::principal::{CredentialId, ExternalId, ExternalSubject, Identity, Mode, Subject};
use crate::store::BoxFuture;
use crate::time::Timestamp;

/// A provider's configuration, and the generation of keys that lacked one.
pub(super) type FetchFlight = (u64, u64);
/// Whether the keys could be fetched.
pub(super) type Fetched = Result<(), Unreachable>;

/// A caller whom a tenant's provider vouches for.
pub(super) struct External {
    caller: Caller,
    grants: Grants,
    charged: Remembered,
}

/// Why a token was not accepted at once.
enum Rejected {
    /// It is wrong.
    For(AuthError),
    /// The keys as they stand in this generation lack the one that it names.
    UnknownKey { provider: u64, generation: u64 },
}

impl Shared {
    /// The providers that the request's tenant has, where its policy accepts their tokens.
    pub(super) fn providers(&self, request: &Request<'_>) -> Option<Arc<TenantProviders>> {
        let (federation, slug) = federation(request)?;
        let providers = federation.providers(slug)?;
        are_of(&providers, request).then_some(providers)
    }

    /// The answer to a token that was verified before, under what stands now.
    #[inline(never)]
    pub(super) fn admit_known_external(
        &self,
        text: &[u8],
        request: &Request<'_>,
    ) -> Option<Admission> {
        let (federation, slug) = federation(request)?;
        let realm = request.policy.realm();
        let judge = |known: &Arc<External>| self.conclude_external(known, request);
        let look = |provider: &Provider| {
            let generation = provider.keys().live().generation();
            self.externals
                .look(text, provider.id(), generation, request.now, judge)
        };
        let mut answer = None;
        federation.look(slug, &mut |providers| {
            if are_of(providers, request) {
                // Another realm may have taken an issuer for a tenant's that is our own here.
                let mut theirs = providers.iter().filter(|one| !realm.trusts(one.issuer()));
                answer = theirs.find_map(look);
            }
        });
        answer
    }

    /// `None` where the token is not for the providers of tenants to judge.
    pub(super) fn admit_external(
        self: &Arc<Self>,
        presented: JwtShape<'_>,
        request: &Request<'_>,
    ) -> Option<Admission> {
        let realm = request.policy.realm();
        if realm.federation().is_none() || !request.policy.accepts(Mode::External) {
            return None;
        }
        let text = presented.expose();
        if let Some(answer) = self.admit_known_external(text.as_bytes(), request) {
            return Some(answer);
        }
        let Some(issuer) = insecure_unverified_issuer(text) else {
            let refusal = || Admission::Ready(Err(Cause::JwtMalformed.into()));
            // With an issuer of its own, the realm's verifier says better what is wrong.
            return realm.tokens().is_empty().then(refusal);
        };
        if realm.trusts(&issuer) {
            return None;
        }
        Some(match self.verify_external(text, &issuer, request) {
            Ok(known) => self.conclude_external(&known, request),
            Err(Rejected::For(refusal)) => Admission::Ready(Err(refusal)),
            Err(Rejected::UnknownKey {
                provider,
                generation,
            }) => self.fetch_and_verify(text, issuer, (provider, generation), request),
        })
    }

    /// Verifies a token by what the tenant has configured now, and remembers it.
    fn verify_external(
        &self,
        text: &str,
        issuer: &str,
        request: &Request<'_>,
    ) -> Result<Arc<External>, Rejected> {
        let unknown = || Rejected::For(Cause::JwtIssuer.into());
        let providers = self.providers(request).ok_or_else(unknown)?;
        let provider = providers.provider(issuer).ok_or_else(unknown)?;
        // Taken together: a token checked under keys that are being replaced is not kept under the new ones.
        let (generation, keys) = provider.keys().live().snapshot();
        let claims = provider
            .verifier()
            .verify(text, &keys, request.now)
            .map_err(|error| match error {
                JwtError::UnknownKey => Rejected::UnknownKey {
                    provider: provider.id(),
                    generation,
                },
                error => Rejected::For(cause_of(error).into()),
            })?;
        let known = self
            .external(&providers, provider, &claims)
            .map_err(Rejected::For)?;
        let known = Arc::new(known);
        let longest = request.now.saturating_add(MAX_TOKEN_LIFE_SECS);
        self.externals.insert(
            text,
            provider.id(),
            generation,
            provider.verifier().valid_until(&claims).min(longest),
            request.now,
            Arc::clone(&known),
        );
        Ok(known)
    }

    /// What a tenant's provider says of a caller, once its claims were found to hold.
    pub(super) fn external(
        &self,
        providers: &TenantProviders,
        provider: &Provider,
        claims: &Claims,
    ) -> Result<External, AuthError> {
        let granted = provider.claims().judge(claims);
        let scopes = granted
            // Which rule it was is for the log.
            .map_err(|refusal| AuthError::from(Cause::JwtNotAllowed).with_source(refusal))?
            .intersection(providers.ceiling());
        let name = claims.subject().or_else(|| claims.client_id());
        let subject = ExternalId::new(name.ok_or(Cause::JwtClaims)?);
        // Unlike ours, an identifier of theirs may be anything.
        let credential = claims.jti().map(CredentialId::new);
        let credential = match credential {
            Some(Ok(id)) => Ok(id),
            _ => CredentialId::new("-"),
        };
        let identity = Identity {
            mode: Mode::External,
            credential: credential.map_err(|_| Cause::JwtClaims)?,
            subject: Subject::External(ExternalSubject::new(
                providers.tenant().id().clone(),
                Arc::clone(provider.shared_issuer()),
                subject.map_err(|_| Cause::JwtClaims)?,
            )),
            scopes,
            expires_at: Some(claims.expires_at()).filter(|at| *at != Timestamp::MAX),
            session: None,
        };
        Ok(External {
            grants: Grants::new(&identity.scopes, self.compiler.requirements()),
            caller: Caller::new(
                identity,
                Some(self.tenancy(providers.tenant().clone(), None)),
            ),
            charged: Remembered::new(),
        })
    }

    pub(super) fn conclude_external(&self, known: &External, request: &Request<'_>) -> Admission {
        let (grants, charged) = (Some(&known.grants), &known.charged);
        self.decide(known.caller.principal(), grants, charged, request)
    }

    /// Has the keys fetched again and verifies once more.
    fn fetch_and_verify(
        self: &Arc<Self>,
        text: &str,
        issuer: String,
        lacking: FetchFlight,
        request: &Request<'_>,
    ) -> Admission {
        let asker = Asker::new(request, &issuer);
        if let Err(refusal) = self.may_ask(&asker) {
            return Admission::Ready(Err(refusal));
        }
        let shared = Arc::clone(self);
        let (text, request) = (Box::<str>::from(text), request.to_owned());
        Admission::Pending(Pending(Box::pin(async move {
            let mut paid = false;
            let asked = request.at(shared.clock.monotonic_nanos());
            let start = || shared.start_fetch(&asker, &issuer, lacking, &asked, &mut paid);
            let fetched = shared.fetches.try_join(lacking, start).await?;
            if let Err(unreachable) = fetched {
                shared.settle_asker(&asker, paid, true);
                return Err(out_of_reach(Cause::KeysUnavailable, unreachable));
            }
            let request = &request.at(shared.clock.monotonic_nanos());
            let verified = shared.verify_external(&text, &issuer, request);
            shared.settle_asker(&asker, paid, verified.is_ok());
            match verified {
                Ok(known) => shared.conclude_external(&known, request).decided().await,
                Err(Rejected::For(refusal)) => Err(refusal),
                Err(Rejected::UnknownKey { .. }) => Err(Cause::JwtUnknownKey.into()),
            }
        })))
    }

    /// Whoever starts a fetch pays; who joins pays for being wrong only.
    fn start_fetch(
        &self,
        asker: &Asker,
        issuer: &str,
        (id, generation): FetchFlight,
        request: &Request<'_>,
        paid: &mut bool,
    ) -> Result<BoxFuture<'static, Fetched>, AuthError> {
        let providers = self.providers(request);
        let provider = providers
            .as_deref()
            .and_then(|providers| providers.provider(issuer))
            // Replaced, or fetched by a flight that landed since the keys were looked at.
            .filter(|provider| {
                provider.id() == id && provider.keys().live().generation() == generation
            });
        let Some(provider) = provider else {
            return Ok(Box::pin(std::future::ready(Ok(()))));
        };
        self.pay_to_ask(asker)?;
        *paid = true;
        Ok(provider.keys().refetch())
    }
}

/// Who knows the providers of the request's tenant, and the tenant's slug, where the policy accepts their tokens.
pub(super) fn federation<'r>(request: &Request<'r>) -> Option<(&'r dyn Federation, &'r str)> {
    if !request.policy.accepts(Mode::External) {
        return None;
    }
    Some((&**request.policy.realm().federation()?, request.tenant?))
}

/// Whether these are the providers of the tenant that the request names.
pub(super) fn are_of(providers: &TenantProviders, request: &Request<'_>) -> bool {
    let tenant = providers.tenant();
    let kind = request.policy.realm().tenant_kind();
    // Slugs of one kind of tenant say nothing of another's.
    request.tenant == Some(tenant.slug()) && kind.is_none_or(|kind| kind == tenant.kind())
}

/// Who has a provider asked, as the limiter of wrong questions counts them: by source address, tenant and issuer.
pub(super) struct Asker {
    source: Option<IpAddr>,
    about: Box<str>,
}

impl Asker {
    pub(super) fn new(request: &Request<'_>, issuer: &str) -> Self {
        let tenant = request.tenant.unwrap_or_default();
        Self {
            source: request.source(),
            about: format!("{tenant} {issuer}").into(),
        }
    }
}

impl Shared {
    pub(super) fn may_ask(&self, asker: &Asker) -> Result<(), AuthError> {
        let now = self.clock.monotonic_nanos();
        match self.asks.is_blocked(asker.source, &asker.about, now) {
            Some(retry_after) => Err(failure_limited(retry_after)),
            None => Ok(()),
        }
    }

    pub(super) fn pay_to_ask(&self, asker: &Asker) -> Result<(), AuthError> {
        let now = self.clock.monotonic_nanos();
        self.asks
            .try_failure(asker.source, &asker.about, now)
            .map_err(failure_limited)
    }

    /// Counts an asker who was wrong, and forgives one who paid and was not.
    pub(super) fn settle_asker(&self, asker: &Asker, paid: bool, was_right: bool) {
        match (paid, was_right) {
            (true, true) => self.asks.forgive(asker.source, &asker.about),
            (false, false) => {
                let now = self.clock.monotonic_nanos();
                self.asks.record_failure(asker.source, &asker.about, now);
            }
            _ => {}
        }
    }
}

/// A provider that does not answer says nothing of the token.
pub(super) fn out_of_reach(cause: Cause, unreachable: Unreachable) -> AuthError {
    AuthError::from(cause)
        .with_retry_after(unreachable.retry_after_secs.max(1))
        .with_source(unreachable)
}
