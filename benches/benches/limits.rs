//! What counting a call costs: one caller, and 100,000 of them in no order.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use gatewright_benches::limits::{Charges, Governed, scattered};

const MANY: usize = 100_000;

fn limits(criterion: &mut Criterion) {
    let (one, many) = (Charges::of(1), Charges::of(MANY));
    let mut next = scattered(MANY);
    measure(criterion, "gate", "charge_two_buckets", || one.charge(0));
    measure(criterion, "gate", "charge_two_buckets_100k", || {
        many.charge(next())
    });
    drop((one, many));

    let (one, many) = (Governed::of(1), Governed::of(MANY));
    let mut next = scattered(MANY);
    measure(criterion, "peers", "governor_check", || one.check(0));
    measure(criterion, "peers", "governor_check_two", || {
        one.check_two(0)
    });
    measure(criterion, "peers", "governor_check_two_100k", || {
        many.check_two(next())
    });
}

/// Measures calls, all of which have to be granted.
fn measure(criterion: &mut Criterion, group: &str, name: &str, mut granted: impl FnMut() -> bool) {
    let mut refused = 0_u64;
    let mut group = criterion.benchmark_group(group);
    group.bench_function(name, |bencher| {
        bencher.iter(|| refused += u64::from(!black_box(granted())));
    });
    group.finish();
    assert_eq!(refused, 0, "{name} measured a refusal");
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .without_plots()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1_500));
    targets = limits
}
criterion_main!(benches);
