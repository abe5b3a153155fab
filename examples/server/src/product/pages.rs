//! Pages of handles, some of which are paid for.

use gatewright_core::principal::TenantId;
use gatewright_core::store::{Cursor, Page, PageRequest, StoreError};
use gatewright_core::time::Timestamp;

use super::{Product, read, stored};

/// A page of a handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandlePage {
    /// Its name, which no other handle's page has or will have.
    pub(crate) slug: String,
    /// The handle.
    pub(crate) tenant: TenantId,
    /// What it is called.
    pub(crate) title: String,
    /// What it says.
    pub(crate) body: String,
    /// Whether its body is shown only to visitors who bought it.
    pub(crate) paid: bool,
    /// When it was first put.
    pub(crate) created_at: Timestamp,
    /// When it was last put.
    pub(crate) updated_at: Timestamp,
}

/// What a handle says on a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageContent<'a> {
    pub(crate) title: &'a str,
    pub(crate) body: &'a str,
    pub(crate) paid: bool,
}

/// What became of a page that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PutPage {
    /// It is new.
    Created(HandlePage),
    /// It was there, and says this now.
    Changed(HandlePage),
    /// The name is another handle's, or was that of a page that is gone.
    Taken,
}

/// The columns of a page.
type Row = (String, String, String, String, bool, i64, i64);

impl TryFrom<Row> for HandlePage {
    type Error = StoreError;

    fn try_from(
        (slug, tenant, title, body, paid, created_at, updated_at): Row,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            slug,
            tenant: TenantId::new(tenant).map_err(|_| StoreError::Corrupt("pages.tenant"))?,
            title,
            body,
            paid,
            created_at: read(created_at),
            updated_at: read(updated_at),
        })
    }
}

