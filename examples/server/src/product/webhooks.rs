//! Subscriptions of a handle to what happens to it.

use gatewright_core::principal::TenantId;
use gatewright_core::store::{Page, PageRequest, StoreError};
use gatewright_core::time::Timestamp;

use super::{Product, read, stored};

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Webhook {
    /// Its id.
    pub(crate) id: String,
    /// Where events are to be sent.
    pub(crate) url: String,
    /// Which events.
    pub(crate) events: Vec<String>,
    /// When it was made.
    pub(crate) created_at: Timestamp,
}

impl Product {
    /// The handle's subscriptions, oldest first.
    pub(crate) async fn webhooks(
        &self,
        tenant: &TenantId,
        page: &PageRequest,
    ) -> Result<Page<Webhook>, StoreError> {
        // A cursor that is no number comes from elsewhere; nothing lies after it.
        let after = page
            .after()
            .map_or(0, |cursor| cursor.as_str().parse().unwrap_or(i64::MAX));
        let rows: Vec<(i64, String, String, String, i64)> = sqlx::query_as(
            "SELECT seq, id, url, events, created_at FROM webhooks \
             WHERE tenant = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )
        .bind(tenant.as_str())
        .bind(after)
        .bind(i64::from(page.limit()) + 1)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        let mut webhooks = Vec::with_capacity(rows.len());
        for (seq, id, url, events, created_at) in rows {
            let events = serde_json::from_str(&events)
                .map_err(|_| StoreError::Corrupt("webhooks.events"))?;
            let webhook = Webhook {
                id,
                url,
                events,
                created_at: read(created_at),
            };
            webhooks.push((seq, webhook));
        }
        let page = Page::cut(webhooks, page, |(seq, _)| seq.to_string());
        Ok(page.map(|(_, webhook)| webhook))
    }

    /// Stores a subscription. Answers `false`, and changes nothing, where the handle has one of the same URL.
    pub(crate) async fn insert_webhook(
        &self,
        tenant: &TenantId,
        webhook: &Webhook,
    ) -> Result<bool, StoreError> {
        let events = serde_json::to_string(&webhook.events).map_err(StoreError::unavailable)?;
        self.write(async |mut transaction| {
            let inserted = sqlx::query(
                "INSERT INTO webhooks (id, tenant, url, events, created_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tenant, url) DO NOTHING",
            )
            .bind(&webhook.id)
            .bind(tenant.as_str())
            .bind(&webhook.url)
            .bind(&events)
            .bind(stored(webhook.created_at))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(inserted.rows_affected() > 0)
        })
        .await
    }

    /// Deletes a subscription. Answers whether it was there.
    pub(crate) async fn delete_webhook(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<bool, StoreError> {
        self.write(async |mut transaction| {
            let deleted = sqlx::query("DELETE FROM webhooks WHERE tenant = ?1 AND id = ?2")
                .bind(tenant.as_str())
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(deleted.rows_affected() > 0)
        })
        .await
    }
}
