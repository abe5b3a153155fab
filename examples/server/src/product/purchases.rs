//! Purchase codes: what a visitor has paid for a page. The handle's owner mints them; each is good once.

use aws_lc_rs::digest::{SHA256, digest};
use gatewright_core::credential::{IdAlphabet, MintError, random_id};
use gatewright_core::principal::{TenantId, UserId, VisitorId};
use gatewright_core::store::StoreError;
use gatewright_core::time::Timestamp;
use zeroize::Zeroizing;

use super::{Product, stored};

/// 131 random bits.
const CODE_LENGTH: usize = 22;

/// How many of a visitor's pages are listed.
const MAX_BOUGHT: i64 = 500;

/// What a code was good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redeemed {
    /// The page.
    pub(crate) page: String,
    /// Whether the visitor has it only now.
    pub(crate) now: bool,
}

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
                 SELECT ?1, slug, ?2, ?3, ?4 FROM pages \
                 WHERE slug = ?5 AND tenant = ?6 AND paid AND deleted_at IS NULL",
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

    /// Spends a code for a visitor, who has bought its page from then on; `None` where the code is unknown, expired, another
    /// visitor's, or for a page that is gone. Of many who come with a code at once one gets the page. Whoever has the page
    /// already spends nothing.
    pub(crate) async fn redeem(
        &self,
        code: &PurchaseCode,
        visitor: &VisitorId,
        now: Timestamp,
    ) -> Result<Option<Redeemed>, StoreError> {
        self.write(async |mut transaction| {
            let row: Option<(String, bool, bool)> = sqlx::query_as(
                "SELECT code.page, code.used_at IS NULL AND code.expires_at > ?3, EXISTS \
                 (SELECT 1 FROM purchase_codes AS own \
                  WHERE own.used_by = ?2 AND own.page = code.page AND own.digest <> code.digest) \
                 OR coalesce(code.used_by = ?2, FALSE) \
                 FROM purchase_codes AS code JOIN pages ON pages.slug = code.page \
                 WHERE code.digest = ?1 AND pages.deleted_at IS NULL",
            )
            .bind(code.digest())
            .bind(visitor.to_string())
            .bind(stored(now))
            .fetch_optional(&mut *transaction)
            .await?;
            let redeemed = match row {
                Some((page, true, false)) => {
                    sqlx::query(
                        "UPDATE purchase_codes SET used_at = ?3, used_by = ?2 WHERE digest = ?1",
                    )
                    .bind(code.digest())
                    .bind(visitor.to_string())
                    .bind(stored(now))
                    .execute(&mut *transaction)
                    .await?;
                    Some(Redeemed { page, now: true })
                }
                // Their own once more, as after an answer that got lost, or one that they need not spend.
                Some((page, false, true) | (page, true, true)) => {
                    Some(Redeemed { page, now: false })
                }
                _ => None,
            };
            transaction.commit().await?;
            Ok(redeemed)
        })
        .await
    }

    /// Whether the visitor has bought the page.
    pub(crate) async fn has_bought(
        &self,
        visitor: &VisitorId,
        page: &str,
    ) -> Result<bool, StoreError> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM purchase_codes WHERE used_by = ?1 AND page = ?2)",
        )
        .bind(visitor.to_string())
        .bind(page)
        .fetch_one(&self.pool)
        .await
        .map_err(StoreError::unavailable)
    }

    /// The pages that the visitor has bought and that are still there, by name, at most [`MAX_BOUGHT`].
    pub(crate) async fn bought(&self, visitor: &VisitorId) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT DISTINCT page FROM purchase_codes JOIN pages ON pages.slug = page \
             WHERE used_by = ?1 AND pages.deleted_at IS NULL ORDER BY page LIMIT ?2",
        )
        .bind(visitor.to_string())
        .bind(MAX_BOUGHT)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::unavailable)
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

    fn visitor() -> VisitorId {
        VisitorId::generate(1).unwrap()
    }

    async fn redeem(
        shop: &Shop,
        code: &PurchaseCode,
        who: &VisitorId,
        at: u64,
    ) -> Option<Redeemed> {
        shop.product.redeem(code, who, at).await.unwrap()
    }

    fn guide(now: bool) -> Option<Redeemed> {
        let page = "guide".to_owned();
        Some(Redeemed { page, now })
    }

    #[tokio::test]
    async fn a_code_is_good_once_and_in_time_and_what_was_bought_is_kept() {
        let shop = Shop::open().await;
        let code = minted(&shop).await;
        let (ann, bob) = (visitor(), visitor());
        let unknown = PurchaseCode::generate().unwrap();
        assert_eq!(redeem(&shop, &unknown, &ann, 20).await, None);
        assert_eq!(redeem(&shop, &code, &ann, 100).await, None, "expired");
        assert_eq!(redeem(&shop, &code, &ann, 99).await, guide(true));
        assert_eq!(
            redeem(&shop, &code, &ann, 200).await,
            guide(false),
            "theirs"
        );
        assert_eq!(redeem(&shop, &code, &bob, 99).await, None, "spent");
        assert!(shop.product.has_bought(&ann, "guide").await.unwrap());
        assert!(!shop.product.has_bought(&ann, "other").await.unwrap());
        assert!(!shop.product.has_bought(&bob, "guide").await.unwrap());
        assert_eq!(shop.product.bought(&ann).await.unwrap(), ["guide"]);
        assert!(shop.product.bought(&bob).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_has_the_page_spends_no_second_code() {
        let shop = Shop::open().await;
        let (first, second) = (minted(&shop).await, minted(&shop).await);
        let (ann, bob) = (visitor(), visitor());
        assert_eq!(redeem(&shop, &first, &ann, 20).await, guide(true));
        assert_eq!(redeem(&shop, &second, &ann, 20).await, guide(false));
        assert_eq!(redeem(&shop, &second, &bob, 20).await, guide(true));
        // Spent by another now, which says nothing to who tries it.
        let third = minted(&shop).await;
        assert_eq!(redeem(&shop, &third, &visitor(), 100).await, None);
        assert_eq!(shop.product.bought(&ann).await.unwrap(), ["guide"]);
    }

    #[tokio::test]
    async fn a_code_for_a_page_that_is_gone_is_none() {
        let shop = Shop::open().await;
        let (spent, code) = (minted(&shop).await, minted(&shop).await);
        let ann = visitor();
        assert_eq!(redeem(&shop, &spent, &ann, 20).await, guide(true));
        let deleted = shop.product.delete_page(&shop.handle, "guide", 30).await;
        assert!(deleted.unwrap());
        assert_eq!(redeem(&shop, &spent, &ann, 40).await, None);
        assert_eq!(redeem(&shop, &code, &visitor(), 40).await, None);
        assert!(shop.product.bought(&ann).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn of_many_who_spend_a_code_at_once_one_does() {
        let shop = Shop::open().await;
        let code = std::sync::Arc::new(minted(&shop).await);
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (product, code) = (shop.product.clone(), code.clone());
            all.spawn(async move { product.redeem(&code, &visitor(), 20).await.unwrap() });
        }
        let spent = all.join_all().await.into_iter().flatten();
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
            assert_eq!(redeem(&shop, &code, &visitor(), 20).await, None);
        }
    }

    #[tokio::test]
    async fn the_code_itself_is_kept_nowhere_and_forgotten_once_it_expired() {
        let shop = Shop::open().await;
        let code = minted(&shop).await;
        let spent = minted(&shop).await;
        assert_eq!(redeem(&shop, &spent, &visitor(), 20).await, guide(true));
        let kept: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT digest FROM purchase_codes")
            .fetch_all(&shop.product.pool)
            .await
            .unwrap();
        assert!(kept.iter().all(|(kept,)| kept != code.expose().as_bytes()));
        assert_eq!(shop.product.forget_purchase_codes(99).await.unwrap(), 0);
        assert_eq!(shop.product.forget_purchase_codes(100).await.unwrap(), 1);
        assert_eq!(shop.product.forget_purchase_codes(100).await.unwrap(), 0);
        assert_eq!(redeem(&shop, &code, &visitor(), 20).await, None);
    }
}
