//! Tokens that only a tenant's provider can read (RFC 7662).
//!
//! What is neither a JWT nor of a format of ours is shown to the one provider of the tenant that introspects. Its answer is
//! judged like the claims of a token, and remembered for a minute at most, by a digest of the token; that a token is not
//! active is never remembered. All who present one token meanwhile share one question.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::external::{Asker, External, are_of, federation, out_of_reach};
use super::shared::{Request, Shared};
use super::token::cause_of;
use super::{Admission, Pending};
use crate::credential::{Malformed, Secret};
use crate::error::{AuthError, Cause};
use crate::federation::{Provider, TenantProviders};
use crate::store::BoxFuture;
use crate::time::Timestamp;

/// The longest that an answer is kept, in seconds: how long after its end a token may still pass.
pub(super) const MAX_ANSWER_LIFE_SECS: u64 = 60;

/// A flight that asks one configuration of a provider about one token.
pub(super) type AskFlight = (u64, Digest);
/// What was learned of the token.
pub(super) type Asked = Result<Arc<External>, AuthError>;

/// The SHA-256 of a token, in hexadecimal: the text by which the cache of answers knows it.
pub(super) type Digest = [u8; 64];

impl Shared {
    /// `None` where the token is not for a provider to read.
    pub(super) fn admit_opaque(
        self: &Arc<Self>,
        token: &[u8],
        malformed: Malformed,
        request: &Request<'_>,
    ) -> Option<Admission> {
        let is_opaque = match malformed {
            Malformed::UnknownFormat => true,
            // It begins like a JWT by chance.
            Malformed::Segments => !token.contains(&b'.'),
            _ => false,
        };
        if !is_opaque {
            return None;
        }
        let (federation, slug) = federation(request)?;
        let judge = |known: &Arc<External>| self.conclude_external(known, request);
        let mut found = None;
        federation.look(slug, &mut |providers| {
            if let Some(provider) = asked_about(providers, request) {
                let digest = digest_of(token);
                let known = self
                    .introspected
                    .look(&digest, provider.id(), 0, request.now, judge);
                found = Some((digest, known));
            }
        });
        let (digest, known) = found?;
        if known.is_some() {
            return known;
        }
        let providers = self.providers(request)?;
        let provider = asked_about(&providers, request)?;
        let text = std::str::from_utf8(token).ok()?;
        let asker = Asker::new(request, provider.issuer());
        if let Err(refusal) = self.may_ask(&asker) {
            return Some(Admission::Ready(Err(refusal)));
        }
        let (shared, id) = (Arc::clone(self), provider.id());
        let (token, request) = (Secret::new(text.to_owned()), request.to_owned());
        Some(Admission::Pending(Pending(Box::pin(async move {
            let mut paid = false;
            let start = || -> Result<_, AuthError> {
                shared.pay_to_ask(&asker)?;
                paid = true;
                Ok(shared.start_asking(providers, token, digest, request.now))
            };
            let asked = shared.asking.try_join((id, digest), start).await?;
            match &asked {
                Ok(_) => shared.settle_asker(&asker, paid, true),
                Err(error) if error.status() == 401 => shared.settle_asker(&asker, paid, false),
                // Not the token's error. But what was paid stays: nothing else keeps one address from asking a provider
                // that is in trouble as fast as it fails.
                Err(_) => {}
            }
            let known = asked?;
            let request = &request.at(shared.clock.monotonic_nanos());
            // What the tenant has configured may have changed while the provider was asked.
            let stands = shared.providers(request).is_some_and(|providers| {
                let mut ids = providers.iter().map(|provider| provider.id());
                ids.any(|other| other == id)
            });
            if !stands {
                return Err(Cause::JwtIssuer.into());
            }
            shared.conclude_external(&known, request).decided().await
        }))))
    }

    /// What comes out is remembered before the flight lands, from the time of the question on.
    fn start_asking(
        self: &Arc<Self>,
        providers: Arc<TenantProviders>,
        token: Secret,
        digest: Digest,
        now: Timestamp,
    ) -> BoxFuture<'static, Asked> {
        let shared = Arc::clone(self);
        Box::pin(async move {
            let (provider, introspector) = providers.introspecting().ok_or(Cause::UnknownFormat)?;
            let answer = introspector
                .introspect(&token)
                .await
                .map_err(|error| out_of_reach(Cause::IntrospectionUnavailable, error))?
                .ok_or(Cause::TokenInactive)?;
            let verifier = provider.verifier();
            let claims = verifier.judge_answer(answer, now).map_err(cause_of)?;
            let known = Arc::new(shared.external(&providers, provider, &claims)?);
            if let Ok(digest) = std::str::from_utf8(&digest) {
                let until = verifier.valid_until(&claims);
                let kept = Arc::clone(&known);
                shared
                    .introspected
                    .insert(digest, provider.id(), 0, until, now, kept);
            }
            Ok(known)
        })
    }
}

/// The provider that is asked about opaque tokens; never our own issuer, as which a tenant may have it configured.
fn asked_about<'p>(providers: &'p TenantProviders, request: &Request<'_>) -> Option<&'p Provider> {
    let (provider, _) = providers.introspecting()?;
    let is_own = request.policy.realm().trusts(provider.issuer());
    (are_of(providers, request) && !is_own).then_some(provider)
}

fn digest_of(token: &[u8]) -> Digest {
    const HEXADECIMAL: [u8; 16] = *b"0123456789abcdef";
    let mut text = [0; 64];
    let digest = digest(&SHA256, token);
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest.as_ref()) {
        for (place, half) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *place = HEXADECIMAL
                .get(usize::from(half))
                .copied()
                .unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_sha_256_in_hexadecimal() {
        // FIPS 180-4, the example of one block.
        let known = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(&digest_of(b"abc"), known);
    }
}
