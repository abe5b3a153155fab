//! The fields of a table, and the files that some of them are in.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{Bounds, Setting};
use crate::config::mistake::Notes;
use crate::config::tree::{Node, Value};
use crate::config::{MistakeKind, Origin, Path};

const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// What a reader wants to have left to find the end of a file without making more room.
const SPARE_BYTES: usize = 64;

/// The fields of a table, taken one by one; what is left over is unknown.
pub(in crate::config) struct Fields<'a> {
    entries: Vec<(String, Node)>,
    at: &'a Path,
}

impl<'a> Fields<'a> {
    /// `None` if it is no table.
    pub(in crate::config) fn open(node: Node, at: &'a Path, notes: &mut Notes) -> Option<Self> {
        match node.value {
            Value::Table(entries) => Some(Self { entries, at }),
            Value::Null => Some(Self {
                entries: Vec::new(),
                at,
            }),
            _ => {
                notes.note(at.clone(), MistakeKind::WrongType("a table"), node.origin);
                None
            }
        }
    }

    /// The value of a field, itself or from the file that `<name>_file` names; `None` if it is not given or wrong.
    pub(in crate::config) fn take<T: Setting>(
        &mut self,
        name: &str,
        required: bool,
        bounds: Bounds,
        notes: &mut Notes,
    ) -> Option<T> {
        let at = self.at.field(name);
        let by_file = format!("{name}_file");
        let given = self.remove(name, notes);
        let node = match (given, self.remove(&by_file, notes)) {
            (Some(_), Some(file)) => {
                notes.note(at, MistakeKind::GivenTwoWays, file.origin);
                return None;
            }
            (None, Some(file)) => {
                let Some(content) = content(file, &self.at.field(&by_file), notes) else {
                    notes.unread(&at);
                    return None;
                };
                content
            }
            (Some(node), None) => node,
            (None, None) => {
                if required {
                    notes.note(at, MistakeKind::Missing, Origin::Document);
                }
                return None;
            }
        };
        notes.came_from(&at, &node.origin);
        T::read(node, bounds, &at, notes)
    }

    /// The node of this name. A `null` counts as not given.
    fn remove(&mut self, name: &str, notes: &mut Notes) -> Option<Node> {
        let (found, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|(field, _)| field == name);
        self.entries = rest;
        let mut found = found.into_iter().map(|(_, node)| node);
        let first = found.next()?;
        for again in found {
            notes.note(self.at.field(name), MistakeKind::Repeated, again.origin);
        }
        (!matches!(first.value, Value::Null)).then_some(first)
    }

    /// All of them, where any name may stand.
    pub(super) fn into_entries(self) -> Vec<(String, Node)> {
        self.entries
    }

    /// Notes every field that nothing asked for.
    pub(in crate::config) fn close(self, notes: &mut Notes) {
        for (name, node) in self.entries {
            notes.note(
                self.at.field(&name),
                MistakeKind::UnknownField,
                node.first_origin(),
            );
        }
    }
}

/// The content of the file that a node names.
fn content(node: Node, at: &Path, notes: &mut Notes) -> Option<Node> {
    let Value::Text(name) = &node.value else {
        let kind = MistakeKind::WrongType("the path of a file");
        notes.note(at.clone(), kind, node.origin);
        return None;
    };
    let path = PathBuf::from(name.as_str());
    let mut text = Zeroizing::new(String::new());
    let read = File::open(&path).and_then(|file| {
        // Room for all of it at once: a text that moves as it grows leaves copies behind that nobody erases.
        let length = file.metadata()?.len().min(MAX_FILE_BYTES);
        text.reserve_exact(usize::try_from(length).unwrap_or(0) + SPARE_BYTES);
        // One more than may be, so that a longer file is known by it.
        file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)
    });
    let error = match read {
        Ok(length) if length as u64 <= MAX_FILE_BYTES => {
            return Some(Node {
                value: Value::Text(Zeroizing::new(text.trim().to_owned())),
                origin: Origin::File(path),
            });
        }
        Ok(_) => io::ErrorKind::FileTooLarge,
        Err(error) => error.kind(),
    };
    let kind = MistakeKind::UnreadableFile { error };
    notes.note(at.clone(), kind, node.origin);
    None
}
