//! The flood, in a process of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright::credential::Formats;
use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::server::Credentials;
use crate::{has_classes, setting};

/// What a connection sends, one after another.
const KINDS: [&str; 8] = [
    "wrong secret, one address",
    "wrong secret, many addresses",
    "unknown key",
    "unknown token",
    "JWT with a random signature",
    "random JWT",
    "expired JWT",
    "expired JWT",
];

/// What the process is told on its standard input.
#[derive(Serialize, Deserialize)]
struct Orders {
    server: SocketAddr,
    secs: u64,
    connections: u64,
    key: String,
    token: String,
    expired: Vec<String>,
}

/// How the flood was answered, by kind and status.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answers(BTreeMap<String, BTreeMap<u16, u64>>);

/// The process, running.
pub(crate) struct Attack(Child);

/// Starts the flood.
pub(crate) fn start(server: SocketAddr, credentials: &Credentials, secs: u64) -> Attack {
    let orders = Orders {
        server,
        secs,
        connections: setting("FLOOD_CONNECTIONS", 32),
        key: credentials.good[0].clone(),
        token: credentials.good[2].clone(),
        expired: credentials.expired.clone(),
    };
    let program = std::env::current_exe().expect("a path");
    let mut command = if has_classes() {
        let mut idle = Command::new("chrt");
        idle.args(["--idle", "0"]).arg(program);
        idle
    } else {
        Command::new(program)
    };
    let mut child = command
        .arg("attack")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let orders = serde_json::to_vec(&orders).expect("JSON");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&orders).expect("a pipe");
    Attack(child)
}

impl Attack {
    /// Waits for its end.
    pub(crate) fn wait(self) -> Answers {
        let output = self.0.wait_with_output().expect("an end");
        assert!(output.status.success(), "the flood broke off");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// What the process does.
pub(crate) fn run() {
    let orders: Orders = serde_json::from_reader(std::io::stdin()).expect("orders");
    let end = Instant::now() + Duration::from_secs(orders.secs);
    let answers = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..orders.connections)
            .map(|number| {
                let orders = &orders;
                scope.spawn(move || send(orders, number, end))
            })
            .collect();
        let mut answers = Answers(BTreeMap::new());
        for sender in senders {
            let (kind, counts) = sender.join().expect("a sender");
            let all = answers.0.entry(kind.to_owned()).or_default();
            for (status, count) in counts {
                *all.entry(status).or_default() += count;
            }
        }
        answers
    });
    let json = serde_json::to_string(&answers).expect("JSON");
    println!("{json}");
}

fn send(orders: &Orders, number: u64, end: Instant) -> (&'static str, BTreeMap<u16, u64>) {
    let kind = number as usize % KINDS.len();
    let from = match kind {
        1 => Ipv4Addr::new(127, 0, 9, 1 + (number / 8) as u8),
        _ => Ipv4Addr::LOCALHOST,
    };
    let mut connection = Connection::open(from, orders.server);
    let mut counts = BTreeMap::new();
    let mut round = number as usize;
    while Instant::now() < end {
        let status = match kind {
            6 | 7 => connection.whoami(&orders.expired[round % orders.expired.len()]),
            _ => connection.whoami(&bad(kind, orders)),
        };
        let status = status.expect("an answer").status;
        *counts.entry(status).or_default() += 1;
        round += 1;
    }
    (KINDS[kind], counts)
}

/// A credential that was never sent before.
fn bad(kind: usize, orders: &Orders) -> String {
    let formats = Formats::standard();
    let format = |brand| formats.format(brand).expect("a format");
    let minted = match kind {
        0 | 1 => {
            let id = orders.key.split('_').nth(1).expect("an id");
            format("tnx").mint_secret_for(id)
        }
        2 => format("tnx").mint(),
        3 => format("patv1").mint(),
        4 => {
            let (signed, _) = orders.token.rsplit_once('.').expect("a token");
            return format!("{signed}.{}", random::<256>());
        }
        _ => return format!("{}.{}.{}", random::<60>(), random::<200>(), random::<256>()),
    };
    minted.expect("a credential").secret.expose().to_owned()
}

fn random<const N: usize>() -> String {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("random bytes");
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Answers {
    pub(crate) fn total(&self) -> u64 {
        self.counts().map(|(_, count)| count).sum()
    }

    /// Answers that say that something was full.
    pub(crate) fn unavailable(&self) -> u64 {
        let full = self.counts().filter(|(status, _)| *status == 503);
        full.map(|(_, count)| count).sum()
    }

    /// Answers that are no refusal of the credential.
    pub(crate) fn unexpected(&self) -> u64 {
        let other = self
            .counts()
            .filter(|(status, _)| ![401, 429].contains(status));
        other.map(|(_, count)| count).sum()
    }

    fn counts(&self) -> impl Iterator<Item = (u16, u64)> {
        let all = self.0.values().flatten();
        all.map(|(status, count)| (*status, *count))
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, counts) in &self.0 {
            writeln!(f, "{kind}: {counts:?}")?;
        }
        Ok(())
    }
}
