//! New secrets for old: rotation, and rehashing in place.

use std::sync::Arc;

use gatewright_core::credential::SecretKind;
use gatewright_core::hash::{ImportedHash, SecretHash};
use gatewright_core::scope::ScopeSet;
use gatewright_core::store::{ChangeKey, CredentialRecord, RevokeOutcome, RotateOutcome, Rotation, StoredSecret};
use gatewright_core::time::Timestamp;

use super::Store;
use super::fixture::{NOW, World, count, publishing, secret, secret_hash, secrets, settled, together};

const GRACE: Option<Timestamp> = Some(NOW + 60);

/// The new secret is the current one, the old one has its grace, and nothing else of the record changes.
pub async fn a_rotation_puts_the_new_secret_first<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let mut new = world.key("rotated");
    new.name = "kept".to_owned();
    new.scopes = ScopeSet::parse("links.read").unwrap();
    new.expires_at = Some(NOW + 3_600);
    world.insert(new.clone()).await;
    let key = [ChangeKey::Credential(SecretKind::ApiKey, "rotated".into())];
    let rotation = Rotation::new(secret(2), NOW + 60, NOW);
    let rotation = world.store.rotate(&world.acme, SecretKind::ApiKey, "rotated", rotation);
    assert_eq!(publishing(&key, rotation).await, RotateOutcome::Rotated);

    let found = world.find("rotated").await;
    assert_eq!(secrets(&found), [(2, None), (1, GRACE)]);
    assert_eq!((found.name, found.scopes, found.expires_at), (new.name, new.scopes, new.expires_at));
    assert_eq!((found.created_at, found.revoked_at), (NOW, None));
}

/// A grace is never longer than the credential itself, and a shorter one stays as it is.
pub async fn a_grace_ends_with_the_credential<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for (id, expires_at, expected) in [
        ("sooner", NOW + 10, NOW + 10),
        ("same", NOW + 60, NOW + 60),
        ("later", NOW + 100, NOW + 60),
    ] {
        let mut new = world.key(id);
        new.expires_at = Some(expires_at);
        world.insert(new).await;
        assert_eq!(world.rotate(id, 2).await, RotateOutcome::Rotated);
        let found = world.find(id).await;
        assert_eq!(secrets(&found), [(2, None), (1, Some(expected))], "{id}");
        assert_eq!(found.expires_at, Some(expires_at), "a rotation moved the expiry");
    }
}

/// There are never three secrets: a second rotation ends the one before the last at once.
pub async fn a_second_rotation_drops_the_oldest_secret<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("rotated")).await;
    for number in 2..=4 {
        assert_eq!(world.rotate("rotated", number).await, RotateOutcome::Rotated);
        assert_eq!(secrets(&world.find("rotated").await), [(number, None), (number - 1, GRACE)]);
    }
}

/// Revoking leaves the current secret, to tell its holder why it is refused, and no other.
pub async fn a_revocation_ends_a_grace<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("revoked")).await;
    assert_eq!(world.rotate("revoked", 2).await, RotateOutcome::Rotated);
    assert_eq!(world.revoke("revoked", NOW).await, RevokeOutcome::Revoked);
    assert_eq!(secrets(&world.find("revoked").await), [(2, None)]);
}

/// Revoked or expired credentials get no new secret; one expires at its `expires_at`, not after it.
pub async fn what_is_not_live_is_not_rotated<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("revoked")).await;
    assert_eq!(world.revoke("revoked", NOW).await, RevokeOutcome::Revoked);
    for (id, expires_at) in [("expired", NOW - 1), ("expiring", NOW), ("live", NOW + 1)] {
        let mut new = world.key(id);
        new.created_at = NOW - 100;
        new.expires_at = Some(expires_at);
        world.insert(new).await;
    }
    for id in ["revoked", "expired", "expiring"] {
        assert_eq!(world.rotate(id, 2).await, RotateOutcome::NotLive, "{id}");
        assert_eq!(secrets(&world.find(id).await), [(1, None)], "{id}");
    }
    assert_eq!(world.rotate("live", 2).await, RotateOutcome::Rotated);
}

/// However many rotate at the same time, one secret is current and one in its grace; and both are new, the first
/// one having been replaced twice.
pub async fn rotations_at_once_leave_two_secrets<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("contended")).await;
    let outcomes = together((2..18).map(|number| {
        let world = world.clone();
        async move { world.rotate("contended", number).await }
    }))
    .await;
    assert_eq!(count(&outcomes, &RotateOutcome::Rotated), 16);
    let secrets = secrets(&world.find("contended").await);
    let [(current, None), (graced, GRACE)] = *secrets else {
        panic!("not one current and one graced secret: {secrets:?}");
    };
    assert!(current != graced && current > 1 && graced > 1, "{secrets:?}");
}

/// A revocation and a rotation at the same time end, in either order, with a revoked credential and no grace.
pub async fn a_rotation_does_not_revive_what_is_revoked_meanwhile<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for round in 0..16 {
        let id = format!("raced_{round}");
        world.insert(world.key(&id)).await;
        let rotated = together([true, false].map(|rotates| {
            let (world, id) = (world.clone(), id.clone());
            async move {
                if rotates {
                    return world.rotate(&id, 2).await == RotateOutcome::Rotated;
                }
                assert_eq!(world.revoke(&id, NOW).await, RevokeOutcome::Revoked);
                false
            }
        }))
        .await
        .contains(&true);
        let found = world.find(&id).await;
        assert_eq!(found.revoked_at, Some(NOW));
        assert_eq!(secrets(&found), [(if rotated { 2 } else { 1 }, None)]);
    }
}

