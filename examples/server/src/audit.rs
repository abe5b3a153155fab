//! Where audit events go: a bounded queue, a task that writes it down, and the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatewright_core::audit::{AuditEvent, AuditSink};
use gatewright_core::error::Cause;
use gatewright_core::principal::{CredentialId, TenantId};
use gatewright_core::time::Timestamp;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqlitePool};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Events that may wait to be written down; what comes on top is counted and dropped, so that a slow disk slows no
/// request and takes no memory.
const QUEUE: usize = 4_096;
/// Events written in one transaction.
const BATCH: usize = 256;
/// How often a batch is tried before it is given up.
const TRIES: u32 = 3;
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// How long events are kept, in seconds: 90 days.
pub(crate) const KEPT_SECS: u64 = 90 * 86_400;

const ADD: &str = "INSERT INTO audit_log
    (at, kind, subject, mode, credential, tenant, target, source, cause)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Takes events on the way of requests, and never waits.
#[derive(Debug)]
pub(crate) struct AuditLog {
    queue: mpsc::Sender<AuditEvent>,
    dropped: Arc<AtomicU64>,
}

/// The task that writes events down.
#[derive(Debug)]
pub(crate) struct AuditWriter {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Prepares the table and starts the task.
///
/// # Errors
/// [`MigrateError`] where the table cannot be brought up to date.
pub(crate) async fn start(pool: SqlitePool) -> Result<(Arc<AuditLog>, AuditWriter), MigrateError> {
    migrate(&pool).await?;
    let (queue, events) = mpsc::channel(QUEUE);
    let (stop, stopped) = watch::channel(false);
    let log = Arc::new(AuditLog {
        queue,
        dropped: Arc::default(),
    });
    let task = tokio::spawn(write_down(pool, events, stopped, Arc::clone(&log.dropped)));
    Ok((log, AuditWriter { stop, task }))
}

impl AuditLog {
    /// How many events were dropped, for a full queue or a database that did not take them.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl AuditSink for AuditLog {
    fn record(&self, event: AuditEvent) {
        tracing::info!(
            target: "gatewright_server::audit",
            kind = event.kind.as_str(),
            subject = event.subject.as_ref().map(tracing::field::display),
            credential = event.credential.as_ref().map(CredentialId::as_str),
            tenant = event.tenant.as_ref().map(TenantId::as_str),
            object = event.target.as_deref(),
            source = event.source.map(tracing::field::display),
            cause = event.cause.map(Cause::as_str),
            "audit"
        );
        if self.queue.try_send(event).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl AuditWriter {
    /// Writes what still waits, then ends.
    pub(crate) async fn finish(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the audit writer failed");
        }
    }
}

/// Drops events from before `before`. Answers how many.
pub(crate) async fn purge(pool: &SqlitePool, before: Timestamp) -> Result<u64, sqlx::Error> {
    let dropped = sqlx::query("DELETE FROM audit_log WHERE at < $1")
        .bind(column(before))
        .execute(pool)
        .await?;
    Ok(dropped.rows_affected())
}

async fn write_down(
    pool: SqlitePool,
    mut events: mpsc::Receiver<AuditEvent>,
    mut stopped: watch::Receiver<bool>,
    dropped: Arc<AtomicU64>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            // A sender that is gone means the same as a stop.
            () = stop(&mut stopped), if !events.is_closed() => events.close(),
            taken = events.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return;
                }
                store(&pool, &batch, &dropped).await;
                batch.clear();
            }
        }
    }
}

/// Returns when the stop is said, or nobody is left to say it.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _guard_is_dropped = stopped.wait_for(|stop| *stop).await.is_ok();
}

async fn store(pool: &SqlitePool, batch: &[AuditEvent], dropped: &AtomicU64) {
    for attempt in 1..=TRIES {
        match try_store(pool, batch).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, attempt, "audit events could not be written"),
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
    dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
}

async fn try_store(pool: &SqlitePool, batch: &[AuditEvent]) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    for event in batch {
        sqlx::query(ADD)
            .bind(column(event.at))
            .bind(event.kind.as_str())
            .bind(event.subject.as_ref().map(ToString::to_string))
            .bind(event.mode.map(|mode| mode.as_str()))
            .bind(event.credential.as_ref().map(CredentialId::as_str))
            .bind(event.tenant.as_ref().map(TenantId::as_str))
            .bind(event.target.as_deref())
            .bind(event.source.map(|source| source.to_string()))
            .bind(event.cause.map(Cause::as_str))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

async fn migrate(pool: &SqlitePool) -> Result<(), MigrateError> {
    let migration = |version, name: &'static str, text: &'static str| {
        let text = text.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, text, false)
    };
    let mut migrator = Migrator::with_migrations(vec![
        migration(1, "audit", include_str!("../migrations/0001_audit.sql")),
        migration(2, "by actor", include_str!("../migrations/0002_audit.sql")),
    ]);
    // The books of other migrations in the same database stay as they are.
    migrator.dangerous_set_table_name("_audit_migrations");
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    migrator.run_direct(None, &mut *transaction, false).await?;
    Ok(transaction.commit().await?)
}

fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use gatewright_core::audit::AuditKind;
    use gatewright_core::principal::{Subject, UserId};
    use gatewright_sqlx::{SqliteOptions, SqliteStore};
    use sqlx::Row as _;

    use super::*;

    async fn pool() -> SqlitePool {
        let store = SqliteStore::open_with(&SqliteOptions::in_memory())
            .await
            .unwrap();
        store.pool().clone()
    }

    #[tokio::test]
    async fn everything_that_was_recorded_is_written_before_the_end() {
        let pool = pool().await;
        let (log, writer) = start(pool.clone()).await.unwrap();
        for at in 0..300 {
            let event = AuditEvent::new(AuditKind::Denied, at)
                .subject(Subject::User(UserId::new("u").unwrap()))
                .because(Cause::MissingScope);
            log.record(event);
        }
        writer.finish().await;
        let rows = sqlx::query("SELECT at, kind, subject, cause FROM audit_log ORDER BY seq")
            .fetch_all(&pool)
            .await
            .unwrap();
        assert_eq!(rows.len(), 300);
        assert_eq!(rows[299].get::<i64, _>("at"), 299);
        assert_eq!(rows[0].get::<String, _>("kind"), "denied");
        assert_eq!(rows[0].get::<String, _>("subject"), "user:u");
        assert_eq!(rows[0].get::<String, _>("cause"), "missing_scope");
        assert_eq!(log.dropped(), 0);

        assert_eq!(purge(&pool, 100).await.unwrap(), 100);
        log.record(AuditEvent::new(AuditKind::Minted, 1));
        assert_eq!(log.dropped(), 1, "nobody writes any more");
    }
}
