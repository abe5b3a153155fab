//! What a token must be to be believed.

use std::borrow::Cow;

use super::algorithm::Algorithm;
use super::base64url;
use super::claims::Claims;
use super::error::{ClaimName, JwtError, VerifierError};
use super::header::{self, Segments};
use super::json::{Json, read_members};
use super::key::VerifyingKey;
use super::key_set::KeySet;
use crate::time::Timestamp;

/// For the longest signature that is known here, RSA with 8192 bits; no header needs as much.
const BUFFER_BYTES: usize = 1024;
const MAX_LEEWAY_SECS: u64 = 60;
/// Longer answers about a token are refused unread.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What RFC 9068 §2.2 requires beyond `iss`, `exp` and `aud`.
const RFC_9068: [&str; 4] = ["sub", "client_id", "iat", "jti"];

/// The `typ` that a token's header must have, so that tokens of different kinds exclude each other (RFC 8725 §3.11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypRule {
    /// `at+jwt` or `application/at+jwt`, in any case (RFC 9068 §4).
    #[default]
    AccessToken,
    /// This media type, in any case, with or without `application/` (RFC 7515 §4.1.9).
    Exactly(Cow<'static, str>),
    /// Any or none. For issuers that don't type their access tokens; they are then told apart by `aud` alone.
    Any,
}

impl TypRule {
    pub(super) fn allows(&self, typ: Option<&str>) -> bool {
        let wanted = match self {
            Self::AccessToken => "at+jwt",
            Self::Exactly(wanted) => wanted,
            Self::Any => return true,
        };
        typ.is_some_and(|typ| media_subtype(typ).eq_ignore_ascii_case(media_subtype(wanted)))
    }
}

/// Drops `application/` where nothing else in the name is a slash (RFC 7515 §4.1.9).
fn media_subtype(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
        _ => typ,
    }
}

/// Verifies tokens of one issuer for one audience or more.
///
/// In this order: shape, header, key, signature, claims. No claim is looked at before the signature holds, so an
/// error about one tells only the holder of a token that the issuer signed.
#[derive(Clone, Debug)]
pub struct Verifier {
    issuer: String,
    audiences: Vec<String>,
    any_audience: bool,
    /// What stands before a tenant's slug in an audience of that tenant alone.
    tenant_prefix: Option<String>,
    algorithms: Vec<Algorithm>,
    typ: TypRule,
    leeway_secs: u64,
    max_age_secs: Option<u64>,
    required: Vec<Cow<'static, str>>,
    private_claims: bool,
}

/// Collects the rules of a [`Verifier`].
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifierBuilder(Verifier);

