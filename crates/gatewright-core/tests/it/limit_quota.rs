//! Monthly quotas: the calendar, the charge, the gate.

use gatewright_core::error::{Cause, ErrorCode};
use gatewright_core::gate::{Admitted, Coherence};
use gatewright_core::limit::{
    Bucket, BucketKind, Charge, LimitState, LocalLimiter, Month, Quota, Rate, Remembered,
};
use gatewright_core::policy::{CompiledPolicy, Limits, Plans, Policy, Realm};
use gatewright_core::principal::TenantKind;
use gatewright_core::time::Moment;
use proptest::prelude::*;

use crate::fixture::{NOW, World};
use crate::limit::{NOVEMBER, SECOND, START};

const DAY: u64 = 86_400;
const DECEMBER: u64 = NOVEMBER + 30 * DAY;

fn quota(limit: u32) -> Quota {
    Quota::per_month(limit).unwrap()
}

fn on(unix: u64) -> Moment {
    Moment::new(START, unix)
}

/// Rate and quota of one plan.
fn terms<'a>(parts: &'a [&'a [u8]], rate: u32, limit: u32) -> [Charge<'a>; 2] {
    let rate = Rate::per_minute(rate).unwrap();
    [
        Charge::new(Bucket::new(BucketKind::Plan, parts), rate),
        Charge::monthly(parts, quota(limit)),
    ]
}

#[test]
fn a_quota_starts_anew_with_the_month_and_not_before() {
    let limiter = LocalLimiter::new();
    let acme: &[&[u8]] = &[b"acme"];
    let charge = [Charge::monthly(acme, quota(3))];
    // All of them on the first day, if need be.
    for left in [2, 1, 0] {
        let state = limiter
            .charge(&charge, None, on(NOVEMBER))
            .unwrap()
            .unwrap();
        assert_eq!((state.limit(), state.remaining()), (3, left));
    }
    for (unix, wait) in [
        (NOVEMBER, 30 * DAY),
        (NOVEMBER + 29 * DAY, DAY),
        (DECEMBER - 1, 1),
    ] {
        let refusal = limiter.charge(&charge, None, on(unix)).unwrap_err();
        assert_eq!(u64::from(refusal.retry_after_secs()), wait);
    }
    let state = limiter.charge(&charge, None, on(DECEMBER)).unwrap();
    assert_eq!(state.unwrap().remaining(), 2);
}

