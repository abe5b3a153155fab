//! From the fields of a configuration to the parts of a gate, each judged by the part's own rules.

mod formats;
mod realm;
mod trust;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

pub(super) use formats::formats;

use super::mistake::Notes;
use super::setting::{Bounds, Setting as _};
use super::{
    CoherenceConfig, CoherenceMode, GateConfig, HashingConfig, IgnoredKey, Path, ProxiesConfig,
};
use crate::credential::Formats;
use crate::gate::Coherence;
use crate::hash::{Argon2Settings, PoolConfig, TagKey, TagKeys};
use crate::jwt::LiveKeys;
use crate::policy::Realm;
use crate::source::TrustedProxies;

/// All that a gate is built from. A part that is wrong is left out or has its default; then a mistake is noted.
pub(super) struct Parts {
    pub(super) formats: Formats,
    pub(super) pool: PoolConfig,
    pub(super) coherence: Coherence,
    pub(super) tags: TagKeys,
    pub(super) proxies: Option<TrustedProxies>,
    pub(super) realms: BTreeMap<String, Realm>,
    pub(super) trusts: Vec<LiveTrust>,
    pub(super) ignored: Vec<IgnoredKey>,
}

#[derive(Default)]
struct Trusted {
    live: Vec<LiveTrust>,
    ignored: Vec<IgnoredKey>,
}

/// The keys of one configured trust, as a realm uses them.
pub(super) struct LiveTrust {
    pub(super) realm: String,
    pub(super) issuer: String,
    pub(super) keys: Arc<LiveKeys>,
}

impl GateConfig {
    /// Makes the parts of the gate, and notes what is wrong with them. `None` only with a mistake.
    pub(super) fn judge(&self, notes: &mut Notes) -> Option<Parts> {
        let root = Path::ROOT;
        self.check_range(Bounds::NONE, &root, notes);
        let formats = formats(&self.formats, self.jwt, &root.field("formats"), notes);
        let pool = pool(&self.hashing, &root.field("hashing"), notes);
        let coherence = coherence(&self.coherence, &root.field("coherence"), notes);
        let tags = self.tags(&root.field("tag_keys"), notes);
        let proxies = self.proxies.as_ref();
        let proxies = proxies.and_then(|proxies| proxies.judge(&root.field("proxies"), notes));
        let mut trusted = Trusted::default();
        let mut realms = BTreeMap::new();
        for (name, realm) in &self.realms {
            let at = root.field("realms").field(name);
            let built = realm.judge(name, &at, &mut trusted, notes);
            realms.insert(name.clone(), built);
        }
        Some(Parts {
            formats,
            pool,
            coherence,
            tags: tags?,
            proxies,
            realms,
            trusts: trusted.live,
            ignored: trusted.ignored,
        })
    }

    fn tags(&self, at: &Path, notes: &mut Notes) -> Option<TagKeys> {
        let mut keys = Vec::with_capacity(self.tag_keys.len());
        for (index, configured) in self.tag_keys.iter().enumerate() {
            let at = at.element(index);
            let earlier = self.tag_keys.iter().take(index);
            if earlier
                .into_iter()
                .any(|earlier| earlier.id == configured.id)
            {
                notes.refuse(&at.field("id"), "another tag key has the same id");
            }
            match <[u8; 32]>::try_from(configured.secret.expose()) {
                Ok(bytes) => keys.push(TagKey::from_bytes(configured.id, bytes)),
                Err(_) => notes.refuse(&at.field("secret"), "must be 32 bytes"),
            }
        }
        let mut keys = keys.into_iter();
        let Some(current) = keys.next() else {
            notes.missing(at);
            return None;
        };
        TagKeys::new(current, keys)
            .map_err(|error| notes.refuse(at, error))
            .ok()
    }
}

impl ProxiesConfig {
    fn judge(&self, at: &Path, notes: &mut Notes) -> Option<TrustedProxies> {
        let networks = at.field("networks");
        if self.networks.as_ref().is_some_and(Vec::is_empty) {
            notes.refuse(&networks, "must not be empty: no proxy would be believed");
        }
        let proxies = TrustedProxies::new(self.field, self.trusted)
            .map_err(|error| notes.refuse(&at.field("trusted"), error))
            .ok()?;
        Some(match &self.networks {
            Some(networks) => proxies.from_peers(networks.iter().copied()),
            None => proxies,
        })
    }
}

fn pool(hashing: &HashingConfig, at: &Path, notes: &mut Notes) -> PoolConfig {
    let settings = Argon2Settings::new(hashing.memory_kib, hashing.passes, hashing.lanes)
        .map_err(|error| notes.refuse(at, error))
        .unwrap_or_default();
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let mut pool = PoolConfig::new(settings)
        .with_queue(size(hashing.queue))
        .with_max_memory_kib(hashing.max_memory_kib);
    if let Some(threads) = hashing
        .threads
        .and_then(|threads| NonZeroUsize::new(size(threads)))
    {
        pool = pool.with_threads(threads);
    }
    pool
}

fn coherence(configured: &CoherenceConfig, at: &Path, notes: &mut Notes) -> Coherence {
    let silence = at.field("max_silence_secs");
    match (configured.mode, configured.max_silence_secs) {
        (CoherenceMode::Bounded, Some(max_silence_secs)) => {
            return Coherence::Bounded { max_silence_secs };
        }
        (CoherenceMode::Bounded, None) => notes.missing(&silence),
        (_, Some(_)) if !notes.is_wrong(&at.field("mode")) => {
            notes.refuse(&silence, "goes only with the mode `bounded`");
        }
        (CoherenceMode::SingleProcess, _) => return Coherence::SingleProcess,
        (CoherenceMode::Strict, _) => {}
    }
    Coherence::Strict
}
