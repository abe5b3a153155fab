//! Programs in Node.js that stand around the server: an identity provider, clients, a proxy.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;

/// How long anything may take that should take a moment. Only ever waited for in full when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of the scripts.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node")
}

/// A program of the packages that `cargo xtask node` installs. Without them, as the lock file names them, there is no test,
/// and no pass.
pub(crate) fn installed(program: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/node");
    let read = |file: PathBuf| std::fs::read(file).unwrap_or_default();
    let listed = read(scripts().join("package-lock.json"));
    assert!(
        read(home.join("installed.json")) == listed,
        "packages for Node.js are missing: `cargo xtask node` installs them"
    );
    home.join("node_modules").join(program)
}

/// Node.js, about to run a program, with nothing of what it says about itself.
pub(crate) fn node(program: &Path) -> Command {
    installed("");
    let mut command = Command::new("node");
    command
        .arg("--no-warnings")
        .arg("--import")
        .arg(scripts().join("loader.mjs"))
        .arg(program)
        .env_remove("NODE_OPTIONS")
        .env("NO_PROXY", "*");
    command
}

/// Node.js, about to run one of the scripts beside these tests.
pub(crate) fn script(name: &str) -> Command {
    node(&scripts().join(name))
}

/// Runs a program to its end, with this on its standard input, and no longer than anybody would wait.
pub(crate) fn finish(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let id = child.id().to_string();
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    ended.recv_timeout(PATIENCE).map_or_else(
        |_| {
            let _ = Command::new("kill").arg(&id).status();
            panic!("{command:?} did not end within {PATIENCE:?}")
        },
        Result::unwrap,
    )
}

/// All that a program printed.
pub(crate) fn told(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

/// A program that runs beside the test and speaks JSON, a line at a time. It ends when this is dropped.
pub(crate) struct Companion {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Companion {
    /// Starts it, and answers its first line too.
    pub(crate) fn start(mut command: Command) -> (Self, Value) {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let companion = Self {
            input: child.stdin.take().unwrap(),
            child,
            lines,
        };
        let hello = companion.line();
        (companion, hello)
    }

    /// Says a line and answers the one that comes back.
    pub(crate) fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").unwrap();
        self.line()
    }

    /// Ends it at once, as an outage does.
    pub(crate) fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn line(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("no answer");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"))
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.end();
    }
}
