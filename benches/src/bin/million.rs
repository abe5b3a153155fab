//! What a look-up costs in a database of a million keys, beside one of a thousand.
//!
//! ```sh
//! cargo run --release --manifest-path benches/Cargo.toml --bin million
//! ```
//!
//! Fills two SQLite databases of the store's own schema, then reads ids that were not read before from both in turn:
//! by [`CredentialStore::find`] alone, and on the whole way of a request that no cache helps (parsing, store, guard tag;
//! the secret is wrong, so argon2 does not run). Both stores have been open for some thousand look-ups by then, as those
//! of a running server are, so what stays in SQLite's page cache of the small one is all of it, and of the large one next
//! to nothing; the system's file cache is what the filling left, and warm. Figures are medians.
//!
//! A look-up hands its statement to the connection's thread and waits. The program restarts itself on one core
//! (`taskset`), so that the figures say what that costs and not how long the system takes to wake another core, which on a
//! busy machine is more than all the rest; `MILLION_CORES=0,1` gives it more.
//!
//! `MILLION_KEYS` makes the large one smaller.

use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use gatewright::credential::{Field, SecretKind};
use gatewright::error::Cause;
use gatewright::gate::{Arrival, Coherence, Gate};
use gatewright::hash::{TagKey, TagKeys};
use gatewright::policy::{CompiledPolicy, Policy, Realm};
use gatewright::sqlx::{SqliteOptions, SqliteStore};
use gatewright::store::CredentialStore as _;
use gatewright_benches::record;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _, QueryBuilder, Row as _, Sqlite};

/// Keys of one tenant.
const PER_TENANT: u64 = 100;
/// Keys in one statement.
const BATCH: u64 = 500;
/// Look-ups of one round in each database: every key of the small one once.
const LOOKUPS: u64 = 1_000;
const ROUNDS: u64 = 10;
const WARM_UP: u64 = 5;
const NOW: u64 = 1_700_000_000;

fn main() {
    const PINNED: &str = "pinned";
    if std::env::args().nth(1).as_deref() != Some(PINNED) {
        let cores = std::env::var("MILLION_CORES").unwrap_or_else(|_| "0".to_owned());
        let program = std::env::current_exe().expect("a path");
        let mut command = Command::new("taskset");
        let status = command
            .args(["-c", &cores])
            .arg(program)
            .arg(PINNED)
            .status();
        assert!(status.expect("taskset, of util-linux").success());
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(bench());
}

async fn bench() {
    let large = std::env::var("MILLION_KEYS").map_or(1_000_000, |keys| keys.parse().expect("keys"));
    let directory = Directory::new();
    let small = Database::fill(directory.0.join("thousand.db"), LOOKUPS).await;
    let large = Database::fill(directory.0.join("million.db"), large).await;
    println!("{} bytes with {} keys", small.bytes(), small.keys);
    println!("{} bytes with {} keys", large.bytes(), large.keys);

    let stores = [small.open().await, large.open().await];
    let mut far = large.spread();
    let mut far = || far.next().expect("a key");
    // Not looked at.
    let [_, _] = measure(&stores, WARM_UP, Lookup::find, &mut far).await;
    let [thousand, million] = measure(&stores, ROUNDS, Lookup::find, &mut far).await;
    let [thousand_gate, million_gate] = measure(&stores, ROUNDS, Lookup::gate, &mut far).await;
    record("thousand_cold_ns", thousand, "ns");
    record("million_cold_ns", million, "ns");
    record("million_cold_ratio", million / thousand, "ratio");
    record("thousand_gate_cold_ns", thousand_gate, "ns");
    record("million_gate_cold_ns", million_gate, "ns");
    record("million_db_bytes", large.bytes() as f64, "bytes");
}

/// A folder that is gone afterwards.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("gatewright-million-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

/// A database with so many keys.
struct Database {
    path: PathBuf,
    keys: u64,
}

/// Looks up every key of the small database in each round, and beside each one that was not read before of the large.
async fn measure(
    stores: &[Arc<SqliteStore>; 2],
    rounds: u64,
    way: fn(&Arc<SqliteStore>) -> Lookup,
    far: &mut impl FnMut() -> u64,
) -> [f64; 2] {
    let mut nanos = [vec![], vec![]];
    for round in 0..rounds {
        let ways = [way(&stores[0]), way(&stores[1])];
        for near in shuffled(LOOKUPS) {
            let keys = [near, far()];
            // In turns also within the pair: what comes second finds the core awake.
            for turn in 0..2 {
                let which = usize::from((near + round + turn) % 2 == 1);
                nanos[which].push(ways[which].look_up(keys[which]).await);
            }
        }
    }
    nanos.map(median)
}

impl Database {
    /// The store makes the schema. Rows go past it, many in one transaction: one by one each would wait for the disk.
    async fn fill(path: PathBuf, keys: u64) -> Self {
        let store = open(&path).await;
        store.close().await;
        let options = SqliteConnectOptions::new().filename(&path);
        let options = options.pragma("cache_size", "-2000000");
        let mut connection = SqliteConnection::connect_with(&options)
            .await
            .expect("a database");
        let mut all = connection.begin().await.expect("a transaction");
        for tenant in 0..keys.div_ceil(PER_TENANT) {
            let insert =
                "INSERT INTO tenants (id, kind, slug, plan) VALUES ($1, 'workspace', $1, 'free')";
            let insert = sqlx::query(insert).bind(tenant_id(tenant));
            insert.execute(&mut *all).await.expect("a tenant");
        }
        for first in (0..keys).step_by(BATCH as usize) {
            add(&mut all, first..(first + BATCH).min(keys)).await;
        }
        all.commit().await.expect("a commit");
        let checkpoint = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
        checkpoint.expect("a checkpoint");
        let count = connection
            .fetch_one("SELECT COUNT(*) FROM credentials")
            .await;
        assert_eq!(count.expect("a count").get::<i64, _>(0), keys as i64);
        connection.close().await.expect("an end");
        Self { path, keys }
    }

    fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).expect("a file").len()
    }

    async fn open(&self) -> Arc<SqliteStore> {
        Arc::new(open(&self.path).await)
    }

    /// Its keys, each once, and those that follow each other far apart.
    fn spread(&self) -> impl Iterator<Item = u64> {
        let keys = self.keys;
        // A prime that divides no power of ten.
        (0..).map(move |turn| turn * 7_368_787 % keys)
    }
}

