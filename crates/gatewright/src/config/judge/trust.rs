//! The issuers that a realm trusts, and their keys.

use crate::config::mistake::Notes;
use crate::config::{IgnoredKey, Path, TrustConfig};
use crate::jwt::{Algorithm, KeyError, KeySet, Verifier, VerifierError, VerifyingKey};

impl TrustConfig {
    pub(super) fn verifier(&self, at: &Path, notes: &mut Notes) -> Option<Verifier> {
        let audiences = at.field("audiences");
        for (index, audience) in self.audiences.iter().enumerate() {
            if audience.is_empty() {
                notes.refuse(&audiences.element(index), VerifierError::Audience);
            }
        }
        if self.audiences.is_empty() {
            notes.missing(&audiences);
        }
        // One by one, since a builder tells only the first mistake.
        let any = || Verifier::builder("-", "-");
        for (field, alone) in [
            ("issuer", Verifier::builder(self.issuer.as_str(), "-")),
            (
                "algorithms",
                any().algorithms(self.algorithms.iter().copied()),
            ),
            ("leeway_secs", any().leeway_secs(self.leeway_secs)),
        ] {
            if let Err(error) = alone.build() {
                notes.refuse(&at.field(field), error);
            }
        }
        let (first, others) = self.audiences.split_first()?;
        let mut builder = Verifier::builder(self.issuer.as_str(), first.as_str())
            .algorithms(self.algorithms.iter().copied())
            .typ(self.typ.clone())
            .leeway_secs(self.leeway_secs);
        for audience in others {
            builder = builder.audience(audience.as_str());
        }
        if let Some(secs) = self.max_age_secs {
            builder = builder.max_age_secs(secs);
        }
        for claim in &self.required_claims {
            builder = builder.require(claim.clone());
        }
        if self.rfc9068 {
            builder = builder.rfc9068();
        }
        if self.private_claims {
            builder = builder.private_claims();
        }
        builder
            .build()
            .map_err(|error| notes.refuse(at, error))
            .ok()
    }

    /// The keys, of the one kind that is given.
    pub(super) fn keys(
        &self,
        at: &Path,
        ignored: &mut Vec<IgnoredKey>,
        notes: &mut Notes,
    ) -> Option<KeySet> {
        let (jwks_at, secret_at) = (at.field("jwks"), at.field("hs256_secret"));
        if self.hs256_kid.is_some() && self.hs256_secret.is_none() && !notes.is_wrong(&secret_at) {
            notes.refuse(&at.field("hs256_kid"), "goes only with `hs256_secret`");
        }
        let shared = self
            .algorithms
            .iter()
            .all(|algorithm| algorithm.is_symmetric());
        match (&self.jwks, &self.hs256_secret) {
            (Some(_), Some(_)) => {
                notes.refuse(&secret_at, "goes only without `jwks`");
                None
            }
            (None, None) => {
                if !notes.is_wrong(&secret_at) {
                    notes.missing(&jwks_at);
                }
                None
            }
            (None, Some(secret)) => {
                if !shared {
                    let message = "must be [\"HS256\"] with `hs256_secret`";
                    notes.refuse(&at.field("algorithms"), message);
                }
                let key = VerifyingKey::hmac(self.hs256_kid.as_deref(), secret.expose());
                key.map_err(|error| notes.refuse(&secret_at, error))
                    .ok()
                    .and_then(|key| KeySet::from_keys([key]).ok())
            }
            (Some(jwks), None) => {
                for skipped in jwks.skipped() {
                    let key = jwks_at.field("keys").element(skipped.index());
                    match skipped.reason() {
                        // RFC 7517 §5: to be ignored, for others may use them.
                        KeyError::Unsupported
                        | KeyError::Use
                        | KeyError::Operations
                        | KeyError::Algorithm => ignored.push(IgnoredKey {
                            path: key,
                            kid: skipped.kid().map(str::to_owned),
                            reason: skipped.reason(),
                        }),
                        reason => notes.judge(&key, reason),
                    }
                }
                let fits = |algorithm: Algorithm| self.algorithms.contains(&algorithm);
                if !jwks.keys().iter().any(|key| fits(key.algorithm())) {
                    notes.refuse(
                        &jwks_at,
                        "holds no usable key for the algorithms that are allowed",
                    );
                }
                Some(jwks.keys().clone())
            }
        }
    }
}
