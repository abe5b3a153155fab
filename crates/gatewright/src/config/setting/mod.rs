//! How each type of value is read, compared and described.

mod fields;
mod jwks;
mod many;
mod parsed;
mod plain;
mod rate;
mod secret;
mod tables;
mod words;

pub(super) use fields::Fields;
pub use jwks::Jwks;
pub use secret::SecretBytes;
pub(super) use tables::tables;
pub use words::{CoherenceMode, FormatKind, FormatLayout};

use super::mistake::Notes;
use super::tree::Node;
use super::{MistakeKind, Path};

/// A type that a field of the configuration can have.
pub(super) trait Setting: Sized {
    /// What stands in the column "type" of the reference.
    #[cfg(test)]
    fn type_name() -> String;

    /// What stands in the column "default" for this value.
    #[cfg(test)]
    fn shown(&self) -> String {
        "–".to_owned()
    }

    /// Adds the tables of the reference that this type brings along, for a field at this path.
    #[cfg(test)]
    fn describe(_at: &str, _into: &mut Vec<String>) {}

    /// Reads a value; what is wrong with it is noted.
    fn read(node: Node, bounds: Bounds, at: &Path, notes: &mut Notes) -> Option<Self>;

    /// Notes every number that is out of range, for a configuration that was made in code.
    fn check_range(&self, _: Bounds, _at: &Path, _notes: &mut Notes) {}

    /// Names what is different in `other`.
    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>);
}

/// The least and the most that a number may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    least: u64,
    most: u64,
}

impl Bounds {
    pub(super) const NONE: Self = Self::new(0, u64::MAX);

    pub(super) const fn new(least: u64, most: u64) -> Self {
        Self { least, most }
    }

    fn within(self, most: u64) -> Self {
        Self::new(self.least, self.most.min(most))
    }
}

/// Notes that a value is of another type.
pub(super) fn wrong_type<T>(
    expected: &'static str,
    node: &Node,
    at: &Path,
    notes: &mut Notes,
) -> Option<T> {
    let kind = MistakeKind::WrongType(expected);
    notes.note(at.clone(), kind, node.first_origin());
    None
}

/// Compares values that are one thing.
pub(super) fn compare<T: PartialEq>(ours: &T, other: &T, at: &Path, found: &mut Vec<Path>) {
    if ours != other {
        found.push(at.clone());
    }
}
