//! Links of accounts to identity providers.

use std::sync::Arc;

use gatewright_core::principal::UserId;
use gatewright_core::store::{InsertOutcome, LinkedLogin, PageRequest, PasswordChange, UnlinkOutcome};

use super::Store;
use super::fixture::{NOW, World, count, every_page, hash, settled, together, user};

const GOOGLE: &str = "https://accounts.google.com";

impl<S: Store> World<S> {
    async fn link(&self, id: &str, user: &UserId, subject: &str) -> InsertOutcome {
        let link = LinkedLogin::new(id, user.clone(), GOOGLE, subject, "someone@gmail.com", NOW);
        self.store.link_login(link).await.unwrap()
    }

    async fn unlink(&self, user: &UserId, id: &str) -> UnlinkOutcome {
        self.store.unlink_login(user, id).await.unwrap()
    }

    async fn link_ids(&self, user: &UserId, limit: u32) -> Vec<String> {
        let rows = every_page(limit, async |page| self.store.linked_logins(user, &page).await).await;
        rows.iter().map(|row| row.id.to_string()).collect()
    }

    /// Whose account this subject of Google's is linked to.
    async fn holder(&self, subject: &str) -> Option<UserId> {
        self.store.linked_login(GOOGLE, subject).await.unwrap().map(|link| link.user)
    }
}

/// Every field of a link is found again by issuer and subject, and in the account's list, the address in lower case even
/// where a caller set it by hand.
pub async fn a_link_comes_back_whole<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let link = LinkedLogin::new("lnk_1", world.alice.clone(), GOOGLE, "10769150350006150715113082367", "a@gmail.com", NOW);
    let mut shouted = link.clone();
    shouted.email = "A@Gmail.COM".to_owned();
    assert_eq!(world.store.link_login(shouted).await.unwrap(), InsertOutcome::Inserted);
    let found = world.store.linked_login(GOOGLE, &link.subject).await.unwrap();
    assert_eq!(found.as_ref(), Some(&link));
    let listed = world.store.linked_logins(&world.alice, &PageRequest::first()).await.unwrap();
    assert_eq!(listed.items, [link]);
    assert!(world.link_ids(&world.bob, 20).await.is_empty());
}

/// A subject is one only together with its issuer, and both count to the letter: OpenID Connect Core 1.0 §2 makes `sub`
/// case sensitive and unique within its issuer alone.
pub async fn a_subject_is_found_at_its_issuer_alone<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let other = "https://id.example.com";
    for (id, user, issuer, subject) in [
        ("lnk_1", &world.alice, GOOGLE, "sub"),
        ("lnk_2", &world.bob, other, "sub"),
        ("lnk_3", &world.bob, GOOGLE, "SUB"),
    ] {
        let link = LinkedLogin::new(id, user.clone(), issuer, subject, "someone@example.com", NOW);
        assert_eq!(world.store.link_login(link).await.unwrap(), InsertOutcome::Inserted, "{id}");
    }
    for (issuer, subject, found) in [
        (GOOGLE, "sub", Some("lnk_1")),
        (other, "sub", Some("lnk_2")),
        (GOOGLE, "SUB", Some("lnk_3")),
        (other, "SUB", None),
        (GOOGLE, "sub ", None),
        (GOOGLE, "", None),
        ("https://ACCOUNTS.google.com", "sub", None),
        ("https://accounts.google.com/", "sub", None),
    ] {
        let link = world.store.linked_login(issuer, subject).await.unwrap();
        assert_eq!(link.map(|link| link.id).as_deref(), found, "{subject:?} of {issuer}");
    }
}

/// An id that is known or a subject that is linked is refused, to its own account too, and nothing changes.
pub async fn a_subject_is_linked_once<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    assert_eq!(world.link("lnk_1", &world.alice, "sub_1").await, InsertOutcome::Inserted);
    for (id, user, subject) in [
        ("lnk_1", &world.bob, "sub_2"),
        ("lnk_2", &world.bob, "sub_1"),
        ("lnk_2", &world.alice, "sub_1"),
        ("lnk_1", &world.alice, "sub_1"),
    ] {
        assert_eq!(world.link(id, user, subject).await, InsertOutcome::IdTaken, "{id} to {subject}");
        assert_eq!(world.holder("sub_1").await.as_ref(), Some(&world.alice));
        assert_eq!(world.holder("sub_2").await, None);
    }
    assert_eq!(world.link_ids(&world.alice, 20).await, ["lnk_1"]);
    assert!(world.link_ids(&world.bob, 20).await.is_empty());
}

/// Of many accounts that one subject is linked to at once one has it.
pub async fn of_many_links_of_one_subject_one_is_made<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let outcomes = together((0..20).map(|number| {
        let world = world.clone();
        async move { world.link(&format!("lnk_{number}"), &user(&format!("usr_{number}")), "wanted").await }
    }))
    .await;
    assert_eq!(count(&outcomes, &InsertOutcome::Inserted), 1);
    let winner = outcomes.iter().position(|outcome| *outcome == InsertOutcome::Inserted).unwrap();
    assert_eq!(world.holder("wanted").await, Some(user(&format!("usr_{winner}"))));
}

