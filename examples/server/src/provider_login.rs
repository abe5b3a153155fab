//! Logging in with an account at the operator's OpenID provider.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use gatewright_core::cookie::{Cookie, CookieError, SameSite};
use gatewright_core::credential::Secret;
use gatewright_issuer::LoginLinks;
use gatewright_jwks::login::{OidcClient, OidcLogin, OidcLoginError};
use zeroize::Zeroizing;

use crate::app::App;
use crate::config::{GOOGLE, LoginSettings};
use crate::federation::{FederationError, http_client};

/// Where the provider sends browsers back to.
const CALLBACK: &str = "/api/v1/users/google/callback";
/// Google's other name for itself, in some of its ID tokens.
const GOOGLE_TOO: &str = "accounts.google.com";
const KEY_PURPOSE: &str = "logins at an OpenID provider";

/// The way to the provider and back.
pub(crate) struct ProviderLogin {
    /// Proves who somebody is there.
    pub(crate) oidc: OidcLogin,
    /// Says whose account that is here.
    pub(crate) links: LoginLinks,
    /// What ties a login to the browser that began it.
    pub(crate) cookie: Cookie,
}

/// Why nobody can log in that way.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderLoginError {
    /// The file with our secret cannot be read.
    #[error("the client secret in {path} cannot be read")]
    Secret {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Providers cannot be reached.
    #[error(transparent)]
    Http(#[from] FederationError),
    /// The settings make no login.
    #[error(transparent)]
    Login(#[from] OidcLoginError),
    /// The cookie is none.
    #[error("the cookie of a login is wrong: {0:?}")]
    Cookie(Vec<CookieError>),
}

impl ProviderLogin {
    /// Logins at this provider, whose keys are fetched from now on. Any process on the same database finishes what another
    /// one has begun.
    ///
    /// # Errors
    /// [`ProviderLoginError`], by variant.
    pub(crate) fn new(app: &App, settings: LoginSettings) -> Result<Self, ProviderLoginError> {
        let path = settings.client_secret_file;
        let secret = std::fs::read_to_string(&path).map(Zeroizing::new);
        let secret = secret.map_err(|source| ProviderLoginError::Secret { path, source })?;
        let secret = Secret::new(secret.trim().to_owned());
        let redirect_uri = format!("{}{CALLBACK}", app.public_url);
        let client = OidcClient::new(&settings.client_id, secret, &redirect_uri);
        let issuer = &*settings.issuer;
        let key = app.product.ctx().derive(KEY_PURPOSE);
        let mut oidc = OidcLogin::builder(&http_client(&app.idp_hosts)?, issuer, client, key);
        if issuer == GOOGLE {
            oidc = oidc.also_issued_as(GOOGLE_TOO);
        }
        let store = Arc::clone(&app.store);
        let links = LoginLinks::new(app.gate.clone(), store, Arc::clone(&app.audit));
        let cookie = Cookie::host("login", SameSite::Lax).max_age_secs(OidcLogin::MAX_AGE_SECS);
        Ok(Self {
            oidc: oidc.build()?,
            links: links.trusting(issuer, settings.domains),
            cookie: cookie.build().map_err(ProviderLoginError::Cookie)?,
        })
    }
}

impl fmt::Debug for ProviderLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProviderLogin").field(&self.oidc).finish()
    }
}
