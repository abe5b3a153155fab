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

use crate::failure::Failure;
use crate::{sources, workspace};

/// Prints every violation; succeeds if there is none.
pub(crate) fn run() -> Result<(), Failure> {
    let metadata = workspace::metadata()?;
    let mut violations = crates::check(&metadata);

    for row in closure::TABLE {
        let tree = workspace::read(workspace::cargo().args(closure::tree_of(row)))?;
        violations.extend(closure::check(row, &tree));
    }

    let folder = workspace::root().join("crates/gatewright-core/src");
    violations.extend(modules::check(&sources::under(&folder)?));

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
