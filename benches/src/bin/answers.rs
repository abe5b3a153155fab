//! Whether the time of an answer tells whether an address has an account.
//!
//! ```sh
//! cargo run --release --manifest-path benches/Cargo.toml --bin answers
//! ```
//!
//! Asks [`Accounts`] over SQLite, with argon2 as it is set in production: to log in with an unknown address, a wrong
//! password, an unverified account and, for comparison, a right password; to sign up with an address that is new, unverified
//! or registered; and for a link to a new password. Each round asks each of these once, in random order, so that what the
//! machine does meanwhile meets all alike; what follows an answer is done before the next one is asked for, and not measured.
//! The gate is asked from another address each time, as a patient attacker would.
//!
//! That the measure can tell at all is shown by a log-in as it is often written, which hashes only where there is
//! something to compare with: its two answers stand in the table as well.
//!
//! `ANSWERS_ROUNDS` makes it shorter.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use gatewright::audit::NoAudit;
use gatewright::error::ErrorCode;
use gatewright::gate::{Coherence, Gate};
use gatewright::hash::{Argon2Settings, Passwords, PoolConfig};
use gatewright::issuer::{Accounts, Mail, Mailer, NewPassword, PasswordPolicy, guard_tag_keys};
use gatewright::principal::UserId;
use gatewright::sqlx::{SqliteOptions, SqliteStore};
use gatewright::store::{Account, AccountStore as _};
use gatewright_benches::distribution::Distribution;
use gatewright_benches::record;

const ROUNDS: u32 = 1_000;
const WARM_UP: u32 = 5;
/// Accounts of each kind, which take turns.
const ACCOUNTS: u32 = 30;
const RIGHT: &str = "three brown cows";
/// As long as the right one.
const WRONG: &str = "three green cows";

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    LogIn(Whose, &'static str),
    /// As [`LogIn`](Self::LogIn), without a hash for nobody.
    Naive(Whose),
    SignUp(Whose),
    Forgot(Whose),
}

/// Whose address it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Nobodys,
    Unverified,
    Verified,
}

use Question::{Forgot, LogIn, Naive, SignUp};
use Whose::{Nobodys, Unverified, Verified};

/// Every question by the name of its figures. What is compared stands together: its first one is what the others are
/// compared with.
const GROUPS: &[(&str, &[(&str, Question)])] = &[
    (
        "log_in",
        &[
            ("wrong", LogIn(Verified, WRONG)),
            ("unknown", LogIn(Nobodys, WRONG)),
            ("unverified", LogIn(Unverified, RIGHT)),
        ],
    ),
    ("right", &[("right", LogIn(Verified, RIGHT))]),
    (
        "naive",
        &[("wrong", Naive(Verified)), ("unknown", Naive(Nobodys))],
    ),
    (
        "sign_up",
        &[
            ("registered", SignUp(Verified)),
            ("new", SignUp(Nobodys)),
            ("unverified", SignUp(Unverified)),
        ],
    ),
    (
        "forgot",
        &[
            ("registered", Forgot(Verified)),
            ("unknown", Forgot(Nobodys)),
            ("unverified", Forgot(Unverified)),
        ],
    ),
];

#[tokio::main]
async fn main() {
    let rounds = std::env::var("ANSWERS_ROUNDS");
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"));
    let service = Service::new().await;
    let mut times = BTreeMap::<Question, Vec<f64>>::new();
    for round in 0..WARM_UP + rounds {
        for question in shuffled() {
            let took = service.ask(question, round).await;
            if round >= WARM_UP {
                times.entry(question).or_default().push(took);
            }
        }
    }
    record("answers_rounds", f64::from(rounds), "rounds");
    let of = |question| Distribution::of(times[question].clone());
    for (group, questions) in GROUPS {
        let all: Vec<_> = questions.iter().map(|(_, question)| of(question)).collect();
        for ((name, _), times) in questions.iter().zip(&all) {
            let figure = |what, value, unit| {
                record(&format!("answers_{group}_{name}_{what}"), value, unit);
            };
            figure("p50_ns", times.quantile(0.5), "ns");
            figure("p90_ns", times.quantile(0.9), "ns");
            figure("p99_ns", times.quantile(0.99), "ns");
            figure("auc", times.told_from(&all[0]), "ratio");
            figure("distance", times.distance(&all[0]), "ratio");
        }
        let pairs = all
            .iter()
            .flat_map(|one| all.iter().map(move |other| (one, other)));
        let worst = pairs.map(|(one, other)| one.told_from(other));
        record(
            &format!("answers_{group}_auc"),
            worst.fold(0.5, f64::max),
            "ratio",
        );
    }
}

