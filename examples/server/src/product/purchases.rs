//! Purchase codes: what a visitor has paid for a page. The handle's owner mints them; each is good once.

use aws_lc_rs::digest::{SHA256, digest};
use gatewright_core::credential::{IdAlphabet, MintError, random_id};
use gatewright_core::principal::{TenantId, UserId};
use gatewright_core::store::StoreError;
use gatewright_core::time::Timestamp;
use zeroize::Zeroizing;

use super::{Product, stored};

/// 131 random bits.
const CODE_LENGTH: usize = 22;

/// A code. Secret until it is spent.
pub(crate) struct PurchaseCode(Zeroizing<String>);

impl PurchaseCode {
    /// A new one.
    ///
    /// # Errors
    /// [`MintError`] where the system gives no random bytes.
    pub(crate) fn generate() -> Result<Self, MintError> {
        random_id(IdAlphabet::Alphanumeric, CODE_LENGTH).map(|code| Self(Zeroizing::new(code)))
    }

    /// The code that somebody presents, or `None` where no code looks like it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let fits = text.len() == CODE_LENGTH && text.bytes().all(|c| c.is_ascii_alphanumeric());
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The code, for whoever minted it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// What it is kept as and found by. A plain hash is enough: nobody guesses 131 random bits.
    fn digest(&self) -> Vec<u8> {
        digest(&SHA256, self.0.as_bytes()).as_ref().to_vec()
    }
}

impl std::fmt::Debug for PurchaseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PurchaseCode(redacted)")
    }
}

impl Product {
    /// Keeps a new code for a paid page of the handle, good until `expires_at`. Answers `false`, and keeps nothing, where
    /// the handle has no such page.
    pub(crate) async fn insert_purchase_code(
        &self,
        tenant: &TenantId,
        page: &str,
        code: &PurchaseCode,
        minted_by: &UserId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(async |mut transaction| {
            let inserted = sqlx::query(
                "INSERT INTO purchase_codes (digest, page, minted_by, created_at, expires_at) \
                 SELECT ?1, slug, ?2, ?3, ?4 FROM pages WHERE slug = ?5 AND tenant = ?6 AND paid",
            )
            .bind(code.digest())
            .bind(minted_by.as_str())
            .bind(stored(now))
            .bind(stored(expires_at))
            .bind(page)
            .bind(tenant.as_str())
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(inserted.rows_affected() > 0)
        })
        .await
    }

    /// Spends a code. Answers `true` to exactly one call, and only for the page that the code is for, before it expires.
    /// One that is tried at another page stays good.
    pub(crate) async fn spend_purchase_code(
        &self,
        page: &str,
        code: &PurchaseCode,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(async |mut transaction| {
            let spent = sqlx::query(
                "UPDATE purchase_codes SET used_at = ?3 \
                 WHERE digest = ?1 AND page = ?2 AND used_at IS NULL AND expires_at > ?3",
            )
            .bind(code.digest())
            .bind(page)
            .bind(stored(now))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(spent.rows_affected() > 0)
        })
        .await
    }

