//! A user's place in a tenant, remembered.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use papaya::Equivalent;

use super::shared::{Shared, store_failed};
use crate::error::AuthError;
use crate::policy::Realm;
use crate::principal::{Tenancy, TenantId, TenantKind, UserId};
use crate::role::Role;
use crate::store::{ChangeKey, Stamp, TenantRef};

/// A membership that was read.
#[derive(Clone)]
pub(super) struct Place {
    tenancy: Arc<Tenancy>,
    /// The generations of the user and of tenants under which the store was read.
    stamps: [Stamp; 2],
}

impl Shared {
    pub(super) fn known_place(
        &self,
        user: &UserId,
        tenant: TenantRef<'_>,
        realm: &Realm,
    ) -> Option<Arc<Tenancy>> {
        let place = self.places.get(&PlaceKeyRef { user, tenant })?;
        (self.is_current(&place.stamps) && fits(&place.tenancy, realm)).then_some(place.tenancy)
    }

    /// The user's place in the tenant, if there is one: from memory where memory may answer, else from the store.
    pub(super) async fn read_place(
        &self,
        user: &UserId,
        tenant: TenantRef<'_>,
        realm: &Realm,
    ) -> Result<Option<Arc<Tenancy>>, AuthError> {
        if self.watch.serves_from_memory(self.clock.monotonic_nanos())
            && let Some(tenancy) = self.known_place(user, tenant, realm)
        {
            return Ok(Some(tenancy));
        }
        let stamps = [
            self.changes.stamp(&ChangeKey::User(user.as_str().into())),
            self.changes.stamp(&ChangeKey::Tenant("".into())),
        ];
        let membership = self
            .memberships
            .membership(user, tenant)
            .await
            .map_err(store_failed)?;
        let Some(membership) = membership else {
            return Ok(None);
        };
        let role: Option<Role> = membership.role.parse().ok();
        let tenancy = Arc::new(Tenancy::new(membership.tenant, role));
        self.places.insert(
            PlaceKeyRef { user, tenant }.to_owned(),
            Place {
                tenancy: Arc::clone(&tenancy),
                stamps,
            },
        );
        Ok(Some(tenancy).filter(|tenancy| fits(tenancy, realm)))
    }
}

/// Whether the tenant is of the kind that the realm serves.
fn fits(tenancy: &Tenancy, realm: &Realm) -> bool {
    realm
        .tenant_kind()
        .is_none_or(|kind| kind == tenancy.tenant().kind())
}

/// The key of a place in the cache.
#[derive(Clone, Debug)]
pub(super) struct PlaceKey {
    user: UserId,
    tenant: Named,
}

#[derive(Clone, Debug)]
enum Named {
    Id(TenantId),
    Slug(TenantKind, Box<str>),
}

/// A [`PlaceKey`] that borrows from the request.
struct PlaceKeyRef<'a> {
    user: &'a UserId,
    tenant: TenantRef<'a>,
}

impl PlaceKeyRef<'_> {
    fn to_owned(&self) -> PlaceKey {
        PlaceKey {
            user: self.user.clone(),
            tenant: match self.tenant {
                TenantRef::Id(id) => Named::Id(id.clone()),
                TenantRef::Slug(kind, slug) => Named::Slug(kind.clone(), slug.into()),
            },
        }
    }
}

impl PlaceKey {
    fn as_ref(&self) -> PlaceKeyRef<'_> {
        PlaceKeyRef {
            user: &self.user,
            tenant: match &self.tenant {
                Named::Id(id) => TenantRef::Id(id),
                Named::Slug(kind, slug) => TenantRef::Slug(kind, slug),
            },
        }
    }
}

impl PartialEq for PlaceKey {
    fn eq(&self, other: &Self) -> bool {
        other.as_ref().equivalent(self)
    }
}

impl Eq for PlaceKey {}

impl Hash for PlaceKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Hash for PlaceKeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.user.hash(state);
        match self.tenant {
            TenantRef::Id(id) => id.hash(state),
            TenantRef::Slug(kind, slug) => {
                kind.hash(state);
                slug.hash(state);
            }
        }
    }
}

impl Equivalent<PlaceKey> for PlaceKeyRef<'_> {
    fn equivalent(&self, key: &PlaceKey) -> bool {
        *self.user == key.user
            && match (self.tenant, &key.tenant) {
                (TenantRef::Id(ours), Named::Id(theirs)) => ours == theirs,
                (TenantRef::Slug(kind, slug), Named::Slug(other, name)) => {
                    kind == other && *slug == **name
                }
                _ => false,
            }
    }
}
