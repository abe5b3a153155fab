//! Lists of credentials by cursor.

use std::sync::Arc;

use gatewright_core::credential::SecretKind;
use gatewright_core::store::{CredentialFilter, CredentialRecord, PageRequest};

use super::Store;
use super::fixture::{NOW, World, every_page};

fn ids(rows: &[CredentialRecord]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

/// A page has as many rows as were asked for, and leads on exactly when more follow.
pub async fn a_page_holds_no_more_than_its_limit<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for number in 0..5 {
        world.insert(world.key(&format!("key_{number}"))).await;
    }
    let filter = CredentialFilter::default();
    for (limit, rows, leads_on) in [(1, 1, true), (4, 4, true), (5, 5, false), (6, 5, false), (100, 5, false)] {
        let page = PageRequest::new(None, limit).unwrap();
        let page = world.store.list(&world.acme, &filter, &page).await.unwrap();
        assert_eq!((page.items.len(), page.next.is_some()), (rows, leads_on), "limit {limit}");
    }
}

/// Whatever the size of its pages, a list is the same rows in the order in which they were inserted, even when
/// many were minted in the same second and their ids sort otherwise.
pub async fn pages_together_are_the_list_oldest_first<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let expected: Vec<String> = (0..23).map(|number| format!("key_{:02}", number * 7 % 23)).collect();
    for (number, id) in expected.iter().enumerate() {
        let mut new = world.key(id);
        new.created_at = NOW + number as u64 / 8;
        world.insert(new).await;
        // Rows of another tenant in between are not in the way.
        let mut foreign = world.key(&format!("foreign_{number}"));
        foreign.tenant = world.globex.clone();
        world.insert(foreign).await;
    }
    let filter = CredentialFilter::default();
    for limit in [1, 2, 11, 23, 100] {
        let rows = every_page(limit, async |page| world.store.list(&world.acme, &filter, &page).await).await;
        assert_eq!(ids(&rows), expected, "in pages of {limit}");
    }
}

/// A list of one kind, or of one owner, or both, has all of these and no others; across pages as well.
pub async fn a_filter_leaves_out_other_kinds_and_owners<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for (id, kind, owner) in [
        ("a", SecretKind::ApiKey, &world.alice),
        ("b", SecretKind::Pat, &world.alice),
        ("c", SecretKind::Pat, &world.bob),
        ("d", SecretKind::ApiKey, &world.bob),
        ("e", SecretKind::Pat, &world.alice),
        ("f", SecretKind::Client, &world.bob),
    ] {
        let mut new = world.key(id);
        new.kind = kind;
        new.owner = owner.clone();
        world.insert(new).await;
    }
    for (filter, expected) in [
        (CredentialFilter::default(), vec!["a", "b", "c", "d", "e", "f"]),
        (CredentialFilter::kind(SecretKind::Pat), vec!["b", "c", "e"]),
        (CredentialFilter::default().owned_by(world.bob.clone()), vec!["c", "d", "f"]),
        (CredentialFilter::kind(SecretKind::Pat).owned_by(world.alice.clone()), vec!["b", "e"]),
        (CredentialFilter::kind(SecretKind::Client).owned_by(world.alice.clone()), vec![]),
    ] {
        for limit in [1, 100] {
            let rows = every_page(limit, async |page| world.store.list(&world.acme, &filter, &page).await).await;
            assert_eq!(ids(&rows), expected, "{filter:?} in pages of {limit}");
        }
    }
}

/// Rows that stand from the first page to the last are listed once each while others are inserted.
pub async fn a_list_is_whole_while_rows_are_inserted<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let standing: Vec<String> = (0..20).map(|number| format!("standing_{number:02}")).collect();
    for id in &standing {
        world.insert(world.key(id)).await;
    }
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let world = world.clone();
            tokio::spawn(async move {
                for number in 0..10 {
                    world.insert(world.key(&format!("late_{writer}_{number}"))).await;
                }
            })
        })
        .collect();
    let filter = CredentialFilter::default();
    for limit in [1, 3, 7] {
        let rows = every_page(limit, async |page| world.store.list(&world.acme, &filter, &page).await).await;
        let mut seen = ids(&rows);
        seen.sort_unstable();
        assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "a row was listed twice");
        let seen: Vec<_> = seen.into_iter().filter(|id| id.starts_with("standing")).collect();
        assert_eq!(seen, standing);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let rows = every_page(9, async |page| world.store.list(&world.acme, &filter, &page).await).await;
    assert_eq!(rows.len(), 60);
}
