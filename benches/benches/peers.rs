//! What other crates cost at the same work.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use gatewright_benches::World;
use gatewright_benches::peers::rows;

fn peers(criterion: &mut Criterion) {
    let world = World::new();
    let mut group = criterion.benchmark_group("peers");
    for row in rows(&world) {
        row.expect_sound();
        let call = row.call(&row.credential);
        // A hash takes milliseconds: fewer of them tell as much.
        let hashes = ["api_keys_simplified", "argon2_verify"].contains(&&*row.name);
        group.sample_size(if hashes { 10 } else { 50 });
        group.sampling_mode(if hashes {
            SamplingMode::Flat
        } else {
            SamplingMode::Auto
        });
        let mut refused = 0_u64;
        group.bench_function(&row.name, |bencher| {
            bencher.iter(|| refused += u64::from(!black_box(call())));
        });
        assert_eq!(refused, 0, "{} measured a refusal", row.name);
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1_500));
    targets = peers
}
criterion_main!(benches);
