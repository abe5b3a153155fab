//! Everything in maps, behind one lock.

mod accounts;
mod credentials;
mod keys;
mod people;
mod revocations;
mod sessions;
mod tenants;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use accounts::Accounts;
use credentials::Credentials;
use keys::Keys;
use people::People;
use revocations::Revocations;
use sessions::Sessions;
use tenants::Tenants;

/// A store that lives and ends with the process: for tests, for examples, and for a service of one process whose
/// credentials come from its configuration.
///
/// Clones share their contents. Every method is one step under one lock and its future is ready at once, so no
/// runtime is needed to drive it. Unlike a database it does not ask for an account before a user becomes a member or
/// mints a credential; the member's mail address is then empty. A credential or a member of a tenant that does not
/// exist is an error, as a broken reference is elsewhere.
///
/// ```
/// use gatewright_core::principal::{Tenant, TenantId, TenantKind, UserId};
/// use gatewright_core::store::{Changes, InsertOutcome, MembershipStore, MemoryStore, TenantRef};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (store, changes) = (MemoryStore::new(), Changes::new());
/// let (acme, alice) = (TenantId::new("ten_1")?, UserId::new("usr_1")?);
/// let workspace = TenantKind::from_static("workspace");
///
/// let tenant = Tenant::new(acme, workspace.clone(), "acme", "free");
/// let created = changes.publish(store.create_tenant(tenant, &alice, "owner").await?);
/// assert_eq!(created, InsertOutcome::Inserted);
///
/// let membership = store.membership(&alice, TenantRef::Slug(&workspace, "acme")).await?;
/// assert_eq!(membership.map(|found| found.role).as_deref(), Some("owner"));
/// # Ok(())
/// # }
/// # futures_util::FutureExt::now_or_never(example()).ok_or("not ready at once")??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<RwLock<State>>);

/// The tables. One lock over all of them makes each method a transaction.
#[derive(Default)]
struct State {
    credentials: Credentials,
    tenants: Tenants,
    accounts: Accounts,
    revocations: Revocations,
    sessions: Sessions,
    keys: Keys,
    people: People,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    // Nothing below panics while it holds the lock, and a reader that did would leave the tables whole.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    /// The type's name: rows hold hashes and keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

/// A row refers to a tenant that does not exist.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("there is no such tenant")]
struct NoSuchTenant;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::principal::UserId;
    use crate::store::RevocationStore;

    #[test]
    fn a_poisoned_lock_still_answers() {
        let store = MemoryStore::new();
        let poisoner = store.clone();
        std::thread::spawn(move || {
            let _guard = poisoner.0.write();
            panic!("poisons the lock");
        })
        .join()
        .unwrap_err();
        assert!(store.0.is_poisoned());
        let user = UserId::new("usr_1").unwrap();
        assert!(
            store
                .raise_user_epoch(&user)
                .now_or_never()
                .unwrap()
                .is_ok()
        );
    }

    #[test]
    fn nothing_happens_before_the_future_is_polled() {
        let store = MemoryStore::new();
        drop(store.raise_client_epoch("cli_1"));
        let token = crate::store::TokenRef::client("cli_1", None);
        let standing = store.standing(token).now_or_never().unwrap().unwrap();
        assert_eq!(standing.epoch, 0);
    }
}
