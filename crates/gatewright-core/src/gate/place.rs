//! A user's place in a tenant, remembered.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use papaya::Equivalent;

use super::shared::{Shared, store_failed};
use crate::error::AuthError;
use crate::policy::Realm;
use crate::principal::{Tenancy, Tenant, TenantId, TenantKind, UserId};
use crate::role::Role;
use crate::store::{ChangeKey, Stamp, TenantRef};

/// A membership that was read.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) tenancy: Arc<Tenancy>,
    /// The generations of the user and of tenants under which the store was read.
    pub(super) stamps: [Stamp; 2],
}

impl Place {
    /// Whether it is the place in the tenant that the request names, of a kind that the realm serves.
    #[inline]
    pub(super) fn is_in(&self, tenant: TenantRef<'_>, realm: &Realm) -> bool {
        let own = self.tenancy.tenant();
        let named = match tenant {
            TenantRef::Id(id) => own.id() == id,
            TenantRef::Slug(kind, slug) => own.kind() == kind && own.slug() == slug,
        };
        named && fits(&self.tenancy, realm)
    }
}

impl Shared {
    pub(super) fn known_place(
        &self,
        user: &UserId,
        tenant: TenantRef<'_>,
        realm: &Realm,
    ) -> Option<Place> {
        let place = self.places.get(&PlaceKeyRef { user, tenant })?;
        (self.is_current(&place.stamps) && fits(&place.tenancy, realm)).then_some(place)
    }

    /// The user's place in the tenant, if there is one: from memory where memory may answer, else from the store.
    pub(super) async fn read_place(
        &self,
        user: &UserId,
        tenant: TenantRef<'_>,
        realm: &Realm,
    ) -> Result<Option<Place>, AuthError> {
        if self.watch.serves_from_memory(self.clock.monotonic_nanos())
            && let Some(place) = self.known_place(user, tenant, realm)
        {
            return Ok(Some(place));
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
        let place = Place {
            tenancy: self.tenancy(membership.tenant, role),
            stamps,
        };
        let key = PlaceKeyRef { user, tenant }.to_owned();
        self.places.insert(key, place.clone());
        Ok(Some(place).filter(|place| fits(&place.tenancy, realm)))
    }
}

impl Shared {
    /// The tenant with this role in it; one copy for all who are in the same place.
    pub(super) fn tenancy(&self, tenant: Tenant, role: Option<Role>) -> Arc<Tenancy> {
        let key = (tenant.id().clone(), role.clone());
        let same = |kept: &Arc<Tenancy>| (*kept.tenant() == tenant).then(|| Arc::clone(kept));
        if let Some(kept) = self.tenancies.look(&key, same).flatten() {
            return kept;
        }
        let tenancy = Arc::new(Tenancy::new(tenant, role));
        self.tenancies.insert(key, Arc::clone(&tenancy));
        tenancy
    }
}

/// Whether the tenant is of the kind that the realm serves.
#[inline]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Coherence, Gate};
    use crate::hash::{TagKey, TagKeys};
    use crate::store::MemoryStore;

    #[test]
    fn a_tenancy_is_shared_by_those_in_the_same_place_alone() {
        let tags = TagKeys::new(TagKey::from_bytes(1, [1; 32]), []).unwrap();
        let store = Arc::new(MemoryStore::new());
        let gate = Gate::builder(store, Coherence::SingleProcess, tags)
            .build()
            .unwrap();
        let tenancy = |kind: &'static str, slug: &str, plan: &str, role: Option<&str>| {
            let id = TenantId::new("ten_1").unwrap();
            let tenant = Tenant::new(id, TenantKind::from_static(kind), slug, plan);
            let role = role.map(|role| role.parse().unwrap());
            let shared = gate.0.tenancy(tenant.clone(), role.clone());
            assert_eq!((shared.tenant(), shared.role()), (&tenant, role.as_ref()));
            shared
        };
        let places = [
            ("handle", "neo", "pro", Some("owner")),
            ("handle", "neo", "pro", Some("creator")),
            ("handle", "neo", "pro", None),
            ("handle", "neo", "free", Some("owner")),
            ("handle", "trinity", "pro", Some("owner")),
            // The same id elsewhere, though no store should have it twice.
            ("workspace", "neo", "pro", Some("owner")),
        ];
        for (kind, slug, plan, role) in places {
            let first = tenancy(kind, slug, plan, role);
            assert!(Arc::ptr_eq(&first, &tenancy(kind, slug, plan, role)));
        }
    }

    #[test]
    fn a_place_is_the_one_that_is_named() {
        let (handle, workspace) = (
            TenantKind::from_static("handle"),
            TenantKind::from_static("workspace"),
        );
        let [neo, trinity] = ["ten_neo", "ten_trinity"].map(|id| TenantId::new(id).unwrap());
        let changes = crate::store::Changes::new();
        let stamp = changes.stamp(&ChangeKey::Tenant("".into()));
        let tenant = Tenant::new(neo.clone(), handle.clone(), "neo", "pro");
        let place = Place {
            tenancy: Arc::new(Tenancy::new(tenant, None)),
            stamps: [stamp; 2],
        };
        let [handles, workspaces] = [&handle, &workspace].map(|kind| {
            let realm = Realm::builder("one kind");
            realm.tenant_kind(kind.clone()).build()
        });
        assert!(place.is_in(TenantRef::Id(&neo), &handles));
        assert!(place.is_in(TenantRef::Slug(&handle, "neo"), &handles));
        assert!(!place.is_in(TenantRef::Id(&trinity), &handles));
        assert!(!place.is_in(TenantRef::Slug(&handle, "trinity"), &handles));
        assert!(!place.is_in(TenantRef::Slug(&workspace, "neo"), &handles));
        assert!(!place.is_in(TenantRef::Id(&neo), &workspaces));
    }
}
