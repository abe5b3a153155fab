//! The built program, running.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;

/// How long anything may take that should take a moment. Only ever waited for in full when something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program, with no settings but those that the test gives.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatewright-server"));
    for (name, _) in std::env::vars_os() {
        let settings = name
            .to_str()
            .is_some_and(|name| name.starts_with("GATEWRIGHT_") || name == "RUST_LOG");
        if settings {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command of the program to its end, with this on its standard input.
pub(crate) fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may refuse its arguments before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Runs a command that must succeed, and answers what it printed.
pub(crate) fn run_ok(arguments: &[&str], input: &str) -> String {
    let output = run(arguments, input);
    assert!(
        output.status.success(),
        "{arguments:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A place for a server's database, which outlives the servers that are started on it.
pub(crate) struct Home {
    directory: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn database_file(&self) -> PathBuf {
        self.path().join("gatewright.db")
    }

    /// The value of `--database`.
    pub(crate) fn database(&self) -> String {
        format!("sqlite:{}", self.database_file().display())
    }

    /// Runs a command on this database; it must succeed.
    pub(crate) fn run_ok(&self, arguments: &[&str], input: &str) -> String {
        let database = self.database();
        let mut all = arguments.to_vec();
        all.extend(["--database", &database]);
        run_ok(&all, input)
    }

    /// Runs a command on this database.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Output {
        let database = self.database();
        let mut all = arguments.to_vec();
        all.extend(["--database", &database]);
        run(&all, input)
    }

    /// Creates a verified account with a workspace.
    pub(crate) fn user(&self, email: &str, workspace: &str, password: &str) {
        self.run_ok(
            &[
                "user",
                "create",
                "--email",
                email,
                "--workspace",
                workspace,
                "--password-stdin",
            ],
            password,
        );
    }

    /// A connection to the database beside those of the server.
    pub(crate) async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(self.database_file())
            .busy_timeout(PATIENCE);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    /// Runs a statement on the database, past the server.
    pub(crate) async fn change(&self, statement: &str) {
        let mut connection = self.connect().await;
        let statement = AssertSqlSafe(statement);
        connection.execute(statement).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Starts a server on this database, without rate limits.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&["--limits", "off"])
    }

    pub(crate) fn serve_with(&self, arguments: &[&str]) -> Server {
        self.serve_logging("info", arguments)
    }

    /// Starts a server that logs at this level.
    pub(crate) fn serve_logging(&self, level: &str, arguments: &[&str]) -> Server {
        let mut command = program();
        command
            .env("RUST_LOG", level)
            .args(["serve", "--listen", "127.0.0.1:0", "--database"])
            .arg(self.database())
            .args(arguments);
        Server::start_command(command, false)
    }
}

/// A running server. It is killed when it is dropped; what it printed is searched for secrets then.
pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
    out: Arc<Mutex<String>>,
    err: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    secrets: Arc<Mutex<Vec<String>>>,
    /// `--demo` shows its secrets on standard output, on purpose.
    shows_secrets: bool,
}

impl Server {
    /// Starts `serve` on a free port and waits until it says where it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = program();
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments);
        Self::start_command(command, arguments.contains(&"--demo"))
    }

    pub(crate) fn start_command(mut command: Command, shows_secrets: bool) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Arc::new(Mutex::new(String::new()));
        let err = Arc::new(Mutex::new(String::new()));
        let readers = vec![
            collect(child.stdout.take().unwrap(), Arc::clone(&out)),
            collect(child.stderr.take().unwrap(), Arc::clone(&err)),
        ];
        let mut server = Self {
            child,
            base: String::new(),
            out,
            err,
            readers,
            secrets: Arc::default(),
            shows_secrets,
        };
        server.base = server
            .wait_for(|server| address(&server.out()))
            .unwrap_or_else(|| panic!("the server does not say where it listens{}", server.told()));
        server
    }

    /// Polls until the server has it; `None` where it ends before.
    pub(crate) fn wait_for<T>(&mut self, look: impl Fn(&Self) -> Option<T>) -> Option<T> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return Some(found);
            }
            if Instant::now() > end || self.child.try_wait().unwrap().is_some() {
                return look(self);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it printed on standard output so far.
    pub(crate) fn out(&self) -> String {
        self.out.lock().unwrap().clone()
    }

    /// What it printed on standard error so far.
    pub(crate) fn err(&self) -> String {
        self.err.lock().unwrap().clone()
    }

    fn told(&self) -> String {
        let mut told = String::new();
        let _ = write!(
            told,
            "\n--- standard output\n{}\n--- standard error\n{}\n---",
            self.out(),
            self.err()
        );
        told
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Notes a text that must never be in what the server prints.
    pub(crate) fn keep_secret(&self, secret: &str) {
        // Shorter than that could be there by chance.
        assert!(secret.len() >= 8, "too short to look for");
        self.secrets.lock().unwrap().push(secret.to_owned());
    }

    pub(crate) fn secrets(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.secrets)
    }

    /// The memory of the process that is in use, in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().strip_suffix("kB").unwrap().trim();
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Asks it to end, by SIGTERM.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGKILL: it has no time to write anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end{}", self.told());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// SIGTERM, and an end without an error.
    pub(crate) fn stop(mut self) {
        self.terminate();
        let status = self.wait();
        assert!(status.success(), "{status}{}", self.told());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.told());
            return;
        }
        let (out, err) = (self.out(), self.err());
        assert!(!err.contains("panicked at"), "it panicked:\n{err}");
        for secret in self.secrets.lock().unwrap().iter() {
            assert!(!err.contains(secret), "a secret is in its log:\n{err}");
            assert!(
                self.shows_secrets || !out.contains(secret),
                "a secret is in its output:\n{out}"
            );
        }
    }
}

/// The first absolute URL of this host that it printed.
fn address(out: &str) -> Option<String> {
    let start = out.find("http://127.0.0.1:")?;
    let rest = &out[start..];
    let end = rest["http://127.0.0.1:".len()..].find(|c: char| !c.is_ascii_digit())?;
    Some(rest[.."http://127.0.0.1:".len() + end].to_owned())
}

fn collect(from: impl Read + Send + 'static, into: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            into.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}