impl Verifier {
    /// Tokens of exactly this `iss` whose `aud` holds this audience. Unless told otherwise: RS256 only, `typ` of an
    /// access token, no leeway, no limit of age.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> VerifierBuilder {
        Self::builder_with(issuer.into(), vec![audience.into()], None)
    }

    /// Tokens of exactly this `iss` whose audience is one tenant's, as of
    /// [`audience_of_tenant`](VerifierBuilder::audience_of_tenant), and no other.
    pub fn builder_of_tenants(
        issuer: impl Into<String>,
        prefix: impl Into<String>,
    ) -> VerifierBuilder {
        Self::builder_with(issuer.into(), Vec::new(), Some(prefix.into()))
    }

    fn builder_with(
        issuer: String,
        audiences: Vec<String>,
        tenant_prefix: Option<String>,
    ) -> VerifierBuilder {
        VerifierBuilder(Self {
            issuer,
            audiences,
            any_audience: false,
            tenant_prefix,
            algorithms: vec![Algorithm::Rs256],
            typ: TypRule::AccessToken,
            leeway_secs: 0,
            max_age_secs: None,
            required: Vec::new(),
            private_claims: false,
        })
    }

    /// The issuer whose tokens it verifies. `keys` given to [`Verifier::verify`] must be that issuer's.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Verifies a compact JWS (RFC 7515 §5.2) and its claims (RFC 7519 §7.2) at `now`.
    ///
    /// # Errors
    ///
    /// A [`JwtError`] for the first rule that does not hold.
    pub fn verify(&self, token: &str, keys: &KeySet, now: Timestamp) -> Result<Claims, JwtError> {
        let segments = Segments::split(token)?;
        let mut buffer = [0; BUFFER_BYTES];
        let (key, is_named) = match keys.select_known(segments.header) {
            Some((key, typ)) => {
                if !self.typ.allows(typ) {
                    return Err(JwtError::Type);
                }
                self.allow(key.algorithm())?;
                // There is nothing left to remember.
                (key, false)
            }
            None => self.select(segments.header, keys, &mut buffer)?,
        };
        let signature =
            base64url::decode_into(segments.signature, &mut buffer).ok_or(JwtError::Malformed)?;
        if !key.verify(segments.signed.as_bytes(), signature) {
            return Err(JwtError::Signature);
        }
        // Only now: headers that somebody made up would take the place of the issuer's.
        if is_named {
            key.remember_header(segments.header);
        }
        let payload = base64url::decode(segments.payload).ok_or(JwtError::Malformed)?;
        let payload = String::from_utf8(payload).map_err(|_| JwtError::Payload)?;
        let claims = Claims::read(payload, self.private_claims)?;
        self.judge(&claims, now)?;
        Ok(claims)
    }

    /// The key that a header means, and whether by its name.
    fn select<'k>(
        &self,
        segment: &str,
        keys: &'k KeySet,
        buffer: &mut [u8],
    ) -> Result<(&'k VerifyingKey, bool), JwtError> {
        let longer;
        let header = match base64url::decode_into(segment, buffer) {
            Some(header) => header,
            // Not base64url, or a long one.
            None => {
                longer = base64url::decode(segment).ok_or(JwtError::Malformed)?;
                &longer
            }
        };
        let header = header::read(header, &self.typ)?;
        self.allow(header.algorithm)?;
        let key = keys.select(header.kid.as_deref(), header.algorithm)?;
        Ok((key, header.kid.is_some()))
    }

    fn allow(&self, algorithm: Algorithm) -> Result<(), JwtError> {
        if self.algorithms.contains(&algorithm) {
            Ok(())
        } else {
            Err(JwtError::Algorithm)
        }
    }

    /// The first second, leeway aside, in which a token with these claims no longer verifies: what to give to
    /// [`TokenCache::insert`](super::TokenCache::insert). It is `exp`, or earlier where the age is limited.
    #[must_use]
    pub fn valid_until(&self, claims: &Claims) -> Timestamp {
        let too_old = match (self.max_age_secs, claims.issued_at()) {
            (Some(max_age), Some(issued_at)) => issued_at.saturating_add(max_age).saturating_add(1),
            _ => Timestamp::MAX,
        };
        claims.expires_at().min(too_old)
    }

    /// The slug of the one tenant that a token with these claims is for, where it was accepted for that tenant's audience
    /// ([`audience_of_tenant`](VerifierBuilder::audience_of_tenant)); `None` where one of the other audiences is the
    /// verifier's, or two tenants are named. The gate compares it with the tenant of the request and of the token's holder;
    /// whoever verifies without a gate has to.
    #[must_use]
    pub fn tenant_in_audience<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        let prefix = self.tenant_prefix.as_deref()?;
        if self.is_named_in(claims) {
            return None;
        }
        let mut slugs = claims
            .audiences()
            .filter_map(|audience| audience.strip_prefix(prefix))
            .filter(|slug| !slug.is_empty());
        slugs.next().filter(|_| slugs.next().is_none())
    }

    /// Judges what the issuer answered about a token that only it can read (RFC 7662 §2.2), by the same rules as a token's
    /// claims. `iss` and `exp` may be missing there; an audience may not, since the token could be meant for anybody.
    pub(crate) fn judge_answer(&self, answer: String, now: Timestamp) -> Result<Claims, JwtError> {
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(JwtError::Payload);
        }
        let claims = Claims::read_answer(answer, &self.issuer)?;
        if claims.other("active").and_then(serde_json::Value::as_bool) != Some(true) {
            return Err(JwtError::MissingClaim(ClaimName::Other));
        }
        // A refresh token is active too, and one of another type is bound to more than its text.
        let is_bearer = |kind: &serde_json::Value| {
            kind.as_str()
                .is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"))
        };
        if !claims.other("token_type").is_none_or(is_bearer) {
            return Err(JwtError::Type);
        }
        self.judge(&claims, now)?;
        Ok(claims)
    }

    /// Whether it takes shared secrets.
    pub(crate) fn takes_shared_secrets(&self) -> bool {
        self.algorithms
            .iter()
            .any(|algorithm| algorithm.is_symmetric())
    }

    /// Whether it reads claims or judges audiences as only our own issuer means them.
    pub(crate) const fn has_own_rules(&self) -> bool {
        self.private_claims || self.tenant_prefix.is_some() || self.any_audience
    }

    fn is_named_in(&self, claims: &Claims) -> bool {
        claims
            .audiences()
            .any(|audience| self.audiences.iter().any(|ours| ours == audience))
    }

    fn judge(&self, claims: &Claims, now: Timestamp) -> Result<(), JwtError> {
        if claims.issuer() != self.issuer {
            return Err(JwtError::Issuer);
        }
        let named = self.any_audience || self.is_named_in(claims);
        if !named && self.tenant_in_audience(claims).is_none() {
            return Err(JwtError::Audience);
        }
        // RFC 7519 §4.1.4: not to be accepted on or after `exp`.
        if now >= claims.expires_at().saturating_add(self.leeway_secs) {
            return Err(JwtError::Expired);
        }
        let latest = now.saturating_add(self.leeway_secs);
        if claims
            .not_before()
            .is_some_and(|not_before| not_before > latest)
        {
            return Err(JwtError::NotYetValid);
        }
        if let Some(max_age) = self.max_age_secs {
            let issued_at = claims
                .issued_at()
                .ok_or(JwtError::MissingClaim(ClaimName::IssuedAt))?;
            if issued_at > latest {
                return Err(JwtError::NotYetValid);
            }
            if now.saturating_sub(issued_at) > max_age.saturating_add(self.leeway_secs) {
                return Err(JwtError::TooOld);
            }
        }
        self.required
            .iter()
            .try_for_each(|name| claims.require(name))
    }
}

