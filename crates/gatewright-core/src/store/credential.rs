//! Random secrets at rest: API keys, personal access tokens and client secrets.
//!
//! The three are one thing: a public id to find them by, a secret stored as argon2id, scopes, an owner and a tenant. One
//! record and one trait serve them all, so there is one proof and one way to revoke.

use super::{BoxFuture, Page, PageRequest, StoreError, Unpublished};
use crate::credential::SecretKind;
use crate::hash::{GuardTag, ImportedHash, SecretHash};
use crate::principal::{CredentialId, Tenant, TenantId, UserId};
use crate::scope::ScopeSet;
use crate::time::Timestamp;

/// One secret of a credential, as it is kept: never the secret itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredSecret {
    /// The hash of the whole credential text.
    pub hash: SecretHash,
    /// The guard tag, where its key was known when the secret was minted or its hash replaced.
    pub tag: Option<GuardTag>,
    /// The end of this secret's grace, in seconds since the epoch; `None` for the current secret.
    pub ends_at: Option<Timestamp>,
}

impl StoredSecret {
    /// A current secret.
    #[must_use]
    pub fn new(hash: impl Into<SecretHash>, tag: Option<GuardTag>) -> Self {
        Self {
            hash: hash.into(),
            tag,
            ends_at: None,
        }
    }

    /// A current secret whose hash another system made.
    ///
    /// It has no guard tag, as its text isn't at hand. After its first use, the gate's
    /// [upkeep](crate::gate::Gate::upkeep) replaces the hash by argon2id, and adds a tag if the text is long enough to
    /// hold 128 random bits. Until then every wrong text that was not tried before costs a verification, which is much
    /// for bcrypt and little for SHA-256; the failure limiter bounds how many one source may try.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use gatewright_core::credential::{Field, Formats, ImportedAlphabet, SecretFormat, SecretKind};
    /// use gatewright_core::gate::{Arrival, Coherence, Gate};
    /// use gatewright_core::hash::{ImportedHash, TagKey, TagKeys};
    /// use gatewright_core::policy::{Policy, Realm};
    /// use gatewright_core::principal::{CredentialId, Tenant, TenantId, TenantKind, UserId};
    /// use gatewright_core::store::{CredentialStore, MembershipStore, MemoryStore, NewCredential, StoredSecret};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = Arc::new(MemoryStore::new());
    /// // Keys of the old system: `sk_live_` and 32 letters or digits. They have no public id, so it follows from the text.
    /// let old_keys = SecretFormat::imported(SecretKind::ApiKey, "sk_live_", ImportedAlphabet::Base62, 32..=32);
    /// let tags = TagKeys::new(TagKey::generate(1)?, [])?;
    /// let gate = Gate::builder(Arc::clone(&store), Coherence::SingleProcess, tags)
    ///     .formats(Formats::builder().secret(old_keys).build()?)
    ///     .build()?;
    /// # let (acme, alice) = (TenantId::new("ten_1")?, UserId::new("usr_1")?);
    /// # let tenant = Tenant::new(acme.clone(), TenantKind::from_static("handle"), "acme", "free");
    /// # let _ = gate.changes().publish(store.create_tenant(tenant, &alice, "owner").await?);
    ///
    /// // A row of the old table: the SHA-256 of `sk_live_0123456789ABCDEFGHIJKLMNOPQRSTUV`.
    /// let hash = ImportedHash::sha256("05a376ce35cbd058326e49b296e7b274799d2f14619e60730729cb087ea1f8af")?;
    /// let id = CredentialId::new(hash.derived_id().ok_or("not by bcrypt")?)?;
    /// let key = NewCredential::new(
    ///     SecretKind::ApiKey, id.clone(), acme, alice, StoredSecret::imported(hash), gate.clock().now(),
    /// );
    /// let _ = gate.changes().publish(store.insert(key).await?);
    ///
    /// // The customer goes on with the old key.
    /// let policy = gate.compile(&Policy::api_key(), &Realm::builder("api").build()).map_err(|_| "a policy")?;
    /// let right = [(Field::ApiKey, &b"sk_live_0123456789ABCDEFGHIJKLMNOPQRSTUV"[..])];
    /// gate.authenticate(&right[..], &policy, &Arrival::new()).decided().await?;
    ///
    /// // Its first use brings argon2id and a guard tag.
    /// assert_eq!(gate.upkeep().await?.migrated, 1);
    /// let stored = store.find(SecretKind::ApiKey, id.as_str()).await?.ok_or("is there")?;
    /// let secret = stored.secrets.first().ok_or("has one")?;
    /// assert!(secret.hash.as_str().starts_with("$argon2id$") && secret.tag.is_some());
    ///
    /// gate.authenticate(&right[..], &policy, &Arrival::new()).decided().await?;
    /// let wrong = [(Field::ApiKey, &b"sk_live_0123456789ABCDEFGHIJKLMNOPQRSTUW"[..])];
    /// assert!(gate.authenticate(&wrong[..], &policy, &Arrival::new()).decided().await.is_err());
    /// # Ok(())
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(example())
    /// # }
    /// ```
    #[must_use]
    pub fn imported(hash: ImportedHash) -> Self {
        Self::new(hash, None)
    }
}

