//! Stored hashes, the pool, guard tags and proof digests as their users see them.

use std::future::Future;
use std::num::NonZeroUsize;

use gatewright_core::hash::{
    Answer, Argon2Settings, GuardTag, HashPool, ImportError, ImportedHash, KeyError,
    MAX_PASSWORD_LENGTH, PasswordError, Passwords, Phc, PhcError, PoolConfig, ProofKey, QueueFull,
    SecretHash, SecretHashError, SettingsError, TagKey, TagKeys, TagVerdict,
};
use proptest::prelude::*;

fn fast() -> PoolConfig {
    PoolConfig::new(Argon2Settings::insecure_for_tests()).with_threads(NonZeroUsize::MIN)
}

fn phc(text: &str) -> Phc {
    text.parse().unwrap()
}

/// Made by argon2-cffi 25.1.0, which wraps the reference implementation in C: `hash_secret(…, type=Type.ID)`.
const KNOWN: [(&[u8], &str); 3] = [
    (
        b"correct horse battery staple",
        "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0",
    ),
    (
        b"tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$+ntnS2vaOjMWoHZJdHe6cg",
    ),
    (
        b"\xff\x00\x80 any bytes",
        "$argon2id$v=19$m=128,t=3,p=4$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8$FSqFqb/4e0adTib1Qd4uFkbB61eSfvYs4iG6MQiodr6VYpLtwBEHBQtJ0daFYGDOF8KIPWbXkjDn9OM2SciHzQ",
    ),
];

#[tokio::test]
async fn hashes_of_the_reference_implementation_verify() {
    let pool = HashPool::start(fast()).unwrap();
    // Twice: the second round works in memory that was used, and for the first one given back.
    for _ in 0..2 {
        for (secret, stored) in KNOWN {
            let stored = phc(stored);
            assert_eq!(pool.verify(&stored, secret).unwrap().await, Some(true));
            let wrong = [secret, b"x"].concat();
            assert_eq!(pool.verify(&stored, &wrong).unwrap().await, Some(false));
        }
    }
    assert_eq!(pool.stats().verifications, 12);
}

#[tokio::test]
async fn a_new_hash_verifies_has_the_pools_settings_and_its_own_salt() {
    let pool = HashPool::start(PoolConfig::new(Argon2Settings::default())).unwrap();
    let first = pool.hash(b"secret").unwrap().await.unwrap();
    let second = pool.hash(b"secret").unwrap().await.unwrap();
    assert!(
        first
            .as_str()
            .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
    );
    assert_ne!(first.as_str(), second.as_str());

    let stored = phc(first.as_str());
    assert_eq!(stored.as_str(), first.as_str());
    assert_eq!(pool.verify(&stored, b"secret").unwrap().await, Some(true));
    assert_eq!(pool.verify(&stored, b"Secret").unwrap().await, Some(false));
    assert!(!stored.needs_rehash(&pool.settings()));
}

