//! Tenants and their members.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::accounts::Accounts;
use super::sessions::session_changed;
use super::{MemoryStore, NoSuchTenant};
use crate::principal::{Tenant, TenantId, TenantKind, UserId};
use crate::store::{
    Account, BoxFuture, ChangeKey, InsertOutcome, Member, Membership, MembershipStore, Page,
    PageRequest, RemoveOutcome, RoleOutcome, SessionFilter, StoreError, TenantRef, Unpublished,
};

/// Tenants are never deleted, so an id or a slug is never used twice.
#[derive(Default)]
pub(super) struct Tenants {
    by_id: HashMap<TenantId, Tenant>,
    by_slug: HashMap<TenantKind, BTreeMap<Box<str>, TenantId>>,
    roles: HashMap<TenantId, HashMap<UserId, Box<str>>>,
}

impl Tenants {
    pub(super) fn get(&self, id: &TenantId) -> Option<&Tenant> {
        self.by_id.get(id)
    }

    fn resolve(&self, tenant: TenantRef<'_>) -> Option<&Tenant> {
        match tenant {
            TenantRef::Id(id) => self.get(id),
            TenantRef::Slug(kind, slug) => self.get(self.by_slug.get(kind)?.get(slug)?),
        }
    }

    pub(super) fn role(&self, tenant: &TenantId, user: &UserId) -> Option<&str> {
        Some(self.roles.get(tenant)?.get(user)?)
    }

    fn create(&mut self, tenant: Tenant, first: &UserId, role: &str) -> InsertOutcome {
        let slugs = self.by_slug.entry(tenant.kind().clone()).or_default();
        if self.by_id.contains_key(tenant.id()) || slugs.contains_key(tenant.slug()) {
            return InsertOutcome::IdTaken;
        }
        let id = tenant.id().clone();
        slugs.insert(tenant.slug().into(), id.clone());
        self.roles
            .insert(id.clone(), HashMap::from([(first.clone(), role.into())]));
        self.by_id.insert(id, tenant);
        InsertOutcome::Inserted
    }

    fn remove(&mut self, tenant: &TenantId, user: &UserId, keep: &str) -> RemoveOutcome {
        if self.is_last(tenant, user, keep) {
            return RemoveOutcome::LastOfRole;
        }
        let members = self.roles.get_mut(tenant);
        match members.and_then(|members| members.remove(user)) {
            None => RemoveOutcome::NotAMember,
            Some(_) => RemoveOutcome::Removed,
        }
    }

    fn is_last(&self, tenant: &TenantId, user: &UserId, role: &str) -> bool {
        let holders = self.roles.get(tenant).into_iter().flatten();
        let mut holders = holders.filter(|(_, held)| ***held == *role);
        holders.next().is_some_and(|(holder, _)| holder == user) && holders.next().is_none()
    }

    pub(super) fn put(
        &mut self,
        tenant: &TenantId,
        user: &UserId,
        role: &str,
    ) -> Result<RoleOutcome, StoreError> {
        let members = self.roles.get_mut(tenant);
        let members = members.ok_or_else(|| StoreError::unavailable(NoSuchTenant))?;
        Ok(match members.insert(user.clone(), role.into()) {
            None => RoleOutcome::Added,
            Some(_) => RoleOutcome::Changed,
        })
    }

    fn memberships(
        &self,
        user: &UserId,
        kind: &TenantKind,
        request: &PageRequest,
    ) -> Page<Membership> {
        let after = request
            .after()
            .map_or(Bound::Unbounded, |cursor| Bound::Excluded(cursor.as_str()));
        let rows = self
            .by_slug
            .get(kind)
            .into_iter()
            .flat_map(|slugs| slugs.range::<str, _>((after, Bound::Unbounded)))
            .filter_map(|(_, id)| {
                Some(Membership::new(self.get(id)?.clone(), self.role(id, user)?))
            })
            .take(request.limit() as usize + 1)
            .collect();
        Page::cut(rows, request, |row| row.tenant.slug().to_owned())
    }

