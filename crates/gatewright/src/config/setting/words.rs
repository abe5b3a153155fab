//! Values that are one word of a few.

use super::{Bounds, Setting, compare, wrong_type};
use crate::config::mistake::Notes;
use crate::config::tree::{Node, Value};
use crate::config::{MistakeKind, Path};
use crate::credential::{IdAlphabet, ImportedAlphabet, SecretKind};
use crate::dialect::Dialect;
use crate::source::ProxyField;

/// Implements [`Setting`] for a type whose values are words.
macro_rules! words {
    ($($type:ty { $($word:literal => $value:expr),+ $(,)? })+) => {$(
        impl Setting for $type {
            #[cfg(test)]
            fn type_name() -> String {
                [$(concat!("`", $word, "`")),+].join(", ")
            }

            #[cfg(test)]
            fn shown(&self) -> String {
                let words = [$(($value, concat!("`", $word, "`"))),+];
                let word = words.into_iter().find(|(value, _)| value == self);
                word.map(|(_, word)| word.to_owned()).unwrap_or_default()
            }

            fn read(node: Node, _: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
                let Value::Text(text) = &node.value else {
                    return wrong_type("text", &node, at, notes);
                };
                match text.as_str() {
                    $($word => Some($value),)+
                    _ => {
                        notes.note(at.clone(), MistakeKind::UnknownWord(&[$($word),+]), node.origin);
                        None
                    }
                }
            }

            fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
                compare(self, other, at, found);
            }
        }
    )+};
}

/// How the parts of a secret follow each other; see [`SecretFormat`](crate::credential::SecretFormat).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatLayout {
    /// `<brand>_<id>_<secret>` with a checksum.
    #[default]
    Separated,
    /// `<brand>_<id>.<secret>` with a checksum.
    Dotted,
    /// `<brand>_<id and secret>` without a checksum.
    Joined,
    /// `<brand>_<secret>`; the id travels beside it.
    Unnamed,
    /// `<prefix><characters>`, as another system minted it.
    Imported,
    /// As [`Imported`](Self::Imported), without any prefix; asked last.
    ImportedCatchAll,
}

/// What a configured secret stands for; see [`SecretKind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatKind {
    /// An API key.
    #[default]
    ApiKey,
    /// A personal access token.
    Pat,
    /// The secret of an OAuth client.
    Client,
}

impl From<FormatKind> for SecretKind {
    fn from(kind: FormatKind) -> Self {
        match kind {
            FormatKind::ApiKey => Self::ApiKey,
            FormatKind::Pat => Self::Pat,
            FormatKind::Client => Self::Client,
        }
    }
}

/// Who else may change what is cached; see [`Coherence`](crate::gate::Coherence).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoherenceMode {
    /// Nobody: every change goes through this process.
    SingleProcess,
    /// Others, whose changes arrive by a feed.
    Bounded,
    /// Others, of whom nothing is heard: every request reads the store.
    #[default]
    Strict,
}

words! {
    FormatLayout {
        "separated" => FormatLayout::Separated,
        "dotted" => FormatLayout::Dotted,
        "joined" => FormatLayout::Joined,
        "unnamed" => FormatLayout::Unnamed,
        "imported" => FormatLayout::Imported,
        "imported-catch-all" => FormatLayout::ImportedCatchAll,
    }
    FormatKind {
        "api-key" => FormatKind::ApiKey,
        "pat" => FormatKind::Pat,
        "client" => FormatKind::Client,
    }
    CoherenceMode {
        "single-process" => CoherenceMode::SingleProcess,
        "bounded" => CoherenceMode::Bounded,
        "strict" => CoherenceMode::Strict,
    }
    IdAlphabet {
        "lower-alphanumeric" => IdAlphabet::LowerAlphanumeric,
        "alphanumeric" => IdAlphabet::Alphanumeric,
    }
    ImportedAlphabet {
        "hex" => ImportedAlphabet::Hex,
        "base62" => ImportedAlphabet::Base62,
        "base64url" => ImportedAlphabet::Base64Url,
        "url-safe" => ImportedAlphabet::UrlSafe,
    }
    Dialect {
        "canonical" => Dialect::Canonical,
        "detail" => Dialect::Detail,
        "problem" => Dialect::Problem,
        "oauth" => Dialect::OAuth,
        "json-rpc" => Dialect::JsonRpc,
    }
    ProxyField {
        "forwarded" => ProxyField::Forwarded,
        "x-forwarded-for" => ProxyField::XForwardedFor,
    }
}
