//! What a caller's memory may do: make charges fast, and nothing else.

use std::sync::atomic::{AtomicU32, Ordering};

use gatewright_core::limit::{Bucket, BucketKind, Charge, LocalLimiter, Quota, Rate, Remembered};
use gatewright_core::time::Moment;
use proptest::prelude::*;

use crate::limit::{NOVEMBER, SECOND, START, at};

fn rate(limit: u32) -> Rate {
    Rate::new(limit, 3600, limit).unwrap()
}

fn charge<'a>(kind: BucketKind, parts: &'a [&'a [u8]], limit: u32) -> Charge<'a> {
    Charge::new(Bucket::new(kind, parts), rate(limit))
}

proptest! {
    /// One memory for all callers, all kinds and two limiters, which nobody should do: every call is counted as without.
    #[test]
    fn a_wrong_memory_never_charges_a_wrong_bucket(
        calls in prop::collection::vec(
            (0usize..2, prop::collection::vec((0usize..3, 0usize..5), 1..4), 0..SECOND), 1..80),
    ) {
        let long = [7; 100];
        let names: [&[&[u8]]; 5] = [&[b"a"], &[b"a", b""], &[b"", b"a"], &[&long], &[]];
        let charge = |(kind, name): (usize, usize)| match kind {
            0 => charge(BucketKind::Plan, names[name], 4),
            1 => charge(BucketKind::Quota, names[name], 4),
            _ => Charge::monthly(names[name], Quota::per_month(4).unwrap()),
        };
        let remembered = Remembered::new();
        let with = [LocalLimiter::new(), LocalLimiter::with_capacity(2)];
        let without = [LocalLimiter::new(), LocalLimiter::with_capacity(2)];
        let mut now = START;
        for (limiter, which, pause) in calls {
            now += pause;
            let charges: Vec<_> = which.into_iter().map(charge).collect();
            let expected = without[limiter].charge(&charges, None, at(now));
            let told = with[limiter].charge(&charges, Some(&remembered), at(now));
            if limiter == 0 {
                prop_assert_eq!(told, expected);
            } else {
                // Which shared bucket a name falls into differs, and with it what is owed by who gets a bucket.
                prop_assert!(with[1].len() <= 3 * 2);
            }
        }
    }
}

/// The hot path finds nothing by name: that is what it is for.
#[test]
fn what_is_remembered_is_charged_without_an_allocation() {
    let limiter = LocalLimiter::new();
    let remembered = Remembered::new();
    let acme: &[&[u8]] = &[b"acme"];
    let charges = [
        charge(BucketKind::Credential, acme, 9),
        charge(BucketKind::Plan, acme, 5),
        Charge::monthly(acme, Quota::per_month(100).unwrap()),
    ];
    let call = || limiter.charge(&charges, Some(&remembered), at(START));
    assert_eq!(call().unwrap().unwrap().remaining(), 4);
    let counted = allocation_counter::measure(|| {
        for left in (0..4).rev() {
            assert_eq!(call().unwrap().unwrap().remaining(), left);
        }
        let refusal = call().unwrap_err();
        assert_eq!(refusal.state().kind(), BucketKind::Plan);
    });
    assert_eq!(counted.count_total, 0);
    // Nothing was spent by the call that was refused.
    let left = charges.map(|charge| limiter.peek(charge, at(START)).remaining());
    assert_eq!(left, [4, 0, 95]);
}

/// A table with room for one bucket. Who remembers a bucket that was forgotten counts where everybody else does.
#[test]
fn a_bucket_that_is_gone_is_looked_for_again() {
    let limiter = LocalLimiter::with_capacity(1);
    let (first, second) = (Remembered::new(), Remembered::new());
    let [a, b]: [&[&[u8]]; 2] = [&[b"a"], &[b"b"]];
    let (a, b) = (
        charge(BucketKind::Plan, a, 2),
        charge(BucketKind::Plan, b, 2),
    );
    let hours = |hours: u64| at(START + hours * 3600 * SECOND);
    assert!(limiter.charge(&[a], Some(&first), hours(0)).is_ok());
    // `a` is full again and makes room for `b`, which then makes room for `a`.
    assert!(limiter.charge(&[b], None, hours(1)).is_ok());
    assert!(limiter.charge(&[a], None, hours(2)).is_ok());
    assert!(limiter.charge(&[a], Some(&first), hours(2)).is_ok());
    for remembered in [Some(&first), Some(&second), None] {
        assert!(limiter.charge(&[a], remembered, hours(2)).is_err());
    }
    assert_eq!(limiter.len(), 1);
}

/// The rate belongs to the call and not to what is remembered.
#[test]
fn another_rate_holds_at_once() {
    let limiter = LocalLimiter::new();
    let remembered = Remembered::new();
    let acme: &[&[u8]] = &[b"acme"];
    let call = |limit| {
        let charge = charge(BucketKind::Plan, acme, limit);
        limiter.charge(&[charge], Some(&remembered), at(START))
    };
    assert!(call(2).is_ok());
    assert!(call(2).is_ok());
    assert!(call(2).is_err());
    // Two of two an hour are an hour's worth; of four an hour there are none left either, of three at half the step one.
    assert!(call(1).is_err());
}

/// What was taken at a slow rate is not paid by calls at a quick one: who may call at both has no more of the slow one for it.
#[test]
fn a_quick_rate_pays_no_debt_of_a_slow_one() {
    const DAY: u64 = 86_400;
    let acme: &[&[u8]] = &[b"acme"];
    let slow = Rate::new(100, DAY as u32, 100).unwrap();
    let quick = Rate::per_minute(300).unwrap();
    for remember in [true, false] {
        let limiter = LocalLimiter::new();
        let remembered = Remembered::new();
        let call = |rate, secs: u64| {
            let charge = Charge::new(Bucket::new(BucketKind::Plan, acme), rate);
            let memory = remember.then_some(&remembered);
            limiter.charge(&[charge], memory, at(START + secs * SECOND))
        };
        for _ in 0..100 {
            assert!(call(slow, 0).is_ok());
        }
        for secs in [0, 60, 3600, DAY - 60] {
            let refusal = call(quick, secs).unwrap_err();
            let wait = u64::from(refusal.retry_after_secs());
            assert_eq!(wait, (DAY - 59 - secs).max(1), "{secs}");
        }
        assert!(call(slow, 0).is_err(), "nothing was paid");
        assert!(call(quick, DAY - 59).is_ok());
    }
}

/// Many threads, each with memories of its own, on one bucket and on pairs of buckets, in a table that has to forget others
/// all the time: exactly as many calls pass as may, and no bucket keeps what a refused call took.
#[test]
fn threads_together_get_exactly_what_they_may() {
    const THREADS: u32 = 8;
    const CALLS: u32 = 600;
    let limiter = LocalLimiter::with_capacity(8);
    let [shared, left, right]: [&[&[u8]]; 3] = [&[b"s"], &[b"l"], &[b"r"]];
    let pairs = [
        [
            charge(BucketKind::Plan, shared, 1500),
            charge(BucketKind::Credential, left, 700),
        ],
        [
            charge(BucketKind::Credential, right, 1100),
            charge(BucketKind::Plan, shared, 1500),
        ],
    ];
    let quota = Charge::monthly(shared, Quota::per_month(1600).unwrap());
    let passed = [const { AtomicU32::new(0) }; 2];
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (limiter, passed, pairs) = (&limiter, &passed, &pairs);
            scope.spawn(move || {
                let remembered = [Remembered::new(), Remembered::new()];
                for call in 0..CALLS {
                    let which = ((thread + call) % 2) as usize;
                    let [a, b] = pairs[which];
                    let memory = (call % 7 != 0).then_some(&remembered[which]);
                    let now = Moment::new(START, NOVEMBER);
                    if limiter.charge(&[a, b, quota], memory, now).is_ok() {
                        passed[which].fetch_add(1, Ordering::Relaxed);
                    }
                    // Somebody who is full again at once, and is forgotten.
                    let name = (u64::from(thread) << 32 | u64::from(call)).to_le_bytes();
                    let parts: [&[u8]; 1] = [&name];
                    let fast = Rate::new(1_000_000_000, 1, 1).unwrap();
                    let fast = Charge::new(Bucket::new(BucketKind::Credential, &parts), fast);
                    let _ = limiter.charge(&[fast], memory, now);
                }
            });
        }
    });
    let passed = passed.map(AtomicU32::into_inner);
    let left = |charge| limiter.peek(charge, at(START)).remaining();
    assert!(passed[0] <= 700 && passed[1] <= 1100, "{passed:?}");
    assert_eq!(left(pairs[0][0]), 1500 - passed[0] - passed[1]);
    assert_eq!(left(pairs[0][1]), 700 - passed[0]);
    assert_eq!(left(pairs[1][0]), 1100 - passed[1]);
    assert_eq!(left(quota), 1600 - passed[0] - passed[1]);
    // A call may be refused for what another took and gave back; once all is quiet, the rest is there.
    let rest = 1500 - passed[0] - passed[1];
    let more = (0..5000).filter(|call| {
        let [a, b] = pairs[call % 2];
        limiter.charge(&[a, b, quota], None, at(START)).is_ok()
    });
    assert_eq!(more.count() as u32, rest);
}