impl Product {
    /// The page of this name, whosever it is: visitors name no handle.
    pub(crate) async fn page(&self, slug: &str) -> Result<Option<HandlePage>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT slug, tenant, title, body, paid, created_at, updated_at FROM pages \
             WHERE slug = ?1 AND deleted_at IS NULL",
        )
        .bind(slug)
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        row.map(HandlePage::try_from).transpose()
    }

    /// The handle's pages, by slug.
    pub(crate) async fn pages(
        &self,
        tenant: &TenantId,
        page: &PageRequest,
    ) -> Result<Page<HandlePage>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT slug, tenant, title, body, paid, created_at, updated_at FROM pages \
             WHERE tenant = ?1 AND slug > ?2 AND deleted_at IS NULL ORDER BY slug LIMIT ?3",
        )
        .bind(tenant.as_str())
        .bind(page.after().map_or("", Cursor::as_str))
        .bind(i64::from(page.limit()) + 1)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        let pages: Result<Vec<_>, _> = rows.into_iter().map(HandlePage::try_from).collect();
        Ok(Page::cut(pages?, page, |page: &HandlePage| {
            page.slug.clone()
        }))
    }

    /// Creates the handle's page or changes it.
    pub(crate) async fn put_page(
        &self,
        tenant: &TenantId,
        slug: &str,
        content: PageContent<'_>,
        now: Timestamp,
    ) -> Result<PutPage, StoreError> {
        let (put, new) = self
            .write(async |mut transaction| {
                let was: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM pages WHERE slug = ?1")
                    .bind(slug)
                    .fetch_optional(&mut *transaction)
                    .await?;
                let put: Option<Row> = sqlx::query_as(
                    "INSERT INTO pages (slug, tenant, title, body, paid, created_at, updated_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (slug) DO UPDATE SET \
                     title = excluded.title, body = excluded.body, paid = excluded.paid, \
                     updated_at = excluded.updated_at \
                     WHERE tenant = excluded.tenant AND deleted_at IS NULL \
                     RETURNING slug, tenant, title, body, paid, created_at, updated_at",
                )
                .bind(slug)
                .bind(tenant.as_str())
                .bind(content.title)
                .bind(content.body)
                .bind(content.paid)
                .bind(stored(now))
                .fetch_optional(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok((put, was.is_none()))
            })
            .await?;
        Ok(match put.map(HandlePage::try_from).transpose()? {
            None => PutPage::Taken,
            Some(page) if new => PutPage::Created(page),
            Some(page) => PutPage::Changed(page),
        })
    }

    /// Deletes what the handle's page says, and the codes for it that nobody has spent. Its name stays taken for good.
    /// Answers whether there was such a page.
    pub(crate) async fn delete_page(
        &self,
        tenant: &TenantId,
        slug: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(async |mut transaction| {
            let deleted = sqlx::query(
                "UPDATE pages SET title = '', body = '', deleted_at = ?3 \
                 WHERE slug = ?1 AND tenant = ?2 AND deleted_at IS NULL",
            )
            .bind(slug)
            .bind(tenant.as_str())
            .bind(stored(now))
            .execute(&mut *transaction)
            .await?;
            let was = deleted.rows_affected() > 0;
            if was {
                sqlx::query("DELETE FROM purchase_codes WHERE page = ?1 AND used_at IS NULL")
                    .bind(slug)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
            Ok(was)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Shop, content};
    use super::*;

    #[tokio::test]
    async fn the_name_of_a_deleted_page_is_never_used_again() {
        let shop = Shop::open().await;
        let (product, mine, others) = (&shop.product, &shop.handle, &shop.other_handle);
        let put = product.put_page(mine, "guide", content(true), 10);
        put.await.unwrap();
        assert!(!product.delete_page(others, "guide", 20).await.unwrap());
        assert!(product.delete_page(mine, "guide", 20).await.unwrap());
        assert!(!product.delete_page(mine, "guide", 20).await.unwrap());
        assert_eq!(product.page("guide").await.unwrap(), None);
        let request = PageRequest::new(None, 5).unwrap();
        assert!(
            product
                .pages(mine, &request)
                .await
                .unwrap()
                .items
                .is_empty()
        );
        for tenant in [mine, others] {
            let put = product.put_page(tenant, "guide", content(false), 30).await;
            assert_eq!(put.unwrap(), PutPage::Taken);
        }
        let said: (String, String) = sqlx::query_as("SELECT title, body FROM pages")
            .fetch_one(&product.pool)
            .await
            .unwrap();
        assert_eq!(said, (String::new(), String::new()));
    }

    #[tokio::test]
    async fn a_page_is_created_then_changed_and_its_name_is_its_handles_alone() {
        let shop = Shop::open().await;
        let (product, mine, others) = (&shop.product, &shop.handle, &shop.other_handle);
        assert_eq!(product.page("guide").await.unwrap(), None);
        let first = product
            .put_page(mine, "guide", content(true), 10)
            .await
            .unwrap();
        let PutPage::Created(page) = first else {
            panic!("{first:?}")
        };
        assert_eq!(
            (page.created_at, page.updated_at, page.paid),
            (10, 10, true)
        );
        assert_eq!(product.page("guide").await.unwrap(), Some(page));
        let again = product
            .put_page(mine, "guide", content(false), 20)
            .await
            .unwrap();
        let PutPage::Changed(page) = again else {
            panic!("{again:?}")
        };
        assert_eq!(
            (page.created_at, page.updated_at, page.paid),
            (10, 20, false)
        );
        let taken = product
            .put_page(others, "guide", content(true), 30)
            .await
            .unwrap();
        assert_eq!(taken, PutPage::Taken);
        assert_eq!(product.page("guide").await.unwrap(), Some(page));
    }

    #[tokio::test]
    async fn a_handle_lists_its_own_pages_by_cursor() {
        let shop = Shop::open().await;
        let product = &shop.product;
        for slug in ["c", "a", "b"] {
            let put = product.put_page(&shop.handle, slug, content(false), 1);
            put.await.unwrap();
        }
        let put = product.put_page(&shop.other_handle, "aa", content(false), 1);
        put.await.unwrap();
        let mut request = PageRequest::new(None, 2).unwrap();
        let mut seen = Vec::new();
        loop {
            let page = product.pages(&shop.handle, &request).await.unwrap();
            seen.extend(page.items.into_iter().map(|page| page.slug));
            let Some(next) = page.next else { break };
            request = PageRequest::new(Some(next), 2).unwrap();
        }
        assert_eq!(seen, ["a", "b", "c"]);
    }
}
