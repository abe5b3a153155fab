//! Where a provider's endpoints are.

use std::sync::Arc;

use gatewright_core::time::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::http::{FetchError, HttpClient, RemoteUrl};
use crate::keys::Issuer;

/// Metadata are read again after this.
const FRESH_SECS: u64 = 3600;
/// While they can't be read again, they hold for so long.
const STALE_SECS: u64 = 24 * 3600;
/// After a failure nobody asks again for so long.
const COOL_DOWN_SECS: u64 = 5;

/// What the metadata say that matters for a login (OpenID Connect Discovery §3).
pub(super) struct Endpoints {
    pub(super) authorization: RemoteUrl,
    pub(super) token: RemoteUrl,
    /// `None` where the provider takes none that is known here.
    pub(super) authentication: Option<ClientAuthentication>,
    /// Whether every answer names its issuer (RFC 9207 §3).
    pub(super) names_issuer: bool,
}

/// How the client proves itself at the token endpoint (OpenID Connect Core §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuthentication {
    Basic,
    Post,
}

#[derive(Deserialize)]
struct Document {
    authorization_endpoint: String,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// The metadata of one issuer, read when they are needed: once for all who need them at the time.
pub(super) struct Metadata {
    issuer: Issuer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<(Arc<Endpoints>, Timestamp)>,
    failed: Option<(FetchError, Timestamp)>,
}

impl Metadata {
    pub(super) fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            state: Mutex::default(),
        }
    }

    pub(super) fn issuer(&self) -> &str {
        self.issuer.identifier()
    }

    pub(super) async fn endpoints(
        &self,
        http: &HttpClient,
        now: Timestamp,
    ) -> Result<Arc<Endpoints>, FetchError> {
        let mut state = self.state.lock().await;
        if let Some(endpoints) = state.held_for(FRESH_SECS, now) {
            return Ok(endpoints);
        }
        let cooling = state
            .failed
            .filter(|(_, at)| now.abs_diff(*at) < COOL_DOWN_SECS);
        let error = match cooling {
            Some((error, _)) => error,
            None => match self.fetch(http, now).await {
                Ok(endpoints) => {
                    let endpoints = Arc::new(endpoints);
                    *state = State {
                        held: Some((Arc::clone(&endpoints), now)),
                        failed: None,
                    };
                    return Ok(endpoints);
                }
                Err(error) => {
                    tracing::warn!(host = self.issuer.host(), %error, "no metadata for logins");
                    state.failed = Some((error, now));
                    error
                }
            },
        };
        state.held_for(STALE_SECS, now).ok_or(error)
    }

    async fn fetch(&self, http: &HttpClient, now: Timestamp) -> Result<Endpoints, FetchError> {
        let document = self.issuer.metadata::<Document>(http, now).await;
        let document = document.map_err(|failure| failure.error)?;
        let url = |text: &str| http.url(text).map_err(FetchError::Url);
        Ok(Endpoints {
            authorization: url(&document.authorization_endpoint)?,
            token: url(&document.token_endpoint)?,
            authentication: choose(document.token_endpoint_auth_methods_supported.as_deref()),
            names_issuer: document.authorization_response_iss_parameter_supported,
        })
    }
}

impl State {
    fn held_for(&self, secs: u64, now: Timestamp) -> Option<Arc<Endpoints>> {
        let (endpoints, at) = self.held.as_ref()?;
        (now.abs_diff(*at) < secs).then(|| Arc::clone(endpoints))
    }
}

/// `client_secret_basic` where nothing is said (OpenID Connect Discovery §3).
fn choose(methods: Option<&[String]>) -> Option<ClientAuthentication> {
    let Some(methods) = methods else {
        return Some(ClientAuthentication::Basic);
    };
    let takes = |name: &str| methods.iter().any(|method| method == name);
    if takes("client_secret_basic") {
        return Some(ClientAuthentication::Basic);
    }
    takes("client_secret_post").then_some(ClientAuthentication::Post)
}
