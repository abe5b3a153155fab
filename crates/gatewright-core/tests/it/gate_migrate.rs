//! Keys of another system: admitted by the hash that it made, and from then on by argon2id.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use futures_util::future::join_all;
use gatewright_core::credential::{Field, Formats, ImportedAlphabet, SecretFormat, SecretKind};
use gatewright_core::error::Cause;
use gatewright_core::gate::{Admission, Arrival, Coherence, Gate};
use gatewright_core::hash::{ImportedHash, SecretHash};
use gatewright_core::policy::{Limits, Policy};
use gatewright_core::principal::CredentialId;
use gatewright_core::store::{
    CredentialStore as _, InsertOutcome, NewCredential, Rotation, StoredSecret,
};

use crate::fixture::{NOW, World, at, cause, is_pending, pool, tenant, user};

/// 32 letters and digits, the shortest that get a guard tag, and a shorter one with an id.
const LONG: &str = "sk_live_0123456789ABCDEFGHIJKLMNOPQRSTUV";
const SHORT: &str = "acme-k3v9x2m7_0123456789abcdef";
/// 24 digits of hex, 96 bits, though the format would allow more characters.
const HEX: &str = "acme-5f3759df0123456789abcdef01234567";
const UUID: &str = "e5f0b6c2-9d1a-4c37-8a52-0c1d2e3f4a5b";

fn formats() -> Formats {
    let api_key = SecretKind::ApiKey;
    let (base62, base64url) = (ImportedAlphabet::Base62, ImportedAlphabet::Base64Url);
    let short = SecretFormat::imported(api_key, "acme-", base64url, 25..=32).with_id_length(8);
    Formats::builder()
        .secret(SecretFormat::separated(api_key, "tnx"))
        .secret(SecretFormat::imported(api_key, "sk_live_", base62, 32..=32))
        .secret(short)
        .secret(SecretFormat::imported_catch_all(
            api_key,
            ImportedAlphabet::UrlSafe,
            36..=100,
        ))
        .jwt()
        .build()
        .unwrap()
}

async fn world() -> World {
    World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.formats(formats())
    })
    .await
}

async fn import(world: &World, id: &str, hash: ImportedHash) {
    let id = CredentialId::new(id).unwrap();
    let stored = StoredSecret::imported(hash);
    assert_eq!((stored.tag, stored.ends_at), (None, None));
    let new = NewCredential::new(
        SecretKind::ApiKey,
        id,
        tenant("ten_neo"),
        user("alice"),
        stored,
        NOW,
    );
    let inserted = world.store.insert(new).await.unwrap();
    assert_eq!(
        world.gate.changes().publish(inserted),
        InsertOutcome::Inserted
    );
}

/// Imports the SHA-256 of a key without an id; answers the id that follows from it.
async fn import_sha256(world: &World, text: &str) -> String {
    let hash = ImportedHash::of_text(text);
    let id = hash.derived_id().unwrap();
    import(world, &id, hash).await;
    id
}

async fn stored(world: &World, id: &str) -> StoredSecret {
    let found = world.store.find(SecretKind::ApiKey, id).await;
    found.unwrap().unwrap().secrets.remove(0)
}

#[tokio::test]
async fn the_first_use_brings_argon2id_and_a_guard_tag() {
    let world = world().await;
    let policy = world.anyone();
    let id = import_sha256(&world, LONG).await;
    for _ in 0..3 {
        world.passes(LONG, &policy).await;
    }
    assert_eq!(
        (world.hashed(), world.gate.stats().hashing.imported),
        (1, 1)
    );
    assert!(
        stored(&world, &id).await.hash.is_imported(),
        "no request writes"
    );

    let upkeep = world.gate.upkeep().await.unwrap();
    assert_eq!((upkeep.rehashed, upkeep.migrated), (1, 1));
    let secret = stored(&world, &id).await;
    assert!(matches!(secret.hash, SecretHash::Argon2id(_)));
    assert_eq!(secret.tag, Some(world.gate.tag_keys().tag(LONG.as_bytes())));

    world.passes(LONG, &policy).await;
    world.passes(LONG, &policy).await;
    let stats = world.gate.stats().hashing;
    assert_eq!((stats.verifications, stats.imported), (2, 1), "argon2 once");
    assert_eq!(world.gate.upkeep().await.unwrap().rehashed, 0);
    // Another text derives another id: there is no such key.
    let wrong = LONG.replace('V', "W");
    assert_eq!(
        world.refused(&wrong, &policy).await,
        Cause::UnknownCredential
    );
}

