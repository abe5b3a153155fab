//! The identity providers that orgs bring along.

use std::collections::BTreeMap;

use gatewright_core::principal::{Tenant, TenantId};
use gatewright_core::store::StoreError;
use gatewright_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::versions::{ORGS, raise};
use super::{Product, org, read, stored};

/// What an org says of its identity provider, checked. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SsoConfig {
    /// The `iss` of its tokens.
    pub(crate) issuer: String,
    /// Where its keys are; found by discovery at the issuer if `None`.
    pub(crate) jwks_uri: Option<String>,
    /// The `aud` that tokens must have.
    pub(crate) audience: String,
    /// The names of the algorithms that it may sign with.
    pub(crate) algorithms: Vec<String>,
    /// The `typ` that tokens must have, if one was chosen.
    pub(crate) typ: Option<String>,
    /// The clients whose tokens are taken; all of them if empty.
    pub(crate) allowed_clients: Vec<String>,
    /// How old a token may be by its `iat`, in seconds.
    pub(crate) max_age_secs: Option<u64>,
    /// Claims that tokens must have, with these values.
    pub(crate) required_claims: BTreeMap<String, String>,
    /// Groups of which a token must name one, if there are any.
    pub(crate) required_groups: Vec<String>,
    /// The claim that names groups.
    pub(crate) groups_claim: String,
    /// The claims that hold scopes; what all of them say counts.
    pub(crate) scope_claims: Vec<String>,
    /// What a token may do that has none of those claims, separated by spaces.
    pub(crate) default_scope: String,
}

/// A configuration, and when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredSso {
    pub(crate) config: SsoConfig,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Product {
    /// What the org has configured.
    pub(crate) async fn sso(&self, tenant: &TenantId) -> Result<Option<StoredSso>, StoreError> {
        let row: Option<(String, i64, i64)> =
            sqlx::query_as("SELECT config, created_at, updated_at FROM sso WHERE tenant = ?1")
                .bind(tenant.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(StoreError::unavailable)?;
        row.map(|(config, created_at, updated_at)| {
            Ok(StoredSso {
                config: parsed(&config)?,
                created_at: read(created_at),
                updated_at: read(updated_at),
            })
        })
        .transpose()
    }

    /// What all orgs have configured, as far as it can be read.
    pub(crate) async fn all_sso(&self) -> Result<Vec<(Tenant, SsoConfig)>, StoreError> {
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT tenants.id, slug, plan, config FROM sso JOIN tenants ON tenants.id = sso.tenant",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        let mut all = Vec::with_capacity(rows.len());
        for (id, slug, plan, config) in rows {
            match parsed(&config) {
                Ok(config) => all.push((org(id, &slug, &plan)?, config)),
                // Of this org nothing is trusted then; the others are not to suffer for it.
                Err(error) => {
                    tracing::error!(%slug, %error, "single sign-on is not as it should be")
                }
            }
        }
        Ok(all)
    }

    /// Stores what the org has configured, in the place of what it had.
    pub(crate) async fn put_sso(
        &self,
        tenant: &TenantId,
        config: &SsoConfig,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let config = serde_json::to_string(config).map_err(StoreError::unavailable)?;
        self.write(async |mut transaction| {
            sqlx::query(
                "INSERT INTO sso (tenant, config, created_at, updated_at) VALUES (?1, ?2, ?3, ?3) \
                 ON CONFLICT (tenant) DO UPDATE SET config = ?2, updated_at = ?3",
            )
            .bind(tenant.as_str())
            .bind(&config)
            .bind(stored(at))
            .execute(&mut *transaction)
            .await?;
            raise(&mut transaction, ORGS).await?;
            transaction.commit().await
        })
        .await
    }

    /// Deletes what the org has configured. Answers what that was.
    pub(crate) async fn delete_sso(
        &self,
        tenant: &TenantId,
    ) -> Result<Option<SsoConfig>, StoreError> {
        let deleted: Option<(String,)> = self
            .write(async |mut transaction| {
                let deleted = sqlx::query_as("DELETE FROM sso WHERE tenant = ?1 RETURNING config")
                    .bind(tenant.as_str())
                    .fetch_optional(&mut *transaction)
                    .await?;
                raise(&mut transaction, ORGS).await?;
                transaction.commit().await?;
                Ok(deleted)
            })
            .await?;
        deleted.map(|(config,)| parsed(&config)).transpose()
    }
}

fn parsed(config: &str) -> Result<SsoConfig, StoreError> {
    serde_json::from_str(config).map_err(|_| StoreError::Corrupt("sso.config"))
}