/// A credential as the store knows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CredentialRecord {
    /// API key, personal access token or client.
    pub kind: SecretKind,
    /// The public id: unique for the kind over all tenants.
    pub id: CredentialId,
    /// The tenant that it is bound to.
    pub tenant: Tenant,
    /// Who minted it.
    pub owner: UserId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// The live secrets, the current one first; at most two, the second one in its grace after a rotation.
    pub secrets: Vec<StoredSecret>,
    /// When it was minted.
    pub created_at: Timestamp,
    /// From when it is valid; `None` for at once.
    pub not_before: Option<Timestamp>,
    /// When it expires; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it last passed the gate; written in batches, so late by some seconds.
    pub last_used_at: Option<Timestamp>,
}

impl CredentialRecord {
    /// For stores: the record of a credential that was just minted in `tenant`, neither used nor revoked.
    #[must_use]
    pub fn new(minted: NewCredential, tenant: Tenant) -> Self {
        Self {
            kind: minted.kind,
            id: minted.id,
            tenant,
            owner: minted.owner,
            name: minted.name,
            scopes: minted.scopes,
            secrets: vec![minted.secret],
            created_at: minted.created_at,
            not_before: minted.not_before,
            expires_at: minted.expires_at,
            revoked_at: None,
            last_used_at: None,
        }
    }
}

/// A credential to be stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewCredential {
    /// API key, personal access token or client.
    pub kind: SecretKind,
    /// The public id.
    pub id: CredentialId,
    /// The tenant that it is bound to.
    pub tenant: TenantId,
    /// Who minted it.
    pub owner: UserId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// Its one secret.
    pub secret: StoredSecret,
    /// When it was minted.
    pub created_at: Timestamp,
    /// From when it is valid; `None` for at once.
    pub not_before: Option<Timestamp>,
    /// When it expires; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl NewCredential {
    /// A credential that is valid at once and does not expire, with no scopes.
    #[must_use]
    pub fn new(
        kind: SecretKind,
        id: CredentialId,
        tenant: TenantId,
        owner: UserId,
        secret: StoredSecret,
        created_at: Timestamp,
    ) -> Self {
        Self {
            kind,
            id,
            tenant,
            owner,
            name: String::new(),
            scopes: ScopeSet::default(),
            secret,
            created_at,
            not_before: None,
            expires_at: None,
        }
    }
}

/// Which credentials to list.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CredentialFilter {
    /// Only this kind.
    pub kind: Option<SecretKind>,
    /// Only those that this user minted.
    pub owner: Option<UserId>,
}

impl CredentialFilter {
    /// All credentials of one kind.
    #[must_use]
    pub const fn kind(kind: SecretKind) -> Self {
        Self {
            kind: Some(kind),
            owner: None,
        }
    }

