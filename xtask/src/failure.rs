//! Why a chore did not succeed.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a chore did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line names no chore of ours.
    Usage,
    /// A program could not be started.
    Start { program: String, source: io::Error },
    /// A program ran and reported failure; it has already said why.
    Failed { command: String },
    /// A file of the workspace could not be read or written.
    Read { path: PathBuf, source: io::Error },
    /// A file of the workspace could not be written.
    Write { path: PathBuf, source: io::Error },
    /// Cargo answered with something that is not its documented JSON.
    Metadata(serde_json::Error),
    /// Something that the chore needs is not installed.
    Missing {
        what: &'static str,
        install: &'static str,
    },
    /// There is nothing to fuzz.
    NoTarget,
    /// There is no fuzz target of that name.
    UnknownTarget { name: String, known: Vec<String> },
    /// Cargo does not list what a crate is built on.
    Tree { name: &'static str },
    /// The lock file of the benches lacks a package.
    NotLocked { name: &'static str },
    /// The README has no place for the table of figures.
    NoMarkers,
    /// The README states other figures than those that were counted.
    Figures,
    /// The layering check found this many violations, printed already.
    Layering(usize),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage => write!(f, "the command line was not understood"),
            Self::Start { program, source } => write!(f, "`{program}` did not start: {source}"),
            Self::Failed { command } => write!(f, "`{command}` failed"),
            Self::Read { path, source } => {
                write!(
                    f,
                    "{} could not be read or written: {source}",
                    path.display()
                )
            }
            Self::Write { path, source } => {
                write!(f, "{} could not be written: {source}", path.display())
            }
            Self::Metadata(source) => write!(f, "the answer of cargo metadata is odd: {source}"),
            Self::Missing { what, install } => {
                write!(f, "{what} is missing; install it with `{install}`")
            }
            Self::NoTarget => write!(f, "there is no file in fuzz/fuzz_targets"),
            Self::UnknownTarget { name, known } => write!(
                f,
                "there is no fuzz target `{name}`; there are {}",
                known.join(", ")
            ),
            Self::Tree { name } => write!(f, "cargo tree does not know {name}"),
            Self::NotLocked { name } => write!(f, "benches/Cargo.lock does not know {name}"),
            Self::NoMarkers => write!(
                f,
                "README.md lacks the marks that the figures stand between"
            ),
            Self::Figures => write!(
                f,
                "README.md states other figures; `cargo xtask figures --write` puts these there"
            ),
            Self::Layering(1) => write!(f, "one violation of the layering"),
            Self::Layering(count) => write!(f, "{count} violations of the layering"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::Read { source, .. } | Self::Write { source, .. } => {
                Some(source)
            }
            Self::Metadata(source) => Some(source),
            _ => None,
        }
    }
}
