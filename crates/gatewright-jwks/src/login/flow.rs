//! The way through a login.

use std::fmt;
use std::sync::Arc;

use form_urlencoded::Serializer;
use gatewright_core::credential::Secret;
use gatewright_core::time::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::attempt::{Attempts, MAX_AGE_SECS, code_challenge};
use super::builder::{OidcClient, OidcLoginBuilder};
use super::callback::Callback;
use super::error::LoginError;
use super::id_token::{IdTokens, LoginClaims};
use super::local_path::LocalPath;
use super::metadata::Metadata;
use super::token::Client;
use crate::http::{FetchError, HttpClient};

/// Login at one OpenID Connect provider, by the authorization code flow (OpenID Connect Core §3.1) with PKCE (RFC 7636).
///
/// - [`begin`](Self::begin) says where to send the browser, and what cookie to give it.
/// - [`finish`](Self::finish) takes what the browser brings back: the query and the cookie.
///
/// Nothing is kept in between: any process with the same key finishes what another has begun. State, nonce and code verifier
/// are made from a random seed in the cookie with that key. So the answer of a login is worth something only in the browser
/// that began it (RFC 9700 §4.7), and the code only to this service (RFC 9700 §4.5).
///
/// # The cookie
///
/// It is the service's to set, under a name with `__Host-`:
/// `__Host-login=…; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600`. Not `SameSite=Strict`: it has to come along when the
/// provider sends the browser back. Delete it with the answer to the callback, however that ends.
///
/// # Where it connects to
///
/// The provider's metadata are read when a login needs them, at most once an hour while they can be read, and its keys
/// as [`RemoteKeys`](crate::RemoteKeys) does it. All by the [`HttpClient`], on its runtime.
#[derive(Clone)]
pub struct OidcLogin {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) http: HttpClient,
    pub(super) metadata: Metadata,
    pub(super) attempts: Attempts,
    pub(super) client: Client,
    pub(super) scopes: Box<str>,
    pub(super) id_tokens: IdTokens,
    pub(super) slots: Arc<Semaphore>,
}

/// A login that has begun.
#[derive(Debug)]
#[non_exhaustive]
pub struct LoginStart {
    /// Where to send the browser.
    pub authorization_url: String,
    /// The value of the cookie that the browser is to bring back. What is in it helps nobody but the browser that has it.
    pub cookie: Secret,
}

/// A login that came to a good end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FinishedLogin {
    /// Who logged in.
    pub claims: LoginClaims,
    /// Where they were going, if it was said at the beginning.
    pub return_to: Option<LocalPath>,
}

impl OidcLogin {
    /// For how many seconds a login may be finished, and the cookie's `Max-Age`.
    pub const MAX_AGE_SECS: u64 = MAX_AGE_SECS;

    /// Login at the provider with this issuer, as its metadata spell it. The key makes what a login depends on: at least 32
    /// random bytes, the same in all processes of the service. Other purposes need other keys.
    pub fn builder(
        http: &HttpClient,
        issuer: &str,
        client: OidcClient,
        key: Secret,
    ) -> OidcLoginBuilder {
        OidcLoginBuilder::new(http, issuer, client, key)
    }

    pub(super) fn over(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The issuer, as it was configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.inner.metadata.issuer()
    }

    /// Begins a login at `now`, after which the browser is to go to `return_to`.
    ///
    /// # Errors
    /// [`LoginError::Unreachable`] without the provider's metadata, [`LoginError::Authentication`] for a provider that takes
    /// no client secret, [`LoginError::Random`].
    pub async fn begin(
        &self,
        now: Timestamp,
        return_to: Option<LocalPath>,
    ) -> Result<LoginStart, LoginError> {
        let inner = Arc::clone(&self.inner);
        let endpoints = self.on_runtime(async move {
            let endpoints = inner.metadata.endpoints(&inner.http, now).await;
            endpoints.map_err(LoginError::Unreachable)
        });
        let endpoints = endpoints.await?;
        // Else everybody would find out at the end.
        endpoints.authentication.ok_or(LoginError::Authentication)?;

        let inner = &self.inner;
        let begun = inner.attempts.begin(now, return_to);
        let (attempt, cookie) = begun.map_err(|_| LoginError::Random)?;
        let endpoint = endpoints.authorization.as_str();
        // RFC 6749 §3.1: a query that the endpoint has stays.
        let separator = if endpoint.contains('?') { '&' } else { '?' };
        let parameters = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &inner.client.id)
            .append_pair("redirect_uri", &inner.client.redirect_uri)
            .append_pair("scope", &inner.scopes)
            .append_pair("state", &attempt.state())
            .append_pair("nonce", &attempt.nonce())
            .append_pair("code_challenge", &code_challenge(&attempt.code_verifier()))
            .append_pair("code_challenge_method", "S256")
            .finish();
        Ok(LoginStart {
            authorization_url: format!("{endpoint}{separator}{parameters}"),
            cookie,
        })
    }

    /// Finishes a login at `now`: `query` is that of the request to the redirect URI, without its question mark, `cookie` the
    /// value of the one cookie of that name, empty where there is none.
    ///
    /// The provider lets a code be spent once; whoever repeats the request is refused by it.
    ///
    /// # Errors
    /// A [`LoginError`] for the first rule that does not hold. Ask for [its code](LoginError::code), or make an `AuthError`
    /// of it: a provider that is out of reach has refused nobody.
    pub async fn finish(
        &self,
        query: &str,
        cookie: &str,
        now: Timestamp,
    ) -> Result<FinishedLogin, LoginError> {
        // Whatever does not come from a login of this browser goes no further than here.
        let attempt = self.inner.attempts.open(cookie, now)?;
        let callback = Callback::read(query, &attempt)?;
        let slots = Arc::clone(&self.inner.slots);
        let slot = slots.try_acquire_owned().map_err(|_| LoginError::Busy)?;

        let inner = Arc::clone(&self.inner);
        let (nonce, verifier) = (attempt.nonce(), attempt.code_verifier());
        let claims = self.on_runtime(async move {
            let _slot = slot;
            let http = &inner.http;
            let endpoints = inner.metadata.endpoints(http, now).await;
            let endpoints = endpoints.map_err(LoginError::Unreachable)?;
            let code = callback.code(inner.metadata.issuer(), &endpoints)?;
            let client = &inner.client;
            let exchanged = client.exchange(http, &endpoints, &code, &verifier, now);
            inner.id_tokens.verify(&exchanged.await?, &nonce, now).await
        });
        Ok(FinishedLogin {
            claims: claims.await?,
            return_to: attempt.return_to,
        })
    }

    /// The pool's connections live on the client's runtime, not on whichever the caller has.
    async fn on_runtime<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, LoginError>> + Send + 'static,
    ) -> Result<T, LoginError> {
        let mut running = Running(self.inner.http.runtime().spawn(work));
        let stopped = LoginError::Unreachable(FetchError::Connection);
        (&mut running.0).await.unwrap_or(Err(stopped))
    }
}

/// Ends the work with whoever waits for it.
struct Running<T>(JoinHandle<T>);

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for OidcLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcLogin")
            .field("issuer", &self.issuer())
            .field("client_id", &self.inner.client.id)
            .finish_non_exhaustive()
    }
}
