//! SQLite, in the process itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gatewright_core::store::BoxFuture;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Arguments, Pool, Row, SqlSafeStr, Sqlite};

use super::Arg;
use super::sealed::Driver;
use crate::OpenError;

/// How to open a database of SQLite.
///
/// A file is opened in write-ahead mode, so that readers never wait for a writer, with `synchronous=FULL`: a change
/// that was answered outlives the process and, as far as the disk keeps its word, the power. Foreign keys are enforced.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    file: Option<PathBuf>,
    create_if_missing: bool,
    busy_timeout: Duration,
    connections: u32,
}

impl SqliteOptions {
    /// A database in a file, which is created if it is missing. On Unix the new file can be read by its owner alone.
    #[must_use]
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self {
            file: Some(path.as_ref().to_owned()),
            create_if_missing: true,
            busy_timeout: Duration::from_secs(5),
            connections: 8,
        }
    }

    /// A database in memory that ends with the store; for tests and demonstrations. It has one connection, so its
    /// callers take turns.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            file: None,
            create_if_missing: true,
            busy_timeout: Duration::from_secs(5),
            connections: 1,
        }
    }

    /// Reads `sqlite:path`, `sqlite://path` or a bare path; `:memory:` is [`in_memory`](Self::in_memory).
    #[must_use]
    pub fn parse(location: &str) -> Self {
        let path = location
            .strip_prefix("sqlite://")
            .or_else(|| location.strip_prefix("sqlite:"))
            .unwrap_or(location);
        if path == ":memory:" {
            Self::in_memory()
        } else {
            Self::file(path)
        }
    }

    /// Whether a missing file is created (the default) or an error.
    #[must_use]
    pub const fn create_if_missing(mut self, create: bool) -> Self {
        self.create_if_missing = create;
        self
    }

    /// How long a call waits for the database, or for a free connection, before it answers
    /// [`Unavailable`](gatewright_core::store::StoreError::Unavailable); 5 s unless said otherwise.
    #[must_use]
    pub const fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// How many connections to keep, 8 unless said otherwise; one of them writes at a time. At least 1, and always 1
    /// in memory.
    #[must_use]
    pub const fn connections(mut self, connections: u32) -> Self {
        if self.file.is_some() && connections > 0 {
            self.connections = connections;
        }
        self
    }

    pub(crate) const fn patience(&self) -> Duration {
        self.busy_timeout
    }

    pub(crate) async fn connect(&self) -> Result<Pool<Sqlite>, OpenError> {
        let connection = SqliteConnectOptions::new()
            .foreign_keys(true)
            .busy_timeout(self.busy_timeout);
        let connection = match &self.file {
            None => connection.in_memory(true),
            Some(path) => {
                if self.create_if_missing {
                    create_private(path).map_err(sqlx::Error::Io)?;
                }
                connection
                    .filename(path)
                    .create_if_missing(self.create_if_missing)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
            }
        };
        let pool = PoolOptions::new()
            .max_connections(self.connections)
            .acquire_timeout(self.busy_timeout)
            // A connection in the process does not break by itself, and one in memory holds the data.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None);
        // Turning the write-ahead log on takes a lock that SQLite's own busy timeout does not wait for, and another
        // process may be doing just that.
        let deadline = tokio::time::Instant::now() + self.busy_timeout;
        loop {
            match pool.clone().connect_with(connection.clone()).await {
                Err(error) if is_busy(&error) && tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => return Ok(opened?),
            }
        }
    }
}

impl Driver for Sqlite {
    // A transaction that began as a reader may find on its first write that another one was faster, and can then
    // only be undone; one that begins as a writer waits its turn.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const WRITERS: usize = 1;

    fn fetch<'c>(
        connection: &'c mut SqliteConnection,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> BoxFuture<'c, Result<Vec<SqliteRow>, sqlx::Error>> {
        let args = bind(args);
        Box::pin(async move { sqlx::query_with(sql, args?).fetch_all(connection).await })
    }

    // The connection's thread hands over a row as soon as it has it, and then says that there are no more. Where one row is
    // all that is wanted it is told so, and the caller is woken once.
    fn fetch_first<'c>(
        connection: &'c mut SqliteConnection,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> BoxFuture<'c, Result<Option<SqliteRow>, sqlx::Error>> {
        let args = bind(args);
        Box::pin(async move {
            sqlx::query_with(sql, args?)
                .fetch_optional(connection)
                .await
        })
    }

    fn execute<'c>(
        connection: &'c mut SqliteConnection,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> BoxFuture<'c, Result<u64, sqlx::Error>> {
        let args = bind(args);
        Box::pin(async move {
            Ok(sqlx::query_with(sql, args?)
                .execute(connection)
                .await?
                .rows_affected())
        })
    }

    fn text(row: &SqliteRow, column: usize) -> Result<Option<&str>, sqlx::Error> {
        row.try_get(column)
    }

    fn number(row: &SqliteRow, column: usize) -> Result<Option<i64>, sqlx::Error> {
        row.try_get(column)
    }

    fn bytes(row: &SqliteRow, column: usize) -> Result<Option<&[u8]>, sqlx::Error> {
        row.try_get(column)
    }

    async fn migrate(pool: &Pool<Self>) -> Result<(), MigrateError> {
        let migrations = [
            (
                1,
                "gatewright",
                include_str!("../../migrations/sqlite/0001_gatewright.sql"),
            ),
            (
                3,
                "people",
                include_str!("../../migrations/sqlite/0003_people.sql"),
            ),
        ];
        let migrations = migrations.map(|(version, name, sql)| {
            let sql = sql.into_sql_str();
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        });
        let mut migrator = Migrator::with_migrations(migrations.into());
        // No database holds migrations of ours yet under another name, which is what the warning is about.
        migrator.dangerous_set_table_name("_gatewright_migrations");
        // sqlx takes no lock on SQLite: two processes that start at once would both apply the same migration.
        let mut transaction = pool.begin_with(Self::BEGIN).await?;
        // `run` would do, but its borrow of a connection is not general enough for a `Send` future.
        migrator.run_direct(None, &mut *transaction, false).await?;
        Ok(transaction.commit().await?)
    }
}

fn bind(args: &[Arg<'_>]) -> Result<SqliteArguments, sqlx::Error> {
    let mut bound = SqliteArguments::default();
    for arg in args {
        match *arg {
            Arg::Text(text) => bound.add(text),
            Arg::Number(number) => bound.add(number),
            Arg::Bytes(bytes) => bound.add(bytes),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(bound)
}

/// Whether another connection holds the lock: `SQLITE_BUSY`, the low byte of an extended code.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}

/// The database holds hashes and the key of the guard tags: what creates it also says who may read it. SQLite gives the
/// files beside it the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    match file.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
