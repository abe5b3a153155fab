//! A store that can be put out of reach.

mod people;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use gatewright_core::credential::SecretKind;
use gatewright_core::hash::SecretHash;
use gatewright_core::principal::{SessionId, Tenant, TenantId, TenantKind, UserId};
use gatewright_core::store::{
    BoxFuture, CredentialFilter, CredentialRecord, CredentialStore, InsertOutcome, KeyStore,
    Member, Membership, MembershipStore, NewCredential, Page, PageRequest, RemoveOutcome,
    RevocationStore, RevokeOutcome, RoleOutcome, RotateOutcome, Rotation, StoreError, StoredSecret,
    StoredSigningKey, StoredTagKey, TenantRef, TokenRef, TokenStanding, Unpublished, Use,
};
use gatewright_core::time::Timestamp;

/// Any store, which answers [`StoreError::Unavailable`] while it is [out of reach](Self::put_out_of_reach).
///
/// A gate over it must answer 503 then, never 401 and never a pass:
///
/// ```
/// use std::sync::Arc;
///
/// use gatewright_core::credential::SecretKind;
/// use gatewright_core::store::{CredentialStore, MemoryStore, StoreError};
/// use gatewright_testing::Outage;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let store = Outage::new(Arc::new(MemoryStore::new()));
/// assert!(store.find(SecretKind::Pat, "t1").await.unwrap().is_none());
/// store.put_out_of_reach(true);
/// assert!(matches!(store.find(SecretKind::Pat, "t1").await, Err(StoreError::Unavailable(_))));
/// # }
/// ```
#[derive(Debug)]
pub struct Outage<S> {
    store: Arc<S>,
    out: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
#[error("the test has put the store out of reach")]
struct OutOfReach;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl<S> Outage<S> {
    /// Passes every call on to `store`, for now.
    #[must_use]
    pub const fn new(store: Arc<S>) -> Self {
        Self {
            store,
            out: AtomicBool::new(false),
        }
    }

    /// Refuses every call from now on, or passes calls on again. Calls under way come to their end.
    pub fn put_out_of_reach(&self, out: bool) {
        self.out.store(out, SeqCst);
    }

    /// What the store answers, unless it is out of reach.
    fn reach<'a, T: Send + 'a>(
        &'a self,
        ask: impl FnOnce(&'a S) -> Answer<'a, T>,
    ) -> Answer<'a, T> {
        if self.out.load(SeqCst) {
            return Box::pin(std::future::ready(Err(StoreError::unavailable(OutOfReach))));
        }
        ask(&self.store)
    }
}

impl<S: CredentialStore> CredentialStore for Outage<S> {
    fn find<'a>(&'a self, kind: SecretKind, id: &'a str) -> Answer<'a, Option<CredentialRecord>> {
        self.reach(|store| store.find(kind, id))
    }

    fn insert(&self, new: NewCredential) -> Answer<'_, Unpublished<InsertOutcome>> {
        self.reach(|store| store.insert(new))
    }

    fn list<'a>(
        &'a self,
        tenant: &'a TenantId,
        filter: &'a CredentialFilter,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<CredentialRecord>> {
        self.reach(|store| store.list(tenant, filter, page))
    }

    fn revoke<'a>(
        &'a self,
        tenant: &'a TenantId,
        kind: SecretKind,
        id: &'a str,
        at: Timestamp,
    ) -> Answer<'a, Unpublished<RevokeOutcome>> {
        self.reach(|store| store.revoke(tenant, kind, id, at))
    }

    fn rotate<'a>(
        &'a self,
        tenant: &'a TenantId,
        kind: SecretKind,
        id: &'a str,
        rotation: Rotation,
    ) -> Answer<'a, Unpublished<RotateOutcome>> {
        self.reach(|store| store.rotate(tenant, kind, id, rotation))
    }

    fn swap_hash<'a>(
        &'a self,
        kind: SecretKind,
        id: &'a str,
        old: &'a SecretHash,
        new: StoredSecret,
    ) -> Answer<'a, Unpublished<bool>> {
        self.reach(|store| store.swap_hash(kind, id, old, new))
    }

    fn touch<'a>(&'a self, uses: &'a [Use]) -> Answer<'a, ()> {
        self.reach(|store| store.touch(uses))
    }
}

