//! Tokens of our own that come back to us.

use std::sync::Arc;

use gatewright_core::credential::{MAX_JWT_LENGTH, SecretKind};
use gatewright_core::error::AuthError;
use gatewright_core::jwt::{Algorithm, Claims, LiveKeys, Verifier, VerifierError};
use gatewright_core::store::{CredentialStore, RevocationStore, TokenRef};
use gatewright_core::time::Timestamp;

use crate::AccessTokens;
use crate::credential::store_failed;

/// What signing keys may be of. A key has one algorithm and verifies by no other.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];

/// Recognises the tokens of one issuer, whomever they are for, and says whether they still stand.
pub(super) struct IssuedTokens {
    verifier: Verifier,
    keys: Arc<LiveKeys>,
    credentials: Arc<dyn CredentialStore>,
    revocations: Arc<dyn RevocationStore>,
}

impl IssuedTokens {
    pub(super) fn new(
        tokens: &AccessTokens,
        credentials: Arc<dyn CredentialStore>,
        revocations: Arc<dyn RevocationStore>,
    ) -> Result<Self, VerifierError> {
        let verifier = Verifier::builder(tokens.issuer(), tokens.issuer())
            .insecure_any_audience()
            .algorithms(ALGORITHMS)
            .rfc9068()
            .private_claims()
            .build()?;
        Ok(Self {
            verifier,
            keys: Arc::clone(tokens.keys().live()),
            credentials,
            revocations,
        })
    }

    /// What the token says, if we signed it and it has not expired.
    pub(super) fn read(&self, token: &str, now: Timestamp) -> Option<Claims> {
        if token.len() > MAX_JWT_LENGTH {
            return None;
        }
        self.verifier.verify(token, &self.keys.load(), now).ok()
    }

    /// Whether the token and everything that it depends on stand: the same questions as the gate asks at each use.
    pub(super) async fn stands(&self, claims: &Claims, now: Timestamp) -> Result<bool, AuthError> {
        let Some(subject) = claims.subject() else {
            return Ok(false);
        };
        let jti = claims.jti();
        let is_machine = claims.client_id() == Some(subject);
        let token = if is_machine {
            TokenRef::client(subject, jti)
        } else {
            TokenRef::user(subject, claims.session_id(), jti)
        };
        let standing = self.revocations.standing(token).await;
        let standing = standing.map_err(store_failed)?;
        if standing.denied
            || standing.session_ended
            || standing.epoch != claims.epoch().unwrap_or(0)
        {
            return Ok(false);
        }
        if !is_machine {
            return Ok(true);
        }
        let record = self.credentials.find(SecretKind::Client, subject).await;
        Ok(record.map_err(store_failed)?.is_some_and(|record| {
            record.revoked_at.is_none()
                && record.expires_at.is_none_or(|end| end > now)
                && claims.tenant() == Some(record.tenant.id().as_str())
        }))
    }
}
