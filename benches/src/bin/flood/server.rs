//! The reference server, running, and what it says of itself.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright::issuer::{AccessTokens, Grant, KeyLifetimes, SealingKey, SigningKeys};
use gatewright::jwt::Algorithm;
use gatewright::principal::{SessionId, UserId};
use gatewright::sqlx::SqliteStore;

use crate::connection::Connection;

const EMAIL: &str = "owner@flood.test";
const PASSWORD: &str = "tidal-copper-violin-42";
const HANDLE: &str = "studio";
const PUBLIC_URL: &str = "https://flood.test";

/// The program, with a database of its own. Killed and removed when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    directory: PathBuf,
    user: String,
    key: String,
}

/// What is presented to it.
pub(crate) struct Credentials {
    /// An API key, a personal access token, a JWT.
    pub(crate) good: Vec<String>,
    /// JWTs that its key signed, and that are over.
    pub(crate) expired: Vec<String>,
}

impl Server {
    /// Starts the program with somebody on it who holds a key.
    pub(crate) fn start(program: &Path) -> Self {
        let directory =
            std::env::temp_dir().join(format!("gatewright-flood-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a folder");
        let database = format!("sqlite:{}", directory.join("gatewright.db").display());
        let run = |words: &[&str], input: &str| {
            let mut child = Command::new(program)
                .args(words)
                .args(["--database", &database])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
            let mut stdin = child.stdin.take().expect("a pipe");
            stdin.write_all(input.as_bytes()).expect("a pipe");
            drop(stdin);
            let output = child.wait_with_output().expect("an end");
            assert!(output.status.success(), "{words:?}");
            String::from_utf8(output.stdout)
                .expect("text")
                .trim()
                .to_owned()
        };
        let create = format!(
            "user create --email {EMAIL} --workspace flood --handle {HANDLE} --password-stdin"
        );
        let created = run(&create.split(' ').collect::<Vec<_>>(), PASSWORD);
        let user = created.rsplit(' ').next().expect("an id").to_owned();
        let key = run(&["key", "mint", "--email", EMAIL, "--name", "flood"], "");

        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--limits", "off"])
            .args(["--public-url", PUBLIC_URL, "--database", &database])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let address = lines.find_map(|line| {
            let line = line.expect("text");
            line.strip_prefix("Listening on http://")?.parse().ok()
        });
        // Somebody must read what it still prints.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            address: address.expect("an address"),
            child,
            directory,
            user,
            key,
        }
    }

    /// Mints what is good, and signs what is over with the server's own key.
    pub(crate) fn credentials(&self) -> Credentials {
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
        let database = self.directory.join("gatewright.db");
        let sealing = std::fs::read_to_string(format!("{}.sealing-key", database.display()));
        let sealing = STANDARD
            .decode(sealing.expect("a key").trim())
            .expect("base64");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let keys = runtime.block_on(async {
            let store = SqliteStore::open(&database.display().to_string()).await;
            let store = Arc::new(store.expect("the database"));
            let keys = SigningKeys::open(
                store.clone(),
                SealingKey::new(&sealing).expect("32 bytes"),
                Algorithm::Rs256,
                KeyLifetimes::new(0, 0),
                now,
            );
            let keys = keys.await.expect("signing keys");
            store.close().await;
            Arc::new(keys)
        });
        let user = UserId::new(self.user.as_str()).expect("an id");
        let over = || {
            let tokens = AccessTokens::new(PUBLIC_URL, Arc::clone(&keys), 0);
            let session = SessionId::new("flood").expect("an id");
            let audience = format!("{PUBLIC_URL}/v2");
            let grant = Grant::user(&user, "handle-api", &audience, 0, session);
            let issued = tokens.issue(&grant, now).expect("a token");
            issued.access_token.expose().to_owned()
        };
        let login = format!(r#"{{"email": "{EMAIL}", "password": "{PASSWORD}"}}"#);
        let jwt = self.post("/v2/auth/login", "", &login, "access_token");
        let pat = self.post(
            &format!("/v2/handles/{HANDLE}/tokens"),
            &format!("authorization: Bearer {jwt}\r\n"),
            r#"{"name": "flood", "scopes": ["links.read"], "expiresInDays": 1}"#,
            "token",
        );
        Credentials {
            good: vec![self.key.clone(), pat, jwt],
            expired: (0..64).map(|_| over()).collect(),
        }
    }

    /// Posts JSON, and answers a member of what comes back.
    fn post(&self, path: &str, fields: &str, body: &str, member: &str) -> String {
        let length = body.len();
        let answer = self.connection().call(&format!(
            "POST {path} HTTP/1.1\r\nhost: flood\r\n{fields}content-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        ));
        let text = String::from_utf8_lossy(&answer.expect("an answer").body).into_owned();
        let body: serde_json::Value = serde_json::from_str(&text).expect(&text);
        body[member].as_str().expect(&text).to_owned()
    }

    fn connection(&self) -> Connection {
        Connection::open(Ipv4Addr::LOCALHOST, self.address)
    }

    /// How often argon2 has run for a credential.
    pub(crate) fn proofs(&self) -> u64 {
        self.jobs(&["pool=\"credentials\"", "outcome=\"verified\""])
    }

    /// How often a queue of argon2 was full.
    pub(crate) fn queue_refusals(&self) -> u64 {
        self.jobs(&["outcome=\"refused\""])
    }

    fn jobs(&self, labels: &[&str]) -> u64 {
        let request = "GET /metrics HTTP/1.1\r\nhost: flood\r\n\r\n";
        let answer = self.connection().call(request).expect("an answer");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let samples = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let wanted = series.starts_with("gatewright_argon2_jobs_total{")
                && labels.iter().all(|label| series.contains(label));
            wanted.then(|| value.parse::<u64>().expect(line))
        });
        samples.sum()
    }

    /// The memory of the process in use, each second.
    pub(crate) fn watch_memory(&self, secs: u64) -> Vec<u64> {
        let began = Instant::now();
        let read = |second| {
            let due = began + Duration::from_secs(second);
            sleep(due.saturating_duration_since(Instant::now()));
            self.status("VmRSS:") * 1024
        };
        (0..=secs).map(read).collect()
    }

    pub(crate) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    fn status(&self, field: &str) -> u64 {
        let mut text = String::new();
        let file = std::fs::File::open(format!("/proc/{}/status", self.child.id()));
        file.and_then(|mut file| file.read_to_string(&mut text))
            .expect("Linux");
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).expect(field)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
        let _removed = std::fs::remove_dir_all(&self.directory);
    }
}
