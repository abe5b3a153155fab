//! How handles present themselves.

use std::collections::HashMap;

use gatewright_core::principal::TenantId;
use gatewright_core::store::StoreError;

use super::Product;

impl Product {
    /// The display names of these handles, by tenant id. Those that never chose one are absent.
    pub(crate) async fn display_names(
        &self,
        tenants: &[&TenantId],
    ) -> Result<HashMap<String, String>, StoreError> {
        let ids: Vec<&str> = tenants.iter().map(|tenant| tenant.as_str()).collect();
        let ids = serde_json::to_string(&ids).map_err(StoreError::unavailable)?;
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT tenant, display_name FROM handle_profiles \
             WHERE tenant IN (SELECT value FROM json_each(?1))",
        )
        .bind(ids)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        Ok(rows.into_iter().collect())
    }

    /// Changes a handle's display name.
    pub(crate) async fn set_display_name(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<(), StoreError> {
        self.write(async |mut transaction| {
            sqlx::query(
                "INSERT INTO handle_profiles (tenant, display_name) VALUES (?1, ?2) \
                 ON CONFLICT (tenant) DO UPDATE SET display_name = excluded.display_name",
            )
            .bind(tenant.as_str())
            .bind(name)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await
        })
        .await
    }
}
