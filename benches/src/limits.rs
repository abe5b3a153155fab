//! The limiter of one process, beside governor's.

use std::num::NonZeroU32;

use gatewright_core::limit::{Bucket, BucketKind, Charge, LocalLimiter, Rate, Remembered};
use gatewright_core::time::{Clock, SystemClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::fixture::plenty;

/// Callers, each with a bucket of their tenant's plan and one of their own, all or nothing. Beside each is what the limiter
/// remembers of it, as the gate keeps it beside a cached credential.
pub struct Charges {
    limiter: LocalLimiter,
    clock: SystemClock,
    callers: Vec<Caller>,
    rate: Rate,
}

/// The names of its buckets, and where they were last time.
struct Caller {
    names: [String; 2],
    remembered: Remembered,
}

impl Charges {
    /// So many callers, each known to the limiter.
    ///
    /// # Panics
    ///
    /// If one of them is refused.
    #[must_use]
    pub fn of(callers: usize) -> Self {
        let caller = |n: usize| Caller {
            names: names(n),
            remembered: Remembered::new(),
        };
        let charges = Self {
            limiter: LocalLimiter::with_capacity(callers.max(1_000)),
            clock: SystemClock::new(),
            callers: (0..callers).map(caller).collect(),
            rate: plenty(),
        };
        for caller in 0..callers {
            assert!(charges.charge(caller), "the rate is plenty");
        }
        charges
    }

    /// Charges a call of this caller, by a clock that is read for it. Whether it was granted.
    #[must_use]
    pub fn charge(&self, caller: usize) -> bool {
        let Caller { names, remembered } = &self.callers[caller];
        let [tenant, key] = names;
        let (tenant, key): ([&[u8]; 1], [&[u8]; 1]) = ([tenant.as_bytes()], [key.as_bytes()]);
        let charges = [
            Charge::new(Bucket::new(BucketKind::Plan, &tenant), self.rate),
            Charge::new(Bucket::new(BucketKind::Credential, &key), self.rate),
        ];
        self.limiter
            .charge(&charges, Some(remembered), self.clock.moment())
            .is_ok()
    }
}

/// `governor` 0.10 as its guide shows it: a keyed limiter over its default store and clock, `check_key`. Two buckets are
/// two limiters asked one after the other: a call that the second refuses has been charged by the first.
pub struct Governed {
    plans: DefaultKeyedRateLimiter<String>,
    keys: DefaultKeyedRateLimiter<String>,
    callers: Vec<[String; 2]>,
}

impl Governed {
    /// So many callers, each known to both limiters.
    ///
    /// # Panics
    ///
    /// If one of them is refused.
    #[must_use]
    pub fn of(callers: usize) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(4_000_000_000).expect("above zero"));
        let governed = Self {
            plans: RateLimiter::keyed(quota),
            keys: RateLimiter::keyed(quota),
            callers: (0..callers).map(names).collect(),
        };
        for caller in 0..callers {
            assert!(governed.check_two(caller), "the quota is plenty");
        }
        governed
    }

    /// Checks one bucket.
    #[must_use]
    pub fn check(&self, caller: usize) -> bool {
        self.keys.check_key(&self.callers[caller][1]).is_ok()
    }

    /// Checks two buckets.
    #[must_use]
    pub fn check_two(&self, caller: usize) -> bool {
        let [tenant, key] = &self.callers[caller];
        self.plans.check_key(tenant).is_ok() && self.keys.check_key(key).is_ok()
    }
}

fn names(caller: usize) -> [String; 2] {
    [format!("ten_{caller:010}"), format!("key_{caller:010}")]
}

/// Numbers below `bound` in an order that no prefetcher guesses: a multiplicative walk.
pub fn scattered(bound: usize) -> impl FnMut() -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    }
}