    /// Deletes codes that expired before anybody spent them. Answers how many. Those that were spent stay on the books.
    pub(crate) async fn forget_purchase_codes(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write(async |mut transaction| {
            let forgotten = sqlx::query(
                "DELETE FROM purchase_codes WHERE used_at IS NULL AND expires_at <= ?1",
            )
            .bind(stored(now))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(forgotten.rows_affected())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Shop, content};
    use super::*;

    /// A code for the paid page `guide`, good until 100.
    async fn minted(shop: &Shop) -> PurchaseCode {
        let code = PurchaseCode::generate().unwrap();
        let put = shop
            .product
            .put_page(&shop.handle, "guide", content(true), 1);
        put.await.unwrap();
        assert!(mint(shop, &shop.handle, "guide", &code).await);
        code
    }

    async fn mint(shop: &Shop, tenant: &TenantId, page: &str, code: &PurchaseCode) -> bool {
        let (product, owner) = (&shop.product, &shop.owner);
        product
            .insert_purchase_code(tenant, page, code, owner, 10, 100)
            .await
            .unwrap()
    }

    #[test]
    fn a_code_reads_back_and_shows_in_no_log() {
        let code = PurchaseCode::generate().unwrap();
        let read = PurchaseCode::read(code.expose()).unwrap();
        assert_eq!(read.digest(), code.digest());
        assert!(!format!("{code:?}").contains(code.expose()));
        assert_ne!(PurchaseCode::generate().unwrap().expose(), code.expose());
        for other in [
            "",
            "abc",
            &format!("{}x", code.expose()),
            &"ä".repeat(11),
            &" ".repeat(22),
        ] {
            assert!(PurchaseCode::read(other).is_none(), "{other:?}");
        }
    }

    #[tokio::test]
    async fn a_code_is_for_its_page_once_and_in_time() {
        let shop = Shop::open().await;
        let product = &shop.product;
        let code = minted(&shop).await;
        product
            .put_page(&shop.handle, "other", content(true), 1)
            .await
            .unwrap();
        assert!(
            !product
                .spend_purchase_code("other", &code, 20)
                .await
                .unwrap()
        );
        let stranger = PurchaseCode::generate().unwrap();
        assert!(
            !product
                .spend_purchase_code("guide", &stranger, 20)
                .await
                .unwrap()
        );
        assert!(
            !product
                .spend_purchase_code("guide", &code, 100)
                .await
                .unwrap(),
            "expired"
        );
        assert!(
            product
                .spend_purchase_code("guide", &code, 99)
                .await
                .unwrap()
        );
        assert!(
            !product
                .spend_purchase_code("guide", &code, 99)
                .await
                .unwrap(),
            "spent"
        );
    }

    #[tokio::test]
    async fn of_many_who_spend_a_code_at_once_one_does() {
        let shop = Shop::open().await;
        let code = std::sync::Arc::new(minted(&shop).await);
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (product, code) = (shop.product.clone(), code.clone());
            all.spawn(async move {
                product
                    .spend_purchase_code("guide", &code, 20)
                    .await
                    .unwrap()
            });
        }
        let spent = all.join_all().await.into_iter().filter(|spent| *spent);
        assert_eq!(spent.count(), 1);
    }

    #[tokio::test]
    async fn codes_are_minted_for_paid_pages_of_the_handle_alone() {
        let shop = Shop::open().await;
        minted(&shop).await;
        let free = shop
            .product
            .put_page(&shop.handle, "free", content(false), 1);
        free.await.unwrap();
        for (tenant, page) in [
            (&shop.handle, "free"),
            (&shop.handle, "nothing"),
            (&shop.other_handle, "guide"),
        ] {
            let code = PurchaseCode::generate().unwrap();
            assert!(!mint(&shop, tenant, page, &code).await, "{page}");
            assert!(
                !shop
                    .product
                    .spend_purchase_code(page, &code, 20)
                    .await
                    .unwrap()
            );
        }
    }

    #[tokio::test]
    async fn the_code_itself_is_kept_nowhere_and_forgotten_once_it_expired() {
        let shop = Shop::open().await;
        let code = minted(&shop).await;
        let spent = minted(&shop).await;
        assert!(
            shop.product
                .spend_purchase_code("guide", &spent, 20)
                .await
                .unwrap()
        );
        let kept: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT digest FROM purchase_codes")
            .fetch_all(&shop.product.pool)
            .await
            .unwrap();
        assert!(kept.iter().all(|(kept,)| kept != code.expose().as_bytes()));
        assert_eq!(shop.product.forget_purchase_codes(99).await.unwrap(), 0);
        assert_eq!(shop.product.forget_purchase_codes(100).await.unwrap(), 1);
        assert_eq!(shop.product.forget_purchase_codes(100).await.unwrap(), 0);
        assert!(
            !shop
                .product
                .spend_purchase_code("guide", &code, 20)
                .await
                .unwrap()
        );
    }
}
