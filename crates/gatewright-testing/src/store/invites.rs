//! Invitations of mail addresses to tenants.

use std::sync::Arc;

use gatewright_core::principal::{Tenant, TenantId, UserId};
use gatewright_core::store::{AcceptOutcome, ChangeKey, InsertOutcome, Invite, PageRequest, TenantRef};
use gatewright_core::time::Timestamp;

use super::Store;
use super::fixture::{
    NOW, WORKSPACE, World, count, digest_of, every_page, publishing, settled, tenant_id, together, user,
};

/// When the invites of these cases expire.
const END: Timestamp = NOW + 3_600;

impl<S: Store> World<S> {
    /// Alice's invitation to `acme`, as a viewer.
    fn invitation(&self, id: &str, email: &str) -> Invite {
        let acme = Tenant::new(self.acme.clone(), WORKSPACE, "acme", "free");
        Invite::new(id, acme, email, "viewer", self.alice.clone(), NOW, END)
    }

    fn invitation_to_globex(&self, id: &str, email: &str) -> Invite {
        let globex = Tenant::new(self.globex.clone(), WORKSPACE, "globex", "free");
        Invite::new(id, globex, email, "editor", self.bob.clone(), NOW, END)
    }

    /// Keeps an invite with the token of this number.
    async fn invite(&self, invite: Invite, number: u8) -> InsertOutcome {
        self.store.insert_invite(invite, digest_of(number)).await.unwrap()
    }

    async fn invited(&self, number: u8, now: Timestamp) -> Option<Invite> {
        self.store.invite_by_token(&digest_of(number), now).await.unwrap()
    }

    async fn accept(&self, number: u8, user: &UserId, now: Timestamp) -> AcceptOutcome {
        settled(self.store.accept_invite(&digest_of(number), user, now).await)
    }

    async fn invite_ids(&self, tenant: &TenantId, limit: u32) -> Vec<String> {
        let rows = every_page(limit, async |page| self.store.invites(tenant, &page).await).await;
        rows.iter().map(|row| row.id.to_string()).collect()
    }

    async fn role_in(&self, tenant: &TenantId, user: &UserId) -> Option<String> {
        let membership = self.store.membership(user, TenantRef::Id(tenant)).await.unwrap();
        membership.map(|membership| membership.role.to_string())
    }
}

/// Every field of an invite is found again by its token and in the tenant's list, the address in lower case even where a
/// caller set it by hand; and the tenant as it is now.
pub async fn an_invite_comes_back_whole<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let mut invite = world.invitation("inv_1", "carol@example.com");
    invite.created_at = NOW - 7;
    let mut shouted = invite.clone();
    shouted.email = "Carol@Example.COM".to_owned();
    assert_eq!(world.invite(shouted, 1).await, InsertOutcome::Inserted);
    for plan in ["free", "business"] {
        settled(world.store.set_plan(&world.acme, plan).await);
        invite.tenant = Tenant::new(world.acme.clone(), WORKSPACE, "acme", plan);
        assert_eq!(world.invited(1, NOW).await.as_ref(), Some(&invite));
        let listed = world.store.invites(&world.acme, &PageRequest::first()).await.unwrap();
        assert_eq!(listed.items, [invite.clone()]);
    }
    assert_eq!(world.invited(2, NOW).await, None);
}

/// An invite of an address takes out the earlier one of the same address to the same tenant, and no other.
pub async fn a_later_invite_replaces_the_earlier_one<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.invite(world.invitation("inv_1", "carol@example.com"), 1).await;
    world.invite(world.invitation("inv_2", "dora@example.com"), 2).await;
    world.invite(world.invitation_to_globex("inv_3", "carol@example.com"), 3).await;
    let mut later = world.invitation("inv_4", "carol@example.com");
    later.email = "CAROL@example.com".to_owned();
    assert_eq!(world.invite(later, 4).await, InsertOutcome::Inserted);
    assert_eq!(world.invited(1, NOW).await, None);
    assert_eq!(world.accept(1, &user("usr_carol"), NOW).await, AcceptOutcome::NoSuchInvite);
    for number in 2..=4 {
        assert!(world.invited(number, NOW).await.is_some(), "invite {number}");
    }
    assert_eq!(world.invite_ids(&world.acme, 20).await, ["inv_2", "inv_4"]);
    assert_eq!(world.invite_ids(&world.globex, 20).await, ["inv_3"]);
}

