//! What visitors did, counted once.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use gatewright_core::principal::TenantId;
use gatewright_core::store::StoreError;
use gatewright_core::time::Timestamp;

use super::{Product, read, stored};

/// How long a conversion that counts for nobody is kept, in seconds: long enough to answer its repetitions.
const UNATTRIBUTED_SECS: u64 = 86_400;

/// The most types of event that are listed.
const MAX_TYPES: i64 = 100;

/// A conversion as it was reported.
#[derive(Clone, Debug)]
pub(crate) struct NewConversion {
    /// A fresh id.
    pub(crate) id: String,
    /// The context, ours or not.
    pub(crate) ctx: String,
    /// What happened.
    pub(crate) event_type: String,
    /// What it was worth.
    pub(crate) value: f64,
    /// The reporter's name for this one event.
    pub(crate) idempotency_key: Option<String>,
    /// When it was reported.
    pub(crate) at: Timestamp,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It is the first one.
    New,
    /// The same was reported before, under this id.
    Repeated(String),
    /// Something else was reported under the same idempotency key.
    Different,
}

/// The conversions of a handle.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counts {
    /// How many there are.
    pub(crate) count: u64,
    /// What all of them were worth.
    pub(crate) value: f64,
    /// The most frequent types of event, a hundred at most.
    pub(crate) by_type: Vec<Counted>,
}

/// One type of event, counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counted {
    /// What happened.
    pub(crate) event_type: String,
    /// How often.
    pub(crate) count: u64,
    /// What all of them were worth.
    pub(crate) value: f64,
}

impl Product {
    /// Records a conversion, unless its idempotency key was used before. Of any number of concurrent reports under one
    /// key, exactly one is recorded.
    pub(crate) async fn record_conversion(
        &self,
        new: &NewConversion,
    ) -> Result<Recorded, StoreError> {
        let tenant = self.ctx.open(&new.ctx);
        let space = tenant.as_ref().map_or_else(
            // Reporters who made up different contexts have nothing to do with each other.
            || format!("?{}", BASE64.encode(digest(&SHA256, new.ctx.as_bytes()))),
            |tenant| format!("={tenant}"),
        );
        self.write(async |mut transaction| {
            let inserted = sqlx::query(
                "INSERT INTO conversions \
                     (id, tenant, space, idempotency_key, event_type, value, created_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (space, idempotency_key) DO NOTHING",
            )
            .bind(&new.id)
            .bind(tenant.as_ref().map(TenantId::as_str))
            .bind(&space)
            .bind(&new.idempotency_key)
            .bind(&new.event_type)
            .bind(new.value)
            .bind(stored(new.at))
            .execute(&mut *transaction)
            .await?;
            let recorded = if inserted.rows_affected() > 0 {
                Recorded::New
            } else {
                let (id, event_type, value): (String, String, f64) = sqlx::query_as(
                    "SELECT id, event_type, value FROM conversions \
                     WHERE space = ?1 AND idempotency_key = ?2",
                )
                .bind(&space)
                .bind(&new.idempotency_key)
                .fetch_one(&mut *transaction)
                .await?;
                if event_type == new.event_type && value == new.value {
                    Recorded::Repeated(id)
                } else {
                    Recorded::Different
                }
            };
            transaction.commit().await?;
            Ok(recorded)
        })
        .await
    }

    /// Counts the handle's conversions. Anybody can report new types, so not all of them are listed; the totals are of all.
    pub(crate) async fn count_conversions(&self, tenant: &TenantId) -> Result<Counts, StoreError> {
        let rows: Vec<(String, i64, f64, i64, f64)> = sqlx::query_as(
            "SELECT event_type, count(*), total(value), \
                 sum(count(*)) OVER (), total(total(value)) OVER () \
             FROM conversions WHERE tenant = ?1 \
             GROUP BY event_type ORDER BY count(*) DESC, event_type LIMIT ?2",
        )
        .bind(tenant.as_str())
        .bind(MAX_TYPES)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        let (count, value) = rows
            .first()
            .map_or((0, 0.0), |&(_, _, _, count, value)| (count, value));
        let by_type = rows
            .into_iter()
            .map(|(event_type, count, value, ..)| Counted {
                event_type,
                count: read(count),
                value,
            });
        Ok(Counts {
            count: read(count),
            value,
            by_type: by_type.collect(),
        })
    }

    /// Drops the conversions that count for nobody and are older than [`UNATTRIBUTED_SECS`]. Answers how many.
    pub(crate) async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        let before = stored(now.saturating_sub(UNATTRIBUTED_SECS));
        self.write(async |mut transaction| {
            let purged =
                sqlx::query("DELETE FROM conversions WHERE tenant IS NULL AND created_at < ?1")
                    .bind(before)
                    .execute(&mut *transaction)
                    .await?;
            transaction.commit().await?;
            Ok(purged.rows_affected())
        })
        .await
    }
}
