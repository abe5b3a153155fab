//! A gate and its realms, built from a configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use serde::de::{Deserialize, Deserializer, Error as _};

use super::judge::LiveTrust;
use super::mistake::Notes;
use super::{ConfigErrors, ConfigSources, GateConfig, Path};
use crate::gate::{Gate, GateBuilder, GateError};
use crate::hash::HashPool;
use crate::jwt::{KeyError, LiveKeys};
use crate::policy::Realm;
use crate::source::TrustedProxies;
use crate::store::{CredentialStore, MembershipStore, RevocationStore};

impl GateConfig {
    /// Reads a configuration from the environment alone; see [`ConfigSources::overlay_env`] for the names.
    ///
    /// # Errors
    ///
    /// Every mistake at once.
    pub fn from_env(prefix: &str) -> Result<Self, ConfigErrors> {
        ConfigSources::new()
            .overlay_env(prefix, std::env::vars_os())
            .read()
    }

    /// Builds the gate over a store, and the realms.
    ///
    /// # Errors
    ///
    /// [`BuildError::Config`] with every mistake at once, which a configuration that was [read](ConfigSources::read) no
    /// longer has; [`BuildError::Gate`] when the system gives no threads or no random bytes.
    pub fn build<S>(self, store: Arc<S>) -> Result<Configured, BuildError>
    where
        S: CredentialStore + MembershipStore + RevocationStore + 'static,
    {
        self.build_with(store, |builder| builder)
    }

    /// As [`build`](Self::build), with what no configuration can say: a clock, an audit sink, a limiter shared by several
    /// nodes.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_with<S>(
        self,
        store: Arc<S>,
        adjust: impl FnOnce(GateBuilder) -> GateBuilder,
    ) -> Result<Configured, BuildError>
    where
        S: CredentialStore + MembershipStore + RevocationStore + 'static,
    {
        let mut notes = Notes::default();
        let parts = self.judge(&mut notes);
        let parts = notes.settle(parts)?;
        let pool = HashPool::start(parts.pool).map_err(GateError::HashPool)?;
        let builder = Gate::builder(store, parts.coherence, parts.tags)
            .formats(parts.formats)
            .hash_pool(pool)
            .cache_capacity(self.cache_capacity);
        let gate = adjust(builder).build()?;
        Ok(Configured {
            gate,
            proxies: parts.proxies,
            realms: parts.realms,
            trusts: parts.trusts,
            ignored: parts.ignored,
            running: Mutex::new(self),
        })
    }
}

/// Reads and judges a configuration that has no other sources; [`ConfigSources`] is for those that have.
impl<'de> Deserialize<'de> for GateConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ConfigSources::deserialize(deserializer)?
            .read()
            .map_err(D::Error::custom)
    }
}

/// A gate, its realms, and the keys of the issuers that they trust.
pub struct Configured {
    gate: Gate,
    proxies: Option<TrustedProxies>,
    realms: BTreeMap<String, Realm>,
    pub(super) trusts: Vec<LiveTrust>,
    ignored: Vec<IgnoredKey>,
    /// What is in force: as it was built, with the keys that were put in place since.
    pub(super) running: Mutex<GateConfig>,
}

impl Configured {
    /// The gate.
    #[must_use]
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The proxies that are believed about where requests came from, for the adapter's `behind_proxies`:
    /// `router.behind_proxies(configured.proxies().cloned())`.
    #[must_use]
    pub const fn proxies(&self) -> Option<&TrustedProxies> {
        self.proxies.as_ref()
    }

    /// The realms, by name.
    #[must_use]
    pub const fn realms(&self) -> &BTreeMap<String, Realm> {
        &self.realms
    }

    /// The realm of this name.
    #[must_use]
    pub fn realm(&self, name: &str) -> Option<&Realm> {
        self.realms.get(name)
    }

    /// The keys with which tokens of this issuer are verified in this realm.
    #[must_use]
    pub fn keys(&self, realm: &str, issuer: &str) -> Option<&Arc<LiveKeys>> {
        self.trusts
            .iter()
            .find(|trust| trust.realm == realm && trust.issuer == issuer)
            .map(|trust| &trust.keys)
    }

    /// The members of configured JWK Sets that are for something else than verifying here and are ignored, as
    /// [RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5) asks: worth a line in the log.
    #[must_use]
    pub fn ignored_keys(&self) -> &[IgnoredKey] {
        &self.ignored
    }
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured")
            .field("gate", &self.gate)
            .field("realms", &self.realms.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// A member of a configured JWK Set that is not for verifying here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredKey {
    pub(super) path: Path,
    pub(super) kid: Option<String>,
    pub(super) reason: KeyError,
}

impl IgnoredKey {
    /// Where it stands in the configuration.
    #[must_use]
    pub const fn path(&self) -> &Path {
        &self.path
    }

    /// Its `kid`, where it has a readable one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Why it is not used.
    #[must_use]
    pub const fn reason(&self) -> KeyError {
        self.reason
    }
}

/// Why no gate was built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(ConfigErrors),
    /// The system gave no threads or no random bytes.
    #[error(transparent)]
    Gate(#[from] GateError),
}

impl From<ConfigErrors> for BuildError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}
