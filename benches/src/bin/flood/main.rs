//! How long a good caller waits while bad credentials come in as fast as one machine can send them.
//!
//! ```sh
//! cargo build --release -p gatewright-server
//! cargo run --release --manifest-path benches/Cargo.toml --bin flood
//! ```
//!
//! Starts the reference server, calls `/whoami` 200 times a second for 30 s beside the flood, and for 30 s in quiet, half of
//! them before and half of them after, and writes the figures down. The path of the server may be given; the environment may
//! set `FLOOD_SECS`, `FLOOD_CONNECTIONS` (32) and `FLOOD_CLASSES` (1).
//!
//! Half of the good calls come from the address that the flood comes from, half from another, each with an API key, a
//! personal access token and a JWT in turn. The flood comes from a process of its own.
//!
//! Callers elsewhere neither take the server's processor time nor wait for it. So the flood runs in the scheduler's idle class
//! (`SCHED_IDLE`), gets what the others leave, and gives a core up as soon as one of them wakes; a process that is only nice
//! keeps it for some milliseconds more. Good callers run before the server (`SCHED_FIFO`), where the system allows it, which
//! is a right of root's: their time ends when the answer is there, and not when the server has a core to spare. The flood
//! still takes caches and memory bandwidth: the ratio of the two p99 is an upper bound. With `FLOOD_CLASSES=0` it measures how
//! the system shares its cores out, more than it measures the server.
//!
//! Rate limits are off, or the good callers would be over theirs; the limiter of failures has no switch. The log is
//! written at its default level, to nowhere.

mod attack;
mod connection;
mod good;
mod server;

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use gatewright_benches::record;
use good::Waits;
use server::Server;

fn main() {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("attack") => attack::run(),
        given => bench(given.map(PathBuf::from)),
    }
}

/// A number from the environment.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

/// Whether callers run in classes of the scheduler's other than the server's.
pub(crate) fn has_classes() -> bool {
    setting("FLOOD_CLASSES", 1) != 0
}

fn bench(program: Option<PathBuf>) {
    let secs = setting("FLOOD_SECS", 30);
    let program = program.unwrap_or_else(|| {
        PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../target/release/gatewright-server"
        ))
    });
    let server = Server::start(&program);
    let credentials = server.credentials();
    let good = credentials.good.clone();
    let call = |secs| good::call(server.address, &good, secs);
    call(2);

    let before = call(secs / 2);
    println!("quiet, before: {before}");

    let (proofs, threads) = (server.proofs(), server.threads());
    let attack = attack::start(server.address, &credentials, secs + 2);
    sleep(Duration::from_secs(1));
    let flood = std::thread::scope(|scope| {
        let calling = scope.spawn(|| call(secs));
        let memory = server.watch_memory(secs);
        (calling.join().expect("the good callers"), memory)
    });
    let (flood, memory) = flood;
    let answers = attack.wait();
    println!("flood: {flood}");
    let after = call(secs - secs / 2);
    println!("quiet, after: {after}");
    let quiet = before.and(after);
    println!("resident MiB by the second: {}", series(&memory));
    print!("{answers}");

    let [at_half, at_end] = [memory[memory.len() / 2], memory[memory.len() - 1]];
    let refused = server.queue_refusals();
    let per_sec = answers.total() as f64 / (secs + 2) as f64;
    record("flood_quiet_p99_us", quiet.percentile(99.0), "us");
    record("flood_quiet_p50_us", quiet.percentile(50.0), "us");
    record("flood_p99_us", flood.percentile(99.0), "us");
    record("flood_p50_us", flood.percentile(50.0), "us");
    let urgent = quiet.urgent.min(flood.urgent);
    record("flood_urgent", urgent as f64, "callers");
    record("flood_attack_rps", per_sec, "requests/s");
    record(
        "flood_memory_growth_bytes",
        at_end as f64 - at_half as f64,
        "bytes",
    );
    record(
        "flood_argon2_runs",
        (server.proofs() - proofs) as f64,
        "runs",
    );
    record(
        "flood_queue_full",
        (refused + answers.unavailable()) as f64,
        "answers",
    );
    record(
        "flood_p99_ratio",
        flood.percentile(99.0) / quiet.percentile(99.0),
        "ratio",
    );
    report_waits(&quiet, &flood);
    println!(
        "threads of the server: {threads} before, {} after",
        server.threads()
    );
    assert_eq!(
        answers.unexpected(),
        0,
        "a bad credential got something else"
    );
    assert_eq!(quiet.failures + flood.failures, 0, "a good call failed");
}

fn report_waits(quiet: &Waits, flood: &Waits) {
    println!("percentile   quiet µs   flood µs");
    for percent in [50.0, 90.0, 95.0, 99.0, 99.9, 100.0] {
        let [quiet, flood] = [quiet, flood].map(|waits| waits.percentile(percent));
        println!("{percent:>10} {quiet:>10.0} {flood:>10.0}");
    }
}

fn series(memory: &[u64]) -> String {
    let mib = memory
        .iter()
        .map(|bytes| format!("{:.1}", *bytes as f64 / f64::from(1 << 20)));
    mib.collect::<Vec<_>>().join(" ")
}