async fn open(path: &Path) -> SqliteStore {
    let options = SqliteOptions::file(path);
    SqliteStore::open_with(&options).await.expect("a database")
}

async fn add(connection: &mut SqliteConnection, keys: std::ops::Range<u64>) {
    let mut insert = QueryBuilder::<Sqlite>::new(
        "INSERT INTO credentials (kind, id, tenant, owner, name, scopes, hash, tag, created_at) ",
    );
    insert.push_values(keys, |mut row, key| {
        row.push_bind("api_key")
            .push_bind(id(key))
            .push_bind(tenant_id(key / PER_TENANT))
            .push_bind(format!("usr_{:016}", key / 10))
            .push_bind("deploy")
            .push_bind("links.read links.write")
            // No text has this hash, and no two rows the same.
            .push_bind(format!(
                "$argon2id$v=19$m=19456,t=2,p=1$saltsaltsalt{}AA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
                id(key)
            ))
            .push_bind(tags().tag(id(key).as_bytes()).to_u64() as i64)
            .push_bind(NOW as i64);
    });
    insert.build().execute(connection).await.expect("rows");
}

/// A way to look a key up, and all that it needs.
enum Lookup {
    Find(Arc<SqliteStore>),
    Gate(Gate, Arc<CompiledPolicy>),
}

impl Lookup {
    fn find(store: &Arc<SqliteStore>) -> Self {
        Self::Find(Arc::clone(store))
    }

    /// A gate that remembers nothing.
    fn gate(store: &Arc<SqliteStore>) -> Self {
        let gate = Gate::builder(Arc::clone(store), Coherence::SingleProcess, tags());
        let gate = gate.build().expect("a gate");
        let policy = gate.compile(&Policy::api_key(), &Realm::builder("million").build());
        Self::Gate(gate, policy.expect("a policy"))
    }

    /// How long it took, in nanoseconds.
    async fn look_up(&self, key: u64) -> f64 {
        let id = id(key);
        match self {
            Self::Find(store) => {
                let began = Instant::now();
                let found = store.find(SecretKind::ApiKey, &id).await;
                let nanos = began.elapsed().as_nanos();
                assert_eq!(found.expect("an answer").expect("a key").id.as_str(), id);
                nanos as f64
            }
            Self::Gate(gate, policy) => {
                let format = gate.formats().format("tnx").expect("a format");
                let wrong = format.mint_secret_for(&id).expect("a secret");
                let bearer = format!("Bearer {}", wrong.secret.expose());
                let fields = [(Field::Authorization, bearer.as_bytes())];
                let began = Instant::now();
                let admission = gate.authenticate(&fields[..], policy, &Arrival::new());
                let decided = admission.decided().await;
                let nanos = began.elapsed().as_nanos();
                let cause = decided.err().and_then(|refusal| refusal.cause());
                // One in 65,536 gets past its tag.
                assert!(matches!(
                    cause,
                    Some(Cause::TagMismatch | Cause::WrongSecret)
                ));
                nanos as f64
            }
        }
    }
}

fn tags() -> TagKeys {
    TagKeys::new(TagKey::from_bytes(1, [1; 32]), []).expect("one key")
}

fn tenant_id(tenant: u64) -> String {
    format!("ten_{tenant:016}")
}

/// Eight characters, spread as random ones are; different for each number.
fn id(key: u64) -> String {
    let mut number = (key + 1) * 1_580_030_173 % 36_u64.pow(8);
    let mut id = String::with_capacity(8);
    for _ in 0..8 {
        id.push(char::from_digit((number % 36) as u32, 36).expect("a digit"));
        number /= 36;
    }
    id
}

/// The numbers below `count` in random order.
fn shuffled(count: u64) -> Vec<u64> {
    let hasher = RandomState::new();
    let mut numbers: Vec<_> = (0..count).collect();
    numbers.sort_by_cached_key(|number| hasher.hash_one(number));
    numbers
}

fn median(mut nanos: Vec<f64>) -> f64 {
    nanos.sort_by(f64::total_cmp);
    nanos[nanos.len() / 2]
}
