//! Key sets shared by those who trust the same provider.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::policy::RefreshPolicy;
use super::remote::RemoteKeys;
use crate::http::{HttpClient, UrlError};

/// Gives everybody who configures the same URL, or the same issuer, the same [`RemoteKeys`], so that a thousand tenants of
/// one provider fetch its keys once. A set is fetched for as long as somebody holds it.
///
/// Only keys are shared, which are the provider's and public. The cool-down is shared with them: one tenant's unknown keys
/// cause the fetch that another's would have caused.
#[derive(Debug)]
pub struct KeySources {
    http: HttpClient,
    policy: RefreshPolicy,
    known: Mutex<HashMap<Name, Weak<RemoteKeys>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Url(Box<str>),
    Issuer(Box<str>),
}

impl KeySources {
    /// No set yet. All will be fetched by this client, as the policy says.
    #[must_use]
    pub fn new(http: HttpClient, policy: RefreshPolicy) -> Self {
        Self {
            http,
            policy,
            known: Mutex::default(),
        }
    }

    /// The keys at a URL: see [`RemoteKeys::from_jwks_url`].
    ///
    /// # Errors
    ///
    /// A [`UrlError`], by what is wrong with the URL.
    pub fn from_jwks_url(&self, url: &str) -> Result<Arc<RemoteKeys>, UrlError> {
        // Two spellings of one URL are one.
        let url = self.http.url(url)?;
        self.find_or_start(Name::Url(url.as_str().into()), || {
            RemoteKeys::from_jwks_url(&self.http, url.as_str(), self.policy.clone())
        })
    }

    /// The keys of an issuer: see [`RemoteKeys::from_issuer`].
    ///
    /// # Errors
    ///
    /// A [`UrlError`], by what is wrong with the issuer.
    pub fn from_issuer(&self, issuer: &str) -> Result<Arc<RemoteKeys>, UrlError> {
        // Two spellings of one issuer are two: the metadata can name but one of them.
        self.find_or_start(Name::Issuer(issuer.into()), || {
            RemoteKeys::from_issuer(&self.http, issuer, self.policy.clone())
        })
    }

    fn find_or_start(
        &self,
        name: Name,
        start: impl FnOnce() -> Result<RemoteKeys, UrlError>,
    ) -> Result<Arc<RemoteKeys>, UrlError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = known.get(&name).and_then(Weak::upgrade) {
            return Ok(keys);
        }
        let keys = Arc::new(start()?);
        known.retain(|_, keys| keys.strong_count() > 0);
        known.insert(name, Arc::downgrade(&keys));
        Ok(keys)
    }
}