/// Each question once, in an order that nobody knows.
fn shuffled() -> Vec<Question> {
    let random = RandomState::new();
    let questions = GROUPS.iter().flat_map(|(_, questions)| *questions);
    let mut questions: Vec<_> = questions
        .map(|(_, question)| *question)
        .enumerate()
        .collect();
    questions.sort_by_key(|(place, _)| random.hash_one(place));
    questions
        .into_iter()
        .map(|(_, question)| question)
        .collect()
}

/// Accounts in a database.
struct Service {
    accounts: Accounts,
    store: Arc<SqliteStore>,
    passwords: Passwords,
    folder: PathBuf,
}

struct Nowhere;

impl Mailer for Nowhere {
    fn send(&self, _mail: Mail) {}
}

impl Service {
    async fn new() -> Self {
        let folder =
            std::env::temp_dir().join(format!("gatewright-answers-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let options = SqliteOptions::file(folder.join("answers.db"));
        let store = SqliteStore::open_with(&options).await.expect("a database");
        let store = Arc::new(store);
        let tags = guard_tag_keys(&*store).await.expect("keys");
        let gate = Gate::builder(store.clone(), Coherence::SingleProcess, tags);
        let gate = gate.build().expect("a gate");
        let passwords = Passwords::start(PoolConfig::new(Argon2Settings::default()));
        let passwords = passwords.expect("a pool");
        let accounts = Accounts::new(
            gate,
            store.clone(),
            passwords.clone(),
            Arc::new(Nowhere),
            Arc::new(NoAudit::default()),
        );
        let service = Self {
            accounts,
            store,
            passwords,
            folder,
        };
        service.fill().await;
        service
    }

    async fn fill(&self) {
        for number in 0..ACCOUNTS {
            for whose in [Unverified, Verified] {
                let email = address(whose, number);
                let id = UserId::new(format!("usr_{}", email.replace(['@', '.'], "_")));
                let mut account = Account::new(id.expect("an id"), &email, 1_700_000_000);
                if whose == Verified {
                    let hashing = self.passwords.hash(RIGHT.as_bytes()).expect("a job");
                    account.password = Some(hashing.await.expect("a hash"));
                    account.verified = true;
                }
                self.store
                    .insert_account(account)
                    .await
                    .expect("an account");
            }
        }
    }

    /// How long the answer takes, in nanoseconds.
    async fn ask(&self, question: Question, round: u32) -> f64 {
        // Another one for each question: none of them is counted together with another.
        let source = RandomState::new().hash_one(round) as u32;
        let source = Some(IpAddr::V4(Ipv4Addr::from(source)));
        match question {
            LogIn(whose, password) => {
                let email = address(whose, round);
                let began = Instant::now();
                let answer = self.accounts.log_in(&email, password, source).await;
                let took = began.elapsed();
                let code = answer.err().map(|refusal| refusal.code());
                let refused = whose != Verified || password != RIGHT;
                assert_eq!(code, refused.then_some(ErrorCode::InvalidCredentials));
                took.as_nanos() as f64
            }
            Naive(whose) => {
                let email = address(whose, round);
                let began = Instant::now();
                let is_right = self.naive(&email, WRONG).await;
                let took = began.elapsed();
                assert!(!is_right);
                took.as_nanos() as f64
            }
            SignUp(whose) => {
                let email = match whose {
                    Nobodys => format!("comer-{round:09}@example.com"),
                    whose => address(whose, round),
                };
                let password = accepted(RIGHT);
                let began = Instant::now();
                let answer = self.accounts.sign_up(&email, password, "", source).await;
                let took = began.elapsed();
                let _done = answer.expect("an answer").await.expect("it is done");
                took.as_nanos() as f64
            }
            Forgot(whose) => {
                let email = address(whose, round);
                let began = Instant::now();
                let answer = self.accounts.forgot_password(&email, source).await;
                let took = began.elapsed();
                answer.expect("an answer").await.expect("it is done");
                took.as_nanos() as f64
            }
        }
    }

    /// What a log-in is where nobody thought of time.
    async fn naive(&self, email: &str, password: &str) -> bool {
        let found = self.store.account_by_email(email).await.expect("an answer");
        let hash = found.and_then(|account| account.password);
        match hash {
            Some(hash) => {
                let verifying = self.passwords.verify(Some(&hash), password.as_bytes());
                verifying.expect("a job").await.expect("an answer")
            }
            None => false,
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

fn accepted(password: &str) -> NewPassword {
    let accepted = PasswordPolicy::new().accept(password.to_owned());
    accepted.expect("a password that goes")
}

/// All of one length. Those of nobody are new in each round, and stay nobody's.
fn address(whose: Whose, round: u32) -> String {
    match whose {
        Nobodys => format!("nobody-{round:08}@example.com"),
        Unverified => format!("person-{:08}@example.com", round % ACCOUNTS),
        Verified => format!("member-{:08}@example.com", round % ACCOUNTS),
    }
}