    fn members(
        &self,
        accounts: &Accounts,
        tenant: &TenantId,
        request: &PageRequest,
    ) -> Page<Member> {
        // The user's id settles the order of members without an account. Neither half holds a line feed.
        let place = |member: &Member| format!("{}\n{}", member.email, member.user);
        let mut rows: Vec<Member> = self
            .roles
            .get(tenant)
            .into_iter()
            .flatten()
            .map(|(user, role)| Member::new(user.clone(), accounts.email(user), role.clone()))
            .filter(|member| {
                request
                    .after()
                    .is_none_or(|cursor| *place(member) > *cursor.as_str())
            })
            .collect();
        rows.sort_by_cached_key(place);
        rows.truncate(request.limit() as usize + 1);
        Page::cut(rows, request, place)
    }
}

impl MembershipStore for MemoryStore {
    fn membership<'a>(
        &'a self,
        user: &'a UserId,
        tenant: TenantRef<'a>,
    ) -> BoxFuture<'a, Result<Option<Membership>, StoreError>> {
        Box::pin(async move {
            let state = self.read();
            Ok(state.tenants.resolve(tenant).and_then(|tenant| {
                let role = if state.accounts.is_platform_admin(user) {
                    Account::PLATFORM_ADMIN
                } else {
                    state.tenants.role(tenant.id(), user)?
                };
                Some(Membership::new(tenant.clone(), role))
            }))
        })
    }

    fn memberships<'a>(
        &'a self,
        user: &'a UserId,
        kind: &'a TenantKind,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<Membership>, StoreError>> {
        Box::pin(async move { Ok(self.read().tenants.memberships(user, kind, page)) })
    }

    fn members<'a>(
        &'a self,
        tenant: &'a TenantId,
        page: &'a PageRequest,
    ) -> BoxFuture<'a, Result<Page<Member>, StoreError>> {
        Box::pin(async move {
            let state = self.read();
            Ok(state.tenants.members(&state.accounts, tenant, page))
        })
    }

    fn create_tenant<'a>(
        &'a self,
        tenant: Tenant,
        first: &'a UserId,
        role: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<InsertOutcome>, StoreError>> {
        Box::pin(async move {
            let keys = vec![user_changed(first)];
            let outcome = self.write().tenants.create(tenant, first, role);
            Ok(match outcome {
                InsertOutcome::Inserted => Unpublished::new(outcome, keys),
                InsertOutcome::IdTaken => Unpublished::unchanged(outcome),
            })
        })
    }

    fn put_member<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        role: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>> {
        Box::pin(async move {
            let outcome = self.write().tenants.put(tenant, user, role)?;
            let new = outcome == RoleOutcome::Added;
            Ok(Unpublished::new(new, vec![user_changed(user)]))
        })
    }

    fn change_role<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        role: &'a str,
        keep: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<RoleOutcome>, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            if role != keep && state.tenants.is_last(tenant, user, keep) {
                return Ok(Unpublished::unchanged(RoleOutcome::LastOfRole));
            }
            let outcome = state.tenants.put(tenant, user, role)?;
            Ok(Unpublished::new(outcome, vec![user_changed(user)]))
        })
    }

    fn remove_member<'a>(
        &'a self,
        tenant: &'a TenantId,
        user: &'a UserId,
        keep: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<RemoveOutcome>, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            let outcome = state.tenants.remove(tenant, user, keep);
            // Whoever removed the user first may not have published that yet.
            let mut keys = vec![user_changed(user)];
            match outcome {
                RemoveOutcome::LastOfRole => return Ok(Unpublished::unchanged(outcome)),
                RemoveOutcome::NotAMember => {}
                RemoveOutcome::Removed => {
                    let ended = state.end_sessions(user, SessionFilter::InTenant(tenant), None);
                    keys.extend(ended.iter().map(session_changed));
                }
            }
            Ok(Unpublished::new(outcome, keys))
        })
    }

    fn set_plan<'a>(
        &'a self,
        tenant: &'a TenantId,
        plan: &'a str,
    ) -> BoxFuture<'a, Result<Unpublished<bool>, StoreError>> {
        Box::pin(async move {
            let mut state = self.write();
            Ok(match state.tenants.by_id.get_mut(tenant) {
                None => Unpublished::unchanged(false),
                Some(row) => {
                    *row = Tenant::new(row.id().clone(), row.kind().clone(), row.slug(), plan);
                    Unpublished::new(true, vec![tenant_changed(tenant)])
                }
            })
        })
    }
}

fn user_changed(user: &UserId) -> ChangeKey {
    ChangeKey::User(user.as_str().into())
}

fn tenant_changed(tenant: &TenantId) -> ChangeKey {
    ChangeKey::Tenant(tenant.as_str().into())
}
