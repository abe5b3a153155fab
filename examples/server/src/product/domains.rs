//! Domains that people bring.

use gatewright_core::principal::UserId;
use gatewright_core::store::{Cursor, Page, PageRequest, StoreError};
use gatewright_core::time::Timestamp;

use super::{Product, read, stored};

/// A domain that belongs to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    /// The name, in lower case.
    pub(crate) domain: String,
    /// When it was added.
    pub(crate) created_at: Timestamp,
}

impl Product {
    /// The user's domains, by name.
    pub(crate) async fn domains(
        &self,
        owner: &UserId,
        page: &PageRequest,
    ) -> Result<Page<Domain>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT domain, created_at FROM domains \
             WHERE owner = ?1 AND domain > ?2 ORDER BY domain LIMIT ?3",
        )
        .bind(owner.as_str())
        .bind(page.after().map_or("", Cursor::as_str))
        .bind(i64::from(page.limit()) + 1)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        let domains = rows
            .into_iter()
            .map(|(domain, created_at)| Domain {
                domain,
                created_at: read(created_at),
            })
            .collect();
        Ok(Page::cut(domains, page, |row: &Domain| row.domain.clone()))
    }

    /// Adds a domain. Answers `false`, and changes nothing, where somebody has it.
    pub(crate) async fn insert_domain(
        &self,
        owner: &UserId,
        domain: &Domain,
    ) -> Result<bool, StoreError> {
        self.write(async |mut transaction| {
            let inserted = sqlx::query(
                "INSERT INTO domains (domain, owner, created_at) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (domain) DO NOTHING",
            )
            .bind(&domain.domain)
            .bind(owner.as_str())
            .bind(stored(domain.created_at))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(inserted.rows_affected() > 0)
        })
        .await
    }
}