/// The guard tag is for 128 random bits; these have 17 characters at most, 24 digits of hex, and a UUID 122 bits.
#[tokio::test]
async fn a_short_key_becomes_argon2id_without_a_tag() {
    let world = world().await;
    let policy = world.anyone();
    import(&world, "k3v9x2m7", ImportedHash::of_text(SHORT)).await;
    import(&world, "5f3759df", ImportedHash::of_text(HEX)).await;
    let of_uuid = import_sha256(&world, UUID).await;
    for key in [SHORT, HEX, UUID] {
        world.passes(key, &policy).await;
    }
    assert_eq!(world.gate.upkeep().await.unwrap().migrated, 3);
    for id in ["k3v9x2m7", "5f3759df", &of_uuid] {
        let secret = stored(&world, id).await;
        assert!(matches!(secret.hash, SecretHash::Argon2id(_)));
        assert_eq!(secret.tag, None);
    }
    // And stays as it is: no tag is not an outdated one.
    world.passes(SHORT, &policy).await;
    assert_eq!(world.gate.upkeep().await.unwrap().rehashed, 0);
}

#[tokio::test]
async fn without_a_tag_a_wrong_secret_is_verified_once_and_the_limiter_counts_it() {
    let world = world().await;
    let policy = world.anyone();
    import(&world, "k3v9x2m7", ImportedHash::of_text(SHORT)).await;
    let wrong = SHORT.replace("cdef", "cdee");
    assert_eq!(world.refused(&wrong, &policy).await, Cause::WrongSecret);
    for _ in 0..5 {
        assert_eq!(
            world.refused(&wrong, &policy).await,
            Cause::RememberedWrongSecret
        );
    }
    assert_eq!(world.hashed(), 1);
    // Four more are wrong, then the source waits, whatever it says.
    for guess in 0..4 {
        let wrong = SHORT.replace("cdef", &format!("{guess:04}"));
        assert_eq!(world.refused(&wrong, &policy).await, Cause::WrongSecret);
    }
    let wrong = SHORT.replace("cdef", "0004");
    assert_eq!(world.refused(&wrong, &policy).await, Cause::FailureLimited);
    assert_eq!(world.hashed(), 5);

    // The holder elsewhere goes on; once memory proves him, no wrong text is verified at all.
    let elsewhere = |number: u32| Arrival::new().source(Some(IpAddr::from(number.to_be_bytes())));
    let right = world.admit(SHORT, &policy, elsewhere(1)).decided().await;
    assert!(right.is_ok());
    for number in 2..1000 {
        let guess = SHORT.replace("cdef", &format!("{number:04}"));
        let refusal = world
            .admit(&guess, &policy, elsewhere(number))
            .decided()
            .await;
        assert_eq!(cause(refusal), Cause::TagMismatch);
    }
    assert_eq!(world.hashed(), 6);
    assert_eq!(world.gate.upkeep().await.unwrap().migrated, 1);
}

/// Whoever has a hash computed is counted first, and forgiven if he was right. Else many guesses at once would all have
/// been let in before the first was known to be wrong.
#[tokio::test]
async fn of_many_guesses_at_once_no_more_are_verified_than_in_turn() {
    let world = world().await;
    let policy = world.anyone();
    import(&world, "k3v9x2m7", ImportedHash::of_text(SHORT)).await;
    let guess = |number: u32| SHORT.replace("cdef", &format!("{number:04}"));
    let guesses = (0..50).map(|number| {
        let decision = world.admit(&guess(number), &policy, at("neo")).decided();
        async { cause(decision.await) }
    });
    let causes = join_all(guesses).await;
    let verified = causes.iter().filter(|cause| **cause == Cause::WrongSecret);
    assert_eq!((verified.count(), world.hashed()), (10, 10));
    let refused = causes
        .iter()
        .filter(|cause| **cause == Cause::FailureLimited);
    assert_eq!(refused.count(), 40);

    // The holder, cold, many times at once: one verification, and nothing of it stays counted against him.
    let elsewhere = || Arrival::new().source(Some(crate::fixture::ELSEWHERE));
    let right = (0..50).map(|_| world.admit(SHORT, &policy, elsewhere()).decided());
    assert!(join_all(right).await.iter().all(Result::is_ok));
    assert_eq!(world.hashed(), 11);
    for number in 100..110 {
        let wrong = world.admit(&guess(number), &policy, elsewhere()).decided();
        assert_eq!(cause(wrong.await), Cause::TagMismatch);
    }
    let wrong = world.admit(&guess(110), &policy, elsewhere()).decided();
    assert_eq!(cause(wrong.await), Cause::FailureLimited);
}

#[tokio::test]
async fn a_guess_that_is_given_up_counts() {
    let world = world().await;
    let policy = world.anyone();
    import(&world, "k3v9x2m7", ImportedHash::of_text(SHORT)).await;
    let _busy = world.busy();
    for number in 0..10 {
        let guess = SHORT.replace("cdef", &format!("{number:04}"));
        let mut decision = Box::pin(world.admit(&guess, &policy, at("neo")).decided());
        assert!(is_pending(&mut decision).await);
    }
    assert_eq!(world.refused(SHORT, &policy).await, Cause::FailureLimited);
}

