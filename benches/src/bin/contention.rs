//! Writes down what threads on one hot credential cost each other, beside what pure computation costs them.
//!
//! Two threads on one core share its execution units, its clock is lower when both work, and a neighbour may take of
//! either. So each round measures, right after one another, one thread and then all of them at the gate, and the same at a
//! computation that shares nothing and lasts as long. What is left between the two slow-downs is what the gate shares.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use gatewright_benches::fixture::Call;
use gatewright_benches::{World, record};
use gatewright_core::jwt::Algorithm;

const ROUNDS: usize = 41;
/// Nanoseconds of one thread's part in a round.
const PART: f64 = 40e6;

fn main() {
    let world = World::new();
    world.warm();
    let threads = thread::available_parallelism()
        .map_or(2, usize::from)
        .max(2);
    record("contention_threads", threads as f64, "threads");
    let mut pure = Vec::new();
    for (kind, text) in [
        ("key", world.api_key()),
        ("pat", world.pat()),
        ("jwt", world.jwt(Algorithm::Rs256)),
    ] {
        let call = Call::new(text);
        let ask = |times: u64| {
            let admitted =
                (0..times).filter(|_| black_box(call.is_admitted(world.gate(), world.policy())));
            assert_eq!(admitted.count() as u64, times, "the {kind} is refused");
        };
        let (asks, steps) = (lasting(&ask), lasting(&compute));
        let mut ratios = Vec::new();
        let mut slowed = Vec::new();
        for _ in 0..ROUNDS {
            let gate = slow_down(threads, asks, &ask);
            let computation = slow_down(threads, steps, &compute);
            ratios.push(gate / computation);
            slowed.push(gate);
            pure.push(computation);
        }
        record(&format!("contention_{kind}_ratio"), median(ratios), "ratio");
        record(
            &format!("contention_{kind}_slowdown"),
            median(slowed),
            "ratio",
        );
    }
    record("contention_pure_slowdown", median(pure), "ratio");
}

/// How much longer the work takes each of these threads than it takes one alone.
fn slow_down(threads: usize, times: u64, work: &(impl Fn(u64) + Sync)) -> f64 {
    let alone = on_threads(1, times, work);
    on_threads(threads, times, work) / alone
}

/// Nanoseconds that the work takes a thread, on average, when so many do it at once.
fn on_threads(threads: usize, times: u64, work: &(impl Fn(u64) + Sync)) -> f64 {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let part = || {
            // A fresh thread has no hot caches and no thread-locals.
            work(times / 20);
            start.wait();
            let began = Instant::now();
            work(times);
            began.elapsed().as_nanos() as f64
        };
        let parts: Vec<_> = (0..threads).map(|_| scope.spawn(part)).collect();
        let sum: f64 = parts
            .into_iter()
            .map(|part| part.join().expect("a thread"))
            .sum();
        sum / threads as f64
    })
}

/// How often the work has to be done to last for [`PART`].
fn lasting(work: &impl Fn(u64)) -> u64 {
    const TRIAL: u64 = 100_000;
    work(TRIAL);
    let began = Instant::now();
    work(TRIAL);
    let each = began.elapsed().as_nanos() as f64 / TRIAL as f64;
    (PART / each) as u64
}

/// A hash (FNV-1a with a final mix) of bytes that each thread has for itself, as many as a key has.
fn compute(times: u64) {
    let bytes = black_box([0x5a_u8; 48]);
    let mut sum = 0_u64;
    for time in 0..times {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ time;
        for byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash ^= hash >> 32;
        sum = sum.wrapping_add(hash);
    }
    black_box(sum);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
