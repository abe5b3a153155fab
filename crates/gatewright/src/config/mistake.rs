//! What is wrong with a configuration, all of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Path;

/// One thing that is wrong: where, what, and who said so. A secret is never repeated, nor what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    path: Path,
    kind: MistakeKind,
    origin: Origin,
}

impl Mistake {
    /// Where it stands in the configuration.
    #[must_use]
    pub const fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> &MistakeKind {
        &self.kind
    }

    /// Where the wrong value came from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.to_string();
        // The configuration as a whole has no name.
        let path = if path.is_empty() {
            "configuration"
        } else {
            &path
        };
        match &self.origin {
            Origin::Document => write!(f, "{path}: {}", self.kind),
            origin => write!(f, "{path} ({origin}): {}", self.kind),
        }
    }
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MistakeKind {
    /// It must be there and is not.
    #[error("is missing")]
    Missing,
    /// There is no such field.
    #[error("is not a field of the configuration")]
    UnknownField,
    /// It is of another type.
    #[error("must be {0}")]
    WrongType(&'static str),
    /// It is none of the words that mean something here.
    #[error("must be one of: {}", .0.join(", "))]
    UnknownWord(&'static [&'static str]),
    /// The number is too small or too large.
    #[error("must be {least} to {most}")]
    OutOfRange {
        /// The least that is accepted.
        least: u64,
        /// The most that is accepted.
        most: u64,
    },
    /// The document names the field more than once.
    #[error("is given twice")]
    Repeated,
    /// Both the value and the name of a file with the value are given.
    #[error("is given both as itself and as `…_file`")]
    GivenTwoWays,
    /// The file that holds the value cannot be read, is not text, or is longer than 1 MiB. What was named is not repeated:
    /// it may be the secret itself, given where the name of its file belongs.
    #[error("the file cannot be read: {error}")]
    UnreadableFile {
        /// What the system said.
        error: io::ErrorKind,
    },
    /// The name of the environment variable stands for no path, or its value is not text.
    #[error("{0}")]
    Variable(&'static str),
    /// The value breaks a rule of what it describes, in the words of that rule.
    #[error("{0}")]
    Refused(String),
}

/// Where a value came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The document, or the program itself.
    #[default]
    Document,
    /// The environment variable of this name.
    Variable(Arc<str>),
    /// This file, named by a field or a variable that ends in `_file`.
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => f.write_str("the document"),
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Everything that is wrong with a configuration; at least one mistake. Its `Display` has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Mistake>);

impl ConfigErrors {
    /// The mistakes, in the order of their paths.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Gathers mistakes while a configuration is read and then judged.
#[derive(Debug, Default)]
pub(super) struct Notes {
    mistakes: Vec<Mistake>,
    /// Where the values came from that did not come from the document.
    origins: BTreeMap<Path, Origin>,
    /// What could not be read although the mistake stands elsewhere, such as at the name of a file.
    unread: Vec<Path>,
}

impl Notes {
    /// Remembers where the value at this path came from.
    pub(super) fn came_from(&mut self, at: &Path, origin: &Origin) {
        if *origin != Origin::Document {
            self.origins.insert(at.clone(), origin.clone());
        }
    }

    /// Remembers that the value at this path is a placeholder.
    pub(super) fn unread(&mut self, at: &Path) {
        self.unread.push(at.clone());
    }

    pub(super) fn note(&mut self, path: Path, kind: MistakeKind, origin: Origin) {
        self.mistakes.push(Mistake { path, kind, origin });
    }

    /// Notes what is wrong at a path, with the origin of the value there.
    pub(super) fn wrong(&mut self, at: &Path, kind: MistakeKind) {
        let mut known = Some(at.clone());
        let origin = loop {
            let Some(path) = known else {
                break Origin::Document;
            };
            if let Some(origin) = self.origins.get(&path) {
                break origin.clone();
            }
            known = path.parent();
        };
        self.note(at.clone(), kind, origin);
    }

    /// Notes a number that is out of range, unless its value could not be read.
    pub(super) fn out_of_range(&mut self, at: &Path, least: u64, most: u64) {
        if !self.is_wrong(at) {
            self.wrong(at, MistakeKind::OutOfRange { least, most });
        }
    }

    /// Notes the judgement on values that were read, unless they could not be: then it is about a placeholder.
    pub(super) fn refuse(&mut self, at: &Path, message: impl fmt::Display) {
        if !self.is_wrong(at) {
            self.wrong(at, MistakeKind::Refused(message.to_string()));
        }
    }

    /// As [`refuse`](Self::refuse), for something that is needed and not there.
    pub(super) fn missing(&mut self, at: &Path) {
        if !self.is_wrong(at) {
            self.wrong(at, MistakeKind::Missing);
        }
    }

    /// As [`refuse`](Self::refuse), where several judgements may be about one value: only what could not be read, which
    /// left a placeholder, silences them.
    pub(super) fn judge(&mut self, at: &Path, message: impl fmt::Display) {
        let kind = MistakeKind::Refused(message.to_string());
        let unread = self.unread.iter().any(|path| path.is_within(at))
            || self.mistakes.iter().any(|mistake| {
                mistake.path.is_within(at) && !matches!(mistake.kind, MistakeKind::Refused(_))
            });
        let known = |mistake: &Mistake| mistake.path == *at && mistake.kind == kind;
        if !unread && !self.mistakes.iter().any(known) {
            self.wrong(at, kind);
        }
    }

    /// Whether something is wrong at or beneath a path.
    pub(super) fn is_wrong(&self, at: &Path) -> bool {
        let mut wrong = self.mistakes.iter().map(|mistake| &mistake.path);
        wrong.any(|path| path.is_within(at)) || self.unread.iter().any(|path| path.is_within(at))
    }

    /// What was made, if nothing is wrong. Making nothing without a mistake is one as well.
    pub(super) fn settle<T>(mut self, made: Option<T>) -> Result<T, ConfigErrors> {
        match made {
            Some(made) if self.mistakes.is_empty() => Ok(made),
            made => {
                if made.is_none() && self.mistakes.is_empty() {
                    self.wrong(&Path::ROOT, MistakeKind::Missing);
                }
                // Stable: what is wrong in several ways is named in the order in which it was found.
                self.mistakes.sort_by(|a, b| a.path.cmp(&b.path));
                Err(ConfigErrors(self.mistakes))
            }
        }
    }
}
