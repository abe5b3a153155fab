//! Credentials: insertion, look-up, tenants and last use.

use std::sync::Arc;

use gatewright_core::credential::SecretKind;
use gatewright_core::principal::{Tenant, UserId};
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::{
    ChangeKey, CredentialFilter, CredentialRecord, InsertOutcome, NewCredential, PageRequest, RevokeOutcome,
    RotateOutcome, Rotation, Use,
};

use super::Store;
use super::fixture::{
    NOW, WORKSPACE, World, count, credential_id, every_page, publishing, secret, secrets, settled, together,
};

/// Every field that was inserted is found and listed again, and the insertion is published.
pub async fn a_stored_credential_comes_back_whole<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for (kind, name) in [
        (SecretKind::ApiKey, "Build “server” №1"),
        (SecretKind::Pat, ""),
        (SecretKind::Client, "x"),
    ] {
        let mut new = world.key("whole");
        new.kind = kind;
        new.name = name.to_owned();
        new.scopes = ScopeSet::parse("links.read mcp:call:conn_1 analytics.*").unwrap();
        new.not_before = Some(NOW + 10);
        new.expires_at = Some(NOW + 20);
        let id = ChangeKey::Credential(kind, "whole".into());
        assert_eq!(publishing(&[id], world.store.insert(new.clone())).await, InsertOutcome::Inserted);

        let filter = CredentialFilter::kind(kind);
        let list = world.store.list(&world.acme, &filter, &PageRequest::first()).await.unwrap();
        let [listed] = &*list.items else {
            panic!("one {kind:?} was inserted, {} are listed", list.items.len());
        };
        is_as_inserted(listed, &new);
        is_as_inserted(&world.store.find(kind, "whole").await.unwrap().unwrap(), &new);
    }

    // What is absent comes back absent, not as nought.
    let mut bare = world.key("bare");
    bare.secret.tag = None;
    world.insert(bare).await;
    let found = world.find("bare").await;
    assert_eq!((found.not_before, found.expires_at), (None, None));
    assert!(found.scopes.is_empty());
    assert_eq!(found.secrets.first().map(|secret| secret.tag), Some(None));
}

fn is_as_inserted(found: &CredentialRecord, new: &NewCredential) {
    assert_eq!(found.kind, new.kind);
    assert_eq!(found.id, new.id);
    assert_eq!(found.tenant, Tenant::new(new.tenant.clone(), WORKSPACE, "acme", "free"));
    assert_eq!(found.owner, new.owner);
    assert_eq!(found.name, new.name);
    assert_eq!(found.scopes, new.scopes);
    assert_eq!(secrets(found), [(1, None)]);
    assert_eq!(found.created_at, NOW);
    assert_eq!(found.not_before, new.not_before);
    assert_eq!(found.expires_at, new.expires_at);
    assert_eq!((found.revoked_at, found.last_used_at), (None, None));
}

/// An id that was never inserted is nobody's, however it is spelled.
pub async fn an_unknown_id_finds_nothing<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("known")).await;
    for id in ["", "unknown", "know", "knownn", "KNOWN", "known ", "%", "kno_n", "' OR 1=1 --"] {
        assert!(world.store.find(SecretKind::ApiKey, id).await.unwrap().is_none(), "{id:?} was found");
    }
}

/// The same id may name an API key and a client; neither is the other.
pub async fn an_id_is_unique_for_its_kind_alone<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("same")).await;
    assert!(world.store.find(SecretKind::Client, "same").await.unwrap().is_none());
    let mut client = world.key("same");
    client.kind = SecretKind::Client;
    client.secret = secret(2);
    world.insert(client).await;
    assert_eq!(world.revoke("same", NOW).await, RevokeOutcome::Revoked);
    let client = world.store.find(SecretKind::Client, "same").await.unwrap().unwrap();
    assert_eq!(client.revoked_at, None);
    assert_eq!(secrets(&client), [(2, None)]);
}

/// A public id is never used twice, over all tenants, and the refused insertion leaves the first as it was.
pub async fn a_taken_id_is_refused_even_after_a_revocation<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("taken")).await;
    let mut second = world.key("taken");
    second.tenant = world.globex.clone();
    second.owner = world.bob.clone();
    second.secret = secret(2);
    assert_eq!(settled(world.store.insert(second.clone()).await), InsertOutcome::IdTaken);
    assert_eq!(world.revoke("taken", NOW + 1).await, RevokeOutcome::Revoked);
    assert_eq!(settled(world.store.insert(second).await), InsertOutcome::IdTaken);

    let found = world.find("taken").await;
    assert_eq!((found.tenant.id(), &found.owner), (&world.acme, &world.alice));
    assert_eq!((secrets(&found), found.revoked_at), (vec![(1, None)], Some(NOW + 1)));
}

/// Of 32 insertions of one id at the same time one succeeds, and that one is what is found.
pub async fn of_many_insertions_of_one_id_one_succeeds<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let outcomes = together((0..32).map(|number| {
        let world = world.clone();
        async move {
            let mut new = world.key("contended");
            new.secret = secret(number);
            (number, settled(world.store.insert(new).await))
        }
    }))
    .await;
    let winners: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome == InsertOutcome::Inserted)
        .map(|(number, _)| (*number, None))
        .collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(secrets(&world.find("contended").await), winners);
}

