//! Where a provider's keys are, and what is read there.

use std::time::Duration;

use gatewright_core::jwt::{KeySet, SkippedKey};
use gatewright_core::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::document::read_object;
use crate::freshness;
use crate::http::{Failure, FetchError, HttpClient, RemoteUrl, UrlError};

/// Where a provider's keys are.
#[derive(Clone, Debug)]
pub(super) enum Location {
    Url(RemoteUrl),
    Issuer(Issuer),
}

/// An issuer whose metadata say where its keys are.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    /// As it was configured and as tokens spell it, to be compared byte by byte.
    identifier: Box<str>,
    openid: RemoteUrl,
    oauth: RemoteUrl,
}

/// What a fetch brought.
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    pub(super) skipped: Vec<SkippedKey>,
    /// For how long it is fresh, where the answer says so.
    pub(super) lifetime: Option<Duration>,
}

/// The metadata's member that matters here. Others may be anything, those that are read may not be there twice.
#[derive(Deserialize)]
struct KeyMetadata {
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Named {
    issuer: String,
}

impl Location {
    pub(super) async fn fetch(
        &self,
        http: &HttpClient,
        now: Timestamp,
    ) -> Result<Fetched, Failure> {
        match self {
            Self::Url(url) => fetch_keys(http, url, now).await,
            Self::Issuer(issuer) => {
                let url = issuer.discover(http, now).await?;
                fetch_keys(http, &url, now).await
            }
        }
    }

    /// The host and port to name in a log.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Url(url) => url.authority(),
            Self::Issuer(issuer) => issuer.host(),
        }
    }
}

async fn fetch_keys(
    http: &HttpClient,
    url: &RemoteUrl,
    now: Timestamp,
) -> Result<Fetched, Failure> {
    let answer = http.get(url, now).await?;
    let (keys, skipped) = KeySet::from_jwks(&answer.body).map_err(FetchError::KeySet)?;
    Ok(Fetched {
        keys,
        skipped,
        lifetime: freshness::lifetime(&answer.headers, now),
    })
}

impl Issuer {
    pub(crate) fn new(http: &HttpClient, identifier: &str) -> Result<Self, UrlError> {
        // RFC 8414 §2, and the `issuer` of OpenID Connect Discovery §3.
        if identifier.contains('?') {
            return Err(UrlError::Query);
        }
        http.url(identifier)?;
        let whole = identifier.strip_suffix('/').unwrap_or(identifier);
        // The URL was taken, so a scheme is there.
        let (scheme, rest) = whole.split_once("://").ok_or(UrlError::Malformed)?;
        let (authority, path) = match rest.find('/') {
            Some(start) => rest.split_at(start),
            None => (rest, ""),
        };
        Ok(Self {
            identifier: identifier.into(),
            openid: http.url(&format!("{whole}/.well-known/openid-configuration"))?,
            oauth: http.url(&format!(
                "{scheme}://{authority}/.well-known/oauth-authorization-server{path}"
            ))?,
        })
    }

    /// As it was configured.
    pub(crate) fn identifier(&self) -> &str {
        &self.identifier
    }

    /// The host and port to name in a log.
    pub(crate) fn host(&self) -> &str {
        self.openid.authority()
    }

    /// The metadata: the document of OpenID Connect Discovery §4, or where that isn't, of RFC 8414 §3. They must name
    /// exactly this issuer.
    pub(crate) async fn metadata<T: DeserializeOwned>(
        &self,
        http: &HttpClient,
        now: Timestamp,
    ) -> Result<T, Failure> {
        let answer = match http.get(&self.openid, now).await {
            Err(failure) if is_absent(failure.error) => http.get(&self.oauth, now).await?,
            answer => answer?,
        };
        let named: Named = read_object(&answer.body).ok_or(FetchError::Malformed)?;
        if *named.issuer != *self.identifier {
            return Err(FetchError::Issuer.into());
        }
        Ok(read_object(&answer.body).ok_or(FetchError::Malformed)?)
    }

    /// Where the keys are.
    async fn discover(&self, http: &HttpClient, now: Timestamp) -> Result<RemoteUrl, Failure> {
        let metadata: KeyMetadata = self.metadata(http, now).await?;
        Ok(http.url(&metadata.jwks_uri).map_err(FetchError::Url)?)
    }
}

/// Whether the host says that there is no such document. One that is busy or broken doesn't say so.
fn is_absent(error: FetchError) -> bool {
    matches!(error, FetchError::Status(status) if (400..500).contains(&status) && status != 429)
}