/// An id or a token that is known is refused, in another tenant as well, and leaves everything as it was: also the invite
/// that would have been replaced.
pub async fn an_invites_id_and_token_are_unique<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.invite(world.invitation("inv_1", "carol@example.com"), 1).await;
    world.invite(world.invitation("inv_2", "dora@example.com"), 2).await;
    let mut refused = Vec::new();
    for email in ["carol@example.com", "dora@example.com", "new@example.com"] {
        refused.push((world.invitation("inv_1", email), 9));
        refused.push((world.invitation("inv_9", email), 1));
        refused.push((world.invitation_to_globex("inv_1", email), 9));
        refused.push((world.invitation_to_globex("inv_9", email), 1));
    }
    for (invite, number) in refused {
        let told = format!("{} {} to {}", invite.id, invite.email, invite.tenant.slug());
        assert_eq!(world.invite(invite, number).await, InsertOutcome::IdTaken, "{told}");
        assert_eq!(world.invited(9, NOW).await, None, "{told}");
        assert_eq!(world.invite_ids(&world.acme, 20).await, ["inv_1", "inv_2"], "{told}");
        let standing = [(1, "carol@example.com"), (2, "dora@example.com")];
        for (number, email) in standing {
            assert_eq!(world.invited(number, NOW).await.unwrap().email, email, "{told}");
        }
    }
    assert!(world.invite_ids(&world.globex, 20).await.is_empty());
}

/// Nobody is invited to a tenant that does not exist.
pub async fn an_invite_needs_a_tenant<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let mut invite = world.invitation("inv_1", "carol@example.com");
    invite.tenant = Tenant::new(tenant_id("ten_none"), WORKSPACE, "none", "free");
    assert!(world.store.insert_invite(invite, digest_of(1)).await.is_err());
    assert_eq!(world.invited(1, NOW).await, None);
}

/// Of many invites of one address to one tenant that are made at once one is left, and its token alone is good.
pub async fn of_many_invites_of_one_address_one_is_left<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let outcomes = together((0..20).map(|number| {
        let world = world.clone();
        async move {
            let invite = world.invitation(&format!("inv_{number}"), "carol@example.com");
            world.invite(invite, number).await
        }
    }))
    .await;
    assert_eq!(count(&outcomes, &InsertOutcome::Inserted), 20);
    let left = world.invite_ids(&world.acme, 100).await;
    assert_eq!(left.len(), 1, "{left:?}");
    for number in 0..20 {
        let good = world.invited(number, NOW).await.map(|invite| invite.id.to_string());
        let is_left = format!("inv_{number}") == left[0];
        assert_eq!(good.is_some(), is_left, "token {number}");
    }
}

/// At the second of its expiry an invite is worth nothing and makes nobody a member. It is listed until it is forgotten;
/// one that is good is not forgotten.
pub async fn an_expired_invite_is_worth_nothing<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.invite(world.invitation("inv_1", "carol@example.com"), 1).await;
    let mut longer = world.invitation("inv_2", "dora@example.com");
    longer.expires_at = END + 1;
    world.invite(longer, 2).await;
    let carol = user("usr_carol");
    for now in [END, END + 1, Timestamp::MAX] {
        assert_eq!(world.invited(1, now).await, None, "at {now}");
        assert_eq!(world.accept(1, &carol, now).await, AcceptOutcome::NoSuchInvite, "at {now}");
    }
    assert_eq!(world.role_in(&world.acme, &carol).await, None);
    assert!(world.invited(1, END - 1).await.is_some());
    assert_eq!(world.invite_ids(&world.acme, 20).await, ["inv_1", "inv_2"]);

    for (now, forgotten) in [(END - 1, 0), (END, 1), (END, 0)] {
        assert_eq!(world.store.forget_invites(now).await.unwrap(), forgotten, "at {now}");
    }
    assert_eq!(world.invited(1, NOW).await, None);
    assert_eq!(world.invite_ids(&world.acme, 20).await, ["inv_2"]);
    assert_eq!(world.accept(2, &carol, END).await, AcceptOutcome::Joined);
}

