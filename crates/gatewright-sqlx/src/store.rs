//! The store, and the two ways through it: reads and transactions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatewright_core::store::{ChangeKey, StoreError, Unpublished};
use sqlx::{Pool, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::dialect::{Arg, Dialect};
use crate::feed;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be opened, is no database, or stayed locked.
    #[error("the database cannot be opened")]
    Connect(#[from] sqlx::Error),
    /// The schema cannot be brought up to date, or was written by a newer version.
    #[error("the database cannot be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// All stores of Gatewright in one relational database.
///
/// Cloning shares the connections. Every change is one transaction, which also writes the change into the feed that
/// other processes follow (see [`join`](Self::join)); a call that waits longer than the busy timeout for its turn
/// answers [`StoreError::Unavailable`]. Needs a Tokio runtime.
///
/// A future that is dropped before it is ready either changed nothing or committed without telling the caches of this
/// process. So a change that must not be lost on a caller who hangs up belongs in a task of its own; a process that
/// follows the feed hears of its own changes too, and is late by one poll at most.
pub struct SqlStore<D: Dialect> {
    pool: Pool<D>,
    writers: Arc<Semaphore>,
    patience: Duration,
}

/// [`SqlStore`] in SQLite.
#[cfg(feature = "sqlite")]
pub type SqliteStore = SqlStore<sqlx::Sqlite>;

#[cfg(feature = "sqlite")]
impl SqlStore<sqlx::Sqlite> {
    /// Opens `sqlite:path`, `sqlite://path` or a bare path, creates the file if it is missing, and brings the schema up
    /// to date.
    ///
    /// # Errors
    /// [`OpenError::Connect`] where the file cannot be opened, [`OpenError::Migrate`] where its schema is not ours.
    pub async fn open(location: &str) -> Result<Self, OpenError> {
        Self::open_with(&crate::SqliteOptions::parse(location)).await
    }

    /// [`open`](Self::open) with every choice made.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(options: &crate::SqliteOptions) -> Result<Self, OpenError> {
        let store = Self::with_pool(options.connect().await?).with_patience(options.patience());
        store.migrate().await?;
        Ok(store)
    }
}

impl<D: Dialect> SqlStore<D> {
    /// A store over connections that the service opened. Call [`migrate`](Self::migrate) before the first use. In SQLite
    /// the pool should have foreign keys on, write-ahead logging, and a busy timeout.
    #[must_use]
    pub fn with_pool(pool: Pool<D>) -> Self {
        let patience = pool.options().get_acquire_timeout();
        Self {
            pool,
            writers: Arc::new(Semaphore::new(D::WRITERS)),
            patience,
        }
    }

    #[cfg(feature = "sqlite")]
    const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The connections, for tables of the service's own in the same database. What the service writes into *our* tables
    /// no cache hears of.
    #[must_use]
    pub const fn pool(&self) -> &Pool<D> {
        &self.pool
    }

    /// Brings the schema up to date. Does nothing where it is; safe from several processes at once; keeps its books
    /// in the table `_gatewright_migrations`, so that the service may migrate the same database by its own.
    ///
    /// # Errors
    /// [`OpenError::Migrate`] where the database is out of reach or was migrated by a version that knows more.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        Ok(D::migrate(&self.pool).await?)
    }

    /// Waits for what is running, then closes every connection. Later calls answer [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Reads with one statement, which sees one state of the database.
    pub(crate) async fn read(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<D::Row>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::unavailable)?;
        D::fetch(&mut connection, sql, args)
            .await
            .map_err(StoreError::unavailable)
    }

    /// [`read`](Self::read) where there is one row at most.
    pub(crate) async fn read_first(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Option<D::Row>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::unavailable)?;
        D::fetch_first(&mut connection, sql, args)
            .await
            .map_err(StoreError::unavailable)
    }

    /// Begins a transaction that may write. Writers of this process queue here, in order and without a connection:
    /// inside SQLite they would wait in no order, and readers would find no connection left.
    pub(crate) async fn write(&self) -> Result<Write<D>, StoreError> {
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.writers).acquire_owned());
        let turn = turn.await.map_err(StoreError::unavailable)?;
        let turn = turn.map_err(StoreError::unavailable)?;
        let transaction = self.pool.begin_with(D::BEGIN).await;
        Ok(Write {
            transaction: transaction.map_err(StoreError::unavailable)?,
            _turn: turn,
        })
    }
}

impl<D: Dialect> Clone for SqlStore<D> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            writers: Arc::clone(&self.writers),
            patience: self.patience,
        }
    }
}

impl<D: Dialect> fmt::Debug for SqlStore<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("database", &D::NAME)
            .field("connections", &self.pool.size())
            .finish_non_exhaustive()
    }
}

/// A transaction that may write. Dropped, it changed nothing.
pub(crate) struct Write<D: Dialect> {
    transaction: Transaction<'static, D>,
    _turn: OwnedSemaphorePermit,
}

impl<D: Dialect> Write<D> {
    pub(crate) async fn fetch(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<D::Row>, StoreError> {
        D::fetch(&mut self.transaction, sql, args)
            .await
            .map_err(StoreError::unavailable)
    }

    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<u64, StoreError> {
        D::execute(&mut self.transaction, sql, args)
            .await
            .map_err(StoreError::unavailable)
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.transaction
            .commit()
            .await
            .map_err(StoreError::unavailable)
    }

    /// Commits together with the feed's note of `keys`.
    pub(crate) async fn publish<T>(
        mut self,
        value: T,
        keys: Vec<ChangeKey>,
    ) -> Result<Unpublished<T>, StoreError> {
        feed::note(&mut self, &keys).await?;
        self.commit().await?;
        Ok(Unpublished::new(value, keys))
    }
}
