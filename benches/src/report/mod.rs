//! What a run found, as tables and as a plot.
//!
//! [`Measured::read`] gathers what criterion and the other programs left under `target`, [`BUDGETS`] says what it is held
//! against, and [`write`](write()) puts both into the documents.

mod amount;
mod budget;
mod labels;
mod machine;
mod measured;
mod page;
mod peers;
mod plot;

use std::fs;
use std::io;
use std::path::Path;

pub use budget::{Amount, BUDGETS, Budget, Limit, Line, Verdict};
pub use machine::{Machine, Versions};
pub use measured::{Figure, Measured};
pub use page::{budgets_in_columns, filled, sections};
pub use plot::plot;

/// Writes `performance.md`, between its marks, and `performance.svg` into a folder of documents.
///
/// # Errors
///
/// An I/O error, also where the page lacks a mark.
pub fn write(
    documents: &Path,
    run: &Measured,
    machine: &Machine,
    versions: &Versions,
) -> io::Result<()> {
    let path = documents.join("performance.md");
    let page = fs::read_to_string(&path)?;
    let page = filled(&page, &sections(run, machine, versions)).map_err(|name| {
        let message = format!("{} lacks the place `bench: {name}`", path.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    })?;
    fs::write(path, page)?;
    fs::write(documents.join("performance.svg"), plot(run))
}
