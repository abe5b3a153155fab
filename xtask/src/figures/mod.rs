//! `cargo xtask figures`: what the README says of size, counted.

mod lines;
mod page;
mod tree;

use crate::failure::Failure;
use crate::{sources, workspace};

/// A line of the table.
struct Row {
    name: &'static str,
    /// Whether its lines are counted: it is an adapter, and adapters are to be thin.
    adapter: bool,
    /// Files that are no part of the adapter, by how their paths begin.
    aside: &'static [&'static str],
}

const TABLE: &[Row] = &[
    Row {
        name: "gatewright-core",
        adapter: false,
        aside: &[],
    },
    Row {
        name: "gatewright-tower",
        adapter: true,
        // The other side of a gate, behind a feature.
        aside: &["client"],
    },
    Row {
        name: "gatewright-axum",
        adapter: true,
        aside: &[],
    },
    Row {
        name: "gatewright-actix",
        adapter: true,
        aside: &[],
    },
];

/// Prints the table; fails where the README states another.
pub(crate) fn check() -> Result<(), Failure> {
    let table = table()?;
    print!("{table}");
    let page = read()?;
    if page::with_table(&page, &table).ok_or(Failure::NoMarkers)? == page {
        Ok(())
    } else {
        Err(Failure::Figures)
    }
}

/// Prints the table and puts it into the README.
pub(crate) fn write() -> Result<(), Failure> {
    let table = table()?;
    print!("{table}");
    let page = page::with_table(&read()?, &table).ok_or(Failure::NoMarkers)?;
    let path = path();
    std::fs::write(&path, page).map_err(|source| Failure::Write { path, source })
}

fn table() -> Result<String, Failure> {
    let rows: Result<Vec<_>, _> = TABLE.iter().map(count).collect();
    Ok(page::table(&rows?))
}

fn count(row: &Row) -> Result<page::Figures, Failure> {
    let name = row.name;
    let tree = workspace::read(workspace::cargo().args(tree::arguments(name)))?;
    let files = sources::under(&workspace::root().join("crates").join(name).join("src"))?;
    let own = files
        .iter()
        .filter(|(path, _)| !row.aside.iter().any(|aside| path.starts_with(aside)));
    Ok(page::Figures {
        name,
        crates: tree::count(name, &tree).ok_or(Failure::Tree { name })?,
        lines: row
            .adapter
            .then(|| own.map(|(_, text)| lines::count(text)).sum()),
    })
}

fn read() -> Result<String, Failure> {
    let path = path();
    std::fs::read_to_string(&path).map_err(|source| Failure::Read { path, source })
}

fn path() -> std::path::PathBuf {
    workspace::root().join("README.md")
}
