//! Where the workspace is, and how its programs are run.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::Failure;

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that runs this program, standing in the root and with nothing to read.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// What cargo knows of the workspace's own packages.
pub(crate) fn metadata() -> Result<Value, Failure> {
    let answer = read(cargo().args(["metadata", "--no-deps", "--locked", "--format-version=1"]))?;
    serde_json::from_str(&answer).map_err(Failure::Metadata)
}

/// Runs a command whose output the user sees.
pub(crate) fn show(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|source| start(command, source))?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(command))
    }
}

/// Runs a command and returns what it wrote to its standard output.
pub(crate) fn read(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| start(command, source))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(command))
    }
}

fn start(command: &Command, source: std::io::Error) -> Failure {
    Failure::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

fn failed(command: &Command) -> Failure {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    Failure::Failed {
        command: words.join(" "),
    }
}