impl VerifierBuilder {
    /// Accepts this audience too.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.0.audiences.push(audience.into());
        self
    }

    /// Accepts every audience, which a token must still have. For the issuer that is asked about a token of its own
    /// (RFC 7009, RFC 7662); whoever lets somebody in by it takes tokens that are meant for others.
    pub fn insecure_any_audience(mut self) -> Self {
        self.0.any_audience = true;
        self
    }

    /// Accepts an audience of one tenant's too: `prefix` and then the tenant's slug, to the end. At a gate such a token is
    /// good only where that slug is the one of the tenant in the path, if it names one, and of the tenant that the token's
    /// client or user is in; [`Verifier::tenant_in_audience`] says which it is. A token that names two tenants so is
    /// refused.
    pub fn audience_of_tenant(mut self, prefix: impl Into<String>) -> Self {
        self.0.tenant_prefix = Some(prefix.into());
        self
    }

    /// Allows these algorithms and no others (RFC 8725 §3.1).
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.0.algorithms = algorithms.into_iter().collect();
        self
    }

    /// What `typ` must be.
    pub fn typ(mut self, rule: TypRule) -> Self {
        self.0.typ = rule;
        self
    }

    /// How far the issuer's clock may be from ours, for `exp`, `nbf` and the age; 0 unless set, 60 at most.
    pub fn leeway_secs(mut self, secs: u64) -> Self {
        self.0.leeway_secs = secs;
        self
    }

    /// Requires `iat` and refuses a token older than this, whatever its `exp` says.
    pub fn max_age_secs(mut self, secs: u64) -> Self {
        self.0.max_age_secs = Some(secs);
        self
    }

    /// Requires a claim to be there, and not to be `null` or, among the registered ones, empty.
    pub fn require(mut self, claim: impl Into<Cow<'static, str>>) -> Self {
        self.0.required.push(claim.into());
        self
    }

    /// Requires what an access token of RFC 9068 §2.2 has: `sub`, `client_id`, `iat` and `jti` beside the claims that
    /// every token needs.
    pub fn rfc9068(mut self) -> Self {
        self.0.required.extend(RFC_9068.map(Cow::Borrowed));
        self
    }

    /// Reads `tenant` (a string) and `epoch` (an unsigned integer), and refuses a token in which they are anything
    /// else. For our own issuer only: elsewhere these names may mean anything, and [`Claims::other`] has them.
    pub fn private_claims(mut self) -> Self {
        self.0.private_claims = true;
        self
    }

    /// The verifier.
    ///
    /// # Errors
    ///
    /// A [`VerifierError`] for an empty issuer or audience, no algorithm, HS256 beside others, or a leeway over a
    /// minute.
    pub fn build(self) -> Result<Verifier, VerifierError> {
        let verifier = self.0;
        if verifier.issuer.is_empty() {
            return Err(VerifierError::Issuer);
        }
        let mut audiences = verifier.audiences.iter().chain(&verifier.tenant_prefix);
        if audiences.any(String::is_empty) {
            return Err(VerifierError::Audience);
        }
        if verifier.leeway_secs > MAX_LEEWAY_SECS {
            return Err(VerifierError::Leeway);
        }
        let symmetric = verifier
            .algorithms
            .iter()
            .filter(|algorithm| algorithm.is_symmetric())
            .count();
        if verifier.algorithms.is_empty() {
            return Err(VerifierError::NoAlgorithm);
        }
        if symmetric != 0 && symmetric != verifier.algorithms.len() {
            return Err(VerifierError::MixedAlgorithms);
        }
        Ok(verifier)
    }
}