impl<S: MembershipStore> MembershipStore for Outage<S> {
    fn membership<'a>(
        &'a self,
        user: &'a UserId,
        tenant: TenantRef<'a>,
    ) -> Answer<'a, Option<Membership>> {
        self.reach(|store| store.membership(user, tenant))
    }

    fn memberships<'a>(
        &'a self,
        user: &'a UserId,
        kind: &'a TenantKind,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<Membership>> {
        self.reach(|store| store.memberships(user, kind, page))
    }

    fn members<'a>(
        &'a self,
        tenant: &'a TenantId,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<Member>> {
        self.reach(|store| store.members(tenant, page))
    }

    fn create_tenant<'a>(
        &'a self,
        tenant: Tenant,
        first: &'a UserId,
        role: &'a str,
    ) -> Answer<'a, Unpublished<InsertOutcome>> {
        self.reach(|store| store.create_tenant(tenant, first, role))
    }

    fn put_member<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        role: &'a str,
    ) -> Answer<'a, Unpublished<bool>> {
        self.reach(|store| store.put_member(tenant, user, role))
    }

    fn change_role<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        role: &'a str,
        keep: &'a str,
    ) -> Answer<'a, Unpublished<RoleOutcome>> {
        self.reach(|store| store.change_role(tenant, user, role, keep))
    }

    fn remove_member<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        keep: &'a str,
    ) -> Answer<'a, Unpublished<RemoveOutcome>> {
        self.reach(|store| store.remove_member(tenant, user, keep))
    }

    fn set_plan<'a>(
        &'a self,
        tenant: &'a TenantId,
        plan: &'a str,
    ) -> Answer<'a, Unpublished<bool>> {
        self.reach(|store| store.set_plan(tenant, plan))
    }
}

impl<S: RevocationStore> RevocationStore for Outage<S> {
    fn standing<'a>(&'a self, token: TokenRef<'a>) -> Answer<'a, TokenStanding> {
        self.reach(|store| store.standing(token))
    }

    fn raise_user_epoch<'a>(&'a self, user: &'a UserId) -> Answer<'a, Unpublished<u64>> {
        self.reach(|store| store.raise_user_epoch(user))
    }

    fn raise_client_epoch<'a>(&'a self, client: &'a str) -> Answer<'a, Unpublished<u64>> {
        self.reach(|store| store.raise_client_epoch(client))
    }

    fn end_session<'a>(
        &'a self,
        session: &'a SessionId,
        keep_until: Timestamp,
    ) -> Answer<'a, Unpublished<()>> {
        self.reach(|store| store.end_session(session, keep_until))
    }

    fn deny_token<'a>(
        &'a self,
        jti: &'a str,
        keep_until: Timestamp,
    ) -> Answer<'a, Unpublished<()>> {
        self.reach(|store| store.deny_token(jti, keep_until))
    }

    fn forget_revocations(&self, now: Timestamp) -> Answer<'_, u64> {
        self.reach(|store| store.forget_revocations(now))
    }
}

impl<S: KeyStore> KeyStore for Outage<S> {
    fn signing_keys(&self) -> Answer<'_, Vec<StoredSigningKey>> {
        self.reach(|store| store.signing_keys())
    }

    fn replace_signing_keys<'a>(
        &'a self,
        expected: &'a [String],
        keys: Vec<StoredSigningKey>,
    ) -> Answer<'a, bool> {
        self.reach(|store| store.replace_signing_keys(expected, keys))
    }

    fn tag_keys(&self) -> Answer<'_, Vec<StoredTagKey>> {
        self.reach(|store| store.tag_keys())
    }

    fn insert_tag_key(&self, key: StoredTagKey) -> Answer<'_, bool> {
        self.reach(|store| store.insert_tag_key(key))
    }
}
