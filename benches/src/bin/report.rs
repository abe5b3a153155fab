//! Prints the budgets beside the last run, and writes `docs/performance.md` and `docs/performance.svg`.

use std::io;
use std::path::Path;

use gatewright_benches::folder;
use gatewright_benches::report::{Machine, Measured, Versions, budgets_in_columns, write};

fn main() -> io::Result<()> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let figures = folder();
    let run = Measured::read(figures.parent().unwrap_or(home))?;
    let versions = Versions::of(&std::fs::read_to_string(home.join("Cargo.lock"))?);
    print!("{}", budgets_in_columns(&run));
    write(&home.join("../docs"), &run, &Machine::here(), &versions)
}
