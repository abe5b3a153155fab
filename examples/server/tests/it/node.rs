//! Programs in Node.js that stand around the server: an identity provider, clients, a proxy.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

use crate::companion::PATIENCE;

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
