//! The steady callers, and how long they waited.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::has_classes;

/// Where they call from: the flood's address, and another.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)];
/// Calls a second of each.
const PER_SEC: u64 = 100;

/// How long calls took, in microseconds, from the shortest to the longest.
pub(crate) struct Waits {
    sorted: Vec<f64>,
    pub(crate) failures: usize,
    /// How many of the callers ran as soon as they could.
    pub(crate) urgent: usize,
}

/// What one caller saw.
struct Caller {
    /// How long each call took, in microseconds, and whether it was answered with 200.
    calls: Vec<(f64, bool)>,
    urgent: bool,
}

/// Calls for so many seconds, from both addresses at once.
pub(crate) fn call(server: SocketAddr, credentials: &[String], secs: u64) -> Waits {
    let callers = std::thread::scope(|scope| {
        let callers = ADDRESSES.map(|from| {
            scope.spawn(move || Caller {
                urgent: has_classes() && hurry(),
                calls: steadily(&mut Connection::open(from, server), credentials, secs),
            })
        });
        callers.map(|caller| caller.join().expect("a caller"))
    });
    let calls = || callers.iter().flat_map(|caller| &caller.calls);
    let mut sorted: Vec<f64> = calls().map(|(wait, _)| *wait).collect();
    sorted.sort_by(f64::total_cmp);
    Waits {
        sorted,
        failures: calls().filter(|(_, good)| !good).count(),
        urgent: callers.iter().filter(|caller| caller.urgent).count(),
    }
}

/// Has this thread run as soon as it can, whatever the server does (`SCHED_FIFO`), and answers whether the system allows it.
fn hurry() -> bool {
    let Ok(thread) = std::fs::read_link("/proc/thread-self") else {
        return false;
    };
    let mut class = Command::new("chrt");
    class.args(["--fifo", "--pid", "1"]);
    class.args(thread.file_name()).stderr(Stdio::null());
    class.status().is_ok_and(|status| status.success())
}

/// One call every so often, whether or not the last one was quick. A call that could not begin in time, since the answer
/// before it was late, has waited from when it was due; one that the caller itself was late for has not.
fn steadily(connection: &mut Connection, credentials: &[String], secs: u64) -> Vec<(f64, bool)> {
    let began = Instant::now();
    let every = Duration::from_secs(1) / PER_SEC as u32;
    let mut waits = Vec::new();
    for (number, credential) in (0..secs * PER_SEC).zip(credentials.iter().cycle()) {
        let due = began + every * number as u32;
        let now = Instant::now();
        let from = if now < due {
            sleep(due - now);
            Instant::now()
        } else {
            due
        };
        let answer = connection.whoami(credential).expect("an answer");
        let micros = from.elapsed().as_secs_f64() * 1e6;
        waits.push((micros, answer.status == 200));
    }
    waits
}

impl Waits {
    /// Those of two times together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.sorted.extend(other.sorted);
        self.sorted.sort_by(f64::total_cmp);
        self.failures += other.failures;
        self.urgent = self.urgent.min(other.urgent);
        self
    }

    /// The wait that so many percent of the calls did not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let rank = (self.sorted.len() as f64 * percent / 100.0).ceil() as usize;
        self.sorted[rank.clamp(1, self.sorted.len()) - 1]
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99] = [50.0, 99.0].map(|percent| self.percentile(percent));
        let calls = self.sorted.len();
        write!(f, "{calls} calls, p50 {p50:.0} µs, p99 {p99:.0} µs")
    }
}
