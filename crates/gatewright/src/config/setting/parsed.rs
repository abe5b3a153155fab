//! Texts that the gate's own types read.

use super::{Bounds, Setting, compare, wrong_type};
use crate::config::mistake::Notes;
use crate::config::tree::{Node, Value};
use crate::config::{MistakeKind, Path};
use crate::jwt::{Algorithm, TypRule};
use crate::scope::{Scope, ScopeError};
use crate::source::{Network, NetworkError};

/// Reads a value that is one text and parses it.
fn parsed<T>(
    node: Node,
    expected: &'static str,
    at: &Path,
    notes: &mut Notes,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let Value::Text(text) = &node.value else {
        return wrong_type(expected, &node, at, notes);
    };
    match parse(text) {
        Ok(value) => Some(value),
        Err(message) => {
            notes.note(at.clone(), MistakeKind::Refused(message), node.origin);
            None
        }
    }
}

impl Setting for Algorithm {
    #[cfg(test)]
    fn type_name() -> String {
        "JWS algorithm".to_owned()
    }

    #[cfg(test)]
    fn shown(&self) -> String {
        format!("`{self}`")
    }

    fn read(node: Node, _: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        const EXPECTED: &str = "the name of a signature algorithm";
        parsed(node, EXPECTED, at, notes, |text| {
            text.parse().map_err(|error| format!("{error}"))
        })
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        compare(self, other, at, found);
    }
}

impl Setting for Scope {
    #[cfg(test)]
    fn type_name() -> String {
        "scope".to_owned()
    }

    fn read(node: Node, _: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        parsed(node, "a scope", at, notes, |text| {
            text.parse().map_err(|error: ScopeError| error.to_string())
        })
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        compare(self, other, at, found);
    }
}

impl Setting for Network {
    #[cfg(test)]
    fn type_name() -> String {
        "network".to_owned()
    }

    fn read(node: Node, _: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        const EXPECTED: &str = "a network such as 10.0.0.0/8 or 2001:db8::/32";
        parsed(node, EXPECTED, at, notes, |text| {
            text.parse()
                .map_err(|error: NetworkError| error.to_string())
        })
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        compare(self, other, at, found);
    }
}

impl Setting for TypRule {
    #[cfg(test)]
    fn type_name() -> String {
        "media type or `any`".to_owned()
    }

    #[cfg(test)]
    fn shown(&self) -> String {
        "`at+jwt`".to_owned()
    }

    fn read(node: Node, _: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        parsed(
            node,
            "a media type or `any`",
            at,
            notes,
            |text| match text {
                "at+jwt" => Ok(Self::AccessToken),
                "any" => Ok(Self::Any),
                "" => Err("must be a media type or `any`".to_owned()),
                other => Ok(Self::Exactly(other.to_owned().into())),
            },
        )
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        compare(self, other, at, found);
    }
}
