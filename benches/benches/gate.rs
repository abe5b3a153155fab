//! What the gate costs, and what it cannot cost less than.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use gatewright_benches::fixture::{ALGORITHMS, Call};
use gatewright_benches::floor::Signed;
use gatewright_benches::limits::scattered;
use gatewright_benches::ours::{Guessing, mistyped_key, mistyped_token};
use gatewright_benches::peers::suffix;
use gatewright_benches::{World, block_on};
use gatewright_core::jwt::Algorithm;
use gatewright_core::scope::{Scope, ScopeSet};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn gate(criterion: &mut Criterion) {
    let world = World::new();
    world.warm();
    let mut group = criterion.benchmark_group("gate");
    warm(&mut group, &world);
    cold(&mut group, &world);
    refused(&mut group, &world);
    scopes(&mut group);
    group.finish();
    floor(criterion, &world);
}

/// Credentials that memory knows.
fn warm(group: &mut Group<'_>, world: &World) {
    let policy = world.policy();
    let limited = world.limited_policy();
    let rs256 = world.jwt(Algorithm::Rs256);
    for (name, text, policy) in [
        ("warm_api_key", world.api_key(), policy),
        ("warm_pat", world.pat(), policy),
        ("warm_jwt_rs256", rs256, policy),
        (
            "warm_jwt_hs256",
            world.jwt(Algorithm::Hs256),
            world.policy_for(Algorithm::Hs256),
        ),
        ("warm_jwt_es256", world.jwt(Algorithm::Es256), policy),
        ("warm_jwt_eddsa", world.jwt(Algorithm::EdDsa), policy),
        ("warm_api_key_limited", world.api_key(), limited),
        ("warm_jwt_limited", rs256, limited),
    ] {
        let call = Call::new(text);
        always(group, name, || call.is_admitted(world.gate(), policy));
    }

    let tokens = world.jwts(Algorithm::Rs256, 1_000);
    let calls: Vec<Call> = tokens.iter().map(|token| Call::new(token)).collect();
    for token in &tokens {
        world.expect_admitted(token, policy);
    }
    let mut next = scattered(calls.len());
    always(group, "warm_jwt_1000", || {
        calls[next()].is_admitted(world.gate(), policy)
    });
}

/// Tokens that memory doesn't know: the strict verification alone, then all of the gate with its store.
fn cold(group: &mut Group<'_>, world: &World) {
    for algorithm in ALGORITHMS {
        let (verifier, keys) = (world.verifier(algorithm), world.keys(algorithm));
        let (token, now) = (world.jwt(algorithm), world.now());
        always(group, &format!("cold_{}", suffix(algorithm)), || {
            verifier.verify(black_box(token), keys, now).is_ok()
        });
    }
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let call = Call::new(world.jwt(algorithm));
        let (gate, policy) = (world.gate(), world.policy());
        always(group, &format!("cold_gate_{}", suffix(algorithm)), || {
            world.forget_tokens();
            block_on(call.ask(gate, policy).decided()).is_ok()
        });
    }
}

/// Credentials that the gate refuses.
fn refused(group: &mut Group<'_>, world: &World) {
    for (name, text) in [
        ("malformed", mistyped_key(world)),
        ("malformed_jwt", mistyped_token(world)),
    ] {
        let call = Call::new(&text);
        always(group, name, || {
            call.is_refused(world.gate(), world.policy())
        });
    }
    let guessing = Guessing::new();
    let (gate, policy) = (guessing.world().gate(), guessing.world().policy());
    let guesses = guessing.guesses(4_096);
    let mut next = scattered(guesses.len());
    always(group, "wrong_secret", || {
        guesses[next()].is_refused(gate, policy)
    });
}

/// One requirement against sixteen grants, of which the last one covers it, and against sixteen of which none does.
fn scopes(group: &mut Group<'_>) {
    let areas: Vec<String> = (0..16).map(|area| format!("area{area:02}.read")).collect();
    let grants = ScopeSet::parse(&areas.join(" ")).expect("scopes");
    let last: Scope = "area15.read".parse().expect("a scope");
    let none: Scope = "area16.read".parse().expect("a scope");
    always(group, "scope_16", || {
        black_box(&grants).allows(black_box(&last))
    });
    always(group, "scope_16_missing", || {
        !black_box(&grants).allows(black_box(&none))
    });
}

/// The bare verification of the same signatures.
fn floor(criterion: &mut Criterion, world: &World) {
    let mut group = criterion.benchmark_group("floor");
    for algorithm in ALGORITHMS {
        let signed = Signed::of(world, algorithm);
        let name = match algorithm {
            Algorithm::Hs256 => "hs256_hmac".to_owned(),
            _ => format!("{}_verify", suffix(algorithm)),
        };
        always(&mut group, &name, || black_box(&signed).verify());
    }
    group.finish();
}

/// Measures what has to be true on every call, and fails where it was not.
fn always(group: &mut Group<'_>, name: &str, mut holds: impl FnMut() -> bool) {
    assert!(holds(), "{name} measures something else");
    let mut failed = 0_u64;
    group.bench_function(name, |bencher| {
        bencher.iter(|| failed += u64::from(!black_box(holds())));
    });
    assert_eq!(failed, 0, "{name} measured something else");
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .without_plots()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1_500));
    targets = gate
}
criterion_main!(benches);
