//! Tenants, their members, and what a platform administrator is to them.

use std::sync::Arc;

use gatewright_core::principal::{Tenant, TenantId, TenantKind, UserId};
use gatewright_core::store::{
    Account, ChangeKey, Changes, InsertOutcome, Membership, PageRequest, RemoveOutcome,
    RoleOutcome, TenantRef,
};

use super::Store;
use super::fixture::{NOW, WORKSPACE, World, count, every_page, publishing, settled, tenant_id, together, user};

const ORG: TenantKind = TenantKind::from_static("org");

impl<S: Store> World<S> {
    async fn role(&self, user: &UserId, tenant: &TenantId) -> Option<Box<str>> {
        let membership = self.store.membership(user, TenantRef::Id(tenant)).await.unwrap();
        membership.map(|membership| membership.role)
    }

    async fn put(&self, user: &UserId, role: &str) -> bool {
        settled(self.store.put_member(&self.acme, user, role).await)
    }

    async fn change(&self, user: &UserId, role: &str) -> RoleOutcome {
        settled(self.store.change_role(&self.acme, user, role, "owner").await)
    }

    async fn remove(&self, user: &UserId) -> RemoveOutcome {
        settled(self.store.remove_member(&self.acme, user, "owner").await)
    }
}

fn changed(user: &UserId) -> [ChangeKey; 1] {
    [ChangeKey::User(user.as_str().into())]
}

/// A member is found by the tenant's id and by its kind and slug; a stranger is not, and a tenant that does not
/// exist has no members.
pub async fn a_membership_is_found_by_id_and_by_slug<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let acme = Tenant::new(world.acme.clone(), WORKSPACE, "acme", "free");
    let by_id = TenantRef::Id(&world.acme);
    let by_slug = TenantRef::Slug(&WORKSPACE, "acme");
    for tenant in [by_id, by_slug] {
        let found = world.store.membership(&world.alice, tenant).await.unwrap();
        assert_eq!(found, Some(Membership::new(acme.clone(), "owner")), "{tenant:?}");
        assert_eq!(world.store.membership(&world.bob, tenant).await.unwrap(), None, "{tenant:?}");
    }
    for tenant in [
        TenantRef::Id(&tenant_id("ten_none")),
        TenantRef::Slug(&ORG, "acme"),
        TenantRef::Slug(&WORKSPACE, "ten_acme"),
        TenantRef::Slug(&WORKSPACE, "none"),
    ] {
        assert_eq!(world.store.membership(&world.alice, tenant).await.unwrap(), None, "{tenant:?}");
    }
}

/// A platform administrator holds that role in every tenant there is, above one held as a member, and in no tenant
/// that there is not.
pub async fn a_platform_administrator_belongs_everywhere<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let mut account = Account::new(user("usr_root"), "root@example.com", NOW);
    account.platform_admin = true;
    let root = account.id.clone();
    assert_eq!(world.store.insert_account(account).await.unwrap(), InsertOutcome::Inserted);
    world.put(&root, "viewer").await;
    for tenant in [
        TenantRef::Id(&world.acme),
        TenantRef::Id(&world.globex),
        TenantRef::Slug(&WORKSPACE, "globex"),
    ] {
        let found = world.store.membership(&root, tenant).await.unwrap();
        assert_eq!(found.map(|found| found.role).as_deref(), Some(Account::PLATFORM_ADMIN), "{tenant:?}");
    }
    assert_eq!(world.role(&root, &tenant_id("ten_none")).await, None);
}

/// An id, or a slug within its kind, names one tenant; a refused creation leaves no trace.
pub async fn an_id_or_slug_is_never_used_twice<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for (id, kind, slug) in [
        ("ten_acme", WORKSPACE, "other"),
        ("ten_acme", ORG, "other"),
        ("ten_new", WORKSPACE, "acme"),
    ] {
        let tenant = Tenant::new(tenant_id(id), kind, slug, "business");
        let outcome = settled(world.store.create_tenant(tenant, &world.bob, "owner").await);
        assert_eq!(outcome, InsertOutcome::IdTaken, "{id} {slug}");
    }
    assert_eq!(world.role(&world.bob, &world.acme).await, None);
    assert_eq!(world.role(&world.bob, &tenant_id("ten_new")).await, None);
    let acme = world.store.membership(&world.alice, TenantRef::Id(&world.acme)).await.unwrap();
    assert_eq!(acme.map(|found| found.tenant.plan().to_owned()).as_deref(), Some("free"));

    // Another kind has slugs of its own. The creation is published for its first member alone: nobody can have cached a
    // tenant that was not there, and all tenants share a generation.
    let tenant = Tenant::new(tenant_id("ten_org"), ORG, "acme", "free");
    let changes = Changes::new();
    let user = changes.stamp(&ChangeKey::User("usr_bob".into()));
    let tenants = changes.stamp(&ChangeKey::Tenant("ten_org".into()));
    let created = world.store.create_tenant(tenant, &world.bob, "owner").await;
    assert_eq!(changes.publish(created.unwrap()), InsertOutcome::Inserted);
    assert!(!changes.is_current(user) && changes.is_current(tenants));
    assert_eq!(world.role(&world.bob, &tenant_id("ten_org")).await.as_deref(), Some("owner"));
}

