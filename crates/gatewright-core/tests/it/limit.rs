//! Rates, buckets and failures, in a time of our own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use gatewright_core::limit::{
    Bucket, BucketKind, Charge, Charged, FailureLimiter, LimitError, Limiter, LocalLimiter, Rate,
    SourceKey,
};
use gatewright_core::time::Moment;
use proptest::prelude::*;

pub(crate) const SECOND: u64 = 1_000_000_000;
/// Far from 0, so that nothing hides behind a clock that has just started.
pub(crate) const START: u64 = 1_000 * SECOND;
/// 2026-11-01T00:00:00Z, in Unix seconds.
pub(crate) const NOVEMBER: u64 = 1_793_491_200;

fn rate(limit: u32, window_secs: u32, burst: u32) -> Rate {
    Rate::new(limit, window_secs, burst).unwrap()
}

/// A moment of this monotonic time; the date follows it.
pub(crate) fn at(nanos: u64) -> Moment {
    Moment::new(nanos, NOVEMBER + nanos / SECOND)
}

fn plan<'a>(parts: &'a [&'a [u8]], rate: Rate) -> Charge<'a> {
    Charge::new(Bucket::new(BucketKind::Plan, parts), rate)
}

/// A token bucket in exact arithmetic: `tokens` counts 1/(window·10⁹) of a call. Regains `limit` such
/// parts a nanosecond.
struct Model {
    tokens: u128,
    at: u64,
}

impl Model {
    fn unit(rate: Rate) -> u128 {
        u128::from(rate.window_secs()) * u128::from(SECOND)
    }

    fn full(rate: Rate) -> u128 {
        u128::from(rate.burst()) * Self::unit(rate)
    }

    fn new(rate: Rate) -> Self {
        Self {
            tokens: Self::full(rate),
            at: 0,
        }
    }

    fn at(&mut self, rate: Rate, now: u64) -> u128 {
        let regained = u128::from(now - self.at) * u128::from(rate.limit());
        self.tokens = (self.tokens + regained).min(Self::full(rate));
        self.at = now;
        self.tokens
    }

    fn take(&mut self, rate: Rate, now: u64) -> bool {
        let passes = self.at(rate, now) >= Self::unit(rate);
        if passes {
            self.tokens -= Self::unit(rate);
        }
        passes
    }
}

/// Rates whose step is a whole number of nanoseconds, where the model is exact.
fn whole_rate() -> impl Strategy<Value = Rate> {
    let limit = prop::sample::select(vec![1u32, 2, 5, 10, 60, 300, 1000]);
    (
        limit,
        prop::sample::select(vec![1u32, 6, 60, 3600]),
        any::<u32>(),
    )
        .prop_map(|(limit, window, burst)| rate(limit, window, burst % limit + 1))
        .prop_filter("whole step", |rate| {
            (u64::from(rate.window_secs()) * SECOND).is_multiple_of(u64::from(rate.limit()))
        })
}

proptest! {
    /// Decisions, remaining calls and times are those of a token bucket.
    #[test]
    fn one_bucket_is_a_token_bucket(
        rate in whole_rate(),
        pauses in prop::collection::vec(prop_oneof![
            Just(0), 1..2 * SECOND, 0..100 * SECOND, Just(4000 * SECOND),
        ], 1..80),
    ) {
        let limiter = LocalLimiter::new();
        let mut model = Model::new(rate);
        let mut now = START;
        for pause in pauses {
            now += pause;
            let charge = plan(&[b"a"], rate);
            let passes = model.take(rate, now);
            let state = match limiter.charge(&[charge], None, at(now)) {
                Ok(state) => {
                    prop_assert!(passes);
                    state.unwrap()
                }
                Err(refusal) => {
                    prop_assert!(!passes);
                    // The first whole second at which the model has room again, at least 1.
                    let lack = Model::unit(rate) - model.tokens;
                    let nanos = lack.div_ceil(u128::from(rate.limit()));
                    let secs = nanos.div_ceil(u128::from(SECOND)).max(1);
                    prop_assert_eq!(u128::from(refusal.retry_after_secs()), secs);
                    refusal.state()
                }
            };
            let left = model.at(rate, now) / Model::unit(rate);
            prop_assert_eq!(u128::from(state.remaining()), left);
            let lack = Model::full(rate) - model.tokens;
            let reset = lack.div_ceil(u128::from(rate.limit())).div_ceil(u128::from(SECOND));
            prop_assert_eq!(u128::from(state.reset_secs()), reset);
            prop_assert_eq!(limiter.peek(charge, at(now)), state);
        }
    }

    /// Where a step has to be rounded, nobody gets more than the exact bucket would give.
    #[test]
    fn no_rate_gives_more_than_it_says(
        limit in 1u32..5000, window in 1u32..4000, burst: u32,
        pauses in prop::collection::vec(0..3 * SECOND, 1..80),
    ) {
        let rate = rate(limit, window, burst % limit + 1);
        let (mut model, mut full_at, mut now) = (Model::new(rate), 0, START);
        for pause in pauses {
            now += pause;
            // What the model refuses the rate refuses; taking from the model only what was passed
            // keeps the two in step.
            if let Ok(next) = rate.take(full_at, now) {
                full_at = next;
                prop_assert!(model.take(rate, now));
            }
        }
    }

    /// Several buckets in one charge: the call passes if all have room, and then all lose one; a
    /// refused call changes none of them.
    #[test]
    fn a_charge_is_all_or_nothing(
        rates in prop::collection::vec(whole_rate(), 4),
        calls in prop::collection::vec(
            (prop::sample::subsequence(vec![0usize, 1, 2, 3], 0..=4), 0..3 * SECOND), 1..60),
    ) {
        let names: [&[&[u8]]; 4] = [&[b"a"], &[b"b"], &[b"a", b"b"], &[b"ab"]];
        let limiter = LocalLimiter::new();
        let mut models: Vec<Model> = rates.iter().map(|rate| Model::new(*rate)).collect();
        let mut now = START;
        for (which, pause) in calls {
            now += pause;
            let charges: Vec<_> = which.iter().map(|&i| plan(names[i], rates[i])).collect();
            let passes = which
                .iter()
                .all(|&i| models[i].at(rates[i], now) >= Model::unit(rates[i]));
            if passes {
                for &i in &which {
                    prop_assert!(models[i].take(rates[i], now));
                }
            }
            match limiter.charge(&charges, None, at(now)) {
                Ok(None) => prop_assert!(which.is_empty()),
                Ok(Some(tightest)) => {
                    prop_assert!(passes);
                    let least = which
                        .iter()
                        .map(|&i| models[i].at(rates[i], now) / Model::unit(rates[i]))
                        .min();
                    prop_assert_eq!(least, Some(u128::from(tightest.remaining())));
                }
                Err(_) => prop_assert!(!passes),
            }
            for (i, model) in models.iter_mut().enumerate() {
                let left = limiter.peek(plan(names[i], rates[i]), at(now)).remaining();
                prop_assert_eq!(
                    u128::from(left), model.at(rates[i], now) / Model::unit(rates[i]));
            }
        }
    }

    /// With too little memory a key may get less than its rate, but a key that came while there was
    /// room gets exactly its rate as long as it is in debt, whatever the others do.
    #[test]
    fn a_known_debtor_keeps_its_own_account(
        capacity in 1usize..6,
        calls in prop::collection::vec((0u8..12, 0..SECOND), 1..120),
    ) {
        let rate = rate(5, 3600, 5);
        let limiter = LocalLimiter::with_capacity(capacity);
        let mut owners: HashMap<u8, Model> = HashMap::new();
        let mut now = START;
        for (name, pause) in calls {
            now += pause;
            let passed = limiter.charge(&[plan(&[&[name]], rate)], None, at(now)).is_ok();
            if owners.len() < capacity {
                owners.entry(name).or_insert_with(|| Model::new(rate));
            }
            if let Some(model) = owners.get_mut(&name) {
                prop_assert_eq!(passed, model.take(rate, now));
            }
            prop_assert_eq!(limiter.len(), owners.len());
        }
    }
}

#[test]
fn rates_that_make_no_sense_are_refused() {
    for (limit, window, burst) in [
        (0, 60, 1),
        (60, 0, 60),
        (60, 60, 0),
        (60, 60, 61),
        (1, 366 * 86_400 + 1, 1),
        (1_000_000_001, 1, 1),
    ] {
        assert!(
            Rate::new(limit, window, burst).is_err(),
            "{limit} {window} {burst}"
        );
    }
    assert!(Rate::new(1_000_000_000, 1, 1_000_000_000).is_ok());
    assert!(Rate::new(u32::MAX, 366 * 86_400, u32::MAX).is_ok());
    assert_eq!(Rate::per_minute(10), Ok(Rate::TEN_A_MINUTE));
}

#[test]
fn a_step_is_rounded_up() {
    let rate = rate(3, 1, 1);
    let full_at = rate.take(0, START).unwrap();
    assert_eq!(rate.take(full_at, START + 333_333_333), Err(1));
    assert!(rate.take(full_at, START + 333_333_334).is_ok());
}

#[test]
fn a_rate_is_total_over_times() {
    let rate = rate(u32::MAX, 366 * 86_400, u32::MAX);
    for (full_at, now) in [
        (0, 0),
        (u64::MAX, 0),
        (0, u64::MAX),
        (u64::MAX, u64::MAX),
        (u64::MAX - 1, u64::MAX - 1),
    ] {
        // The largest number is never a state.
        assert_ne!(rate.take(full_at, now), Ok(u64::MAX));
        assert!(rate.remaining(full_at, now) <= rate.burst());
    }
    assert_eq!(rate.give_back(0), 0);
}

/// draft-ietf-httpapi-ratelimit-headers-11 §4.1 and §4.2.
#[test]
fn the_fields_of_the_draft() {
    let limiter = LocalLimiter::new();
    let rate = rate(60, 60, 60);
    let charge = [plan(&[b"acme"], rate)];
    let mut state = None;
    for _ in 0..48 {
        state = limiter.charge(&charge, None, at(START)).unwrap();
    }
    let state = state.unwrap();
    assert_eq!(state.policy_field(), r#""plan";q=60;w=60"#);
    assert_eq!(state.field(), r#""plan";r=12;t=48"#);
    let later = limiter.peek(charge[0], at(START + 17 * SECOND + 1));
    assert_eq!(later.field(), r#""plan";r=29;t=31"#);
}

#[test]
fn a_refusal_names_the_bucket_to_wait_for() {
    let limiter = LocalLimiter::new();
    let key: &[&[u8]] = &[b"acme"];
    let slow = Charge::new(Bucket::new(BucketKind::Plan, key), rate(1, 60, 1));
    let fast = Charge::new(Bucket::new(BucketKind::Burst, key), rate(1, 1, 1));
    assert!(limiter.charge(&[slow, fast], None, at(START)).is_ok());
    for order in [[slow, fast], [fast, slow]] {
        let refusal = limiter
            .charge(&order, None, at(START + SECOND / 2))
            .unwrap_err();
        assert_eq!(refusal.state().kind(), BucketKind::Plan);
        assert_eq!(refusal.retry_after_secs(), 60);
        assert_eq!(refusal.state().field(), r#""plan";r=0;t=60"#);
    }
    // A wait of a nanosecond is told as a second.
    let refusal = limiter
        .charge(&[fast], None, at(START + SECOND - 1))
        .unwrap_err();
    assert_eq!(refusal.retry_after_secs(), 1);
    assert!(limiter.charge(&[fast], None, at(START + SECOND)).is_ok());
}

/// A bucket named twice must have room for both; if not, it keeps what it has.
#[test]
fn a_bucket_named_twice_in_one_charge() {
    let limiter = LocalLimiter::new();
    let rate = rate(3, 60, 3);
    let charge = plan(&[b"a"], rate);
    assert!(limiter.charge(&[charge, charge], None, at(START)).is_ok());
    assert!(limiter.charge(&[charge, charge], None, at(START)).is_err());
    assert_eq!(limiter.peek(charge, at(START)).remaining(), 1);
}

#[test]
fn parts_and_kinds_are_kept_apart() {
    let limiter = LocalLimiter::new();
    let rate = rate(1, 60, 1);
    let names: [&[&[u8]]; 5] = [&[], &[b""], &[b"ab"], &[b"a", b"b"], &[b"", b"ab"]];
    for kind in BucketKind::ALL {
        for name in names {
            let charge = [Charge::new(Bucket::new(*kind, name), rate)];
            assert!(
                limiter.charge(&charge, None, at(START)).is_ok(),
                "{kind:?} {name:?}"
            );
            assert!(limiter.charge(&charge, None, at(START)).is_err());
        }
    }
    assert_eq!(limiter.len(), names.len() * BucketKind::ALL.len());
}

#[test]
fn threads_together_never_get_more_than_the_rate() {
    const THREADS: u32 = 8;
    let limiter = LocalLimiter::with_capacity(4);
    let (wide, narrow) = (rate(1000, 60, 1000), rate(700, 60, 700));
    let passed = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (limiter, passed) = (&limiter, &passed);
            scope.spawn(move || {
                let (a, b) = (plan(&[b"a"], wide), plan(&[b"b"], narrow));
                for call in 0..400 {
                    let charges = if (thread + call) % 2 == 0 {
                        [a, b]
                    } else {
                        [b, a]
                    };
                    if limiter.charge(&charges, None, at(START)).is_ok() {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let passed = passed.into_inner();
    assert!(passed <= 700, "{passed}");
    // Every refused call gave back what it took, so what is left is what wasn't passed.
    let left = |name: &[u8], rate| limiter.peek(plan(&[name], rate), at(START)).remaining();
    assert_eq!(left(b"a", wide), 1000 - passed);
    assert_eq!(left(b"b", narrow), 700 - passed);
}

/// Threads that make the table forget while others charge: no call is lost on the way.
#[test]
fn forgetting_loses_no_call() {
    let limiter = LocalLimiter::with_capacity(2);
    let fast = rate(1_000_000_000, 1, 1);
    let passed = AtomicU32::new(0);
    let limit = rate(500, 3600, 500);
    assert!(
        limiter
            .charge(&[plan(&[b"debtor"], limit)], None, at(START))
            .is_ok()
    );
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (limiter, passed) = (&limiter, &passed);
            scope.spawn(move || {
                for call in 0..500u64 {
                    let name = (thread << 32 | call).to_le_bytes();
                    let now = START + call * SECOND / 2000;
                    let _ = limiter.charge(&[plan(&[&name], fast)], None, at(now));
                    if limiter
                        .charge(&[plan(&[b"debtor"], limit)], None, at(now))
                        .is_ok()
                    {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                    assert!(limiter.len() <= 2);
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 499);
}

#[test]
fn memory_is_bounded_and_forgets_no_debtor() {
    const ROOM: u64 = 100;
    let limiter = LocalLimiter::with_capacity(ROOM as usize);
    let rate = rate(1, 60, 1);
    let charge = |id: u64, now| limiter.charge(&[plan(&[&id.to_le_bytes()], rate)], None, at(now));
    for id in 0..ROOM {
        assert!(charge(id, START).is_ok());
    }
    // All are in debt. Newcomers share what is left, and are not free.
    let newcomers = 50 * ROOM;
    let passed = (ROOM..ROOM + newcomers)
        .filter(|id| charge(*id, START + SECOND).is_ok())
        .count();
    assert!(passed > 0 && passed <= 1024, "{passed}");
    assert_eq!(limiter.len(), ROOM as usize);
    for id in 0..ROOM {
        assert!(
            charge(id, START + 2 * SECOND).is_err(),
            "{id} was forgotten"
        );
    }
    // When they are full again they make room.
    let later = START + 62 * SECOND;
    for id in 10 * ROOM..11 * ROOM {
        assert!(charge(id, later).is_ok());
    }
    assert_eq!(limiter.len(), ROOM as usize);
}

#[test]
fn a_flood_of_one_kind_leaves_the_others_alone() {
    let limiter = LocalLimiter::with_capacity(10);
    let rate = rate(1, 60, 1);
    for id in 0..10_000u32 {
        let id = id.to_le_bytes();
        let parts: [&[u8]; 1] = [&id];
        let _ = limiter.charge(
            &[Charge::new(Bucket::new(BucketKind::Source, &parts), rate)],
            None,
            at(START),
        );
    }
    assert!(
        limiter
            .charge(&[plan(&[b"acme"], rate)], None, at(START))
            .is_ok()
    );
}

#[test]
fn the_trait_is_object_safe_and_the_local_limiter_is_ready_at_once() {
    let limiter: Box<dyn Limiter> = Box::new(LocalLimiter::new());
    let charge = [plan(&[b"a"], rate(1, 60, 1))];
    assert!(matches!(
        limiter.charge(&[], None, at(START)),
        Charged::Ready(Ok(None))
    ));
    assert!(matches!(
        limiter.charge(&charge, None, at(START)),
        Charged::Ready(Ok(Some(_)))
    ));
    assert!(matches!(
        limiter.charge(&charge, None, at(START)),
        Charged::Ready(Err(LimitError::Refused(_)))
    ));
}

#[test]
fn a_known_bucket_is_charged_without_an_allocation() {
    let limiter = LocalLimiter::new();
    let key: &[&[u8]] = &[b"acme", b"token"];
    let charges = [
        Charge::new(Bucket::new(BucketKind::Plan, key), rate(3, 60, 3)),
        Charge::new(Bucket::new(BucketKind::Pat, key), rate(30, 60, 30)),
    ];
    let call = || limiter.charge(&charges, None, at(START)).is_ok();
    assert!(call());
    let counted = allocation_counter::measure(|| {
        assert!(call());
        assert!(call());
        assert!(!call());
    });
    assert_eq!(counted.count_total, 0);
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn source_addresses_that_count_as_one() {
    let same = [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
    ];
    let different = [
        ("192.0.2.1", "192.0.2.2"),
        ("2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        // The same eight bytes, were they padded.
        ("192.0.2.1", "c000:201::"),
    ];
    for (a, b) in same {
        assert_eq!(SourceKey::new(ip(a)), SourceKey::new(ip(b)), "{a} {b}");
        assert_eq!(
            SourceKey::new(ip(a)).as_bytes(),
            SourceKey::new(ip(b)).as_bytes()
        );
    }
    for (a, b) in different {
        assert_ne!(
            SourceKey::new(ip(a)).as_bytes(),
            SourceKey::new(ip(b)).as_bytes(),
            "{a} {b}"
        );
    }
}

#[test]
fn ten_failures_a_minute_and_no_more() {
    let limiter = FailureLimiter::new();
    let attacker = Some(ip("2001:db8::1"));
    for _ in 0..10 {
        assert_eq!(limiter.is_blocked(attacker, "key_1", START), None);
        limiter.record_failure(attacker, "key_1", START);
    }
    assert_eq!(limiter.is_blocked(attacker, "key_1", START), Some(6));
    // Another address of the same /64 is the same attacker.
    let neighbour = Some(ip("2001:db8::2"));
    assert_eq!(limiter.is_blocked(neighbour, "key_1", START), Some(6));
    // The owner elsewhere, and the other keys behind the attacker's address, are not locked out.
    for source in [Some(ip("2001:db8:0:1::1")), Some(ip("192.0.2.1")), None] {
        assert_eq!(limiter.is_blocked(source, "key_1", START), None);
    }
    assert_eq!(limiter.is_blocked(attacker, "key_2", START), None);
    // Failures beyond the limit don't lengthen the wait.
    limiter.record_failure(attacker, "key_1", START);
    assert_eq!(
        limiter.is_blocked(attacker, "key_1", START + 6 * SECOND),
        None
    );
    limiter.record_failure(attacker, "key_1", START + 6 * SECOND);
    assert_eq!(
        limiter.is_blocked(attacker, "key_1", START + 6 * SECOND),
        Some(6)
    );
}

#[test]
fn what_is_counted_beforehand_can_be_forgiven() {
    let limiter = FailureLimiter::with_rate(rate(2, 60, 2), 10);
    for _ in 0..10 {
        assert_eq!(limiter.try_failure(None, "key", START), Ok(()));
        limiter.forgive(None, "key");
    }
    assert_eq!(limiter.try_failure(None, "key", START), Ok(()));
    assert_eq!(limiter.try_failure(None, "key", START), Ok(()));
    assert_eq!(limiter.try_failure(None, "key", START), Err(30));
    assert_eq!(limiter.is_blocked(None, "key", START), Some(30));
    assert_eq!(
        limiter.is_blocked(None, "key", START + 30 * SECOND),
        None,
        "what was refused is not counted"
    );
}

#[test]
fn asking_counts_nothing() {
    let limiter = FailureLimiter::with_rate(rate(1, 60, 1), 10);
    for _ in 0..100 {
        assert_eq!(limiter.is_blocked(None, "key", START), None);
    }
    limiter.record_failure(None, "key", START);
    assert_eq!(limiter.is_blocked(None, "key", START), Some(60));
}

/// Who fills the memory with invented ids is refused for new ids; the others are not.
#[test]
fn invented_ids_harm_the_one_who_invents_them() {
    let limiter = FailureLimiter::with_rate(rate(2, 60, 2), 100);
    let attacker = Some(ip("192.0.2.1"));
    for id in 0..1000 {
        limiter.record_failure(attacker, &format!("invented_{id}"), START);
    }
    assert!(limiter.is_blocked(attacker, "fresh", START).is_some());
    let blocked = (0..200)
        .filter(|host| {
            limiter
                .is_blocked(Some(ip(&format!("198.51.100.{host}"))), "key", START)
                .is_some()
        })
        .count();
    // One shared bucket of 1024 is in debt; a source shares it by chance only.
    assert!(blocked <= 5, "{blocked}");
}
