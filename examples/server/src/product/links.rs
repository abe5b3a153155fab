//! Links of a handle.

use gatewright_core::principal::TenantId;
use gatewright_core::store::{Cursor, Page, PageRequest, StoreError};
use gatewright_core::time::Timestamp;

use super::{Product, read, stored};

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The name in the handle.
    pub(crate) slug: String,
    /// Where it leads.
    pub(crate) destination: String,
    /// What it is called.
    pub(crate) title: String,
    /// When it was first put.
    pub(crate) created_at: Timestamp,
    /// When it was last put.
    pub(crate) updated_at: Timestamp,
}

type Row = (String, String, String, i64, i64);

impl From<Row> for Link {
    fn from((slug, destination, title, created_at, updated_at): Row) -> Self {
        Self {
            slug,
            destination,
            title,
            created_at: read(created_at),
            updated_at: read(updated_at),
        }
    }
}

impl Product {
    /// The handle's links, by slug.
    pub(crate) async fn links(
        &self,
        tenant: &TenantId,
        page: &PageRequest,
    ) -> Result<Page<Link>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT slug, destination, title, created_at, updated_at FROM links \
             WHERE tenant = ?1 AND slug > ?2 ORDER BY slug LIMIT ?3",
        )
        .bind(tenant.as_str())
        .bind(page.after().map_or("", Cursor::as_str))
        .bind(i64::from(page.limit()) + 1)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        let links = rows.into_iter().map(Link::from).collect();
        Ok(Page::cut(links, page, |link: &Link| link.slug.clone()))
    }

    /// One link of the handle.
    pub(crate) async fn link(
        &self,
        tenant: &TenantId,
        slug: &str,
    ) -> Result<Option<Link>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT slug, destination, title, created_at, updated_at FROM links \
             WHERE tenant = ?1 AND slug = ?2",
        )
        .bind(tenant.as_str())
        .bind(slug)
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        Ok(row.map(Link::from))
    }

    /// Creates the link or changes it. Answers it as it stands now, and whether it is new.
    pub(crate) async fn put_link(
        &self,
        tenant: &TenantId,
        slug: &str,
        destination: &str,
        title: &str,
        now: Timestamp,
    ) -> Result<(Link, bool), StoreError> {
        self.write(async |mut transaction| {
            let updated: Option<Row> = sqlx::query_as(
                "UPDATE links SET destination = ?3, title = ?4, updated_at = ?5 \
                 WHERE tenant = ?1 AND slug = ?2 \
                 RETURNING slug, destination, title, created_at, updated_at",
            )
            .bind(tenant.as_str())
            .bind(slug)
            .bind(destination)
            .bind(title)
            .bind(stored(now))
            .fetch_optional(&mut *transaction)
            .await?;
            let (row, new) = match updated {
                Some(row) => (row, false),
                None => {
                    let inserted: Row = sqlx::query_as(
                        "INSERT INTO links (tenant, slug, destination, title, created_at, updated_at) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?5) \
                         RETURNING slug, destination, title, created_at, updated_at",
                    )
                    .bind(tenant.as_str())
                    .bind(slug)
                    .bind(destination)
                    .bind(title)
                    .bind(stored(now))
                    .fetch_one(&mut *transaction)
                    .await?;
                    (inserted, true)
                }
            };
            transaction.commit().await?;
            Ok((row.into(), new))
        })
        .await
    }

    /// Deletes a link. Answers whether it was there.
    pub(crate) async fn delete_link(
        &self,
        tenant: &TenantId,
        slug: &str,
    ) -> Result<bool, StoreError> {
        self.write(async |mut transaction| {
            let deleted = sqlx::query("DELETE FROM links WHERE tenant = ?1 AND slug = ?2")
                .bind(tenant.as_str())
                .bind(slug)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(deleted.rows_affected() > 0)
        })
        .await
    }
}