#[test]
fn stored_texts_that_are_refused() {
    const SALT: &str = "MDEyMzQ1Njc4OWFiY2RlZg";
    const HASH: &str = "gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0";
    let with = |parameters: &str| format!("$argon2id$v=19${parameters}${SALT}${HASH}");
    let parts = |salt: &str, hash: &str| format!("$argon2id$v=19$m=64,t=1,p=1${salt}${hash}");
    let costly = PhcError::Settings(SettingsError::TooCostly);
    let weak = PhcError::Settings(SettingsError::TooWeak);

    for (text, expected) in [
        (String::new(), PhcError::Syntax),
        ("plain".to_owned(), PhcError::Syntax),
        (
            format!("argon2id$v=19$m=64,t=1,p=1${SALT}${HASH}"),
            PhcError::Syntax,
        ),
        (
            format!("$argon2i$v=19$m=64,t=1,p=1${SALT}${HASH}"),
            PhcError::Algorithm,
        ),
        (
            format!("$argon2d$v=19$m=64,t=1,p=1${SALT}${HASH}"),
            PhcError::Algorithm,
        ),
        (
            format!("$2b$v=19$m=64,t=1,p=1${SALT}${HASH}"),
            PhcError::Algorithm,
        ),
        (
            format!("$argon2id$v=16$m=64,t=1,p=1${SALT}${HASH}"),
            PhcError::Version,
        ),
        (
            format!("$argon2id$m=64,t=1,p=1${SALT}${HASH}"),
            PhcError::Version,
        ),
        (with("m=64,t=1"), PhcError::Syntax),
        (with("t=1,m=64,p=1"), PhcError::Syntax),
        (with("m=64,t=1,p=1,keyid=AA"), PhcError::Syntax),
        (with("m=064,t=1,p=1"), PhcError::Syntax),
        (with("m=+64,t=1,p=1"), PhcError::Syntax),
        (with("m=-64,t=1,p=1"), PhcError::Syntax),
        (with("m=4294967296,t=1,p=1"), PhcError::Syntax),
        (with("m=4294967295,t=1,p=1"), costly),
        (with("m=131073,t=1,p=1"), costly),
        (with("m=64,t=11,p=1"), costly),
        (with("m=64,t=1,p=5"), costly),
        (with("m=64,t=1,p=16777215"), costly),
        (with("m=7,t=1,p=1"), weak),
        (with("m=31,t=1,p=4"), weak),
        (with("m=64,t=0,p=1"), weak),
        (
            with("m=64,t=1,p=0"),
            PhcError::Settings(SettingsError::Lanes),
        ),
        (parts("c2FsdHNhbA", HASH), PhcError::Salt),
        (parts("", HASH), PhcError::Salt),
        (parts(&"A".repeat(87), HASH), PhcError::Salt),
        (parts("MDEyMzQ1Njc4OWFiY2RlZg==", HASH), PhcError::Encoding),
        (parts("MDEyMzQ1Njc4OWFiY2RlZh", HASH), PhcError::Encoding),
        (parts("MDEyMzQ1Njc4OWFi-_RlZg", HASH), PhcError::Encoding),
        (parts(SALT, "AAAAAAAAAAAAAAAAAAAA"), PhcError::Output),
        (parts(SALT, &"A".repeat(87)), PhcError::Output),
        (format!("{}$", with("m=64,t=1,p=1")), PhcError::Syntax),
        (
            format!("$argon2id$v=19$m=64,t=1,p=1${SALT}"),
            PhcError::Syntax,
        ),
        (parts(SALT, &"A".repeat(10_000)), PhcError::Syntax),
    ] {
        assert_eq!(text.parse::<Phc>().err(), Some(expected), "{text}");
    }
    assert!(with("m=131072,t=10,p=4").parse::<Phc>().is_ok());
}

#[test]
fn settings_below_the_recommended_minimum_are_refused() {
    for (settings, expected) in [
        ((19_456, 2, 1), Ok(())),
        ((131_072, 10, 4), Ok(())),
        ((19_455, 2, 1), Err(SettingsError::TooWeak)),
        ((19_456, 1, 1), Err(SettingsError::TooWeak)),
        ((19_456, 2, 0), Err(SettingsError::Lanes)),
        ((131_073, 2, 1), Err(SettingsError::TooCostly)),
        ((19_456, 11, 1), Err(SettingsError::TooCostly)),
        ((19_456, 2, 5), Err(SettingsError::TooCostly)),
    ] {
        let (memory, passes, lanes) = settings;
        assert_eq!(
            Argon2Settings::new(memory, passes, lanes).map(|_| ()),
            expected,
            "{settings:?}"
        );
    }
    let default = Argon2Settings::default();
    assert_eq!(
        (default.memory_kib(), default.passes(), default.lanes()),
        (19_456, 2, 1)
    );
}

#[test]
fn only_weaker_hashes_are_renewed() {
    let default = Argon2Settings::default();
    let [(_, same), (_, weak), (_, _)] = KNOWN;
    assert!(!phc(same).needs_rehash(&default));
    assert!(phc(weak).needs_rehash(&default));
    for (stronger, expected) in [
        ((19_457, 2, 1), true),
        ((19_456, 3, 1), true),
        ((19_456, 2, 2), false),
    ] {
        let (memory, passes, lanes) = stronger;
        let settings = Argon2Settings::new(memory, passes, lanes).unwrap();
        assert_eq!(phc(same).needs_rehash(&settings), expected, "{stronger:?}");
    }
    // Same cost, but a salt of 8 and an output of 16 bytes.
    assert!(phc(weak).needs_rehash(&Argon2Settings::insecure_for_tests()));
}

