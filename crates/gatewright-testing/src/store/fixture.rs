//! Two tenants, two people, and ways to look at what a store answers.

use std::future::Future;
use std::sync::{Arc, Barrier};

use gatewright_core::credential::SecretKind;
use gatewright_core::hash::{GuardTag, Phc, SecretHash};
use gatewright_core::principal::{CredentialId, Tenant, TenantId, TenantKind, UserId};
use gatewright_core::session::TokenDigest;
use gatewright_core::store::{
    Account, ChangeKey, Changes, CredentialRecord, InsertOutcome, NewCredential, Page, PageRequest,
    RevokeOutcome, RotateOutcome, Rotation, StoreError, StoredSecret, Unpublished,
};
use gatewright_core::time::Timestamp;
use tokio::runtime::Handle;

use super::Store;

/// The moment at which a case takes place.
pub(super) const NOW: Timestamp = 1_700_000_000;

pub(super) const WORKSPACE: TenantKind = TenantKind::from_static("workspace");

/// A store in which Alice owns the workspace `acme` and Bob owns `globex`.
pub(super) struct World<S> {
    pub(super) store: Arc<S>,
    pub(super) acme: TenantId,
    pub(super) globex: TenantId,
    pub(super) alice: UserId,
    pub(super) bob: UserId,
}

impl<S: Store> World<S> {
    pub(super) async fn new(store: Arc<S>) -> Self {
        let world = Self {
            store,
            acme: tenant_id("ten_acme"),
            globex: tenant_id("ten_globex"),
            alice: user("usr_alice"),
            bob: user("usr_bob"),
        };
        world.account("usr_alice", "alice@example.com").await;
        world.account("usr_bob", "bob@example.com").await;
        world.workspace(&world.acme, "acme", &world.alice).await;
        world.workspace(&world.globex, "globex", &world.bob).await;
        world
    }

    pub(super) async fn account(&self, id: &str, email: &str) -> UserId {
        let account = Account::new(user(id), email, NOW);
        assert_eq!(
            self.store.insert_account(account).await.unwrap(),
            InsertOutcome::Inserted
        );
        user(id)
    }

    pub(super) async fn workspace(&self, id: &TenantId, slug: &str, owner: &UserId) {
        let tenant = Tenant::new(id.clone(), WORKSPACE, slug, "free");
        let created = self.store.create_tenant(tenant, owner, "owner").await;
        assert_eq!(settled(created), InsertOutcome::Inserted);
    }

    /// An API key of Alice's in `acme`, with the secret of number 1.
    pub(super) fn key(&self, id: &str) -> NewCredential {
        NewCredential::new(
            SecretKind::ApiKey,
            credential_id(id),
            self.acme.clone(),
            self.alice.clone(),
            secret(1),
            NOW,
        )
    }

    pub(super) async fn insert(&self, new: NewCredential) {
        assert_eq!(
            settled(self.store.insert(new).await),
            InsertOutcome::Inserted
        );
    }

    /// The API key with this id, which is there.
    pub(super) async fn find(&self, id: &str) -> CredentialRecord {
        self.store
            .find(SecretKind::ApiKey, id)
            .await
            .unwrap()
            .unwrap()
    }

    pub(super) async fn revoke(&self, id: &str, at: Timestamp) -> RevokeOutcome {
        settled(
            self.store
                .revoke(&self.acme, SecretKind::ApiKey, id, at)
                .await,
        )
    }

    /// Gives the key the secret of this number, with a grace of a minute.
    pub(super) async fn rotate(&self, id: &str, number: u16) -> RotateOutcome {
        let rotation = Rotation::new(secret(number), NOW + 60, NOW);
        settled(
            self.store
                .rotate(&self.acme, SecretKind::ApiKey, id, rotation)
                .await,
        )
    }
}

impl<S> Clone for World<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            acme: self.acme.clone(),
            globex: self.globex.clone(),
            alice: self.alice.clone(),
            bob: self.bob.clone(),
        }
    }
}

