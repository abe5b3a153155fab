//! What the service sells: links, webhooks, domains, pages, conversions and plans, what orgs plug into the gateway, and how
//! people present themselves. It lives in the database of the accounts, in tables of its own, and every query says whose
//! rows it wants.

mod checkout;
mod connectors;
mod conversions;
mod ctx;
mod domains;
mod links;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the routes of people and visitors use it")
)]
mod pages;
mod people;
mod profiles;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the routes of people and visitors use it")
)]
mod purchases;
mod sso;
mod versions;
mod webhooks;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use gatewright_core::principal::{Tenant, TenantId};
use gatewright_core::store::StoreError;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqlitePool;
use sqlx::{SqlSafeStr, Sqlite, Transaction};
use tokio::sync::Semaphore;

use crate::realms::ORG;

pub(crate) use checkout::{CHECKOUT_SECS, Checkout};
pub(crate) use connectors::Connector;
pub(crate) use conversions::{Counted, NewConversion, Recorded};
pub(crate) use ctx::CtxKey;
pub(crate) use domains::Domain;
pub(crate) use links::Link;
pub(crate) use people::{AvatarUrl, ProfileChange};
pub(crate) use sso::{SsoConfig, StoredSso};
pub(crate) use webhooks::Webhook;

/// The service's own tables. Cheap to clone: all clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pool: SqlitePool,
    /// Writers of this process queue here, so that readers always find a connection.
    writers: Arc<Semaphore>,
    patience: Duration,
    ctx: Arc<CtxKey>,
}

/// Why the service's tables could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProductError {
    /// The database is out of reach.
    #[error("the database cannot be reached")]
    Database(#[from] sqlx::Error),
    /// The tables cannot be brought up to date.
    #[error("the service's tables cannot be migrated")]
    Migrate(#[from] MigrateError),
    /// The key of conversion contexts is damaged, or could not be made.
    #[error("the key of conversion contexts cannot be had")]
    CtxKey(#[from] ctx::CtxKeyError),
}

impl Product {
    /// Brings the tables up to date in a database that the stores of accounts have migrated already, and reads the key
    /// of conversion contexts, or makes it.
    ///
    /// # Errors
    /// [`ProductError`], by variant.
    pub(crate) async fn open(pool: SqlitePool) -> Result<Self, ProductError> {
        migrate(&pool).await?;
        let ctx = Arc::new(CtxKey::load(&pool).await?);
        Ok(Self {
            patience: pool.options().get_acquire_timeout(),
            pool,
            writers: Arc::new(Semaphore::new(1)),
            ctx,
        })
    }

    /// The key that seals conversion contexts.
    pub(crate) fn ctx(&self) -> &CtxKey {
        &self.ctx
    }

    /// Waits for this process's turn to write, then runs `change` in a transaction.
    async fn write<T, F>(
        &self,
        change: impl FnOnce(Transaction<'static, Sqlite>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let turn = tokio::time::timeout(self.patience, self.writers.acquire()).await;
        let turn = turn.map_err(StoreError::unavailable)?;
        let _turn = turn.map_err(StoreError::unavailable)?;
        // A transaction that began as a reader might find on its first write that another one was faster.
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await;
        change(transaction.map_err(StoreError::unavailable)?)
            .await
            .map_err(StoreError::unavailable)
    }
}

async fn migrate(pool: &SqlitePool) -> Result<(), MigrateError> {
    let migration = |version, name: &'static str, text: &'static str| {
        let text = text.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, text, false)
    };
    let mut migrator = Migrator::with_migrations(vec![
        migration(
            1,
            "product",
            include_str!("../../migrations/0001_product.sql"),
        ),
        migration(
            2,
            "gateway",
            include_str!("../../migrations/0002_gateway.sql"),
        ),
        migration(
            3,
            "people",
            include_str!("../../migrations/0003_people.sql"),
        ),
    ]);
    // Beside the books that the store of accounts keeps in the same database.
    migrator.dangerous_set_table_name("_product_migrations");
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    migrator.run_direct(None, &mut *transaction, false).await?;
    Ok(transaction.commit().await?)
}

/// An org as the database holds it.
fn org(id: String, slug: &str, plan: &str) -> Result<Tenant, StoreError> {
    let id = TenantId::new(id).map_err(|_| StoreError::Corrupt("tenants.id"))?;
    Ok(Tenant::new(id, ORG.clone(), slug, plan))
}

/// A time or a count as the database holds it.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time or a count as the database held it.
fn read(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use gatewright_core::principal::UserId;
    use gatewright_core::store::{Account, AccountStore as _, MembershipStore as _};
    use gatewright_sqlx::SqliteStore;

    use super::pages::PageContent;
    use super::*;
    use crate::realms::HANDLE;

    /// The tables of a fresh database, two users and a handle of each.
    pub(super) struct Shop {
        pub(super) product: Product,
        pub(super) owner: UserId,
        pub(super) handle: TenantId,
        pub(super) other: UserId,
        pub(super) other_handle: TenantId,
        _directory: tempfile::TempDir,
    }

    impl Shop {
        pub(super) async fn open() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("gatewright.db");
            let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
            let product = Product::open(store.pool().clone()).await.unwrap();
            let (owner, handle) = owned(&store, "mine").await;
            let (other, other_handle) = owned(&store, "theirs").await;
            Self {
                product,
                owner,
                handle,
                other,
                other_handle,
                _directory: directory,
            }
        }
    }

    async fn owned(store: &SqliteStore, slug: &str) -> (UserId, TenantId) {
        let user = UserId::new(format!("usr_{slug}")).unwrap();
        let account = Account::new(user.clone(), &format!("{slug}@example.org"), 1);
        store.insert_account(account).await.unwrap();
        let id = TenantId::new(format!("ten_{slug}")).unwrap();
        let tenant = Tenant::new(id.clone(), HANDLE.clone(), slug, "free");
        // No cache has seen it.
        let _ = store.create_tenant(tenant, &user, "owner").await.unwrap();
        (user, id)
    }

    pub(super) fn content(paid: bool) -> PageContent<'static> {
        PageContent {
            title: "A guide",
            body: "What it says.",
            paid,
        }
    }
}
