//! A store that can be watched, slowed and broken.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use gatewright_core::credential::SecretKind;
use gatewright_core::hash::SecretHash;
use gatewright_core::principal::{SessionId, Tenant, TenantId, TenantKind, UserId};
use gatewright_core::store::{
    BoxFuture, CredentialFilter, CredentialRecord, CredentialStore, InsertOutcome, Member,
    Membership, MembershipStore, MemoryStore, NewCredential, Page, PageRequest, RemoveOutcome,
    RevocationStore, RevokeOutcome, RoleOutcome, RotateOutcome, Rotation, StoreError, StoredSecret,
    TenantRef, TokenRef, TokenStanding, Unpublished, Use,
};
use gatewright_core::time::Timestamp;

/// A store in memory that counts its readers, holds them back with what they read in hand, or fails them.
#[derive(Default)]
pub(crate) struct Probe {
    inner: MemoryStore,
    pub(crate) finds: AtomicU64,
    pub(crate) standings: AtomicU64,
    pub(crate) lookups: AtomicU64,
    pub(crate) touches: AtomicU64,
    pub(crate) broken: AtomicBool,
    /// While a test holds this for writing, readers that have read wait.
    pub(crate) held: tokio::sync::RwLock<()>,
    /// The same for readers of memberships.
    pub(crate) held_places: tokio::sync::RwLock<()>,
}

#[derive(Debug, thiserror::Error)]
#[error("pulled the plug")]
struct Unplugged;

impl Probe {
    fn works(&self) -> Result<(), StoreError> {
        if self.broken.load(SeqCst) {
            return Err(StoreError::unavailable(Unplugged));
        }
        Ok(())
    }

    pub(crate) fn reads(&self) -> u64 {
        self.finds.load(SeqCst) + self.standings.load(SeqCst) + self.lookups.load(SeqCst)
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl CredentialStore for Probe {
    fn find<'a>(&'a self, kind: SecretKind, id: &'a str) -> Answer<'a, Option<CredentialRecord>> {
        Box::pin(async move {
            self.works()?;
            let found = self.inner.find(kind, id).await;
            self.finds.fetch_add(1, SeqCst);
            drop(self.held.read().await);
            found
        })
    }

    fn insert(&self, new: NewCredential) -> Answer<'_, Unpublished<InsertOutcome>> {
        self.inner.insert(new)
    }

    fn list<'a>(
        &'a self,
        tenant: &'a TenantId,
        filter: &'a CredentialFilter,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<CredentialRecord>> {
        self.inner.list(tenant, filter, page)
    }

    fn revoke<'a>(
        &'a self,
        tenant: &'a TenantId,
        kind: SecretKind,
        id: &'a str,
        at: Timestamp,
    ) -> Answer<'a, Unpublished<RevokeOutcome>> {
        self.inner.revoke(tenant, kind, id, at)
    }

    fn rotate<'a>(
        &'a self,
        tenant: &'a TenantId,
        kind: SecretKind,
        id: &'a str,
        rotation: Rotation,
    ) -> Answer<'a, Unpublished<RotateOutcome>> {
        self.inner.rotate(tenant, kind, id, rotation)
    }

    fn swap_hash<'a>(
        &'a self,
        kind: SecretKind,
        id: &'a str,
        old: &'a SecretHash,
        new: StoredSecret,
    ) -> Answer<'a, Unpublished<bool>> {
        Box::pin(async move {
            self.works()?;
            self.inner.swap_hash(kind, id, old, new).await
        })
    }

    fn touch<'a>(&'a self, uses: &'a [Use]) -> Answer<'a, ()> {
        Box::pin(async move {
            self.touches.fetch_add(1, SeqCst);
            drop(self.held.read().await);
            self.works()?;
            self.inner.touch(uses).await
        })
    }
}

impl MembershipStore for Probe {
    fn membership<'a>(
        &'a self,
        user: &'a UserId,
        tenant: TenantRef<'a>,
    ) -> Answer<'a, Option<Membership>> {
        Box::pin(async move {
            self.works()?;
            let found = self.inner.membership(user, tenant).await;
            self.lookups.fetch_add(1, SeqCst);
            drop(self.held_places.read().await);
            found
        })
    }

    fn memberships<'a>(
        &'a self,
        user: &'a UserId,
        kind: &'a TenantKind,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<Membership>> {
        self.inner.memberships(user, kind, page)
    }

    fn members<'a>(
        &'a self,
        tenant: &'a TenantId,
        page: &'a PageRequest,
    ) -> Answer<'a, Page<Member>> {
        self.inner.members(tenant, page)
    }

    fn create_tenant<'a>(
        &'a self,
        tenant: Tenant,
        first: &'a UserId,
        role: &'a str,
    ) -> Answer<'a, Unpublished<InsertOutcome>> {
        self.inner.create_tenant(tenant, first, role)
    }

    fn put_member<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        role: &'a str,
    ) -> Answer<'a, Unpublished<bool>> {
        self.inner.put_member(tenant, user, role)
    }

    fn change_role<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        role: &'a str,
        keep: &'a str,
    ) -> Answer<'a, Unpublished<RoleOutcome>> {
        self.inner.change_role(tenant, user, role, keep)
    }

    fn remove_member<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        keep: &'a str,
    ) -> Answer<'a, Unpublished<RemoveOutcome>> {
        self.inner.remove_member(tenant, user, keep)
    }

    fn set_plan<'a>(
        &'a self,
        tenant: &'a TenantId,
        plan: &'a str,
    ) -> Answer<'a, Unpublished<bool>> {
        self.inner.set_plan(tenant, plan)
    }
}

impl RevocationStore for Probe {
    fn standing<'a>(&'a self, token: TokenRef<'a>) -> Answer<'a, TokenStanding> {
        Box::pin(async move {
            self.works()?;
            let standing = self.inner.standing(token).await;
            self.standings.fetch_add(1, SeqCst);
            drop(self.held.read().await);
            standing
        })
    }

    fn raise_user_epoch<'a>(&'a self, user: &'a UserId) -> Answer<'a, Unpublished<u64>> {
        self.inner.raise_user_epoch(user)
    }

    fn raise_client_epoch<'a>(&'a self, client: &'a str) -> Answer<'a, Unpublished<u64>> {
        self.inner.raise_client_epoch(client)
    }

    fn end_session<'a>(
        &'a self,
        session: &'a SessionId,
        keep_until: Timestamp,
    ) -> Answer<'a, Unpublished<()>> {
        self.inner.end_session(session, keep_until)
    }

    fn deny_token<'a>(
        &'a self,
        jti: &'a str,
        keep_until: Timestamp,
    ) -> Answer<'a, Unpublished<()>> {
        self.inner.deny_token(jti, keep_until)
    }

    fn forget_revocations(&self, now: Timestamp) -> Answer<'_, u64> {
        self.inner.forget_revocations(now)
    }
}
