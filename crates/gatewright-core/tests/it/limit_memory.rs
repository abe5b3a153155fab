//! Bounded memory that forgets no debtor, against a model that forgets nothing.

use std::collections::HashMap;

use gatewright_core::limit::{
    Bucket, BucketKind, Charge, LocalLimiter, Month, Quota, Rate, Remembered,
};
use gatewright_core::time::Moment;
use proptest::prelude::*;

use crate::limit::{NOVEMBER, SECOND, START};

/// What a key has really used, whatever the limiter remembers.
#[derive(Default)]
struct Exact {
    full_at: u64,
    used: HashMap<Month, u32>,
}

fn calls() -> impl Strategy<Value = Vec<(u8, bool, u64)>> {
    let pause = prop_oneof![
        6 => Just(0),
        4 => 0..SECOND,
        2 => 0..20 * SECOND,
        1 => Just(100 * SECOND),
        1 => Just(16 * 86_400 * SECOND),
    ];
    prop::collection::vec((0u8..24, any::<bool>(), pause), 1..400)
}

proptest! {
    /// Keys come and go in a table with room for a few, with and without a memory of their own. None is ever admitted beyond
    /// its rate or its quota, and one that has been alone with its bucket is never refused within them.
    #[test]
    fn nobody_gets_more_than_it_may(
        capacity in 0usize..5, calls in calls(), monthly: bool,
    ) {
        let limiter = LocalLimiter::with_capacity(capacity);
        let remembered: Vec<Remembered> = (0..24).map(|_| Remembered::new()).collect();
        let mut exact: HashMap<u8, Exact> = HashMap::new();
        // Of different speed, so that a shared bucket holds more of one than of another.
        let rates = [(3, 30, 3), (10, 60, 4), (1, 40, 1)];
        let rates = rates.map(|(limit, window, burst)| Rate::new(limit, window, burst).unwrap());
        let quota = |key: u8| Quota::per_month(2 + u32::from(key % 3)).unwrap();
        let mut nanos = 0;
        for (key, remember, pause) in calls {
            nanos += pause;
            let now = Moment::new(START + nanos, NOVEMBER + nanos / SECOND);
            let name = [key];
            let parts: [&[u8]; 1] = [&name];
            let rate = rates[usize::from(key % 3)];
            let charge = if monthly {
                Charge::monthly(&parts, quota(key))
            } else {
                Charge::new(Bucket::new(BucketKind::Plan, &parts), rate)
            };
            let memory = remember.then(|| &remembered[usize::from(key)]);
            let admitted = limiter.charge(&[charge], memory, now).is_ok();
            prop_assert!(limiter.len() <= capacity);
            let exact = exact.entry(key).or_default();
            if !admitted {
                continue;
            }
            if monthly {
                let used = exact.used.entry(Month::of(now.unix)).or_default();
                *used += 1;
                prop_assert!(*used <= quota(key).limit(), "key {}", key);
            } else {
                let next = rate.take(exact.full_at, now.nanos);
                prop_assert!(next.is_ok(), "key {}", key);
                exact.full_at = next.unwrap_or_default();
            }
        }
    }
}