/// The `iss` that a token claims, before anything is verified: good for choosing the [`Verifier`] to try, and for
/// nothing else. Whoever sent the token wrote it.
///
/// `None` if the token is not a compact JWS whose payload is strict JSON with a string `iss`; no verifier would
/// accept it then.
#[must_use]
pub fn insecure_unverified_issuer(token: &str) -> Option<String> {
    let segments = Segments::split(token).ok()?;
    let payload = base64url::decode(segments.payload)?;
    let payload = std::str::from_utf8(&payload).ok()?;
    let mut issuer = None;
    read_members(payload, &mut issuer, |issuer, name, value| {
        if let ("iss", Json::String(text)) = (&*name, value) {
            *issuer = Some(text);
        }
    })
    .ok()?;
    issuer.map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_lc_rs::hmac;

    use super::*;

    #[test]
    fn media_types_are_compared_as_rfc_7515_says() {
        let exactly = TypRule::Exactly("JWT".into());
        for typ in ["JWT", "jwt", "application/jwt", "APPLICATION/Jwt"] {
            assert!(exactly.allows(Some(typ)), "{typ}");
        }
        for typ in [
            None,
            Some(""),
            Some("at+jwt"),
            Some("text/jwt"),
            Some("application/application/jwt"),
            Some(" jwt"),
        ] {
            assert!(!exactly.allows(typ), "{typ:?}");
        }
        assert!(TypRule::Any.allows(None));
        assert!(!TypRule::AccessToken.allows(None));
    }

    const SECRET: [u8; 32] = [7; 32];
    const HEADER: &str = r#"{"alg":"HS256","typ":"at+jwt","kid":"k"}"#;

    fn signed(header: &str) -> String {
        let claims = base64url::encode(br#"{"iss":"i","aud":"a","exp":9}"#);
        let signed = format!("{}.{claims}", base64url::encode(header.as_bytes()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
        let signature = base64url::encode(hmac::sign(&key, signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }

    fn key() -> Arc<VerifyingKey> {
        Arc::new(VerifyingKey::hmac(Some("k"), &SECRET).unwrap())
    }

    fn alone(key: &Arc<VerifyingKey>) -> KeySet {
        KeySet::from_keys([Arc::clone(key)]).unwrap()
    }

    fn verifier(algorithm: Algorithm, typ: TypRule) -> Verifier {
        let builder = Verifier::builder("i", "a").algorithms([algorithm]);
        builder.typ(typ).build().unwrap()
    }

    /// Whatever header a key remembers, every token is judged as if there were none.
    #[test]
    fn a_remembered_header_changes_no_verdict() {
        let headers = [
            HEADER,
            r#"{"alg":"HS256","typ":"JWT","kid":"k"}"#,
            r#"{"alg":"HS256","kid":"k"}"#,
            r#"{"alg":"HS256","typ":"at+jwt"}"#,
            r#"{"alg":"HS256","typ":"at+jwt","kid":"other"}"#,
            r#"{"alg":"RS256","typ":"at+jwt","kid":"k"}"#,
            r#"{"alg":"HS256","typ":"at+jwt","kid":"k","crit":["exp"]}"#,
            r#"{"alg":"HS256","typ":"at+jwt","kid":"k","kid":"k"}"#,
            r#"{"alg":"HS256","typ":"at+jwt","kid":"k" }"#,
            r#"{"alg":"none","typ":"at+jwt","kid":"k"}"#,
        ];
        let another = || Arc::new(VerifyingKey::hmac(Some("l"), &[8; 32]).unwrap());
        let sets = |key: &Arc<VerifyingKey>| {
            let two = KeySet::from_keys([another(), Arc::clone(key)]).unwrap();
            let gone = KeySet::from_keys([another()]).unwrap();
            [alone(key), two, gone]
        };
        let rules = || {
            [
                TypRule::AccessToken,
                TypRule::Exactly("JWT".into()),
                TypRule::Any,
            ]
        };
        let verifiers = [Algorithm::Hs256, Algorithm::Rs256]
            .into_iter()
            .flat_map(|algorithm| rules().map(|rule| verifier(algorithm, rule)));
        let verifiers: Vec<Verifier> = verifiers.collect();
        let lenient = verifier(Algorithm::Hs256, TypRule::Any);
        for first in headers {
            let known = key();
            let _ = lenient.verify(&signed(first), &alone(&known), 1);
            for (header, verifier) in headers
                .iter()
                .flat_map(|header| verifiers.iter().map(move |verifier| (header, verifier)))
            {
                for (remembering, fresh) in sets(&known).iter().zip(&sets(&key())) {
                    let verdict = |keys| verifier.verify(&signed(header), keys, 1).map(|_| ());
                    assert_eq!(verdict(remembering), verdict(fresh), "{first} {header}");
                }
            }
        }
    }

    #[test]
    fn a_header_is_remembered_once_its_signature_held() {
        let verifier = verifier(Algorithm::Hs256, TypRule::AccessToken);
        let segment = base64url::encode(HEADER.as_bytes());
        let known = key();
        let token = signed(HEADER);
        let forged = format!("{}A.{}", token.rsplit_once('.').unwrap().0, "A".repeat(43));
        assert!(verifier.verify(&forged, &alone(&known), 1).is_err());
        assert_eq!(known.known_header(&segment), None);
        assert!(verifier.verify(&token, &alone(&known), 1).is_ok());
        assert_eq!(known.known_header(&segment), Some(Some("at+jwt")));

        // The first one stays, and what doesn't name the key is none.
        let other = signed(r#"{"typ":"at+jwt","alg":"HS256","kid":"k"}"#);
        assert!(verifier.verify(&other, &alone(&known), 1).is_ok());
        assert_eq!(known.known_header(&segment), Some(Some("at+jwt")));
        let nameless = r#"{"alg":"HS256","typ":"at+jwt"}"#;
        let unknown = key();
        assert!(
            verifier
                .verify(&signed(nameless), &alone(&unknown), 1)
                .is_ok()
        );
        let segment = base64url::encode(nameless.as_bytes());
        assert_eq!(unknown.known_header(&segment), None);
    }
}