/// draft-ietf-httpapi-ratelimit-headers-11 §4.1 and §4.2: the window is that of the month.
#[test]
fn the_fields_tell_the_month() {
    let limiter = LocalLimiter::new();
    let acme: &[&[u8]] = &[b"acme"];
    let charge = Charge::monthly(acme, quota(10_000));
    let state = limiter.peek(charge, on(NOVEMBER + 12));
    assert_eq!(state.policy_field(), r#""quota";q=10000;w=2592000"#);
    assert_eq!(state.field(), r#""quota";r=10000;t=2591988"#);
    let february = 951_782_400; // 2000-02-29T00:00:00Z
    let state = limiter.charge(&[charge], None, on(february)).unwrap();
    let state = state.unwrap();
    assert_eq!(state.policy_field(), r#""quota";q=10000;w=2505600"#);
    assert_eq!(state.field(), r#""quota";r=9999;t=86400"#);
    // As a limiter elsewhere says it.
    assert_eq!(state, LimitState::monthly(quota(10_000), 1, february));
}

#[test]
fn a_lower_quota_holds_at_once_and_a_higher_one_gives_the_rest() {
    let limiter = LocalLimiter::new();
    let acme: &[&[u8]] = &[b"acme"];
    let call = |limit| limiter.charge(&[Charge::monthly(acme, quota(limit))], None, on(NOVEMBER));
    for _ in 0..5 {
        assert!(call(5).is_ok());
    }
    let refusal = call(3).unwrap_err();
    assert_eq!(refusal.state().field(), r#""quota";r=0;t=2592000"#);
    assert_eq!(call(7).unwrap().unwrap().remaining(), 1);
}

/// A quota has nothing in common with a rate of the same parts, not even of its own kind.
#[test]
fn quotas_and_rates_are_kept_apart() {
    let limiter = LocalLimiter::new();
    let acme: &[&[u8]] = &[b"acme"];
    let rate = Rate::new(1, 3600, 1).unwrap();
    for kind in BucketKind::ALL {
        let charge = [Charge::new(Bucket::new(*kind, acme), rate)];
        assert!(limiter.charge(&charge, None, on(NOVEMBER)).is_ok());
        assert!(limiter.charge(&charge, None, on(NOVEMBER)).is_err());
    }
    let charge = [Charge::monthly(acme, quota(1))];
    assert!(limiter.charge(&charge, None, on(NOVEMBER)).is_ok());
    assert!(limiter.charge(&charge, None, on(NOVEMBER)).is_err());
}

/// Memory has room for one quota. It is a debt until the month ends, and newcomers share what is left.
#[test]
fn the_month_that_runs_is_not_forgotten() {
    let limiter = LocalLimiter::with_capacity(1);
    let call = |name: &[u8], now| limiter.charge(&[Charge::monthly(&[name], quota(1))], None, now);
    let at = |secs: u64| Moment::new(START + secs * SECOND, NOVEMBER + secs);
    assert!(call(b"acme", at(0)).is_ok());
    for id in 0..2000u32 {
        let _ = call(&id.to_le_bytes(), at(u64::from(id)));
    }
    assert!(call(b"acme", at(29 * DAY)).is_err());
    assert_eq!(limiter.len(), 1);
    assert!(call(b"new", at(30 * DAY)).is_ok());
    assert!(call(b"new", at(30 * DAY)).is_err());
    assert_eq!(limiter.len(), 1);
}

proptest! {
    /// A count for each month and a bucket for the minute: a call takes from both or from neither.
    #[test]
    fn rate_and_quota_are_one_charge(
        rate in 1u32..6, limit in 1u32..40,
        pauses in prop::collection::vec(
            prop_oneof![Just(0), 0..90u64, 0..3 * DAY, Just(20 * DAY)], 1..120),
        remember: bool,
    ) {
        let limiter = LocalLimiter::new();
        let remembered = Remembered::new();
        let remembered = remember.then_some(&remembered);
        let acme: &[&[u8]] = &[b"acme"];
        let charges = terms(acme, rate, limit);
        let (mut month, mut used, mut full_at) = (Month::of(0), 0, 0);
        let mut secs = 0;
        for pause in pauses {
            secs += pause;
            let now = Moment::new(START + secs * SECOND, NOVEMBER + secs);
            if Month::of(now.unix) != month {
                (month, used) = (Month::of(now.unix), 0);
            }
            let by_rate = Rate::per_minute(rate).unwrap().take(full_at, now.nanos);
            let passes = by_rate.is_ok() && used < limit;
            match limiter.charge(&charges, remembered, now) {
                Ok(tightest) => {
                    prop_assert!(passes);
                    used += 1;
                    full_at = by_rate.unwrap_or_default();
                    let left = Rate::per_minute(rate).unwrap().remaining(full_at, now.nanos);
                    prop_assert_eq!(tightest.unwrap().remaining(), left.min(limit - used));
                }
                Err(refusal) => {
                    prop_assert!(!passes);
                    // The one to wait for longest: the month, but for its last moments.
                    let by_rate = by_rate.err().map_or(0, |nanos| nanos.div_ceil(SECOND));
                    let by_month = if used < limit { 0 } else { month.ends_at() - now.unix };
                    let wait = u64::from(refusal.retry_after_secs());
                    prop_assert_eq!(wait, by_rate.max(by_month));
                }
            }
            prop_assert_eq!(limiter.peek(charges[1], now).remaining(), limit - used);
        }
    }
}

/// A realm of handles whose plan `pro` has this quota.
async fn world(rate: Option<Rate>, limit: u32) -> (World, Realm) {
    let world = World::with(Coherence::SingleProcess, Limits::none(), |builder| builder).await;
    let plans = Plans::builder()
        .quota("pro", quota(limit))
        .plan("pro", ["webhooks"], rate)
        .build();
    let limits = Limits::none()
        .by_plan()
        .per_credential(Rate::per_minute(3).unwrap());
    let realm = Realm::builder("handles")
        .tenant_kind(TenantKind::from_static("handle"))
        .plans(plans)
        .limits(limits)
        .build();
    (world, realm)
}

fn compile(world: &World, realm: &Realm, scope: &str) -> std::sync::Arc<CompiledPolicy> {
    let policy = Policy::pat().scope(scope).tenant_from("handle");
    world.gate.compile(&policy, realm).unwrap()
}

fn told(admitted: &Admitted) -> (BucketKind, u32) {
    let limits = admitted.limits.unwrap();
    (limits.kind(), limits.remaining())
}

#[tokio::test]
async fn a_quota_that_is_used_up_has_a_code_of_its_own() {
    let (world, realm) = world(None, 2).await;
    let reading = compile(&world, &realm, "links.read");
    let writing = compile(&world, &realm, "links.write");
    let (key, other) = (world.pat("links.read").await, world.pat("links.read").await);

    // Tightest of both, and shared by all credentials of the tenant.
    let admitted = world.ask(&key.text, &reading).await.unwrap();
    assert_eq!(told(&admitted), (BucketKind::Quota, 1));
    // Refused calls spend none of it.
    for _ in 0..3 {
        assert_eq!(
            world.refused(&key.text, &writing).await,
            Cause::MissingScope
        );
    }
    let admitted = world.ask(&other.text, &reading).await.unwrap();
    assert_eq!(told(&admitted), (BucketKind::Quota, 0));

    let refusal = world.ask(&key.text, &reading).await.unwrap_err();
    let wait = Month::of(NOW).ends_at() - NOW;
    assert_eq!(refusal.cause(), Some(Cause::QuotaExceeded));
    assert_eq!(
        (refusal.code(), refusal.status()),
        (ErrorCode::QuotaExceeded, 429)
    );
    assert_eq!(u64::from(refusal.retry_after().unwrap().get()), wait);
    let fields: Vec<_> = refusal.fields().collect();
    assert_eq!(
        fields,
        [
            ("ratelimit-policy", r#""quota";q=2;w=2592000"#),
            ("ratelimit", &*format!(r#""quota";r=0;t={wait}"#)),
        ]
    );

    world.clock.advance(wait - 1);
    assert_eq!(
        world.refused(&key.text, &reading).await,
        Cause::QuotaExceeded
    );
    world.clock.advance(1);
    let admitted = world.ask(&key.text, &reading).await.unwrap();
    assert_eq!(told(&admitted), (BucketKind::Quota, 1));
}

#[tokio::test]
async fn a_call_over_its_rate_spends_no_quota() {
    let (world, realm) = world(Rate::new(2, 60, 2).ok(), 3).await;
    let reading = compile(&world, &realm, "links.read");
    let key = world.pat("links.read").await;
    for left in [1, 0] {
        let admitted = world.ask(&key.text, &reading).await.unwrap();
        assert_eq!(told(&admitted).1, left);
    }
    for _ in 0..5 {
        assert_eq!(world.refused(&key.text, &reading).await, Cause::RateLimited);
    }
    world.clock.advance(60);
    let admitted = world.ask(&key.text, &reading).await.unwrap();
    assert_eq!(told(&admitted), (BucketKind::Quota, 0));
    assert_eq!(
        world.refused(&key.text, &reading).await,
        Cause::QuotaExceeded
    );
}

#[test]
fn a_plan_may_have_a_rate_a_quota_both_or_none() {
    let minute = |limit| Rate::per_minute(limit).ok();
    let plans = Plans::builder()
        .plan("rate", ["a"], minute(60))
        .quota("quota", quota(100))
        .quota("both", quota(1000))
        // Quicker in all, but fewer at once.
        .plan("both", [], Rate::new(50, 1, 10).ok())
        .plan("none", [], None)
        .build();
    let told = |plan| {
        let rate = plans.rate(plan).map(Rate::limit);
        (rate, plans.quota(plan).map(Quota::limit))
    };
    assert_eq!(told("rate"), (Some(60), None));
    assert_eq!(told("quota"), (None, Some(100)));
    assert_eq!(told("both"), (Some(50), Some(1000)));
    assert_eq!(told("none"), (None, None));
    // Whoever is on no known plan has the slowest rate and the lowest quota.
    assert_eq!(told("unheard of"), (Some(60), Some(100)));
    assert!(plans.knows("quota") && !plans.knows("unheard of"));
}