/// A tenant takes its own invites back, and nobody else's; then they are worth nothing.
pub async fn a_withdrawn_invite_is_gone<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.invite(world.invitation("inv_1", "carol@example.com"), 1).await;
    world.invite(world.invitation("inv_2", "dora@example.com"), 2).await;
    for (tenant, id, withdrawn, good) in [
        (&world.globex, "inv_1", false, true),
        (&world.acme, "inv_none", false, true),
        (&world.acme, "inv_1", true, false),
        (&world.acme, "inv_1", false, false),
    ] {
        assert_eq!(world.store.withdraw_invite(tenant, id).await.unwrap(), withdrawn, "{id} of {tenant}");
        assert_eq!(world.invited(1, NOW).await.is_some(), good, "{id} of {tenant}");
    }
    assert_eq!(world.accept(1, &user("usr_carol"), NOW).await, AcceptOutcome::NoSuchInvite);
    assert_eq!(world.invite_ids(&world.acme, 20).await, ["inv_2"]);
}

/// Who accepts is a member of that tenant at once, with the role that was offered, and that is published; the invite is
/// spent for everybody.
pub async fn an_accepted_invite_makes_a_member<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let carol = world.account("usr_carol", "carol@example.com").await;
    world.invite(world.invitation("inv_1", "carol@example.com"), 1).await;
    world.invite(world.invitation("inv_2", "dora@example.com"), 2).await;
    let key = [ChangeKey::User("usr_carol".into())];
    let token = digest_of(1);
    let accepted = publishing(&key, world.store.accept_invite(&token, &carol, NOW)).await;
    assert_eq!(accepted, AcceptOutcome::Joined);
    assert_eq!(world.role_in(&world.acme, &carol).await.as_deref(), Some("viewer"));
    assert_eq!(world.role_in(&world.globex, &carol).await, None);
    let members = world.store.members(&world.acme, &PageRequest::first()).await.unwrap();
    let emails: Vec<&str> = members.items.iter().map(|member| &*member.email).collect();
    assert_eq!(emails, ["alice@example.com", "carol@example.com"]);

    assert_eq!(world.invited(1, NOW).await, None);
    for user in [&carol, &world.bob] {
        assert_eq!(world.accept(1, user, NOW).await, AcceptOutcome::NoSuchInvite);
    }
    assert_eq!(world.role_in(&world.acme, &world.bob).await, None);
    assert_eq!(world.invite_ids(&world.acme, 20).await, ["inv_2"]);
}

/// A member who accepts keeps the role that they have, also a lower one; the invite is spent. It is published: who made
/// them a member may not have done that yet.
pub async fn a_member_who_accepts_keeps_their_role<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let mut invite = world.invitation("inv_1", "bob@example.com");
    invite.role = "owner".into();
    world.invite(invite, 1).await;
    settled(world.store.put_member(&world.acme, &world.bob, "viewer").await);
    let key = [ChangeKey::User("usr_bob".into())];
    let token = digest_of(1);
    let accepted = publishing(&key, world.store.accept_invite(&token, &world.bob, NOW)).await;
    assert_eq!(accepted, AcceptOutcome::AlreadyMember);
    assert_eq!(world.role_in(&world.acme, &world.bob).await.as_deref(), Some("viewer"));
    assert_eq!(world.invited(1, NOW).await, None);
    assert_eq!(world.accept(1, &user("usr_carol"), NOW).await, AcceptOutcome::NoSuchInvite);
}

/// Of twenty users who accept one invite at once one becomes a member; and one user who accepts it twenty times does so
/// once.
pub async fn of_many_who_accept_one_invite_one_joins<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.invite(world.invitation("inv_1", "carol@example.com"), 1).await;
    world.invite(world.invitation("inv_2", "dora@example.com"), 2).await;
    let outcomes = together((0..20).map(|number| {
        let world = world.clone();
        async move { world.accept(1, &user(&format!("usr_{number}")), NOW).await }
    }))
    .await;
    assert_eq!(count(&outcomes, &AcceptOutcome::Joined), 1, "{outcomes:?}");
    assert_eq!(count(&outcomes, &AcceptOutcome::NoSuchInvite), 19, "{outcomes:?}");
    for (number, outcome) in outcomes.iter().enumerate() {
        let role = world.role_in(&world.acme, &user(&format!("usr_{number}"))).await;
        assert_eq!(role.is_some(), *outcome == AcceptOutcome::Joined, "usr_{number}");
    }

    let outcomes = together((0..20).map(|_| {
        let world = world.clone();
        async move { world.accept(2, &user("usr_dora"), NOW).await }
    }))
    .await;
    assert_eq!(count(&outcomes, &AcceptOutcome::Joined), 1, "{outcomes:?}");
    assert_eq!(count(&outcomes, &AcceptOutcome::NoSuchInvite), 19, "{outcomes:?}");
}

