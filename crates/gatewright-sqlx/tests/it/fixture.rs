//! A database in a directory that goes with it, and rows to put into it.

use std::path::PathBuf;

use gatewright_core::credential::SecretKind;
use gatewright_core::hash::Phc;
use gatewright_core::principal::{CredentialId, Tenant, TenantId, TenantKind, UserId};
use gatewright_core::store::{
    Changes, CredentialStore, InsertOutcome, MembershipStore, NewCredential, StoredSecret,
};
use gatewright_sqlx::{SqlStore, SqliteStore};
use tempfile::TempDir;

pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.path().join("gatewright.db")
    }

    pub(crate) async fn open(&self) -> SqliteStore {
        SqlStore::open(self.database().to_str().unwrap())
            .await
            .unwrap()
    }
}

/// A fresh store and the directory it is in.
pub(crate) async fn fresh() -> (SqliteStore, Directory) {
    let directory = Directory::new();
    (directory.open().await, directory)
}

/// Some hash; different for each `salt`. Nothing here verifies it.
pub(crate) fn hash(salt: u8) -> Phc {
    let salt = char::from(b'A' + salt % 26).to_string().repeat(22);
    format!(
        "$argon2id$v=19$m=19456,t=2,p=1${}A$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
        &salt[..21]
    )
    .parse()
    .unwrap()
}

pub(crate) fn acme() -> TenantId {
    TenantId::new("ten_acme").unwrap()
}

pub(crate) fn alice() -> UserId {
    UserId::new("usr_alice").unwrap()
}

pub(crate) fn workspace() -> TenantKind {
    TenantKind::from_static("workspace")
}

pub(crate) async fn create_acme(store: &SqliteStore) {
    let tenant = Tenant::new(acme(), workspace(), "acme", "free");
    let created = store
        .create_tenant(tenant, &alice(), "owner")
        .await
        .unwrap();
    assert_eq!(Changes::new().publish(created), InsertOutcome::Inserted);
}

pub(crate) fn key(id: &str) -> NewCredential {
    NewCredential::new(
        SecretKind::ApiKey,
        CredentialId::new(id).unwrap(),
        acme(),
        alice(),
        StoredSecret::new(hash(0), None),
        NOW,
    )
}

pub(crate) async fn mint(store: &SqliteStore, id: &str) -> InsertOutcome {
    Changes::new().publish(store.insert(key(id)).await.unwrap())
}

/// Runs SQL behind the store's back.
pub(crate) async fn tamper(store: &SqliteStore, sql: &'static str) {
    sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
}
