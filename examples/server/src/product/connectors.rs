//! What an org has plugged into the gateway.

use gatewright_core::principal::{Tenant, TenantId};
use gatewright_core::store::{Page, PageRequest, StoreError};
use gatewright_core::time::Timestamp;

use super::versions::{ORGS, raise};
use super::{Product, org, read, stored};

/// A connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connector {
    /// Its id, which no other connector has or will have.
    pub(crate) id: String,
    /// What the org calls it.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: String,
    /// When it was plugged in.
    pub(crate) created_at: Timestamp,
}

/// The columns of a connector.
type Row = (i64, String, String, String, i64);

/// The columns of an org, and those of a connector.
type RowOfOrg = (String, String, String, i64, String, String, String, i64);

impl Connector {
    /// The type of those that have every tool which is part of the server.
    pub(crate) const BUILT_IN: &str = "built-in";
    /// The types that there are: beside that one, those which have some of the tools.
    pub(crate) const TYPES: [&str; 3] = [Self::BUILT_IN, "clock", "text"];

    /// The most that an org has at once: all of them are held in memory.
    const MOST: i64 = 256;

    fn of((_, id, name, kind, created_at): Row) -> Self {
        Self {
            id,
            name,
            kind,
            created_at: read(created_at),
        }
    }
}

impl Product {
    /// The org's connectors, oldest first.
    pub(crate) async fn connectors(
        &self,
        tenant: &TenantId,
        page: &PageRequest,
    ) -> Result<Page<Connector>, StoreError> {
        // A cursor that is no number comes from elsewhere; nothing lies after it.
        let after = page
            .after()
            .map_or(0, |cursor| cursor.as_str().parse().unwrap_or(i64::MAX));
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT seq, id, name, type, created_at FROM connectors \
             WHERE tenant = ?1 AND seq > ?2 AND deleted_at IS NULL ORDER BY seq LIMIT ?3",
        )
        .bind(tenant.as_str())
        .bind(after)
        .bind(i64::from(page.limit()) + 1)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        let page = Page::cut(rows, page, |row| row.0.to_string());
        Ok(page.map(Connector::of))
    }

    /// The connectors of all orgs; of each org oldest first.
    pub(crate) async fn all_connectors(&self) -> Result<Vec<(Tenant, Connector)>, StoreError> {
        let rows: Vec<RowOfOrg> = sqlx::query_as(
            "SELECT tenants.id, slug, plan, seq, connectors.id, name, type, created_at \
             FROM connectors JOIN tenants ON tenants.id = connectors.tenant \
             WHERE deleted_at IS NULL ORDER BY slug, seq",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        let rows = rows.into_iter();
        rows.map(|(tenant, slug, plan, seq, id, name, kind, at)| {
            let connector = Connector::of((seq, id, name, kind, at));
            Ok((org(tenant, &slug, &plan)?, connector))
        })
        .collect()
    }

    /// Whether the org has a connector of this id.
    pub(crate) async fn has_connector(
        &self,
        tenant: &TenantId,
        id: &str,
    ) -> Result<bool, StoreError> {
        let found: Option<(i64,)> = sqlx::query_as(
            "SELECT seq FROM connectors WHERE id = ?1 AND tenant = ?2 AND deleted_at IS NULL",
        )
        .bind(id)
        .bind(tenant.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        Ok(found.is_some())
    }

    /// Stores a connector. Answers `false`, and changes nothing, where the org has one of the same name or as many as it
    /// may have, or anybody ever had one of the same id.
    pub(crate) async fn insert_connector(
        &self,
        tenant: &TenantId,
        connector: &Connector,
    ) -> Result<bool, StoreError> {
        self.write(async |mut transaction| {
            let inserted = sqlx::query(
                "INSERT INTO connectors (id, tenant, name, type, created_at) \
                 SELECT ?1, ?2, ?3, ?4, ?5 WHERE ?6 > \
                 (SELECT count(*) FROM connectors WHERE tenant = ?2 AND deleted_at IS NULL) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(&connector.id)
            .bind(tenant.as_str())
            .bind(&connector.name)
            .bind(&connector.kind)
            .bind(stored(connector.created_at))
            .bind(Connector::MOST)
            .execute(&mut *transaction)
            .await?;
            raise(&mut transaction, ORGS).await?;
            transaction.commit().await?;
            Ok(inserted.rows_affected() > 0)
        })
        .await
    }

    /// Deletes a connector. Answers whether it was there.
    pub(crate) async fn delete_connector(
        &self,
        tenant: &TenantId,
        id: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(async |mut transaction| {
            let deleted = sqlx::query(
                "UPDATE connectors SET deleted_at = ?3 \
                 WHERE tenant = ?1 AND id = ?2 AND deleted_at IS NULL",
            )
            .bind(tenant.as_str())
            .bind(id)
            .bind(stored(at))
            .execute(&mut *transaction)
            .await?;
            raise(&mut transaction, ORGS).await?;
            transaction.commit().await?;
            Ok(deleted.rows_affected() > 0)
        })
        .await
    }
}
