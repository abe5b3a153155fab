//! A gate that is ready to be asked, and credentials that it knows.

#![allow(
    clippy::unwrap_used,
    reason = "a fixture of tests: a panic is how it says that it could not be set up"
)]

use std::sync::Arc;

use gatewright_core::gate::{Coherence, Gate};
use gatewright_core::hash::{Argon2Settings, HashPool, PoolConfig, TagKey, TagKeys};
use gatewright_core::principal::{CredentialId, Tenant, TenantId, TenantKind, UserId};
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::{
    CredentialStore, MembershipStore, MemoryStore, NewCredential, StoredSecret,
};

/// A gate over a store in memory, with tenants, and credentials for them.
///
/// Secrets are hashed with settings that cost next to nothing, so it is for tests alone. Every tenant is on the plan
/// `free`, bears its slug as its id, and belongs to the user `usr_1`, in the role `owner`; so do the credentials. They
/// never expire.
///
/// ```
/// use gatewright_core::credential::Field;
/// use gatewright_core::error::ErrorCode;
/// use gatewright_core::gate::Arrival;
/// use gatewright_core::policy::{Policy, Realm};
/// use gatewright_core::principal::TenantKind;
/// use gatewright_testing::TestAuthority;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let workspace = TenantKind::from_static("workspace");
/// let authority = TestAuthority::new(workspace, ["acme"]).await;
/// let (reader, writer) =
///     (authority.key("acme", "links.read").await, authority.key("acme", "links.write").await);
///
/// let gate = authority.gate();
/// let reading = Policy::api_key().scope("links.read");
/// let reading = gate.compile(&reading, &Realm::builder("links").build()).unwrap();
/// let call = async |key: &str| {
///     let fields = [(Field::ApiKey, key.as_bytes())];
///     gate.authenticate(&fields[..], &reading, &Arrival::new()).decided().await
/// };
/// assert!(call(&reader).await.is_ok());
/// assert_eq!(call(&writer).await.unwrap_err().code(), ErrorCode::InsufficientScope);
/// # }
/// ```
#[derive(Debug)]
pub struct TestAuthority {
    gate: Gate,
    store: Arc<MemoryStore>,
}

impl TestAuthority {
    /// A gate that knows one tenant of each slug.
    ///
    /// # Panics
    /// Where a slug is not a [`TenantId`] or stands twice, or no thread can be started.
    pub async fn new(kind: TenantKind, slugs: impl IntoIterator<Item = &str>) -> Self {
        let store = Arc::new(MemoryStore::new());
        let tags = TagKeys::new(TagKey::generate(1).unwrap(), []).unwrap();
        let pool = HashPool::start(PoolConfig::new(Argon2Settings::insecure_for_tests())).unwrap();
        let gate = Gate::builder(Arc::clone(&store), Coherence::SingleProcess, tags)
            .hash_pool(pool)
            .build()
            .unwrap();
        for slug in slugs {
            let tenant = Tenant::new(TenantId::new(slug).unwrap(), kind.clone(), slug, "free");
            let created = store.create_tenant(tenant, &owner(), "owner").await;
            gate.changes().publish(created.unwrap());
        }
        Self { gate, store }
    }

    /// The gate.
    #[must_use]
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The store behind it. What is changed there is to be published on [`Gate::changes`].
    #[must_use]
    pub const fn store(&self) -> &Arc<MemoryStore> {
        &self.store
    }

    /// The text of a new API key of a tenant, with these scopes, parted by spaces.
    ///
    /// # Panics
    /// Where there is no such tenant, or a scope is malformed.
    pub async fn key(&self, tenant: &str, scopes: &str) -> String {
        self.mint("tnx", tenant, scopes).await
    }

    /// The text of a new personal access token of a tenant, with these scopes, parted by spaces.
    ///
    /// # Panics
    /// Where there is no such tenant, or a scope is malformed.
    pub async fn pat(&self, tenant: &str, scopes: &str) -> String {
        self.mint("patv1", tenant, scopes).await
    }

    async fn mint(&self, brand: &str, tenant: &str, scopes: &str) -> String {
        let format = self.gate.formats().format(brand).unwrap();
        let minted = format.mint().unwrap();
        let text = minted.secret.expose().to_owned();
        let hashed = self.gate.hash_pool().hash(text.as_bytes()).unwrap();
        let tag = self.gate.tag_keys().tag(text.as_bytes());
        let mut new = NewCredential::new(
            format.kind(),
            CredentialId::new(minted.public_id).unwrap(),
            TenantId::new(tenant).unwrap(),
            owner(),
            StoredSecret::new(hashed.await.unwrap(), Some(tag)),
            self.gate.clock().now(),
        );
        new.scopes = ScopeSet::parse(scopes).unwrap();
        let inserted = self.store.insert(new).await.unwrap();
        self.gate.changes().publish(inserted);
        text
    }
}

fn owner() -> UserId {
    UserId::new("usr_1").unwrap()
}