    /// Narrows to what `owner` minted.
    #[must_use]
    pub fn owned_by(mut self, owner: UserId) -> Self {
        self.owner = Some(owner);
        self
    }
}

/// A new secret for a credential that exists.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rotation {
    /// The secret that takes over.
    pub secret: StoredSecret,
    /// Until when the secret it replaces is honoured. The store cuts it to the credential's expiry; every older
    /// secret ends at once.
    pub grace_ends_at: Timestamp,
    /// When the rotation happens.
    pub at: Timestamp,
}

impl Rotation {
    /// A rotation at `at` whose replaced secret is honoured until `grace_ends_at`.
    #[must_use]
    pub const fn new(secret: StoredSecret, grace_ends_at: Timestamp, at: Timestamp) -> Self {
        Self {
            secret,
            grace_ends_at,
            at,
        }
    }
}

/// What became of an insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InsertOutcome {
    /// The row stands.
    Inserted,
    /// The public id was taken, revoked credentials included; try another.
    IdTaken,
}

/// What became of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevokeOutcome {
    /// It is revoked from now on.
    Revoked,
    /// It was revoked before; nothing changed.
    AlreadyRevoked,
    /// The tenant has no such credential.
    NotFound,
}

/// What became of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RotateOutcome {
    /// The new secret is the current one.
    Rotated,
    /// Revoked or expired credentials are not rotated; nothing changed.
    NotLive,
    /// The tenant has no such credential.
    NotFound,
}

/// One credential's last use, to be flushed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Use {
    /// The credential's kind.
    pub kind: SecretKind,
    /// The credential's public id.
    pub id: CredentialId,
    /// When it last passed the gate.
    pub at: Timestamp,
}

impl Use {
    /// A use of the credential at `at`.
    #[must_use]
    pub const fn new(kind: SecretKind, id: CredentialId, at: Timestamp) -> Self {
        Self { kind, id, at }
    }
}

/// Where credentials with random secrets live.
///
/// Every method may answer [`StoreError`]; then nothing was changed, or, where the connection was lost during the
/// commit, it is unknown whether it was.
pub trait CredentialStore: Send + Sync {
    /// The credential with this public id, in whatever state it is. Joined with its tenant in one read.
    fn find<'a>(
        &'a self,
        kind: SecretKind,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<CredentialRecord>, StoreError>>;

    /// Stores a new credential, unless its public id is taken.
    fn insert(
        &self,
        new: NewCredential,
    ) -> BoxFuture<'_, Result<Unpublished<InsertOutcome>, StoreError>>;

    /// The tenant's credentials, oldest first, by cursor. Rows that exist from the first page to the last are
    /// listed exactly once.
    fn list<'a>(
        &'a self,
        tenant: &'a TenantId,
        filter: &'a CredentialFilter,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<CredentialRecord>, StoreError>>;

    /// Revokes the tenant's credential and ends all its secrets' graces.
    fn revoke<'a>(
        &'a self,
        tenant: &'a TenantId,
        kind: SecretKind,
        id: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Unpublished<RevokeOutcome>, StoreError>>;

    /// Gives the tenant's credential a new current secret, in one step under concurrency.
    fn rotate<'a>(
        &'a self,
        tenant: &'a TenantId,
        kind: SecretKind,
        id: &'a str,
        rotation: Rotation,
    ) -> BoxFuture<'a, Result<Unpublished<RotateOutcome>, StoreError>>;

    /// Replaces a stored hash and its tag by newer ones of the same secret, only if `old` is still what stands
    /// there. Answers whether it was replaced. The secret's grace stays as it is.
    fn swap_hash<'a>(
        &'a self,
        kind: SecretKind,
        id: &'a str,
        old: &'a SecretHash,
        new: StoredSecret,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>>;

    /// Writes when credentials were last used, touching that column alone; a time earlier than what stands is ignored.
    fn touch<'a>(&'a self, uses: &'a [Use]) -> BoxFuture<'a, Result<(), StoreError>>;
}