#[tokio::test]
async fn a_stored_hash_beyond_the_pools_memory_is_no_verdict() {
    let (secret, stored) = KNOWN[0];
    let pool = HashPool::start(fast().with_max_memory_kib(19_455)).unwrap();
    assert_eq!(pool.verify(phc(stored), secret).unwrap().await, None);
    assert_eq!((pool.stats().verifications, pool.stats().failed), (0, 1));

    // Its own settings are always within the limits.
    let own = PoolConfig::new(Argon2Settings::default()).with_max_memory_kib(1);
    let pool = HashPool::start(own).unwrap();
    assert_eq!(pool.verify(phc(stored), secret).unwrap().await, Some(true));
}

#[test]
fn a_pool_without_a_queue_refuses() {
    let pool = HashPool::start(fast().with_queue(0)).unwrap();
    let refusal: QueueFull = pool.hash(b"x").unwrap_err();
    assert_eq!(refusal.to_string(), "the hashing pool is busy");
    assert_eq!(pool.stats().refused, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_get_their_own_answers() {
    let threads = NonZeroUsize::new(3).unwrap();
    let pool = HashPool::start(fast().with_threads(threads).with_queue(200)).unwrap();
    let stored = pool.hash(b"right").unwrap().await.unwrap();
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let (pool, stored) = (pool.clone(), stored.clone());
            tokio::spawn(async move {
                let right = number % 3 == 0;
                let secret: &[u8] = if right { b"right" } else { b"wrong" };
                assert_eq!(pool.verify(&stored, secret).unwrap().await, Some(right));
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let stats = pool.stats();
    assert_eq!(
        (stats.verifications, stats.queued, stats.failed),
        (100, 0, 0)
    );
}

#[test]
fn an_answer_belongs_to_no_runtime() {
    fn assert_future<T: Future<Output = Option<bool>> + Send + Unpin + 'static>() {}
    assert_future::<Answer<bool>>();
}

#[tokio::test]
async fn nobodys_password_costs_a_verification_and_is_always_wrong() {
    let passwords = Passwords::start(fast()).unwrap();
    let stored = passwords.hash(b"open sesame").unwrap().await.unwrap();
    let longest = vec![b'p'; MAX_PASSWORD_LENGTH];
    let too_long = vec![b'p'; MAX_PASSWORD_LENGTH + 1];
    let of_longest = passwords.hash(&longest).unwrap().await.unwrap();

    // A hash that something else made of a longer password is not honoured either.
    let pool = HashPool::start(fast()).unwrap();
    let of_too_long = pool.hash(&too_long).unwrap().await.unwrap();

    let mut done = 0;
    for (account, password, expected) in [
        (Some(&stored), &b"open sesame"[..], true),
        (Some(&stored), b"open barley", false),
        (Some(&stored), b"", false),
        (None, b"open sesame", false),
        (None, &too_long, false),
        (Some(&of_longest), &longest, true),
        (Some(&of_too_long), &too_long, false),
        // Its first 512 bytes are the right password.
        (Some(&of_longest), &too_long, false),
    ] {
        let verdict = passwords.verify(account, password).unwrap().await;
        assert_eq!(verdict, Some(expected));
        done += 1;
        assert_eq!(passwords.stats().verifications, done);
    }
    assert!(matches!(
        passwords.hash(&too_long),
        Err(PasswordError::TooLong)
    ));
    assert!(!passwords.needs_rehash(&stored));
}

#[test]
fn guard_tags() {
    let key = |id| TagKey::from_bytes(id, std::array::from_fn(|index| index as u8));
    let keys = TagKeys::new(key(7), []).unwrap();
    let tag = keys.tag(b"tnx_a1b2c3d4_secret");
    // CPython 3: `hmac.new(bytes(range(32)), b"tnx_a1b2c3d4_secret", "sha256").hexdigest()` is d998034d….
    assert_eq!((tag.key_id, tag.bits), (7, 0xd998));
    assert_eq!(keys.check(tag, b"tnx_a1b2c3d4_secret"), TagVerdict::Matches);
    assert_eq!(keys.check(tag, b"tnx_a1b2c3d4_secreu"), TagVerdict::Differs);

    let next = TagKey::generate(8).unwrap();
    let kept = TagKey::from_bytes(next.id(), *next.expose());
    let rotated = TagKeys::new(next, [key(7)]).unwrap();
    assert_eq!(
        rotated.check(tag, b"tnx_a1b2c3d4_secret"),
        TagVerdict::Matches
    );
    assert_eq!(rotated.tag(b"tnx_a1b2c3d4_secret").key_id, 8);

    let fresh = rotated.tag(b"tnx_a1b2c3d4_secret");
    let without = TagKeys::new(kept, []).unwrap();
    assert_eq!(
        without.check(fresh, b"tnx_a1b2c3d4_secret"),
        TagVerdict::Matches
    );
    assert_eq!(
        without.check(tag, b"tnx_a1b2c3d4_secret"),
        TagVerdict::UnknownKey
    );
    assert!(matches!(
        TagKeys::new(key(8), [key(8)]),
        Err(KeyError::DuplicateId(8))
    ));
    assert!(matches!(
        TagKeys::new(key(8), [key(1), key(1)]),
        Err(KeyError::DuplicateId(1))
    ));
    assert_ne!(
        TagKey::generate(1).unwrap().expose(),
        TagKey::generate(1).unwrap().expose()
    );
}

#[test]
fn secrets_and_hashes_are_not_printed() {
    let key = TagKey::from_bytes(3, [0xAB; 32]);
    let keys = TagKeys::new(TagKey::from_bytes(3, [0xAB; 32]), []).unwrap();
    let proof = ProofKey::generate().unwrap();
    let shown = format!(
        "{:?} {key:?} {keys:?} {proof:?} {:?}",
        phc(KNOWN[0].1),
        proof.digest(b"secret")
    );
    for secret in ["MDEyMzQ1", "gy5SuVm5", "171", "ab, ab"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

const SHA256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// Of the empty text, from jBCrypt's `TestBCrypt.java`.
const BCRYPT_OF_NOTHING: &str = "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.";

#[test]
fn every_stored_text_is_of_one_scheme_and_says_nothing_in_debug() {
    let sha256 = format!("$sha256${SHA256_OF_ABC}");
    for (text, shown) in [
        (KNOWN[0].1, "19456"),
        (&*sha256, "Imported(ImportedHash(sha256))"),
    ] {
        let stored: SecretHash = text.parse().unwrap();
        assert_eq!(stored.as_str(), text);
        let debug = format!("{stored:?}");
        assert!(debug.contains(shown), "{debug}");
        assert!(
            !debug.contains("gy5Su") && !debug.contains("ba78"),
            "{debug}"
        );
        assert_eq!(text.parse::<Phc>().is_ok(), !stored.is_imported());
        let outdated = stored.needs_rehash(&Argon2Settings::default());
        assert_eq!(outdated, stored.is_imported());
    }
    let error = |text: &str| text.parse::<SecretHash>().unwrap_err();
    let bad_sha256 = SecretHashError::Imported(ImportError::Sha256);
    for text in [
        "$sha256$",
        "$sha256$ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0",
        &sha256.to_uppercase().replace("SHA", "sha"),
        &format!("{sha256}0"),
        &format!("{sha256}$"),
    ] {
        assert_eq!(error(text), bad_sha256, "{text}");
    }
    assert_eq!(
        error(SHA256_OF_ABC),
        SecretHashError::Argon2id(PhcError::Syntax)
    );
    assert_eq!(
        error("$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$+ntnS2vaOjMWoHZJdHe6cg"),
        SecretHashError::Argon2id(PhcError::Algorithm)
    );
}

/// Such a row is a store that can't be read, not a wrong secret.
#[cfg(not(feature = "bcrypt"))]
#[test]
fn without_its_feature_bcrypt_is_an_error_and_not_a_refusal() {
    for text in [
        BCRYPT_OF_NOTHING.to_owned(),
        format!("$bcrypt-72{BCRYPT_OF_NOTHING}"),
    ] {
        assert_eq!(
            text.parse::<SecretHash>().unwrap_err(),
            SecretHashError::Imported(ImportError::BcryptDisabled)
        );
    }
}

#[cfg(feature = "bcrypt")]
#[test]
fn the_two_readings_of_bcrypt_are_stored_apart() {
    let strict = SecretHash::from(ImportedHash::bcrypt(BCRYPT_OF_NOTHING).unwrap());
    let truncating = SecretHash::from(ImportedHash::bcrypt_truncating(BCRYPT_OF_NOTHING).unwrap());
    assert_eq!(strict.as_str(), BCRYPT_OF_NOTHING);
    assert_eq!(
        truncating.as_str(),
        format!("$bcrypt-72{BCRYPT_OF_NOTHING}")
    );
    for hash in [strict, truncating] {
        let again: SecretHash = hash.as_str().parse().unwrap();
        assert_eq!(again.as_str(), hash.as_str());
        assert_eq!(format!("{again:?}"), "Imported(ImportedHash(bcrypt))");
        assert!(again.needs_rehash(&Argon2Settings::insecure_for_tests()));
    }
    let nested = format!("$bcrypt-72$bcrypt-72{BCRYPT_OF_NOTHING}");
    assert!(nested.parse::<SecretHash>().is_err());
}

#[tokio::test]
async fn the_pool_verifies_imported_hashes_and_counts_them() {
    let pool = HashPool::start(fast()).unwrap();
    let stored = SecretHash::from(ImportedHash::of_text("tnx"));
    assert_eq!(pool.verify(&stored, b"tnx").unwrap().await, Some(true));
    assert_eq!(pool.verify(&stored, b"tny").unwrap().await, Some(false));
    assert_eq!(pool.verify(&stored, b"").unwrap().await, Some(false));
    let _ = pool.verify(phc(KNOWN[1].1), b"x").unwrap().await;
    let stats = pool.stats();
    assert_eq!((stats.verifications, stats.imported), (4, 3));
}

#[test]
fn a_proof_digest_allocates_nothing() {
    let key = ProofKey::generate().unwrap();
    let kept = key.digest(b"tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ03YRaM");
    let counted = allocation_counter::measure(|| {
        let fresh = key.digest(b"tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ03YRaM");
        assert!(fresh.matches(&kept));
    });
    assert_eq!(counted.count_total, 0);
}

proptest! {
    #[test]
    fn stored_texts_are_parsed_totally_and_kept_as_they_are(
        text in prop_oneof![
            ".{0,300}",
            "\\$argon2id\\$v=19\\$m=[0-9]{1,6},t=[0-9]{1,2},p=[0-9]\\$[A-Za-z0-9+/]{11,90}\\$[A-Za-z0-9+/]{22,90}",
        ],
    ) {
        if let Ok(stored) = text.parse::<Phc>() {
            prop_assert_eq!(stored.as_str(), &text);
            let settings = stored.settings();
            prop_assert!(settings.memory_kib() <= 128 * 1024);
            prop_assert!(settings.passes() <= 10 && settings.lanes() <= 4);
        }
    }

    #[test]
    fn stored_texts_of_every_scheme_are_parsed_totally_and_kept_as_they_are(
        text in prop_oneof![
            ".{0,100}",
            "\\$sha256\\$[0-9a-fA-F]{63,65}",
            "(\\$bcrypt-72)?\\$2[abxy]\\$[01][0-9]\\$[A-Za-z0-9./]{52,54}",
        ],
    ) {
        if let Ok(stored) = text.parse::<SecretHash>() {
            prop_assert_eq!(stored.as_str(), &text);
        }
    }

    #[test]
    fn a_guard_tag_survives_storage(key_id: u32, credential: Vec<u8>, stored: u64) {
        let key = TagKey::from_bytes(key_id, [7; 32]);
        let tag = TagKeys::new(key, []).unwrap().tag(&credential);
        prop_assert_eq!(GuardTag::from_u64(tag.to_u64()), Some(tag));
        prop_assert!(tag.to_u64() < 1 << 48);
        prop_assert_eq!(GuardTag::from_u64(stored).map(GuardTag::to_u64), Some(stored).filter(|n| *n < 1 << 48));
    }

    #[test]
    fn digests_match_exactly_when_the_secrets_are_equal(first: Vec<u8>, second: Vec<u8>) {
        let (key, other) = (ProofKey::generate().unwrap(), ProofKey::generate().unwrap());
        prop_assert_eq!(key.digest(&first).matches(&key.digest(&second)), first == second);
        prop_assert_eq!(key.digest(&first).short(), key.digest(&first).short());
        prop_assert!(!key.digest(&first).matches(&other.digest(&first)));
    }
}