/// Two hashes are tried for the holder of the older secret, and the first of them is not his.
#[tokio::test]
async fn the_secret_in_its_grace_is_no_failure() {
    let world = world().await;
    let policy = world.anyone();
    import(&world, "k3v9x2m7", ImportedHash::of_text(SHORT)).await;
    let newer = ImportedHash::of_text(&SHORT.replace("cdef", "0000"));
    let rotation = Rotation::new(StoredSecret::imported(newer), NOW + 60, NOW);
    let (owner, kind) = (tenant("ten_neo"), SecretKind::ApiKey);
    let rotated = world.store.rotate(&owner, kind, "k3v9x2m7", rotation).await;
    world.gate.changes().publish(rotated.unwrap());
    world.passes(SHORT, &policy).await;
    assert_eq!(world.hashed(), 2);
    for number in 1..=10 {
        let wrong = SHORT.replace("cdef", &format!("{number:04}"));
        assert_eq!(world.refused(&wrong, &policy).await, Cause::WrongSecret);
    }
    let wrong = SHORT.replace("cdef", "0011");
    assert_eq!(world.refused(&wrong, &policy).await, Cause::FailureLimited);
}

#[tokio::test]
async fn a_full_queue_is_no_failure() {
    let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| {
        builder.formats(formats()).hash_pool(pool(0))
    })
    .await;
    let policy = world.anyone();
    import(&world, "k3v9x2m7", ImportedHash::of_text(SHORT)).await;
    for _ in 0..20 {
        assert_eq!(world.refused(SHORT, &policy).await, Cause::HashQueueFull);
    }
}

#[tokio::test]
async fn of_two_nodes_one_migrates_and_both_go_on() {
    let world = World::with(Coherence::Strict, Limits::none(), |builder| {
        builder.formats(formats())
    })
    .await;
    let policy = world.anyone();
    let id = import_sha256(&world, LONG).await;
    let other = Gate::builder(
        Arc::clone(&world.store),
        Coherence::Strict,
        crate::fixture::tags(),
    )
    .formats(formats())
    .hash_pool(pool(64))
    .build()
    .unwrap();
    let elsewhere = other.compile(&Policy::api_key(), &world.handles).unwrap();
    let ask = async || {
        let fields = [(Field::ApiKey, LONG.as_bytes())];
        let decision = other.authenticate(&fields[..], &elsewhere, &Arrival::new());
        assert!(decision.decided().await.is_ok());
    };
    world.passes(LONG, &policy).await;
    ask().await;
    assert_eq!(world.gate.upkeep().await.unwrap().migrated, 1);
    let migrated = stored(&world, &id).await.hash;
    assert_eq!(other.upkeep().await.unwrap().migrated, 0);
    assert_eq!(stored(&world, &id).await.hash.as_str(), migrated.as_str());
    world.passes(LONG, &policy).await;
    ask().await;
}

#[tokio::test]
async fn a_migration_under_way_revives_nothing() {
    let world = world().await;
    let policy = world.anyone();
    let id = import_sha256(&world, LONG).await;
    world.passes(LONG, &policy).await;
    let (owner, kind) = (tenant("ten_neo"), SecretKind::ApiKey);
    let revoked = world.store.revoke(&owner, kind, &id, NOW).await;
    world.gate.changes().publish(revoked.unwrap());
    world.gate.upkeep().await.unwrap();
    assert_eq!(world.refused(LONG, &policy).await, Cause::Revoked);
}

#[tokio::test]
async fn a_migration_under_way_leaves_a_rotated_secret_alone() {
    let world = world().await;
    let policy = world.anyone();
    import(&world, "k3v9x2m7", ImportedHash::of_text(SHORT)).await;
    world.passes(SHORT, &policy).await;
    let newer = SHORT.replace("cdef", "0000");
    let hash = world.gate.hash_pool().hash(newer.as_bytes()).unwrap();
    let secret = StoredSecret::new(hash.await.unwrap(), None);
    let rotation = Rotation::new(secret.clone(), NOW, NOW);
    let (owner, kind) = (tenant("ten_neo"), SecretKind::ApiKey);
    let rotated = world.store.rotate(&owner, kind, "k3v9x2m7", rotation).await;
    world.gate.changes().publish(rotated.unwrap());
    world.gate.upkeep().await.unwrap();
    let current = stored(&world, "k3v9x2m7").await;
    assert_eq!(current.hash.as_str(), secret.hash.as_str());
    world.passes(&newer, &policy).await;
    assert_eq!(world.refused(SHORT, &policy).await.code().status(), 401);
}

