//! Rates beside those of the crate `governor`, call by call.
//!
//! Both count by GCRA in whole nanoseconds, and say the same wherever they count with the same step. What differs on
//! purpose is how the step follows from a rate that does not divide its window: governor rounds it down, so that its buckets
//! regain more than the rate says (three a second are `333_333_333` ns apart, and a fourth call fits into each 333,333,333 s), and
//! ours is rounded up.

use std::num::NonZeroU32;
use std::time::Duration;

use gatewright_core::limit::{Bucket, BucketKind, Charge, LocalLimiter, Rate, Remembered};
use governor::clock::{Clock, FakeRelativeClock};
use governor::{Quota, RateLimiter};
use proptest::prelude::*;

use crate::limit::{SECOND, START, at};

fn any_rate() -> impl Strategy<Value = Rate> {
    let window = prop::sample::select(vec![1u32, 7, 60, 3600, 86_400]);
    (1u32..2000, window, any::<u32>())
        .prop_map(|(limit, window, burst)| Rate::new(limit, window, burst % limit + 1).unwrap())
}

/// The rate in governor's words, with a step of this many nanoseconds.
fn quota(rate: Rate, step: u64) -> Quota {
    Quota::with_period(Duration::from_nanos(step))
        .unwrap()
        .allow_burst(NonZeroU32::new(rate.burst()).unwrap())
}

fn window_nanos(rate: Rate) -> u64 {
    u64::from(rate.window_secs()) * SECOND
}

/// Keys and pauses, some of them as long as it takes for a call to fit.
fn calls() -> impl Strategy<Value = Vec<(u8, Pause)>> {
    let pause = prop_oneof![
        4 => Just(Pause::None),
        2 => (0..3 * SECOND).prop_map(Pause::Nanos),
        1 => (0..4000 * SECOND).prop_map(Pause::Nanos),
        2 => (-1i64..2).prop_map(Pause::UntilItFits),
    ];
    prop::collection::vec((0u8..3, pause), 1..150)
}

#[derive(Clone, Copy, Debug)]
enum Pause {
    None,
    Nanos(u64),
    /// As long as the last refusal said, and so many nanoseconds more.
    UntilItFits(i64),
}

proptest! {
    /// Every call of every key is admitted by both or refused by both, with the same time to wait.
    #[test]
    fn both_decide_alike(rate in any_rate(), calls in calls()) {
        let step = window_nanos(rate).div_ceil(u64::from(rate.limit()));
        let clock = FakeRelativeClock::default();
        let theirs = RateLimiter::<u8, _, _>::new(
            quota(rate, step),
            governor::state::keyed::DefaultKeyedStateStore::<_, std::hash::RandomState>::default(),
            clock.clone(),
        );
        let ours = LocalLimiter::new();
        let remembered = [Remembered::new(), Remembered::new(), Remembered::new()];
        let mut states = [0u64; 3];
        let (mut now, mut last_wait) = (START, 0u64);
        clock.advance(Duration::from_nanos(START));
        for (key, pause) in calls {
            let pause = match pause {
                Pause::None => 0,
                Pause::Nanos(nanos) => nanos,
                Pause::UntilItFits(more) => last_wait.saturating_add_signed(more),
            };
            now += pause;
            clock.advance(Duration::from_nanos(pause));
            let index = usize::from(key);
            let parts: [&[u8]; 1] = [&[key]];
            let charge = Charge::new(Bucket::new(BucketKind::Plan, &parts), rate);
            let by_limiter = ours.charge(&[charge], Some(&remembered[index]), at(now));
            let by_rate = rate.take(states[index], now);
            match theirs.check_key(&key) {
                Ok(()) => {
                    prop_assert!(by_limiter.is_ok());
                    prop_assert!(by_rate.is_ok());
                    states[index] = by_rate.unwrap_or_default();
                }
                Err(not_until) => {
                    let wait = not_until.wait_time_from(clock.now());
                    last_wait = u64::try_from(wait.as_nanos()).unwrap();
                    prop_assert_eq!(by_rate, Err(last_wait));
                    // A caller is told whole seconds, and never to come back at once.
                    let secs = u64::from(by_limiter.unwrap_err().retry_after_secs());
                    prop_assert_eq!(secs, last_wait.div_ceil(SECOND).max(1));
                }
            }
        }
    }

    /// Where the step is not whole: what ours admits, governor's own rounding admits.
    #[test]
    fn ours_is_never_the_more_generous(
        rate in any_rate(), pauses in prop::collection::vec(0..3 * SECOND, 1..150),
    ) {
        let clock = FakeRelativeClock::default();
        let step = (window_nanos(rate) / u64::from(rate.limit())).max(1);
        let theirs = RateLimiter::direct_with_clock(quota(rate, step), clock.clone());
        let (mut now, mut state) = (0, 0);
        for pause in pauses {
            now += pause;
            clock.advance(Duration::from_nanos(pause));
            if let Ok(next) = rate.take(state, now) {
                state = next;
                prop_assert!(theirs.check().is_ok());
            }
        }
    }
}
