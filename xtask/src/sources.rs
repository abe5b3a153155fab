//! The Rust files of a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The Rust files under a folder, by their path from it, written with `/`.
pub(crate) fn under(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
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