pub(super) fn user(id: &str) -> UserId {
    UserId::new(id).unwrap()
}

pub(super) fn tenant_id(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub(super) fn credential_id(id: &str) -> CredentialId {
    CredentialId::new(id).unwrap()
}

/// A well-formed hash, different for each number. Nothing is known whose hash it would be.
pub(super) fn hash(number: u16) -> Phc {
    format!("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA${number:0>42}A")
        .parse()
        .unwrap()
}

/// The same as it stands in a credential's record.
pub(super) fn secret_hash(number: u16) -> SecretHash {
    hash(number).into()
}

pub(super) fn secret(number: u16) -> StoredSecret {
    StoredSecret::new(
        hash(number),
        GuardTag::from_u64(0x7_0000 | u64::from(number)),
    )
}

/// What is kept of a mailed token, different for each number.
pub(super) fn digest_of(number: u8) -> TokenDigest {
    TokenDigest::from_bytes(&[number; 32]).unwrap()
}

/// What the record holds of each secret: its number and the end of its grace, current one first.
pub(super) fn secrets(record: &CredentialRecord) -> Vec<(u16, Option<Timestamp>)> {
    let number = |secret: &StoredSecret| {
        let tag = secret.tag.unwrap();
        assert_eq!(tag.key_id, 7);
        assert_eq!(
            secret.hash.as_str(),
            hash(tag.bits).as_str(),
            "a hash with another one's tag"
        );
        tag.bits
    };
    let secrets = record.secrets.iter();
    secrets
        .map(|secret| (number(secret), secret.ends_at))
        .collect()
}

/// The answer of a change whose publication the case does not look at.
pub(super) fn settled<T>(answer: Result<Unpublished<T>, StoreError>) -> T {
    Changes::new().publish(answer.unwrap())
}

/// The answer of a change that must publish all of `keys`.
pub(super) async fn publishing<T>(
    keys: &[ChangeKey],
    change: impl Future<Output = Result<Unpublished<T>, StoreError>>,
) -> T {
    let changes = Changes::new();
    let stamps: Vec<_> = keys.iter().map(|key| changes.stamp(key)).collect();
    let value = changes.publish(change.await.unwrap());
    for (key, stamp) in keys.iter().zip(stamps) {
        assert!(!changes.is_current(stamp), "{key:?} was not published");
    }
    value
}

/// Starts all the tasks at one moment, each on a thread of its own, and gathers their results. As tasks of a runtime those of
/// a store that never waits would run one after the other.
pub(super) async fn together<F>(tasks: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let tasks: Vec<F> = tasks.into_iter().collect();
    let start = Arc::new(Barrier::new(tasks.len()));
    let started: Vec<_> = tasks
        .into_iter()
        .map(|task| {
            let (start, runtime) = (Arc::clone(&start), Handle::current());
            tokio::task::spawn_blocking(move || {
                start.wait();
                runtime.block_on(task)
            })
        })
        .collect();
    let mut results = Vec::with_capacity(started.len());
    for task in started {
        results.push(task.await.unwrap());
    }
    results
}

/// How many of the results are `wanted`.
pub(super) fn count<T: PartialEq>(results: &[T], wanted: &T) -> usize {
    results.iter().filter(|result| *result == wanted).count()
}

/// Every row of a list, read in pages of `limit`.
pub(super) async fn every_page<T>(
    limit: u32,
    mut read: impl AsyncFnMut(PageRequest) -> Result<Page<T>, StoreError>,
) -> Vec<T> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = read(PageRequest::new(after, limit).unwrap()).await.unwrap();
        assert!(
            page.items.len() <= limit as usize,
            "a page longer than its limit"
        );
        assert!(
            page.next.is_none() || !page.items.is_empty(),
            "an empty page that leads on"
        );
        rows.extend(page.items);
        assert!(rows.len() < 10_000, "a list without an end");
        after = page.next;
        if after.is_none() {
            return rows;
        }
    }
}
