//! Keys that all processes share.

use std::collections::BTreeSet;

use gatewright_core::store::{BoxFuture, KeyStore, StoreError, StoredSigningKey, StoredTagKey};

use crate::dialect::{Columns, Dialect};
use crate::store::SqlStore;

const SIGNING_KEYS: &str = "SELECT kid, algorithm, sealed, published_at, active_from, retire_after
    FROM signing_keys ORDER BY published_at, seq";
const SIGNING_KEY_IDS: &str = "SELECT kid FROM signing_keys";
const DROP_SIGNING_KEYS: &str = "DELETE FROM signing_keys";
const ADD_SIGNING_KEY: &str = "INSERT INTO signing_keys
    (kid, algorithm, sealed, published_at, active_from, retire_after) VALUES ($1, $2, $3, $4, $5, $6)";
const TAG_KEYS: &str = "SELECT id, key FROM tag_keys ORDER BY seq";
const ADD_TAG_KEY: &str =
    "INSERT INTO tag_keys (id, key) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";

impl<D: Dialect> KeyStore for SqlStore<D> {
    fn signing_keys(&self) -> BoxFuture<'_, Result<Vec<StoredSigningKey>, StoreError>> {
        Box::pin(async move {
            let rows = self.read(SIGNING_KEYS, &[]).await?;
            rows.iter().map(signing_key::<D>).collect()
        })
    }

    fn replace_signing_keys<'a>(
        &'a self,
        expected: &'a [String],
        keys: Vec<StoredSigningKey>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let rows = write.fetch(SIGNING_KEY_IDS, &[]).await?;
            let standing = rows
                .iter()
                .map(|row| Columns::<D>::of(row).text("signing_keys.kid"))
                .collect::<Result<BTreeSet<_>, _>>()?;
            if standing != expected.iter().map(String::as_str).collect() {
                return Ok(false);
            }
            write.execute(DROP_SIGNING_KEYS, &[]).await?;
            for key in &keys {
                let args = [
                    key.kid.as_str().into(),
                    key.algorithm.as_str().into(),
                    key.sealed.as_slice().into(),
                    key.published_at.into(),
                    key.active_from.into(),
                    key.retire_after.into(),
                ];
                write.execute(ADD_SIGNING_KEY, &args).await?;
            }
            write.commit().await?;
            Ok(true)
        })
    }

    fn tag_keys(&self) -> BoxFuture<'_, Result<Vec<StoredTagKey>, StoreError>> {
        Box::pin(async move {
            let rows = self.read(TAG_KEYS, &[]).await?;
            rows.iter().map(tag_key::<D>).collect()
        })
    }

    fn insert_tag_key(&self, key: StoredTagKey) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut write = self.write().await?;
            let args = [key.id.into(), key.key.as_slice().into()];
            let added = write.execute(ADD_TAG_KEY, &args).await?;
            write.commit().await?;
            Ok(added > 0)
        })
    }
}

fn signing_key<D: Dialect>(row: &D::Row) -> Result<StoredSigningKey, StoreError> {
    let mut columns = Columns::<D>::of(row);
    Ok(StoredSigningKey::new(
        columns.text("signing_keys.kid")?.to_owned(),
        columns.parse("signing_keys.algorithm", str::parse)?,
        columns.bytes("signing_keys.sealed")?.to_vec().into(),
        columns.number("signing_keys.published_at")?,
        columns.number("signing_keys.active_from")?,
        columns.number_or_null("signing_keys.retire_after")?,
    ))
}

fn tag_key<D: Dialect>(row: &D::Row) -> Result<StoredTagKey, StoreError> {
    let mut columns = Columns::<D>::of(row);
    Ok(StoredTagKey::new(
        columns.number("tag_keys.id")?,
        columns.bytes("tag_keys.key")?.to_vec().into(),
    ))
}
