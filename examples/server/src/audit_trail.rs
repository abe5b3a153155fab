//! What was written down, for a tenant to read.

use gatewright_core::principal::TenantId;
use gatewright_core::store::{Page, PageRequest, StoreError};
use gatewright_core::time::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, QueryBuilder, Row as _, Sqlite, SqlitePool};

/// An event as it was written down.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    seq: i64,
    at: i64,
    pub(crate) kind: String,
    pub(crate) subject: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) credential: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) cause: Option<String>,
}

impl Noted {
    /// The event's number: it grows from event to event.
    pub(crate) const fn number(&self) -> i64 {
        self.seq
    }

    /// When it happened.
    pub(crate) fn at(&self) -> Timestamp {
        u64::try_from(self.at).unwrap_or(0)
    }
}

impl FromRow<'_, SqliteRow> for Noted {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: row.try_get("seq")?,
            at: row.try_get("at")?,
            kind: row.try_get("kind")?,
            subject: row.try_get("subject")?,
            mode: row.try_get("mode")?,
            credential: row.try_get("credential")?,
            target: row.try_get("target")?,
            source: row.try_get("source")?,
            cause: row.try_get("cause")?,
        })
    }
}

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// On whose behalf.
    pub(crate) actor: Option<String>,
    /// Of this kind.
    pub(crate) kind: Option<String>,
    /// Whether they came to nothing, for some cause.
    pub(crate) failed: Option<bool>,
    /// Not before this time.
    pub(crate) from: Option<Timestamp>,
    /// Before this time.
    pub(crate) to: Option<Timestamp>,
    /// What happened to this.
    pub(crate) target: Option<String>,
}

/// The tenant's events, newest first. Numbers are given out in the order in which events are committed, so what is there
/// when the first page is read is listed once, whatever is written meanwhile.
pub(crate) async fn events(
    pool: &SqlitePool,
    tenant: &TenantId,
    wanted: &Wanted,
    page: &PageRequest,
) -> Result<Page<Noted>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT seq, at, kind, subject, mode, credential, target, source, cause \
         FROM audit_log WHERE tenant = ",
    );
    query.push_bind(tenant.as_str());
    if let Some(cursor) = page.after() {
        // A cursor that is no number comes from elsewhere; nothing lies behind it.
        let before = cursor.as_str().parse().unwrap_or(i64::MIN);
        query.push(" AND seq < ").push_bind(before);
    }
    for (column, value) in [
        ("subject", &wanted.actor),
        ("kind", &wanted.kind),
        ("target", &wanted.target),
    ] {
        if let Some(value) = value {
            query
                .push(" AND ")
                .push(column)
                .push(" = ")
                .push_bind(value);
        }
    }
    match wanted.failed {
        Some(true) => query.push(" AND cause IS NOT NULL"),
        Some(false) => query.push(" AND cause IS NULL"),
        None => &mut query,
    };
    if let Some(from) = wanted.from {
        query.push(" AND at >= ").push_bind(column(from));
    }
    if let Some(to) = wanted.to {
        query.push(" AND at < ").push_bind(column(to));
    }
    query
        .push(" ORDER BY seq DESC LIMIT ")
        .push_bind(i64::from(page.limit()) + 1);
    let rows: Vec<Noted> = query
        .build_query_as()
        .fetch_all(pool)
        .await
        .map_err(StoreError::unavailable)?;
    Ok(Page::cut(rows, page, |row| row.seq.to_string()))
}

fn column(at: Timestamp) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}