#[tokio::test]
async fn a_migration_that_a_failing_store_refused_is_stored_later() {
    let world = world().await;
    let id = import_sha256(&world, LONG).await;
    world.passes(LONG, &world.anyone()).await;
    world.store.broken.store(true, SeqCst);
    assert!(world.gate.upkeep().await.is_err());
    world.store.broken.store(false, SeqCst);
    assert_eq!(world.gate.upkeep().await.unwrap().migrated, 1);
    assert!(stored(&world, &id).await.tag.is_some());
}

/// Many keys come back at once after a deployment. At most 256 new hashes wait to be stored; whoever finds no room is
/// migrated by a later use, though memory proves the key by then.
#[tokio::test]
async fn what_finds_no_room_is_migrated_by_a_later_use() {
    for coherence in [Coherence::SingleProcess, Coherence::Strict] {
        let world = World::with(coherence, Limits::none(), |builder| {
            builder.formats(formats())
        });
        no_room(world.await).await;
    }
}

async fn no_room(world: World) {
    let policy = world.anyone();
    let keys: Vec<String> = (0..300)
        .map(|number| LONG.replace("0123", &format!("{number:04}")))
        .collect();
    for key in &keys {
        import_sha256(&world, key).await;
    }
    let mut migrated = Vec::new();
    while migrated.iter().sum::<usize>() < keys.len() {
        for key in &keys {
            world.passes(key, &policy).await;
        }
        migrated.push(world.gate.upkeep().await.unwrap().migrated);
        assert!(migrated.len() < 20, "{migrated:?}");
    }
    // The rest in one round or in more: new hashes leave half of the pool's queue to proofs.
    assert_eq!(migrated.first(), Some(&256));
    assert_eq!(world.gate.stats().hashing.imported, 300);
}

#[tokio::test]
async fn a_warm_call_with_an_imported_key_allocates_nothing() {
    let world = world().await;
    let policy = world.anyone();
    import_sha256(&world, UUID).await;
    world.passes(UUID, &policy).await;
    let line = format!("Bearer {UUID}");
    let fields = [(Field::Authorization, line.as_bytes())];
    let arrival = at("neo");
    let measured = allocation_counter::measure(|| {
        for _ in 0..100 {
            let decided = world.gate.authenticate(&fields[..], &policy, &arrival);
            assert!(matches!(decided, Admission::Ready(Ok(_))));
        }
    });
    assert_eq!(measured.count_total, 0);
}

#[cfg(feature = "bcrypt")]
mod bcrypt {
    use super::*;

    const OF_72: &str = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
    /// Its text in the self-tests of Openwall's crypt_blowfish, `wrapper.c`: 72 bytes, "chars after 72 are ignored".
    const TEXT: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    async fn world(hash: ImportedHash) -> World {
        let format = SecretFormat::imported_catch_all(
            SecretKind::ApiKey,
            ImportedAlphabet::Base62,
            60..=100,
        );
        let formats = Formats::builder()
            .secret(format.with_id_length(10))
            .build()
            .unwrap();
        let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| {
            builder.formats(formats)
        })
        .await;
        import(&world, "0123456789", hash).await;
        world
    }

    #[tokio::test]
    async fn a_bcrypt_hash_is_replaced_after_its_first_use() {
        let world = world(ImportedHash::bcrypt(OF_72).unwrap()).await;
        let policy = world.anyone();
        let longer = format!("{TEXT}x");
        assert_eq!(world.refused(&longer, &policy).await, Cause::WrongSecret);
        world.passes(TEXT, &policy).await;
        assert_eq!(world.gate.upkeep().await.unwrap().migrated, 1);
        let secret = stored(&world, "0123456789").await;
        assert_eq!(secret.tag, Some(world.gate.tag_keys().tag(TEXT.as_bytes())));
        world.passes(TEXT, &policy).await;
        assert_eq!(world.gate.stats().hashing.imported, 2);
    }

    /// As the old system did, until the first use; then the text that was presented is the key, all of it.
    #[tokio::test]
    async fn a_truncating_hash_takes_the_first_text_that_fits() {
        let world = world(ImportedHash::bcrypt_truncating(OF_72).unwrap()).await;
        let policy = world.anyone();
        let (full, other) = (format!("{TEXT}full"), format!("{TEXT}other"));
        world.passes(&full, &policy).await;
        assert_eq!(world.refused(&other, &policy).await, Cause::TagMismatch);
        assert_eq!(world.gate.upkeep().await.unwrap().migrated, 1);
        world.passes(&full, &policy).await;
        assert_eq!(world.refused(&other, &policy).await, Cause::TagMismatch);
        assert_eq!(world.refused(TEXT, &policy).await, Cause::TagMismatch);
    }
}
