//! How often something changed that servers hold in memory: what one of them reads again, and when.

use gatewright_core::store::StoreError;
use sqlx::{Sqlite, Transaction};

use super::{Product, read};

/// Single sign-on and connectors of orgs.
pub(super) const ORGS: &str = "orgs";
const SIGNING_KEYS: &str = "signing_keys";

/// What a server has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Of what orgs have configured.
    pub(crate) orgs: u64,
    /// Of the keys that sign.
    pub(crate) signing_keys: u64,
}

impl Product {
    /// What there is to be read now.
    pub(crate) async fn versions(&self) -> Result<Versions, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT what, version FROM versions")
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::unavailable)?;
        let mut versions = Versions::default();
        for (what, version) in rows {
            match &*what {
                ORGS => versions.orgs = read(version),
                SIGNING_KEYS => versions.signing_keys = read(version),
                _ => {}
            }
        }
        Ok(versions)
    }

    /// Says that the signing keys were changed.
    pub(crate) async fn signing_keys_changed(&self) -> Result<(), StoreError> {
        self.write(async |mut transaction| {
            raise(&mut transaction, SIGNING_KEYS).await?;
            transaction.commit().await
        })
        .await
    }
}

/// In the transaction that makes the change.
pub(super) async fn raise(
    transaction: &mut Transaction<'static, Sqlite>,
    what: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE versions SET version = version + 1 WHERE what = ?1")
        .bind(what)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
