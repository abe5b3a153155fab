//! Identity providers of tenants, in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use gatewright_core::credential::Secret;
use gatewright_core::federation::{
    ClaimPolicy, Federation, Introspector, KeySource, Provider, TenantProviders, Unreachable,
};
use gatewright_core::jwt::{Algorithm, KeySet, LiveKeys, SigningKey, TypRule, Verifier};
use gatewright_core::principal::{Tenant, TenantKind};
use gatewright_core::store::BoxFuture;
use serde_json::{Value, json};

use crate::fixture::{NOW, set, tenant};

pub(crate) const IDP: &str = "https://login.acme.example";
pub(crate) const GATEWAY: &str = "https://gateway.example/mcp/";

/// What tenants have configured, by slug.
#[derive(Debug, Default)]
pub(crate) struct Configured {
    by_slug: Mutex<HashMap<String, Arc<TenantProviders>>>,
    /// How many shared pointers were given away.
    pub(crate) shared: AtomicU64,
}

impl Configured {
    pub(crate) fn put(&self, slug: &str, providers: TenantProviders) {
        let mut all = self.by_slug.lock().unwrap();
        all.insert(slug.to_owned(), Arc::new(providers));
    }

    pub(crate) fn remove(&self, slug: &str) {
        self.by_slug.lock().unwrap().remove(slug);
    }
}

impl Federation for Configured {
    fn providers(&self, tenant: &str) -> Option<Arc<TenantProviders>> {
        self.shared.fetch_add(1, SeqCst);
        self.by_slug.lock().unwrap().get(tenant).cloned()
    }

    fn look(&self, tenant: &str, look: &mut dyn FnMut(&TenantProviders)) {
        if let Some(providers) = self.by_slug.lock().unwrap().get(tenant) {
            look(providers);
        }
    }
}

/// Keys that are published elsewhere before they are fetched.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) live: Arc<LiveKeys>,
    published: Arc<Mutex<Vec<Arc<SigningKey>>>>,
    pub(crate) fetches: Arc<AtomicU64>,
    pub(crate) is_down: Arc<AtomicBool>,
    /// While a test holds this for writing, fetches wait.
    pub(crate) held: Arc<tokio::sync::RwLock<()>>,
}

fn key_set(keys: &[Arc<SigningKey>]) -> KeySet {
    KeySet::from_keys(keys.iter().map(|key| key.verifying_key())).unwrap()
}

impl KeySource for Keys {
    fn live(&self) -> &Arc<LiveKeys> {
        &self.live
    }

    fn refetch(&self) -> BoxFuture<'static, Result<(), Unreachable>> {
        let (live, published) = (Arc::clone(&self.live), Arc::clone(&self.published));
        let (fetches, is_down) = (Arc::clone(&self.fetches), Arc::clone(&self.is_down));
        let held = Arc::clone(&self.held);
        Box::pin(async move {
            fetches.fetch_add(1, SeqCst);
            drop(held.read().await);
            if is_down.load(SeqCst) {
                return Err(Unreachable::new(30));
            }
            live.replace(key_set(&published.lock().unwrap()));
            Ok(())
        })
    }
}

/// An identity provider with one key at a time.
pub(crate) struct Idp {
    pub(crate) keys: Arc<Keys>,
    pub(crate) signer: Arc<SigningKey>,
}

impl Idp {
    pub(crate) fn new() -> Self {
        let signer = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
        let keys = Keys {
            live: Arc::new(LiveKeys::new(key_set(&[Arc::clone(&signer)]))),
            published: Arc::new(Mutex::new(vec![Arc::clone(&signer)])),
            ..Keys::default()
        };
        Self {
            keys: Arc::new(keys),
            signer,
        }
    }

    /// Signs with another key from now on, which nobody has fetched yet.
    pub(crate) fn rotate(&mut self) {
        self.signer = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
        *self.keys.published.lock().unwrap() = vec![Arc::clone(&self.signer)];
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.signer.sign("JWT", claims).unwrap()
    }

    /// A token of `sub` for the gateway of `neo`.
    pub(crate) fn token(&self, sub: &str) -> String {
        self.sign(&with(claims(), "sub", json!(sub)))
    }

    pub(crate) fn provider(&self, policy: ClaimPolicy) -> Provider {
        self.provider_for("neo", policy)
    }

    pub(crate) fn provider_for(&self, slug: &str, policy: ClaimPolicy) -> Provider {
        let keys = Arc::clone(&self.keys);
        Provider::new(verifier(slug), keys, policy).unwrap()
    }
}

pub(crate) fn verifier(slug: &str) -> Verifier {
    Verifier::builder(IDP, format!("{GATEWAY}{slug}"))
        .algorithms([Algorithm::Rs256, Algorithm::Es256])
        .typ(TypRule::Any)
        .build()
        .unwrap()
}

/// Claims that the gateway of `neo` accepts.
pub(crate) fn claims() -> Value {
    json!({
        "iss": IDP, "aud": format!("{GATEWAY}neo"), "sub": "ext_1", "exp": NOW + 3600, "iat": NOW,
        "jti": "j1", "azp": "agent", "scope": "openid mcp:call", "groups": ["staff", "mcp-users"],
    })
}

pub(crate) fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

pub(crate) fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// Scopes from `scope`, and no other rule.
pub(crate) fn scopes_alone() -> ClaimPolicy {
    ClaimPolicy::builder().scopes_at("scope").build().unwrap()
}

pub(crate) fn handle(slug: &str, plan: &str) -> Tenant {
    let kind = TenantKind::from_static("handle");
    Tenant::new(tenant(&format!("ten_{slug}")), kind, slug, plan)
}

/// The handle `slug` on the plan pro with these providers and the ceiling `mcp:call`.
pub(crate) fn trusts(slug: &str, providers: impl IntoIterator<Item = Provider>) -> TenantProviders {
    TenantProviders::new(handle(slug, "pro"), set("mcp:call"), providers).unwrap()
}

/// Answers what it is told to.
#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) answer: Arc<Mutex<Option<String>>>,
    pub(crate) asked: Arc<AtomicU64>,
    pub(crate) is_down: AtomicBool,
    /// While a test holds this for writing, nobody is answered.
    pub(crate) held: Arc<tokio::sync::RwLock<()>>,
}

impl Oracle {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            answer: Arc::new(Mutex::new(Some(active().to_string()))),
            asked: Arc::default(),
            is_down: AtomicBool::new(false),
            held: Arc::default(),
        })
    }

    pub(crate) fn says(&self, answer: Option<String>) {
        *self.answer.lock().unwrap() = answer;
    }
}

/// The answer about a token that is good.
pub(crate) fn active() -> Value {
    let claims = with(claims(), "active", json!(true));
    with(claims, "token_type", json!("Bearer"))
}

impl Introspector for Oracle {
    fn introspect(
        &self,
        _token: &Secret,
    ) -> BoxFuture<'static, Result<Option<String>, Unreachable>> {
        self.asked.fetch_add(1, SeqCst);
        let is_down = self.is_down.load(SeqCst);
        let (answer, held) = (Arc::clone(&self.answer), Arc::clone(&self.held));
        Box::pin(async move {
            drop(held.read().await);
            if is_down {
                return Err(Unreachable::new(7));
            }
            Ok(answer.lock().unwrap().clone())
        })
    }
}
