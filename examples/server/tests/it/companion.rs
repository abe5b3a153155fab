//! Programs that run beside a test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;

/// How long anything may take that should take a moment. Only ever waited for in full when something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Python with what `cargo xtask python` installs, about to run one of the scripts in `tests`.
pub(crate) fn python(script: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../../target/python/bin/python");
    let there = python.exists();
    assert!(
        there,
        "{python:?} is missing: `cargo xtask python` installs it"
    );
    let mut command = Command::new(python);
    command
        .arg(here.join("tests").join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*");
    command
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
