//! Writes down what is counted rather than timed: allocations, runs of argon2, calls of the store.

use gatewright_benches::fixture::Call;
use gatewright_benches::limits::{Charges, Governed};
use gatewright_benches::ours::{Guessing, mistyped_key, mistyped_token};
use gatewright_benches::{World, allocations, peers, record};
use gatewright_core::gate::Admission;
use gatewright_core::jwt::Algorithm;

/// Calls of which the allocations are counted; each allocates as much as the others.
const CALLS: u64 = 100;
/// Argon2 runs once in 65,536 guesses, by chance: of this many, some 458 times, give or take 21.
const GUESSES: usize = 30_000_000;
const COUNTED_IN: f64 = 60_000.0;

fn main() {
    let world = World::new();
    world.warm();
    gate(&world);
    for row in peers::rows(&world) {
        let call = row.call(&row.credential);
        count(&row.name, call);
    }
    let (ours, theirs) = (Charges::of(1), Governed::of(1));
    count("charge_two_buckets", || ours.charge(0));
    count("governor_check_two", || theirs.check_two(0));
    count("governor_check", || theirs.check(0));
    malformed(&world);

    let guessing = Guessing::new();
    let runs = guessing.argon2_runs(GUESSES) as f64;
    record(
        "wrong_secret_argon2",
        runs * COUNTED_IN / GUESSES as f64,
        "runs in 60,000 guesses",
    );
}

fn gate(world: &World) {
    let limited = world.limited_policy();
    for (name, text, policy) in [
        ("api_key", world.api_key(), world.policy()),
        ("pat", world.pat(), world.policy()),
        ("jwt", world.jwt(Algorithm::Rs256), world.policy()),
        ("api_key_limited", world.api_key(), limited),
        ("jwt_limited", world.jwt(Algorithm::Rs256), limited),
    ] {
        let call = Call::new(text);
        count(name, || call.is_admitted(world.gate(), policy));
    }
}

/// What is malformed, while the store is out of reach: who asks it has to wait, or is told so.
fn malformed(world: &World) {
    let calls = [
        Call::new(&mistyped_key(world)),
        Call::new(&mistyped_token(world)),
        Call::new("tnx_short"),
        Call::new("patv1_."),
        Call::new("nothing-known"),
    ];
    let (gate, policy) = (world.gate(), world.policy());
    count("malformed", || {
        calls.iter().all(|call| call.is_refused(gate, policy))
    });
    world.authority().put_store_out_of_reach(true);
    let asks = |call: &&Call| match call.ask(gate, policy) {
        Admission::Ready(Err(refusal)) => refusal.status() == 503,
        _ => true,
    };
    let asked = calls.iter().filter(asks).count();
    world.authority().put_store_out_of_reach(false);
    record("malformed_store_calls", asked as f64, "calls");
}

/// Writes down how many allocations a call makes, of which every one has to answer yes.
fn count(name: &str, call: impl Fn() -> bool) {
    assert!(call(), "{name} counts something else");
    let mut failed = 0;
    let allocations = allocations(|| {
        for _ in 0..CALLS {
            failed += u64::from(!call());
        }
    });
    assert_eq!(failed, 0, "{name} counted something else");
    let each = allocations as f64 / CALLS as f64;
    record(&format!("alloc_{name}"), each, "allocations");
}
