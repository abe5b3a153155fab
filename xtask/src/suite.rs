//! `cargo xtask test`: the whole test suite, from a fresh clone.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::{node, python, workspace};

/// Runs every test of the workspace: unit, integration, examples and doc tests.
pub(crate) fn run() -> Result<(), Failure> {
    if !compiles_c() {
        return Err(Failure::Missing {
            what: "a C compiler with its headers, which AWS-LC and SQLite are built with,",
            install: "apt-get install gcc libc6-dev",
        });
    }
    let has_curl = has_curl() || (install(&["curl"]) && has_curl());
    if !has_curl {
        return Err(Failure::Missing {
            what: "curl, which runs the documents' own lines against the server,",
            install: "apt-get install curl",
        });
    }
    let python = python::programs()?;
    node::packages()?;
    // Not `--all-targets`: it leaves out the doc tests and runs the benches. Not fail-fast: whoever
    // reads the output of a run somewhere else wants every failure of it.
    workspace::show(
        workspace::cargo()
            .args([
                "test",
                "--workspace",
                "--all-features",
                "--locked",
                "--no-fail-fast",
            ])
            .env("SCHEMATHESIS", python.join("schemathesis")),
    )
}

fn has_curl() -> bool {
    succeeds("curl", &["--version"])
}

/// Asks the system's package manager, where there is one and it obeys.
pub(crate) fn install(packages: &[&str]) -> bool {
    let mut arguments = vec!["install", "--yes"];
    arguments.extend(packages);
    succeeds("apt-get", &["update"]) && succeeds("apt-get", &arguments)
}

pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Says so now, in a sentence, where a build script would say it in two hundred lines.
fn compiles_c() -> bool {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let child = Command::new(compiler)
        .args(["-E", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let written = match child.stdin.take() {
        Some(mut source) => source.write_all(b"#include <stdlib.h>\n").is_ok(),
        None => false,
    };
    child.wait().is_ok_and(|status| status.success()) && written
}
