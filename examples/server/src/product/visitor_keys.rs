//! The keys that the cookies of visitors are sealed with.
//!
//! To replace a key without forgetting a visitor: [add](Product::add_visitor_key) one, start all servers anew, so that each
//! of them knows it, then [use](Product::use_visitor_key) it and start them anew once more.

use gatewright_core::session::{VisitorKey, VisitorKeyError, VisitorKeys};
use gatewright_core::store::StoreError;
use gatewright_core::time::Timestamp;
use sqlx::SqlitePool;
use zeroize::Zeroizing;

use super::{Product, stored};

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VisitorKeysError {
    /// The database is out of reach.
    #[error("the database cannot be reached")]
    Database(#[from] sqlx::Error),
    /// A key is damaged, or could not be made.
    #[error(transparent)]
    Key(#[from] VisitorKeyError),
    /// More keys were made than there are numbers for them.
    #[error("there are no numbers left for visitor keys")]
    Numbers,
}

impl Product {
    /// Reads the keys, and makes the first one if there is none. Of several processes that start at once, one makes it for
    /// all.
    ///
    /// # Errors
    /// [`VisitorKeysError`], by variant.
    pub(crate) async fn visitor_keys(&self) -> Result<VisitorKeys, VisitorKeysError> {
        insert(
            &self.pool,
            "NOT EXISTS (SELECT 1 FROM visitor_keys)",
            Some(0),
        )
        .await?;
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT id, key FROM visitor_keys ORDER BY used_from IS NULL, used_from DESC, id DESC",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut keys = rows.into_iter().map(|(id, key)| {
            let key = Zeroizing::new(key);
            let id = u32::try_from(id).map_err(|_| VisitorKeysError::Numbers)?;
            Ok::<_, VisitorKeysError>(VisitorKey::from_bytes(id, &key)?)
        });
        let current = keys.next().ok_or(sqlx::Error::RowNotFound)??;
        let older = keys.collect::<Result<Vec<_>, _>>()?;
        Ok(VisitorKeys::new(current, older)?)
    }

    /// Adds a key, which servers know that start from now on. Answers its number.
    ///
    /// # Errors
    /// [`VisitorKeysError`], by variant.
    pub(crate) async fn add_visitor_key(&self) -> Result<i64, VisitorKeysError> {
        insert(&self.pool, "TRUE", None).await
    }

    /// Puts the youngest key into use at servers that start from now on. Answers its number.
    ///
    /// # Errors
    /// [`StoreError`] where the database does not answer.
    pub(crate) async fn use_visitor_key(&self, now: Timestamp) -> Result<Option<i64>, StoreError> {
        self.write(async |mut transaction| {
            let used: Option<i64> = sqlx::query_scalar(
                "UPDATE visitor_keys SET used_from = ?1 \
                 WHERE id = (SELECT max(id) FROM visitor_keys) RETURNING id",
            )
            .bind(stored(now))
            .fetch_optional(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(used)
        })
        .await
    }
}

/// Answers the number of the key, or 0 where the condition does not hold.
async fn insert(
    pool: &SqlitePool,
    condition: &'static str,
    used_from: Option<i64>,
) -> Result<i64, VisitorKeysError> {
    let fresh = VisitorKey::generate(0)?;
    let statement =
        format!("INSERT INTO visitor_keys (key, used_from) SELECT ?1, ?2 WHERE {condition}");
    let done = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(fresh.expose())
        .bind(used_from)
        .execute(pool)
        .await?;
    Ok(if done.rows_affected() == 0 {
        0
    } else {
        done.last_insert_rowid()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Shop;

    /// The number of the key in use, and of those beside it.
    async fn numbers(shop: &Shop) -> (String, usize) {
        let keys = format!("{:?}", shop.product.visitor_keys().await.unwrap());
        let number = |name: &str| {
            let (_, rest) = keys.split_once(name).unwrap();
            rest.chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
        };
        (number("current: "), number("older: ").parse().unwrap())
    }

    #[tokio::test]
    async fn the_first_key_is_made_once() {
        let shop = Shop::open().await;
        assert_eq!(numbers(&shop).await, ("1".to_owned(), 0));
        assert_eq!(numbers(&shop).await, ("1".to_owned(), 0));
    }

    #[tokio::test]
    async fn a_new_key_is_known_before_it_is_used_and_the_old_one_stays_known() {
        let shop = Shop::open().await;
        numbers(&shop).await;
        assert_eq!(shop.product.add_visitor_key().await.unwrap(), 2);
        assert_eq!(numbers(&shop).await, ("1".to_owned(), 1));
        assert_eq!(shop.product.use_visitor_key(10).await.unwrap(), Some(2));
        assert_eq!(numbers(&shop).await, ("2".to_owned(), 1));
    }
}
