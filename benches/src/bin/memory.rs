//! Writes down how many bytes of this process a cached credential takes, and that a flood of them takes no more than
//! the cache is allowed.
//!
//! Bytes are those that the system gives the process (resident, from `/proc`): with what the allocator rounds up, and with
//! what the maps keep free. What hashing costs plays no part, so it costs next to nothing here.

use std::process::Command;
use std::{env, fs};

use gatewright_benches::fixture::{Call, TENANT};
use gatewright_benches::{World, block_on, record};
use gatewright_core::jwt::Algorithm;

const CREDENTIALS: usize = 100_000;
const FLOOD: usize = 300_000;
const SCOPES: &str = "links.read links.write stats.read";

fn main() {
    match env::args().nth(1).as_deref() {
        Some("keys") => keys(),
        Some("tokens") => tokens(),
        Some("flood") => flood(),
        // Each in a process of its own: what one leaves free would hide what the next one takes.
        _ => ["keys", "tokens", "flood"].into_iter().for_each(|part| {
            let this = env::current_exe().expect("the path of this program");
            let status = Command::new(this).arg(part).status();
            assert!(status.expect("it starts").success(), "{part} failed");
        }),
    }
}

/// The record in the gate's memory; the store's own copy is there before.
fn keys() {
    let world = World::with_cheap_hashing(|gate| gate.cache_capacity(CREDENTIALS + 1));
    let keys: Vec<Call> = (0..CREDENTIALS)
        .map(|_| Call::new(&block_on(world.authority().key(TENANT, SCOPES))))
        .collect();
    world.warm();
    let before = resident();
    for key in &keys {
        admit(&world, key, Algorithm::Rs256);
    }
    let grown = resident() - before;
    assert!(world.gate().stats().cached_records >= CREDENTIALS);
    // The gate keeps no text of a key, so nothing is taken off.
    record("memory_key", grown / CREDENTIALS as f64, "bytes");
}

/// The token in the gate's memory, without the bytes of its text. By EdDSA, since signing by RSA takes long: what is beyond
/// the text is the same.
fn tokens() {
    // An issuer has a quarter of the entries at most.
    let world = World::with_cheap_hashing(|gate| gate.cache_capacity(4 * (CREDENTIALS + 8)));
    world.warm();
    // Kept to the end: what is dropped leaves room in the process, which would hide what the cache takes.
    let tokens = world.jwts(Algorithm::EdDsa, CREDENTIALS);
    let text: usize = tokens.iter().map(String::len).sum();
    let calls: Vec<Call> = tokens.iter().map(|token| Call::new(token)).collect();
    let held = world.gate().stats().cached_tokens;
    let before = resident();
    for call in &calls {
        admit(&world, call, Algorithm::EdDsa);
    }
    let grown = resident() - before;
    assert_eq!(world.gate().stats().cached_tokens - held, CREDENTIALS);
    let each = (grown - text as f64) / CREDENTIALS as f64;
    record("memory_jwt", each, "bytes");
}

/// Three times as many tokens as a gate remembers by default, of one issuer.
fn flood() {
    let world = World::with_cheap_hashing(|gate| gate);
    world.warm();
    let mut at_capacity = 0.0;
    for number in 0..FLOOD {
        let token = world.jwts(Algorithm::EdDsa, 1).remove(0);
        admit(&world, &Call::new(&token), Algorithm::EdDsa);
        if number == CREDENTIALS {
            at_capacity = resident();
        }
    }
    let entries = world.gate().stats().cached_tokens;
    record("memory_flood_entries", entries as f64, "tokens");
    let grown = (resident() - at_capacity) / 1_048_576.0;
    record("memory_flood_growth", grown, "MiB");
}

fn admit(world: &World, call: &Call, algorithm: Algorithm) {
    let policy = world.policy_for(algorithm);
    let decision = block_on(call.ask(world.gate(), policy).decided());
    assert!(decision.is_ok(), "a credential is refused");
}

/// Bytes of this process in memory.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("the state of this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = kib.and_then(|kib| kib.parse().ok()).expect("a size");
    kib * 1_024.0
}