/// A newer hash of the same secret replaces the one it was made from, and no other.
pub async fn a_hash_is_swapped_only_where_it_stands<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("swapped")).await;
    let (kind, key) = (SecretKind::ApiKey, ChangeKey::Credential(SecretKind::ApiKey, "swapped".into()));
    for (kind, id, old) in [
        (kind, "swapped", secret_hash(2)),
        (kind, "unknown", secret_hash(1)),
        (SecretKind::Pat, "swapped", secret_hash(1)),
    ] {
        assert!(!settled(world.store.swap_hash(kind, id, &old, secret(3)).await));
        assert_eq!(secrets(&world.find("swapped").await), [(1, None)]);
    }
    let old = secret_hash(1);
    let swap = world.store.swap_hash(kind, "swapped", &old, secret(3));
    assert!(publishing(&[key], swap).await);
    assert_eq!(secrets(&world.find("swapped").await), [(3, None)]);
}

/// A hash that another system made comes back as it was, beside one made here too; what replaces it brings its own tag.
pub async fn an_imported_hash_is_kept_and_swapped<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    let imported = ImportedHash::of_text("sk_live_0123456789");
    let mut new = world.key("imported");
    new.secret = StoredSecret::imported(imported.clone());
    world.insert(new).await;
    let stored = |record: CredentialRecord| -> Vec<_> {
        let secrets = record.secrets.into_iter();
        secrets.map(|secret| (secret.hash.as_str().to_owned(), secret.tag, secret.ends_at)).collect()
    };
    let old = imported.as_str().to_owned();
    assert_eq!(stored(world.find("imported").await), [(old.clone(), None, None)]);

    // In its grace behind a secret that was minted here.
    assert_eq!(world.rotate("imported", 2).await, RotateOutcome::Rotated);
    let found = world.find("imported").await;
    assert!(found.secrets[1].hash.is_imported() && !found.secrets[0].hash.is_imported());
    assert_eq!(stored(found).remove(1), (old, None, GRACE));

    let (kind, old) = (SecretKind::ApiKey, SecretHash::from(imported));
    assert!(settled(world.store.swap_hash(kind, "imported", &old, secret(3)).await));
    assert_eq!(secrets(&world.find("imported").await), [(2, None), (3, GRACE)]);
    assert!(!settled(world.store.swap_hash(kind, "imported", &old, secret(4)).await));
    assert_eq!(secrets(&world.find("imported").await), [(2, None), (3, GRACE)]);
}

/// A secret that is rehashed in its grace keeps its place and its end, whatever the new one says.
pub async fn a_swap_keeps_the_grace<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("swapped")).await;
    assert_eq!(world.rotate("swapped", 2).await, RotateOutcome::Rotated);
    let kind = SecretKind::ApiKey;
    assert!(settled(world.store.swap_hash(kind, "swapped", &secret_hash(1), secret(3)).await));
    let mut ending = secret(4);
    ending.ends_at = Some(NOW + 1);
    assert!(settled(world.store.swap_hash(kind, "swapped", &secret_hash(2), ending).await));
    assert_eq!(secrets(&world.find("swapped").await), [(4, None), (3, GRACE)]);
}

/// Of many rehashes of one hash at the same time one is stored.
pub async fn of_many_swaps_of_one_hash_one_succeeds<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    world.insert(world.key("contended")).await;
    let swapped = together((2..18).map(|number| {
        let world = world.clone();
        async move {
            let new = secret(number);
            settled(world.store.swap_hash(SecretKind::ApiKey, "contended", &secret_hash(1), new).await)
        }
    }))
    .await;
    assert_eq!(count(&swapped, &true), 1);
    let winner = swapped.iter().position(|won| *won).unwrap() as u16 + 2;
    assert_eq!(secrets(&world.find("contended").await), [(winner, None)]);
}

/// A rehash of a secret that two rotations drop meanwhile brings it back in no order of events.
pub async fn a_swap_does_not_revive_what_was_rotated_away<S: Store>(store: Arc<S>) {
    let world = World::new(store).await;
    for round in 0..16 {
        let id = format!("raced_{round}");
        world.insert(world.key(&id)).await;
        together([2, 3, 9].map(|number| {
            let (world, id) = (world.clone(), id.clone());
            async move {
                if number == 9 {
                    let old = secret_hash(1);
                    let swap = world.store.swap_hash(SecretKind::ApiKey, &id, &old, secret(9));
                    settled(swap.await);
                } else {
                    assert_eq!(world.rotate(&id, number).await, RotateOutcome::Rotated);
                }
            }
        }))
        .await;
        let secrets = secrets(&world.find(&id).await);
        assert!(
            matches!(*secrets, [(2, None), (3, GRACE)] | [(3, None), (2, GRACE)]),
            "{secrets:?}"
        );
        let stale = world.store.swap_hash(SecretKind::ApiKey, &id, &secret_hash(1), secret(9)).await;
        assert!(!settled(stale));
    }
}