/// A link is ended by the account that has it; then its subject is a stranger, and may be linked again.
pub async fn a_link_is_ended_by_its_own_account<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for number in 1..=2 {
        world.link(&format!("lnk_{number}"), &world.alice, &format!("sub_{number}")).await;
        world.link(&format!("lnk_bob_{number}"), &world.bob, &format!("sub_bob_{number}")).await;
    }
    for (user, id, outcome) in [
        (&world.bob, "lnk_1", UnlinkOutcome::NoSuchLink),
        (&world.alice, "lnk_none", UnlinkOutcome::NoSuchLink),
        (&world.alice, "sub_1", UnlinkOutcome::NoSuchLink),
        (&world.alice, "lnk_1", UnlinkOutcome::Unlinked),
        (&world.alice, "lnk_1", UnlinkOutcome::NoSuchLink),
    ] {
        assert_eq!(world.unlink(user, id).await, outcome, "{id} of {user}");
    }
    assert_eq!(world.holder("sub_1").await, None);
    assert_eq!(world.link_ids(&world.alice, 20).await, ["lnk_2"]);
    assert_eq!(world.link_ids(&world.bob, 20).await, ["lnk_bob_1", "lnk_bob_2"]);
    assert_eq!(world.link("lnk_3", &world.bob, "sub_1").await, InsertOutcome::Inserted);
    assert_eq!(world.holder("sub_1").await.as_ref(), Some(&world.bob));
}

/// The only link of an account without a password stays, however many others have; with a password it may go.
pub async fn the_last_way_in_stays<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.link("lnk_1", &world.alice, "sub_1").await;
    world.link("lnk_2", &world.bob, "sub_2").await;
    world.link("lnk_3", &world.bob, "sub_3").await;
    settled(world.store.set_password(PasswordChange::new(&world.bob, hash(1), NOW)).await);
    assert_eq!(world.unlink(&world.alice, "lnk_1").await, UnlinkOutcome::LastWayIn);
    assert_eq!(world.unlink(&world.alice, "lnk_none").await, UnlinkOutcome::NoSuchLink);
    assert_eq!(world.holder("sub_1").await.as_ref(), Some(&world.alice));

    for id in ["lnk_2", "lnk_3"] {
        assert_eq!(world.unlink(&world.bob, id).await, UnlinkOutcome::Unlinked, "{id}");
    }
    settled(world.store.set_password(PasswordChange::new(&world.alice, hash(2), NOW)).await);
    assert_eq!(world.unlink(&world.alice, "lnk_1").await, UnlinkOutcome::Unlinked);
    assert_eq!(world.holder("sub_1").await, None);
}

/// When the last two links of an account without a password are ended at the same time, one of them stays.
pub async fn of_the_last_two_links_ended_at_once_one_stays<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for round in 0..16 {
        let member = user(&format!("usr_{round}"));
        let ids = [format!("lnk_{round}_a"), format!("lnk_{round}_b")];
        for id in &ids {
            world.link(id, &member, id).await;
        }
        let outcomes = together(ids.map(|id| {
            let (world, member) = (world.clone(), member.clone());
            async move { world.unlink(&member, &id).await }
        }))
        .await;
        assert_eq!(count(&outcomes, &UnlinkOutcome::Unlinked), 1, "{outcomes:?}");
        assert_eq!(count(&outcomes, &UnlinkOutcome::LastWayIn), 1, "{outcomes:?}");
        assert_eq!(world.link_ids(&member, 20).await.len(), 1);
    }
}

/// An account's links in the order in which they were made, whatever their ids and the size of the pages, and no other
/// account's.
pub async fn links_are_listed_oldest_first<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let expected: Vec<String> = (0..23).map(|number| format!("lnk_{:02}", number * 7 % 23)).collect();
    for (number, id) in expected.iter().enumerate() {
        world.link(id, &world.alice, &format!("sub_{number}")).await;
        world.link(&format!("bob_{number}"), &world.bob, &format!("sub_bob_{number}")).await;
    }
    for limit in [1, 2, 11, 23, 100] {
        assert_eq!(world.link_ids(&world.alice, limit).await, expected, "in pages of {limit}");
    }
}

/// Links that stand from the first page to the last are listed once each while others are made and ended, the one that a
/// cursor names among them.
pub async fn a_list_of_links_is_whole_while_rows_come_and_go<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let mut standing = Vec::new();
    for number in 0..20 {
        let id = format!("standing_{number:02}");
        world.link(&id, &world.alice, &id).await;
        let brief = format!("brief_{number}");
        world.link(&brief, &world.alice, &brief).await;
        standing.push(id);
    }
    let writer = tokio::spawn({
        let world = world.clone();
        async move {
            for number in 0..20 {
                let brief = format!("brief_{number}");
                assert_eq!(world.unlink(&world.alice, &brief).await, UnlinkOutcome::Unlinked);
                // Again, and so at the end of the list.
                world.link(&format!("late_{number}"), &world.alice, &brief).await;
            }
        }
    });
    for limit in [1, 3, 7] {
        let mut ids = world.link_ids(&world.alice, limit).await;
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "a link was listed twice");
        ids.retain(|id| id.starts_with("standing"));
        assert_eq!(ids, standing);
    }
    writer.await.unwrap();
    assert_eq!(world.link_ids(&world.alice, 9).await.len(), 40);

    // The row that ended the first page goes, and so do all after it; the next one to come still follows.
    let page = PageRequest::new(None, 3).unwrap();
    let first = world.store.linked_logins(&world.alice, &page).await.unwrap();
    for id in &world.link_ids(&world.alice, 100).await[2..] {
        assert_eq!(world.unlink(&world.alice, id).await, UnlinkOutcome::Unlinked);
    }
    world.link("last", &world.alice, "last").await;
    let rest = PageRequest::new(first.next, 3).unwrap();
    let rest = world.store.linked_logins(&world.alice, &rest).await.unwrap();
    let ids: Vec<&str> = rest.items.iter().map(|row| &*row.id).collect();
    assert_eq!((ids, rest.next), (vec!["last"], None));
}
