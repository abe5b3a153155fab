//! The cache of verified tokens.

use gatewright_core::jwt::TokenCache;
use proptest::prelude::*;

const FAR: u64 = 1_000_000;

fn token(n: usize) -> String {
    format!("header.payload.signature-{n:016}")
}

#[test]
fn a_hit_needs_the_token_the_verifier_and_the_generation() {
    for cache in [
        TokenCache::new(8, 60),
        TokenCache::builder(8, 60).digests().build(),
    ] {
        cache.insert(&token(1), 1, 5, FAR, 100, "a");
        assert_eq!(cache.get(&token(1), 1, 5, 100), Some("a"));
        assert_eq!(cache.get(&token(2), 1, 5, 100), None);
        assert_eq!(cache.get(&token(1), 2, 5, 100), None, "another verifier");
        assert_eq!(cache.get(&token(1), 1, 6, 100), None, "later keys");
        assert_eq!(cache.get(&token(1), 1, 4, 100), None, "earlier keys");
        assert_eq!(cache.get(&token(1).to_uppercase(), 1, 5, 100), None);
        assert_eq!(cache.len(), 1);
        cache.clear();
        assert!(cache.is_empty());
        assert_eq!(cache.get(&token(1), 1, 5, 100), None);
    }
}

#[test]
fn an_entry_ends_with_the_token_or_with_its_own_life() {
    let cache = TokenCache::new(8, 60);
    cache.insert(&token(1), 1, 0, 130, 100, ());
    cache.insert(&token(2), 1, 0, FAR, 100, ());
    assert!(cache.get(&token(1), 1, 0, 129).is_some());
    assert!(cache.get(&token(1), 1, 0, 130).is_none());
    assert!(cache.get(&token(2), 1, 0, 159).is_some());
    assert!(cache.get(&token(2), 1, 0, 160).is_none());
    cache.insert(&token(3), 1, 0, 100, 100, ());
    assert!(
        cache.get(&token(3), 1, 0, 99).is_none(),
        "expired when inserted"
    );
    cache.insert("short", 1, 0, FAR, 100, ());
    assert!(cache.get("short", 1, 0, 100).is_none());
    let nothing = TokenCache::new(0, 60);
    nothing.insert(&token(1), 1, 0, FAR, 100, ());
    assert!(nothing.is_empty());
}

#[test]
fn tokens_with_one_tail_are_told_apart() {
    for cache in [
        TokenCache::new(8, 60),
        TokenCache::builder(8, 60).digests().build(),
    ] {
        let [a, b] = ["a", "b"].map(|head| format!("{head}.payload.0123456789abcdef"));
        cache.insert(&a, 1, 0, FAR, 0, "a");
        assert_eq!(cache.get(&b, 1, 0, 0), None);
        cache.insert(&b, 1, 0, FAR, 0, "b");
        assert_ne!(cache.get(&a, 1, 0, 0), Some("b"));
        assert_eq!(cache.get(&b, 1, 0, 0), Some("b"));
        cache.insert(&a, 2, 0, FAR, 0, "a");
        assert_eq!(cache.get(&a, 2, 0, 0), Some("a"));
        assert_eq!(cache.get(&b, 1, 0, 0), None);
        assert_eq!(cache.len(), 1);
    }
}

#[test]
fn a_flood_stays_within_bounds_and_within_its_quarter() {
    let cache = TokenCache::new(64, 60);
    for n in 0..16 {
        cache.insert(&token(n), 1, 0, FAR, 0, n);
    }
    for n in 100..5_100 {
        cache.insert(&token(n), 2, 0, FAR, 0, n);
        assert!(
            cache.get(&token(n), 2, 0, 0).is_some(),
            "the newest is kept"
        );
    }
    assert_eq!(cache.len(), 32);
    assert!(
        (0..16).all(|n| cache.get(&token(n), 1, 0, 0) == Some(n)),
        "nobody else was pushed out"
    );
    for n in 0..10_000 {
        cache.insert(&token(n), n as u64, 0, FAR, 0, n);
        assert!(cache.len() <= 64);
    }
    assert_eq!(cache.len(), 64);
}

#[test]
fn what_was_hit_lately_outlives_what_was_not() {
    let cache = TokenCache::new(64, 60);
    for n in 0..64 {
        cache.insert(&token(n), n as u64 % 4, 0, FAR, 0, n);
    }
    for n in 64..80 {
        assert!((0..8).all(|hot| cache.get(&token(hot), hot as u64 % 4, 0, 0).is_some()));
        cache.insert(&token(n), n as u64 % 4, 0, FAR, 0, n);
    }
    assert!((0..8).all(|hot| cache.get(&token(hot), hot as u64 % 4, 0, 0).is_some()));
    // Ended entries go first, though they were hit.
    for n in 1000..1004 {
        cache.insert(&token(n), 9, 0, FAR, 60, n);
    }
    assert!((1000..1004).all(|n| cache.get(&token(n), 9, 0, 60).is_some()));
}

#[test]
fn a_hit_allocates_nothing() {
    let cache = TokenCache::new(8, 60);
    let token = token(1);
    cache.insert(&token, 1, 0, FAR, 0, std::sync::Arc::new(1));
    let hit = || assert!(cache.get(&token, 1, 0, 0).is_some());
    hit();
    let info = allocation_counter::measure(hit);
    assert_eq!(info.count_total, 0);
}

proptest! {
    /// Whatever is done, a hit is what was inserted last for that token, verifier and generation, and in time.
    #[test]
    fn a_hit_is_always_right(steps in prop::collection::vec((0..6_usize, 0..3_u64, 0..2_u64, 1..20_u64, any::<bool>()), 1..80)) {
        let cache = TokenCache::new(5, 10);
        let mut model = std::collections::HashMap::new();
        for (now, (n, verifier, generation, life, hit)) in steps.into_iter().enumerate() {
            let now = now as u64;
            // Three tails for six tokens.
            let token = format!("{n}.0123456789abcde{}", n % 3);
            if hit {
                if let Some(value) = cache.get(&token, verifier, generation, now) {
                    let (expected, ends_at) = model[&(token, verifier, generation)];
                    prop_assert_eq!(value, expected);
                    prop_assert!(now < ends_at);
                }
            } else {
                cache.insert(&token, verifier, generation, now + life, now, now);
                model.insert((token, verifier, generation), (now, now + life.min(10)));
            }
            prop_assert!(cache.len() <= 5);
        }
    }
}