/// An invite that is taken back while it is accepted is either taken back or accepted, never both.
pub async fn an_invite_is_withdrawn_or_accepted<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for number in 0..16 {
        let id = format!("inv_{number}");
        world.invite(world.invitation(&id, "carol@example.com"), number).await;
        let guest = format!("usr_guest_{number}");
        let done = together([true, false].map(|withdraws| {
            let (world, id, guest) = (world.clone(), id.clone(), user(&guest));
            async move {
                if withdraws {
                    world.store.withdraw_invite(&world.acme, &id).await.unwrap()
                } else {
                    world.accept(number, &guest, NOW).await == AcceptOutcome::Joined
                }
            }
        }))
        .await;
        assert_eq!(count(&done, &true), 1, "{done:?}");
        let role = world.role_in(&world.acme, &user(&guest)).await;
        assert_eq!(role.is_some(), done[1], "{done:?}");
    }
}

/// A tenant's invites in the order in which they were made, whatever their ids and the size of the pages, and no other
/// tenant's.
pub async fn invites_are_listed_oldest_first<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let expected: Vec<String> = (0..23).map(|number| format!("inv_{:02}", number * 7 % 23)).collect();
    for (number, id) in (0..).zip(&expected) {
        world.invite(world.invitation(id, &format!("{id}@example.com")), number).await;
        let foreign = world.invitation_to_globex(&format!("foreign_{number}"), &format!("{id}@example.com"));
        world.invite(foreign, 100 + number).await;
    }
    for limit in [1, 2, 11, 23, 100] {
        assert_eq!(world.invite_ids(&world.acme, limit).await, expected, "in pages of {limit}");
    }
    assert!(world.invite_ids(&tenant_id("ten_none"), 20).await.is_empty());
}

/// Invites that stand from the first page to the last are listed once each while others are made, replaced and
/// withdrawn, the one that a cursor names among them.
pub async fn a_list_of_invites_is_whole_while_rows_come_and_go<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let mut standing = Vec::new();
    for number in 0..20 {
        let id = format!("standing_{number:02}");
        world.invite(world.invitation(&id, &format!("{id}@example.com")), number).await;
        let brief = world.invitation(&format!("brief_{number}"), &format!("brief_{number}@example.com"));
        world.invite(brief, 100 + number).await;
        standing.push(id);
    }
    let writer = tokio::spawn({
        let world = world.clone();
        async move {
            for number in 0..20 {
                // Again, and so at the end of the list.
                let id = format!("late_{number}");
                let late = world.invitation(&id, &format!("brief_{number}@example.com"));
                world.invite(late, 200 + number).await;
                if number % 2 == 0 {
                    assert!(world.store.withdraw_invite(&world.acme, &id).await.unwrap());
                }
            }
        }
    });
    for limit in [1, 3, 7] {
        let mut ids = world.invite_ids(&world.acme, limit).await;
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an invite was listed twice");
        ids.retain(|id| id.starts_with("standing"));
        assert_eq!(ids, standing);
    }
    writer.await.unwrap();
    assert_eq!(world.invite_ids(&world.acme, 9).await.len(), 30);

    // The row that ended the first page goes, and so do all after it; the next one to come still follows.
    let page = PageRequest::new(None, 3).unwrap();
    let first = world.store.invites(&world.acme, &page).await.unwrap();
    for id in &world.invite_ids(&world.acme, 100).await[2..] {
        assert!(world.store.withdraw_invite(&world.acme, id).await.unwrap());
    }
    world.invite(world.invitation("last", "last@example.com"), 99).await;
    let rest = PageRequest::new(first.next, 3).unwrap();
    let rest = world.store.invites(&world.acme, &rest).await.unwrap();
    let ids: Vec<&str> = rest.items.iter().map(|row| &*row.id).collect();
    assert_eq!((ids, rest.next), (vec!["last"], None));
}
