//! The tools in Python that tests run against the built server.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::suite::{self, succeeds};
use crate::workspace;

/// What is installed, with its version, relative to the root.
const REQUIREMENTS: &str = "examples/server/tests/requirements.txt";

/// Makes the environment `target/python` with exactly what the list names, unless it is there already and
/// works, and answers its folder of programs.
pub(crate) fn programs() -> Result<PathBuf, Failure> {
    let listed = workspace::root().join(REQUIREMENTS);
    let wanted = fs::read(&listed).map_err(|source| Failure::Read {
        path: listed.clone(),
        source,
    })?;
    let home = workspace::root().join("target/python");
    let programs = home.join("bin");
    // Written last, so that an installation that was cut off is made again.
    let installed = home.join("requirements.txt");
    // It stops working when the folder is moved or the interpreter goes.
    let works = || {
        succeeds(
            &programs.join("schemathesis").to_string_lossy(),
            &["--version"],
        )
    };
    if fs::read(&installed).is_ok_and(|have| have == wanted) && works() {
        return Ok(programs);
    }
    let python = python().or_else(|| {
        suite::install(&["python3", "python3-venv"])
            .then(python)
            .flatten()
    });
    let Some(python) = python else {
        return Err(Failure::Missing {
            what: "Python 3.11 or newer with its module venv, which the server's OpenAPI document is checked with,",
            install: "apt-get install python3 python3-venv",
        });
    };
    workspace::show(
        Command::new(python)
            .args(["-m", "venv", "--clear"])
            .arg(&home),
    )?;
    workspace::show(
        Command::new(programs.join("python"))
            .args(["-m", "pip", "--disable-pip-version-check", "install"])
            // The list names everything, so nothing else is looked for, and nothing is built.
            .args(["--quiet", "--no-deps", "--only-binary", ":all:"])
            .arg("--requirement")
            .arg(&listed),
    )?;
    fs::write(&installed, wanted).map_err(|source| Failure::Write {
        path: installed,
        source,
    })?;
    Ok(programs)
}

/// The first interpreter that can make the environment. What is listed asks for 3.11.
fn python() -> Option<&'static str> {
    const FIT: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    [
        "python3",
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
    ]
    .into_iter()
    .find(|name| succeeds(name, &["-c", FIT]))
}
