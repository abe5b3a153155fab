//! Access tokens of our own (RFC 9068).

use std::sync::Arc;

use gatewright_core::credential::{IdAlphabet, MintError, Secret, random_id};
use gatewright_core::jwt::{AccessTokenClaims, SignError};
use gatewright_core::principal::{SessionId, TenantId, UserId};
use gatewright_core::time::Timestamp;

use crate::SigningKeys;

/// The characters of a `jti`: 131 random bits.
const JTI_LENGTH: usize = 22;

/// Signs access tokens for one issuer.
#[derive(Clone, Debug)]
pub struct AccessTokens {
    issuer: Arc<str>,
    keys: Arc<SigningKeys>,
    lifetime_secs: u64,
}

/// What a token is to say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Grant {
    subject: Box<str>,
    client: Box<str>,
    audience: Box<str>,
    epoch: u64,
    session: Option<SessionId>,
    tenant: Option<TenantId>,
}

impl Grant {
    /// A person's token: `client` is the application that they logged in with, `epoch` the user's present revocation epoch.
    #[must_use]
    pub fn user(
        user: &UserId,
        client: &str,
        audience: &str,
        epoch: u64,
        session: SessionId,
    ) -> Self {
        Self {
            subject: user.as_str().into(),
            client: client.into(),
            audience: audience.into(),
            epoch,
            session: Some(session),
            tenant: None,
        }
    }

    /// Names the one tenant that the token is for.
    #[must_use]
    pub fn in_tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }
}

/// A signed access token.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuedToken {
    /// The token (RFC 6749 §5.1).
    pub access_token: Secret,
    /// Its life in seconds.
    pub expires_in: u64,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Its id.
    pub jti: String,
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// A user and the application have one name. Such a token would be taken for the application's own (RFC 9068 §5).
    #[error("the user and the client have the same name")]
    SubjectIsClient,
    /// There is no active signing key.
    #[error("there is no active signing key")]
    NoActiveKey,
    /// The system gave no random bytes.
    #[error("the token could not be given an id")]
    Random(#[from] MintError),
    /// The key refused to sign.
    #[error("the token could not be signed")]
    Sign(#[from] SignError),
}

impl AccessTokens {
    /// Signs as `issuer` with the active key of `keys`; tokens live for `lifetime_secs`, and no longer than `keys` keeps
    /// a replaced key.
    #[must_use]
    pub fn new(issuer: &str, keys: Arc<SigningKeys>, lifetime_secs: u64) -> Self {
        Self {
            issuer: issuer.into(),
            lifetime_secs: lifetime_secs.min(keys.longest_token_secs()),
            keys,
        }
    }

    /// Signs a token, with `typ: at+jwt` and a fresh `jti`.
    ///
    /// # Errors
    /// [`IssueError`], by variant.
    pub fn issue(&self, grant: &Grant, now: Timestamp) -> Result<IssuedToken, IssueError> {
        if grant.subject == grant.client {
            return Err(IssueError::SubjectIsClient);
        }
        let key = self.keys.active(now).ok_or(IssueError::NoActiveKey)?;
        let jti = random_id(IdAlphabet::Alphanumeric, JTI_LENGTH)?;
        let expires_at = now.saturating_add(self.lifetime_secs);
        let mut claims = AccessTokenClaims::new(
            &*self.issuer,
            &*grant.subject,
            &*grant.audience,
            &*grant.client,
            jti.as_str(),
            now,
            expires_at,
        )
        .with_epoch(grant.epoch);
        if let Some(session) = &grant.session {
            claims = claims.with_session_id(session.as_str());
        }
        if let Some(tenant) = &grant.tenant {
            claims = claims.with_tenant(tenant.as_str());
        }
        Ok(IssuedToken {
            access_token: Secret::new(key.sign("at+jwt", &claims)?),
            expires_in: self.lifetime_secs,
            expires_at,
            jti,
        })
    }
}