/// Of many creations with one slug at the same time one succeeds, and only its first member is in.
pub async fn of_many_tenants_of_one_slug_one_is_created<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let outcomes = together((0..16).map(|task| {
        let world = world.clone();
        async move {
            let tenant = Tenant::new(tenant_id(&format!("ten_{task}")), ORG, "wanted", "free");
            settled(world.store.create_tenant(tenant, &world.alice, "owner").await)
        }
    }))
    .await;
    assert_eq!(count(&outcomes, &InsertOutcome::Inserted), 1);
    let winner = outcomes.iter().position(|outcome| *outcome == InsertOutcome::Inserted).unwrap();
    let page = PageRequest::first();
    let list = world.store.memberships(&world.alice, &ORG, &page).await.unwrap();
    let ids: Vec<&str> = list.items.iter().map(|row| row.tenant.id().as_str()).collect();
    assert_eq!(ids, [format!("ten_{winner}")]);
}

/// Putting a member makes them one or changes their role; both are published, neither leaks into another tenant.
pub async fn a_member_gets_and_changes_a_role<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let key = changed(&world.bob);
    for (role, new) in [("viewer", true), ("editor", false), ("editor", false)] {
        let put = publishing(&key, world.store.put_member(&world.acme, &world.bob, role)).await;
        assert_eq!(put, new);
        assert_eq!(world.role(&world.bob, &world.acme).await.as_deref(), Some(role));
    }
    assert_eq!(world.role(&world.bob, &world.globex).await.as_deref(), Some("owner"));
    assert_eq!(world.role(&world.alice, &world.globex).await, None);
}

/// A removal takes effect at once and is published, the second one too: the one who was first may not have
/// published yet.
pub async fn a_removed_member_is_gone<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.put(&world.bob, "viewer").await;
    let key = changed(&world.bob);
    for expected in [RemoveOutcome::Removed, RemoveOutcome::NotAMember] {
        let removal = world.store.remove_member(&world.acme, &world.bob, "owner");
        assert_eq!(publishing(&key, removal).await, expected);
        assert_eq!(world.role(&world.bob, &world.acme).await, None);
    }
    let members = world.store.members(&world.acme, &PageRequest::first()).await.unwrap();
    assert_eq!(members.items.len(), 1);
    assert_eq!(world.role(&world.bob, &world.globex).await.as_deref(), Some("owner"));
    let nowhere = tenant_id("ten_none");
    let removal = world.store.remove_member(&nowhere, &world.bob, "owner").await;
    assert_eq!(settled(removal), RemoveOutcome::NotAMember);
}

/// The last member of the kept role is not removed, however many others there are; the last but one is.
pub async fn the_last_of_a_role_stays<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.put(&world.bob, "viewer").await;
    assert_eq!(world.remove(&world.alice).await, RemoveOutcome::LastOfRole);
    assert_eq!(world.role(&world.alice, &world.acme).await.as_deref(), Some("owner"));
    // The only viewer is no owner, and may go.
    assert_eq!(world.remove(&world.bob).await, RemoveOutcome::Removed);

    world.put(&world.bob, "owner").await;
    assert_eq!(world.remove(&world.alice).await, RemoveOutcome::Removed);
    assert_eq!(world.remove(&world.bob).await, RemoveOutcome::LastOfRole);
}

/// A change of role adds members and is published; from the last owner the role is not taken.
pub async fn a_changed_role_leaves_an_owner<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let key = changed(&world.bob);
    for (role, outcome) in [
        ("viewer", RoleOutcome::Added),
        ("editor", RoleOutcome::Changed),
    ] {
        let change = world.store.change_role(&world.acme, &world.bob, role, "owner");
        assert_eq!(publishing(&key, change).await, outcome);
        assert_eq!(world.role(&world.bob, &world.acme).await.as_deref(), Some(role));
    }
    assert_eq!(world.change(&world.alice, "editor").await, RoleOutcome::LastOfRole);
    assert_eq!(world.role(&world.alice, &world.acme).await.as_deref(), Some("owner"));
    assert_eq!(world.change(&world.alice, "owner").await, RoleOutcome::Changed);

    assert_eq!(world.change(&world.bob, "owner").await, RoleOutcome::Changed);
    assert_eq!(world.change(&world.alice, "editor").await, RoleOutcome::Changed);
    assert_eq!(world.change(&world.bob, "editor").await, RoleOutcome::LastOfRole);
    let nowhere = tenant_id("ten_none");
    assert!(world.store.change_role(&nowhere, &world.bob, "owner", "owner").await.is_err());
}