/// Threads that lose races for the last room of one bucket after they took from another, round after round.
#[test]
fn a_lost_race_gives_back_what_it_took() {
    const ROUNDS: u32 = 4000;
    let limiter = LocalLimiter::new();
    let wide: &[&[u8]] = &[b"wide"];
    let wide = charge(BucketKind::Plan, wide, 1_000_000);
    let narrow = charge(BucketKind::Credential, &[], ROUNDS / 2);
    let quota = Quota::per_month(ROUNDS / 4).unwrap();
    for remember in [true, false] {
        let passed = AtomicU32::new(0);
        let before = limiter.peek(wide, at(START)).remaining();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (limiter, passed) = (&limiter, &passed);
                scope.spawn(move || {
                    let remembered = Remembered::new();
                    let memory = remember.then_some(&remembered);
                    for round in 0..ROUNDS {
                        // Each round has a bucket with room for one.
                        let name = (u64::from(remember) << 32 | u64::from(round)).to_le_bytes();
                        let parts: [&[u8]; 1] = [&name];
                        let last = Rate::new(1, 3600, 1).unwrap();
                        let last = Charge::new(Bucket::new(BucketKind::Pat, &parts), last);
                        if limiter.charge(&[wide, last], memory, at(START)).is_ok() {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let passed = passed.into_inner();
        assert!(passed <= ROUNDS);
        assert_eq!(limiter.peek(wide, at(START)).remaining(), before - passed);
    }
    // And on buckets that all remember: whatever was refused, the two count the same calls.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let remembered = Remembered::new();
                for _ in 0..ROUNDS {
                    let charges = [narrow, Charge::monthly(&[], quota)];
                    let _ = limiter.charge(&charges, Some(&remembered), at(START));
                }
            });
        }
    });
    let by_quota = limiter.peek(Charge::monthly(&[], quota), at(START));
    let by_rate = limiter.peek(narrow, at(START));
    assert_eq!(by_quota.remaining(), 0);
    assert_eq!(by_rate.limit() - by_rate.remaining(), by_quota.limit());
}
