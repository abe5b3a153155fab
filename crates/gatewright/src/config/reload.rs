//! Other keys for a gate that runs.

use std::sync::PoisonError;

use super::judge::LiveTrust;
use super::mistake::Notes;
use super::setting::Setting as _;
use super::shape::{RealmConfig, TrustConfig};
use super::{ConfigErrors, Configured, GateConfig, IgnoredKey, Path};

/// The fields of a trust that can be replaced while requests run.
const KEYS: [&str; 3] = ["jwks", "hs256_secret", "hs256_kid"];

/// What [`Configured::reload_keys`] did and what it could not do. The paths are those of the new configuration, or of the
/// running one for what is no longer in the new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The trusts whose keys were replaced.
    pub replaced: Vec<Path>,
    /// The fields that differ from what is in force and take effect by a restart alone.
    pub needs_restart: Vec<Path>,
    /// The members of the new JWK Sets that are for something else than verifying here.
    pub ignored: Vec<IgnoredKey>,
}

impl Configured {
    /// Puts the keys of another configuration in place, in every realm and for every issuer whose audiences and
    /// algorithms are unchanged. Once it returns, no token is admitted that only an earlier key verified, whether it was cached or not.
    ///
    /// Nothing else is changed. An issuer that the new configuration no longer trusts is named in
    /// [`needs_restart`](Reloaded::needs_restart) and stays trusted until then; so does one whose audiences or algorithms
    /// differ, with the keys it has: the new ones may be good for nothing under the old rules.
    ///
    /// # Errors
    ///
    /// Every mistake of the new configuration at once; then nothing was replaced.
    pub fn reload_keys(&self, config: &GateConfig) -> Result<Reloaded, ConfigErrors> {
        let mut notes = Notes::default();
        let parts = config.judge(&mut notes);
        let parts = notes.settle(parts)?;
        let mut told = Reloaded {
            ignored: parts.ignored,
            ..Reloaded::default()
        };
        // One at a time, so that keys and what is remembered of them belong together. Nothing in here panics.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);

        let realms = Path::ROOT.field("realms");
        let mut differences = Vec::new();
        running.differences(config, &Path::ROOT, &mut differences);
        let of_trusts = |path: &Path| {
            let shared = running
                .realms
                .keys()
                .filter(|name| config.realms.contains_key(*name));
            shared
                .map(|name| realms.field(name).field("trust"))
                .any(|trust| path.is_within(&trust))
        };
        differences.retain(|path| !of_trusts(path));
        told.needs_restart = differences;

        for (name, realm) in &mut running.realms {
            if let Some(new) = config.realms.get(name) {
                let at = realms.field(name).field("trust");
                let fresh = |issuer: &str| {
                    find(&parts.trusts, name, issuer).zip(find(&self.trusts, name, issuer))
                };
                reload(realm, new, &at, fresh, &mut told);
            }
        }
        told.needs_restart.sort();
        Ok(told)
    }
}

fn find<'t>(trusts: &'t [LiveTrust], realm: &str, issuer: &str) -> Option<&'t LiveTrust> {
    trusts
        .iter()
        .find(|trust| trust.realm == realm && trust.issuer == issuer)
}

/// Replaces the keys of a realm's trusts. `fresh` finds the new keys of an issuer and those in force.
fn reload<'t>(
    running: &mut RealmConfig,
    new: &RealmConfig,
    at: &Path,
    fresh: impl Fn(&str) -> Option<(&'t LiveTrust, &'t LiveTrust)>,
    told: &mut Reloaded,
) {
    for (index, trust) in new.trust.iter().enumerate() {
        let at = at.element(index);
        let Some(old) = running
            .trust
            .iter_mut()
            .find(|old| old.issuer == trust.issuer)
        else {
            told.needs_restart.push(at);
            continue;
        };
        let mut differences = Vec::new();
        old.differences(trust, &at, &mut differences);
        let is_key = |path: &Path| KEYS.iter().any(|key| *path == at.field(key));
        let (keys, others): (Vec<_>, Vec<_>) = differences.into_iter().partition(is_key);
        told.needs_restart.extend(others);
        match fresh(&trust.issuer) {
            _ if keys.is_empty() => {}
            Some((new_keys, in_force))
                if old.audiences == trust.audiences && old.algorithms == trust.algorithms =>
            {
                in_force.keys.replace((*new_keys.keys.load()).clone());
                old.take_keys(trust);
                told.replaced.push(at);
            }
            _ => told.needs_restart.extend(keys),
        }
    }
    for (index, old) in running.trust.iter().enumerate() {
        if !new.trust.iter().any(|trust| trust.issuer == old.issuer) {
            told.needs_restart.push(at.element(index));
        }
    }
}

impl TrustConfig {
    /// Remembers the keys of another configuration as those in force.
    fn take_keys(&mut self, from: &Self) {
        self.jwks = from.jwks.clone();
        self.hs256_secret = from
            .hs256_secret
            .as_ref()
            .map(|secret| super::SecretBytes::new(secret.expose().to_vec()));
        self.hs256_kid = from.hs256_kid.clone();
    }
}