/// Distinct credentials inserted at the same time are all there, each once.
pub async fn insertions_at_once_are_all_listed_once<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let ids: Vec<String> = (0..32).map(|number| format!("key_{number:02}")).collect();
    let outcomes = together(ids.iter().cloned().map(|id| {
        let world = world.clone();
        async move { settled(world.store.insert(world.key(&id)).await) }
    }))
    .await;
    assert_eq!(count(&outcomes, &InsertOutcome::Inserted), 32);

    let filter = CredentialFilter::default();
    let listed = every_page(7, async |page| world.store.list(&world.acme, &filter, &page).await).await;
    let mut listed: Vec<&str> = listed.iter().map(|row| row.id.as_str()).collect();
    listed.sort_unstable();
    assert_eq!(listed, ids);
}

/// A record comes with its tenant's plan of today, not of the day it was minted.
pub async fn a_credential_shows_its_tenant_as_it_is_now<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("planned")).await;
    assert!(settled(world.store.set_plan(&world.acme, "business").await));
    let today = Tenant::new(world.acme.clone(), WORKSPACE, "acme", "business");
    assert_eq!(world.find("planned").await.tenant, today);
    let page = PageRequest::first();
    let list = world.store.list(&world.acme, &CredentialFilter::default(), &page).await.unwrap();
    assert!(list.items.iter().all(|row| row.tenant == today) && list.items.len() == 1);
}

/// With another tenant's id a credential is not listed, not revoked and not rotated, and the answer is that of a
/// credential that does not exist.
pub async fn another_tenant_neither_sees_nor_changes_a_credential<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("ours")).await;
    for (tenant, id) in [(&world.globex, "ours"), (&world.globex, "none"), (&world.acme, "none")] {
        let revoked = world.store.revoke(tenant, SecretKind::ApiKey, id, NOW).await;
        assert_eq!(settled(revoked), RevokeOutcome::NotFound);
        let rotation = Rotation::new(secret(2), NOW + 60, NOW);
        let rotated = world.store.rotate(tenant, SecretKind::ApiKey, id, rotation).await;
        assert_eq!(settled(rotated), RotateOutcome::NotFound);
    }
    let page = PageRequest::first();
    let theirs = world.store.list(&world.globex, &CredentialFilter::default(), &page).await.unwrap();
    assert!(theirs.items.is_empty());

    let found = world.find("ours").await;
    assert_eq!((found.revoked_at, secrets(&found)), (None, vec![(1, None)]));
}

/// A flush that comes late never sets a credential's last use back, and an unknown credential spoils no batch.
pub async fn the_last_use_only_moves_forward<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("used")).await;
    world.insert(world.key("idle")).await;
    let used = |at| Use::new(SecretKind::ApiKey, credential_id("used"), at);
    let unknown = Use::new(SecretKind::Pat, credential_id("used"), NOW + 99);
    for (uses, expected) in [
        (vec![], None),
        (vec![unknown, used(NOW + 5)], Some(NOW + 5)),
        (vec![used(NOW + 4)], Some(NOW + 5)),
        (vec![used(NOW + 9), used(NOW + 7)], Some(NOW + 9)),
    ] {
        world.store.touch(&uses).await.unwrap();
        assert_eq!(world.find("used").await.last_used_at, expected);
    }
    assert_eq!(world.find("idle").await.last_used_at, None);

    together((0..32).map(|later| {
        let world = world.clone();
        let used = used(NOW + 10 + later);
        async move { world.store.touch(&[used]).await.unwrap() }
    }))
    .await;
    assert_eq!(world.find("used").await.last_used_at, Some(NOW + 41));
}

/// Flushing a use while the credential is rotated and revoked undoes neither.
pub async fn a_use_is_written_to_its_own_column_alone<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for round in 0..8 {
        let id = format!("touched_{round}");
        world.insert(world.key(&id)).await;
        together((0..9).map(|task| {
            let (world, id) = (world.clone(), id.clone());
            async move {
                match task {
                    4 => assert_eq!(world.rotate(&id, 2).await, RotateOutcome::Rotated),
                    _ => {
                        let used = Use::new(SecretKind::ApiKey, credential_id(&id), NOW + task);
                        world.store.touch(&[used]).await.unwrap();
                    }
                }
            }
        }))
        .await;
        let found = world.find(&id).await;
        assert_eq!(secrets(&found), [(2, None), (1, Some(NOW + 60))]);
        assert_eq!(found.last_used_at, Some(NOW + 8));

        assert_eq!(world.revoke(&id, NOW + 1).await, RevokeOutcome::Revoked);
        let used = Use::new(SecretKind::ApiKey, credential_id(&id), NOW + 9);
        world.store.touch(&[used]).await.unwrap();
        let found = world.find(&id).await;
        assert_eq!((found.revoked_at, found.last_used_at), (Some(NOW + 1), Some(NOW + 9)));
        let owner: &UserId = &found.owner;
        assert_eq!((owner, secrets(&found)), (&world.alice, vec![(2, None)]));
    }
}
