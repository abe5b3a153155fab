//! Access tokens of our own (RFC 9068).

use std::sync::Arc;

use gatewright_core::credential::{IdAlphabet, MintError, Secret, random_id};
use gatewright_core::jwt::{AccessTokenClaims, SignError};
use gatewright_core::principal::{CredentialId, SessionId, TenantId, UserId};
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::SessionRecord;
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
    more_audiences: Vec<Box<str>>,
    epoch: u64,
    session: Option<SessionId>,
    tenant: Option<TenantId>,
    scopes: Option<ScopeSet>,
    ends_at: Option<Timestamp>,
    /// Whether the client is the subject.
    is_machine: bool,
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
            more_audiences: Vec::new(),
            epoch,
            session: Some(session),
            tenant: None,
            scopes: None,
            ends_at: None,
            is_machine: false,
        }
    }

    /// A token of this session, for its user, client and tenant. It ends no later than the session does if nobody carries
    /// it on. `epoch` is the user's present revocation epoch.
    #[must_use]
    pub fn of_session(session: &SessionRecord, audience: &str, epoch: u64) -> Self {
        let end = session.idle_expires_at.min(session.expires_at);
        let id = session.id.clone();
        let mut grant = Self::user(&session.user, &session.client, audience, epoch, id);
        grant.tenant.clone_from(&session.tenant);
        grant.until(Some(end))
    }

    /// A machine's token (RFC 6749 §4.4), whose subject is the client itself (RFC 9068 §2.2). `epoch` is the client's
    /// present revocation epoch.
    #[must_use]
    pub fn client(client: &CredentialId, audience: &str, scopes: ScopeSet, epoch: u64) -> Self {
        Self {
            subject: client.as_str().into(),
            client: client.as_str().into(),
            audience: audience.into(),
            more_audiences: Vec::new(),
            epoch,
            session: None,
            tenant: None,
            scopes: Some(scopes),
            ends_at: None,
            is_machine: true,
        }
    }

    /// Names one more audience.
    #[must_use]
    pub fn also_for(mut self, audience: &str) -> Self {
        self.more_audiences.push(audience.into());
        self
    }

    /// Cuts the token's life short, as where what it is issued for ends earlier.
    #[must_use]
    pub const fn until(mut self, end: Option<Timestamp>) -> Self {
        self.ends_at = end;
        self
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

    /// The `iss` of the tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys that sign.
    #[must_use]
    pub const fn keys(&self) -> &Arc<SigningKeys> {
        &self.keys
    }

    /// Signs a token, with `typ: at+jwt` and a fresh `jti`.
    ///
    /// # Errors
    /// [`IssueError`], by variant.
    pub fn issue(&self, grant: &Grant, now: Timestamp) -> Result<IssuedToken, IssueError> {
        if grant.subject == grant.client && !grant.is_machine {
            return Err(IssueError::SubjectIsClient);
        }
        let key = self.keys.active(now).ok_or(IssueError::NoActiveKey)?;
        let jti = random_id(IdAlphabet::Alphanumeric, JTI_LENGTH)?;
        let latest = now.saturating_add(self.lifetime_secs);
        let expires_at = grant.ends_at.map_or(latest, |end| end.min(latest));
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
        for audience in &grant.more_audiences {
            claims = claims.with_audience(&**audience);
        }
        if let Some(scopes) = &grant.scopes {
            claims = claims.with_scope(scopes.to_string());
        }
        if let Some(session) = &grant.session {
            claims = claims.with_session_id(session.as_str());
        }
        if let Some(tenant) = &grant.tenant {
            claims = claims.with_tenant(tenant.as_str());
        }
        Ok(IssuedToken {
            access_token: Secret::new(key.sign("at+jwt", &claims)?),
            expires_in: expires_at.saturating_sub(now),
            expires_at,
            jti,
        })
    }
}
