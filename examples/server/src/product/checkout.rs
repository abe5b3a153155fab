//! Checkout sessions: how a handle changes its plan. There is no payment provider; completing the session pays.

use gatewright_core::principal::{TenantId, UserId};
use gatewright_core::store::StoreError;
use gatewright_core::time::Timestamp;

use super::{Product, stored};

/// How long a session may be completed, in seconds.
pub(crate) const CHECKOUT_SECS: u64 = 3_600;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// The session's id.
    pub(crate) id: String,
    /// The handle that pays.
    pub(crate) tenant: TenantId,
    /// The plan that it gets.
    pub(crate) plan: String,
}

impl Product {
    /// Opens a session. Sessions that nobody can complete any more are dropped on the way.
    pub(crate) async fn open_checkout(
        &self,
        checkout: &Checkout,
        owner: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(async |mut transaction| {
            sqlx::query(
                "DELETE FROM checkout_sessions \
                 WHERE owner = ?1 AND status = 'open' AND expires_at <= ?2",
            )
            .bind(owner.as_str())
            .bind(stored(now))
            .execute(&mut *transaction)
            .await?;
            sqlx::query(
                "INSERT INTO checkout_sessions (id, tenant, owner, plan, status, created_at, expires_at) \
                 VALUES (?1, ?2, ?3, ?4, 'open', ?5, ?6)",
            )
            .bind(&checkout.id)
            .bind(checkout.tenant.as_str())
            .bind(owner.as_str())
            .bind(&checkout.plan)
            .bind(stored(now))
            .bind(stored(now.saturating_add(CHECKOUT_SECS)))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await
        })
        .await
    }

    /// The user's session of this id, unless it expired without being completed.
    pub(crate) async fn checkout(
        &self,
        id: &str,
        owner: &UserId,
        now: Timestamp,
    ) -> Result<Option<Checkout>, StoreError> {
        let row: Option<(String, String)> = sqlx::query_as(
            "SELECT tenant, plan FROM checkout_sessions \
             WHERE id = ?1 AND owner = ?2 AND (status = 'completed' OR expires_at > ?3)",
        )
        .bind(id)
        .bind(owner.as_str())
        .bind(stored(now))
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::unavailable)?;
        row.map(|(tenant, plan)| {
            Ok(Checkout {
                id: id.to_owned(),
                tenant: TenantId::new(tenant)
                    .map_err(|_| StoreError::Corrupt("checkout_sessions.tenant"))?,
                plan,
            })
        })
        .transpose()
    }

    /// Marks an open session as completed, or, with `completed` false, one whose plan could not be set as open again.
    /// Answers whether this call did it.
    pub(crate) async fn mark_checkout(
        &self,
        id: &str,
        owner: &UserId,
        completed: bool,
    ) -> Result<bool, StoreError> {
        let (from, to) = if completed {
            ("open", "completed")
        } else {
            ("completed", "open")
        };
        self.write(async |mut transaction| {
            let marked = sqlx::query(
                "UPDATE checkout_sessions SET status = ?4 \
                 WHERE id = ?1 AND owner = ?2 AND status = ?3",
            )
            .bind(id)
            .bind(owner.as_str())
            .bind(from)
            .bind(to)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(marked.rows_affected() > 0)
        })
        .await
    }
}
