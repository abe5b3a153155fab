//! The life of our own signing keys.

use std::sync::Arc;

use gatewright_core::jwt::{
    AccessTokenClaims, Algorithm, KeySetError, RingKey, SigningKey, SigningRing,
};

use crate::jwt_forge::{AUDIENCE, ISSUER, rules};

const LEAD: u64 = 100;
const LIFE: u64 = 900;

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(Algorithm::EdDsa).unwrap())
}

fn active(ring: &SigningRing, now: u64) -> Option<&str> {
    ring.active(now).map(|key| key.kid())
}

fn published(ring: &SigningRing, now: u64) -> Vec<String> {
    let keys = ring.published(now);
    let kids: Vec<String> = keys
        .iter()
        .filter_map(|key| key.kid())
        .map(str::to_owned)
        .collect();
    let document = ring.jwks_json(now);
    let shown: Vec<&str> = document["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect();
    assert_eq!(kids, shown);
    kids
}

#[test]
fn published_then_used_then_retired() {
    let (old, new) = (key(), key());
    let ring = SigningRing::default()
        .rotate(Arc::clone(&old), 0, 0, LIFE)
        .unwrap();
    assert_eq!(active(&ring, 0), Some(old.kid()));
    let ring = ring.rotate(Arc::clone(&new), 1000, LEAD, LIFE).unwrap();

    assert_eq!(active(&ring, 1000), Some(old.kid()));
    assert_eq!(active(&ring, 1099), Some(old.kid()));
    assert_eq!(active(&ring, 1100), Some(new.kid()));
    assert_eq!(published(&ring, 1000), [old.kid(), new.kid()]);
    assert_eq!(published(&ring, 1999), [old.kid(), new.kid()]);
    assert_eq!(published(&ring, 2000), [new.kid()]);
    assert_eq!(ring.keys()[0].retire_after(), Some(2000));
    assert_eq!(ring.keys()[1].retire_after(), None);
}

#[test]
fn every_token_verifies_for_as_long_as_it_lives() {
    let mut ring = SigningRing::default().rotate(key(), 0, 0, LIFE).unwrap();
    let mut tokens = Vec::new();
    let verifier = rules().build().unwrap();
    for now in 0..4000 {
        // Rotations in a row, some before the last one took effect, with longer and shorter leads.
        match now {
            500 | 520 | 1700 => ring = ring.rotate(key(), now, LEAD, LIFE).unwrap(),
            560 => ring = ring.rotate(key(), now, 10, LIFE).unwrap(),
            _ => {}
        }
        if now % 10 == 9 {
            let claims = AccessTokenClaims::new(ISSUER, "u", AUDIENCE, "c", "j", now, now + LIFE);
            tokens.push((
                now + LIFE,
                ring.active(now).unwrap().sign("at+jwt", &claims).unwrap(),
            ));
        }
        if now % 50 == 0 {
            let keys = ring.published(now);
            for (expires_at, token) in &tokens {
                assert_eq!(
                    verifier.verify(token, &keys, now).is_ok(),
                    now < *expires_at,
                    "{now}"
                );
            }
            tokens.retain(|(expires_at, _)| now < *expires_at);
        }
    }
    assert_eq!(ring.keys().len(), 2);
}

#[test]
fn a_key_that_leaked_ends_at_once_and_revives_nobody() {
    let (old, new) = (key(), key());
    let ring = SigningRing::default()
        .rotate(Arc::clone(&old), 0, 0, LIFE)
        .unwrap();
    let ring = ring.rotate(Arc::clone(&new), 1000, 0, LIFE).unwrap();
    let ring = ring.retire(new.kid(), 1100);
    assert_eq!(active(&ring, 1099), Some(new.kid()));
    assert_eq!(
        active(&ring, 1100),
        None,
        "the old key's end is set: it must not sign again"
    );
    assert_eq!(published(&ring, 1100), [old.kid()]);

    let third = key();
    let ring = ring.rotate(Arc::clone(&third), 1200, 0, LIFE).unwrap();
    assert_eq!(active(&ring, 1200), Some(third.kid()));
    assert_eq!(published(&ring, 1200), [old.kid(), third.kid()]);
    assert_eq!(
        ring.keys()[0].retire_after(),
        Some(1900),
        "an end once set never moves"
    );
    assert_eq!(
        ring.retire(third.kid(), 1300)
            .retire(third.kid(), 1400)
            .keys()[1]
            .retire_after(),
        Some(1300)
    );
}

#[test]
fn a_ring_is_data() {
    let key = key();
    let entry = RingKey::new(Arc::clone(&key), 10, 20, Some(30));
    let ring = SigningRing::new([entry.clone()]).unwrap();
    let stored = &ring.keys()[0];
    assert_eq!(
        (
            stored.published_at(),
            stored.active_from(),
            stored.retire_after()
        ),
        (10, 20, Some(30))
    );
    assert_eq!(stored.key().kid(), key.kid());
    assert!(published(&ring, 9).is_empty());
    assert_eq!(active(&ring, 19), None);
    assert_eq!(active(&ring, 20), Some(key.kid()));
    assert_eq!(active(&ring, 30), None);
    assert_eq!(
        SigningRing::new([entry.clone(), entry]).unwrap_err(),
        KeySetError::DuplicateKid
    );
    assert_eq!(
        ring.rotate(key, 15, 10, LIFE).unwrap_err(),
        KeySetError::DuplicateKid
    );
}

#[test]
fn each_key_ends_a_life_after_its_own_successor_starts() {
    let entry = |active_from| RingKey::new(key(), 0, active_from, None);
    let ring = SigningRing::new([entry(200), entry(100)]).unwrap();
    let ring = ring.rotate(key(), 300, LEAD, LIFE).unwrap();
    let ends: Vec<_> = ring.keys().iter().map(RingKey::retire_after).collect();
    assert_eq!(ends, [Some(200 + LIFE), Some(300 + LEAD + LIFE), None]);
}

#[test]
fn a_shared_secret_verifies_but_is_never_published() {
    let secret = Arc::new(SigningKey::hmac("s", &[1; 32]).unwrap());
    let ring = SigningRing::default().rotate(secret, 0, 0, LIFE).unwrap();
    assert_eq!(ring.published(0).len(), 1);
    assert_eq!(ring.jwks_json(0), serde_json::json!({"keys": []}));
}
