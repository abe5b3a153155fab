//! What an ID token says, if it is to be believed.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::federation::KeySource as _;
use gatewright_core::json;
use gatewright_core::jwt::{Algorithm, Claims, JwtError, Verifier};
use gatewright_core::time::Timestamp;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::error::LoginError;
use super::token::Tokens;
use crate::keys::RemoteKeys;

/// OpenID Connect Core §2.
const MAX_SUBJECT_BYTES: usize = 255;

/// Who somebody is, as their provider says. They are found again by issuer and subject: the address may come to be
/// somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginClaims {
    /// The issuer, as it was configured.
    pub issuer: Box<str>,
    /// `sub`: the user, for as long as the issuer lives.
    pub subject: Box<str>,
    /// `email`
    pub email: Option<String>,
    /// Whether `email_verified` is the boolean `true`. The text `"true"`, which some providers send, is not.
    pub email_verified: bool,
    /// `name`
    pub name: Option<String>,
}

/// Verifies the ID tokens of one provider for one client.
pub(super) struct IdTokens {
    /// One for each way in which the issuer spells itself; the first is its name here.
    pub(super) verifiers: Vec<Verifier>,
    pub(super) keys: RemoteKeys,
    pub(super) client_id: Box<str>,
}

impl IdTokens {
    /// Checks the token (OpenID Connect Core §3.1.3.7) and that it belongs to this login.
    pub(super) async fn verify(
        &self,
        tokens: &Tokens,
        nonce: &str,
        now: Timestamp,
    ) -> Result<LoginClaims, LoginError> {
        let text = tokens.id_token.expose();
        let claims = match self.try_keys(text, now) {
            // A key that is new to us, or no keys so far.
            Err(JwtError::UnknownKey) => {
                let refetched = self.keys.refetch().await;
                refetched.map_err(|_| LoginError::Keys)?;
                self.try_keys(text, now)
            }
            tried => tried,
        };
        let claims = claims.map_err(LoginError::IdToken)?;
        self.judge_party(&claims)?;
        let named = claims.other("nonce").and_then(Value::as_str);
        if !named.is_some_and(|named| named.as_bytes().ct_eq(nonce.as_bytes()).into()) {
            return Err(LoginError::Nonce);
        }
        judge_hash(&claims, text, tokens.access_token.expose())?;
        self.read(&claims)
    }

    fn try_keys(&self, token: &str, now: Timestamp) -> Result<Claims, JwtError> {
        let keys = self.keys.live().load();
        let mut outcome = Err(JwtError::Issuer);
        for verifier in &self.verifiers {
            outcome = verifier.verify(token, &keys, now);
            if !matches!(outcome, Err(JwtError::Issuer)) {
                break;
            }
        }
        outcome
    }

    /// Who the token was issued to: this client, said so where it is for others as well.
    fn judge_party(&self, claims: &Claims) -> Result<(), LoginError> {
        let is_shared = claims.audiences().count() > 1;
        match claims.other("azp") {
            Some(party) if party.as_str() == Some(&self.client_id) => Ok(()),
            None if !is_shared => Ok(()),
            _ => Err(LoginError::AuthorizedParty),
        }
    }

    fn read(&self, claims: &Claims) -> Result<LoginClaims, LoginError> {
        let subject = claims.subject().unwrap_or_default();
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || !subject.is_ascii() {
            return Err(LoginError::Claims);
        }
        let text = |name| match claims.other(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(LoginError::Claims),
        };
        Ok(LoginClaims {
            issuer: self.verifiers.first().map_or("", Verifier::issuer).into(),
            subject: subject.into(),
            email: text("email")?,
            email_verified: claims.other("email_verified") == Some(&Value::Bool(true)),
            name: text("name")?,
        })
    }
}

/// `at_hash`, where it is: the left half of the access token's hash, by the hash of the signature's algorithm (OpenID Connect
/// Core §3.1.3.6).
fn judge_hash(claims: &Claims, id_token: &str, access_token: &str) -> Result<(), LoginError> {
    let Some(named) = claims.other("at_hash") else {
        return Ok(());
    };
    let named = named.as_str().ok_or(LoginError::AccessTokenHash)?;
    let hash = digest(hash_of(id_token)?, access_token.as_bytes());
    let half = hash.as_ref().get(..hash.as_ref().len() / 2);
    let expected = URL_SAFE_NO_PAD.encode(half.unwrap_or_default());
    if named.as_bytes().ct_eq(expected.as_bytes()).into() {
        return Ok(());
    }
    Err(LoginError::AccessTokenHash)
}

/// The hash of the algorithm of a token that was verified, so its header is one that holds `alg` once.
fn hash_of(id_token: &str) -> Result<&'static digest::Algorithm, LoginError> {
    let header = id_token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).ok();
    let header = header.and_then(|header| json::parse(&header).ok());
    let algorithm = header.as_ref().and_then(|header| header["alg"].as_str());
    match algorithm.and_then(|name| name.parse().ok()) {
        Some(Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256) => Ok(&SHA256),
        Some(Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384) => Ok(&SHA384),
        // EdDSA's own hash is SHA-512 (RFC 8032 §5.1).
        Some(Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::EdDsa) => Ok(&SHA512),
        _ => Err(LoginError::AccessTokenHash),
    }
}