/// When the last two owners give their role up at the same time, one of them keeps it.
pub async fn of_two_last_owners_demoted_at_once_one_stays<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for _ in 0..16 {
        world.put(&world.alice, "owner").await;
        world.put(&world.bob, "owner").await;
        let outcomes = together([world.alice.clone(), world.bob.clone()].map(|owner| {
            let world = world.clone();
            async move { world.change(&owner, "viewer").await }
        }))
        .await;
        assert_eq!(count(&outcomes, &RoleOutcome::Changed), 1, "{outcomes:?}");
        assert_eq!(count(&outcomes, &RoleOutcome::LastOfRole), 1, "{outcomes:?}");
    }
}

/// When the last two owners are removed at the same time, one of them stays.
pub async fn of_two_last_owners_removed_at_once_one_stays<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for _ in 0..16 {
        world.put(&world.alice, "owner").await;
        world.put(&world.bob, "owner").await;
        let outcomes = together([world.alice.clone(), world.bob.clone()].map(|owner| {
            let world = world.clone();
            async move { world.remove(&owner).await }
        }))
        .await;
        assert_eq!(count(&outcomes, &RemoveOutcome::Removed), 1, "{outcomes:?}");
        assert_eq!(count(&outcomes, &RemoveOutcome::LastOfRole), 1, "{outcomes:?}");
        let members = world.store.members(&world.acme, &PageRequest::first()).await.unwrap();
        assert_eq!(members.items.len(), 1);
    }
}

/// A user's tenants of one kind, in the order of their slugs, whatever the size of the pages.
pub async fn memberships_are_listed_by_slug_within_a_kind<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for slug in ["delta", "beta", "echo", "charlie"] {
        world.workspace(&tenant_id(&format!("ten_{slug}")), slug, &world.alice).await;
    }
    let org = Tenant::new(tenant_id("ten_org"), ORG, "bravo", "free");
    settled(world.store.create_tenant(org, &world.alice, "member").await);
    let expected = ["acme", "beta", "charlie", "delta", "echo"];
    for limit in [1, 2, 5, 100] {
        let rows = every_page(limit, async |page| {
            world.store.memberships(&world.alice, &WORKSPACE, &page).await
        })
        .await;
        let slugs: Vec<&str> = rows.iter().map(|row| row.tenant.slug()).collect();
        assert_eq!(slugs, expected, "in pages of {limit}");
        assert!(rows.iter().all(|row| &*row.role == "owner"));
    }
    let orgs = world.store.memberships(&world.alice, &ORG, &PageRequest::first()).await.unwrap();
    let orgs: Vec<_> = orgs.items.iter().map(|row| (row.tenant.slug(), &*row.role)).collect();
    assert_eq!(orgs, [("bravo", "member")]);
}

/// A tenant's members in the order of their mail addresses, whatever the size of the pages, and nobody else's.
pub async fn members_are_listed_by_mail_address<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for (id, email) in [
        ("usr_1", "dora@example.com"),
        ("usr_2", "carl@example.com"),
        ("usr_3", "Aaron@example.com"),
    ] {
        let member = world.account(id, email).await;
        world.put(&member, "viewer").await;
    }
    let expected = [
        ("usr_3", "aaron@example.com", "viewer"),
        ("usr_alice", "alice@example.com", "owner"),
        ("usr_2", "carl@example.com", "viewer"),
        ("usr_1", "dora@example.com", "viewer"),
    ];
    for limit in [1, 3, 4, 100] {
        let rows = every_page(limit, async |page| world.store.members(&world.acme, &page).await).await;
        let members: Vec<_> = rows.iter().map(|row| (row.user.as_str(), &*row.email, &*row.role)).collect();
        assert_eq!(members, expected, "in pages of {limit}");
    }
}

/// A new plan shows in memberships and is published; a tenant that does not exist has none.
pub async fn a_change_of_plan_is_published<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let key = [ChangeKey::Tenant("ten_acme".into())];
    assert!(publishing(&key, world.store.set_plan(&world.acme, "business")).await);
    for (owner, tenant, plan) in [(&world.alice, &world.acme, "business"), (&world.bob, &world.globex, "free")] {
        let found = world.store.membership(owner, TenantRef::Id(tenant)).await.unwrap().unwrap();
        assert_eq!(found.tenant.plan(), plan);
    }
    assert!(!settled(world.store.set_plan(&tenant_id("ten_none"), "business").await));
}
