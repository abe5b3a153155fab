//! `cargo xtask layering`: dependencies point one way, and this is what keeps them so.
//!
//! Three things are held against three tables: the crates of the workspace among each other
//! ([`crates`]), what some of them may not be built on ([`closure`]), and the modules of
//! `gatewright-core` among each other ([`modules`]).

mod closure;
mod crates;
mod imports;
mod modules;
mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::workspace;

/// Prints every violation; succeeds if there is none.
pub(crate) fn run() -> Result<(), Failure> {
    let metadata = workspace::read(workspace::cargo().args([
        "metadata",
        "--no-deps",
        "--locked",
        "--format-version=1",
    ]))?;
    let metadata = serde_json::from_str(&metadata).map_err(Failure::Metadata)?;
    let mut violations = crates::check(&metadata);

    for row in closure::TABLE {
        let tree = workspace::read(workspace::cargo().args(closure::tree_of(row)))?;
        violations.extend(closure::check(row, &tree));
    }

    let folder = workspace::root().join("crates/gatewright-core/src");
    violations.extend(modules::check(&sources(&folder)?));

    for violation in &violations {
        eprintln!("layering: {violation}");
    }
    match violations.len() {
        0 => {
            println!("layering: every import goes with the arrow");
            Ok(())
        }
        count => Err(Failure::Layering(count)),
    }
}

/// The Rust files under a folder, by their path from it, written with `/`.
fn sources(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut found = BTreeMap::new();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        let entries = fs::read_dir(&folder).map_err(|source| read(&folder, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| read(&folder, source))?;
            let path = entry.path();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if path.is_dir() {
                open.push((path, format!("{name}/")));
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).map_err(|source| read(&path, source))?;
                found.insert(name, text);
            }
        }
    }
    Ok(found)
}

fn read(path: &Path, source: std::io::Error) -> Failure {
    Failure::Read {
        path: PathBuf::from(path),
        source,
    }
}
