//! What a login is configured with.

use std::fmt;
use std::sync::Arc;

use gatewright_core::credential::Secret;
use gatewright_core::jwt::{Algorithm, TypRule, Verifier, VerifierError};
use reqwest::Url;
use tokio::sync::Semaphore;

use super::attempt::{Attempts, MAX_AGE_SECS};
use super::flow::{Inner, OidcLogin};
use super::id_token::IdTokens;
use super::metadata::Metadata;
use super::token::Client;
use crate::http::{HttpClient, UrlError};
use crate::keys::{Issuer, RefreshPolicy, RemoteKeys};

/// How many logins are being finished at once.
const CONCURRENCY: usize = 64;
const MIN_KEY_BYTES: usize = 32;
const LEEWAY_SECS: u64 = 30;
const SCOPES: &str = "openid email profile";

/// This service, as the provider knows it.
#[derive(Debug)]
pub struct OidcClient {
    id: Box<str>,
    secret: Secret,
    redirect_uri: Box<str>,
}

impl OidcClient {
    /// A client with a secret, to which the provider sends browsers back at `redirect_uri`, spelt as it is registered there.
    #[must_use]
    pub fn new(id: &str, secret: Secret, redirect_uri: &str) -> Self {
        Self {
            id: id.into(),
            secret,
            redirect_uri: redirect_uri.into(),
        }
    }
}

/// Settings of a login that is to be.
#[must_use]
pub struct OidcLoginBuilder {
    http: HttpClient,
    issuer: Box<str>,
    client: OidcClient,
    key: Secret,
    scopes: Box<str>,
    algorithms: Vec<Algorithm>,
    leeway_secs: u64,
    also_issued_as: Vec<String>,
    refresh: RefreshPolicy,
}

/// What is wrong with the configuration of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OidcLoginError {
    /// The issuer is no URL that is taken.
    #[error("the issuer of a login is not taken: {0}")]
    Issuer(UrlError),
    /// The client's id or secret is empty.
    #[error("a login needs a client id and a client secret")]
    Client,
    /// The redirect URI is no absolute `https` or `http` URL, or ends in a fragment (RFC 6749 §3.1.2).
    #[error("the redirect URI of a login must be an absolute URL without a fragment")]
    RedirectUri,
    /// The key is shorter than 32 bytes.
    #[error("the key of a login must have 32 bytes or more")]
    Key,
    /// `openid` is not among the scopes, or they are no list of RFC 6749 §3.3.
    #[error("the scopes of a login must be a list with openid in it")]
    Scopes,
    /// A shared secret would verify ID tokens: only public keys do.
    #[error("the ID tokens of a login are verified by public keys alone")]
    SharedSecret,
    /// No algorithm is allowed, or the leeway is over a minute.
    #[error(transparent)]
    Verifier(VerifierError),
}

impl OidcLoginBuilder {
    pub(super) fn new(http: &HttpClient, issuer: &str, client: OidcClient, key: Secret) -> Self {
        Self {
            http: http.clone(),
            issuer: issuer.into(),
            client,
            key,
            scopes: SCOPES.into(),
            algorithms: vec![Algorithm::Rs256],
            leeway_secs: LEEWAY_SECS,
            also_issued_as: Vec::new(),
            refresh: RefreshPolicy::new(),
        }
    }

    /// What is asked for, with single blanks between: `openid email profile` unless said.
    pub fn scopes(mut self, scopes: &str) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// The algorithms that an ID token may be signed with: RS256 alone unless said.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// How far the provider's clock may be from ours: 30 seconds unless said, 60 at most.
    pub fn leeway_secs(mut self, secs: u64) -> Self {
        self.leeway_secs = secs;
        self
    }

    /// Takes ID tokens with this `iss` too, for a provider that spells itself in two ways, such as `accounts.google.com`
    /// for `https://accounts.google.com`. [`LoginClaims::issuer`](super::LoginClaims) is the configured one all the same.
    pub fn also_issued_as(mut self, issuer: impl Into<String>) -> Self {
        self.also_issued_as.push(issuer.into());
        self
    }

    /// When the provider's keys are fetched.
    pub fn refresh(mut self, policy: RefreshPolicy) -> Self {
        self.refresh = policy;
        self
    }

    /// The login. The provider's keys are fetched from now on.
    ///
    /// # Errors
    /// An [`OidcLoginError`], by what is wrong with the configuration.
    pub fn build(self) -> Result<OidcLogin, OidcLoginError> {
        let client = self.client;
        if client.id.is_empty() || client.secret.expose().is_empty() {
            return Err(OidcLoginError::Client);
        }
        if !is_redirect_uri(&client.redirect_uri) {
            return Err(OidcLoginError::RedirectUri);
        }
        if self.key.expose().len() < MIN_KEY_BYTES {
            return Err(OidcLoginError::Key);
        }
        if !is_scopes(&self.scopes) {
            return Err(OidcLoginError::Scopes);
        }
        if self.algorithms.iter().any(|a| a.is_symmetric()) {
            return Err(OidcLoginError::SharedSecret);
        }
        let issuer = Issuer::new(&self.http, &self.issuer).map_err(OidcLoginError::Issuer)?;
        let spellings = std::iter::once(self.issuer.to_string()).chain(self.also_issued_as);
        let verifiers = spellings
            .map(|issuer| {
                Verifier::builder(issuer, &*client.id)
                    .algorithms(self.algorithms.iter().copied())
                    .typ(TypRule::Any)
                    .leeway_secs(self.leeway_secs)
                    .max_age_secs(MAX_AGE_SECS)
                    .require("sub")
                    .build()
            })
            .collect::<Result<_, _>>()
            .map_err(OidcLoginError::Verifier)?;
        let keys = RemoteKeys::from_issuer(&self.http, &self.issuer, self.refresh)
            .map_err(OidcLoginError::Issuer)?;
        let names = [&*self.issuer, &*client.id, &*client.redirect_uri];
        let inner = Inner {
            attempts: Attempts::new(self.key.expose().as_bytes(), names),
            metadata: Metadata::new(issuer),
            scopes: self.scopes,
            id_tokens: IdTokens {
                verifiers,
                keys,
                client_id: client.id.clone(),
            },
            client: Client {
                id: client.id,
                secret: client.secret,
                redirect_uri: client.redirect_uri,
            },
            slots: Arc::new(Semaphore::new(CONCURRENCY)),
            http: self.http,
        };
        Ok(OidcLogin::over(inner))
    }
}

impl fmt::Debug for OidcLoginBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcLoginBuilder")
            .field("issuer", &self.issuer)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

fn is_redirect_uri(text: &str) -> bool {
    let has_scheme = text.starts_with("https://") || text.starts_with("http://");
    has_scheme && Url::parse(text).is_ok_and(|url| url.fragment().is_none())
}

/// RFC 6749 §3.3.
fn is_scopes(text: &str) -> bool {
    let is_token = |token: &str| {
        let mut bytes = token.bytes();
        !token.is_empty() && bytes.all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'))
    };
    text.split(' ').all(is_token) && text.split(' ').any(|token| token == "openid")
}
