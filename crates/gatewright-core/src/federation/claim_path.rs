//! Where in a token a claim stands.

use std::borrow::Cow;
use std::str::FromStr;

use serde_json::Value;

use crate::jwt::Claims;

/// The way to a claim: the name of a member, then of a member of that, and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClaimPath {
    first: Box<str>,
    rest: Box<[Box<str>]>,
}

/// The text is no path: a name in it is empty, or it ends in a backslash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MalformedPath;

/// What stands at a path.
#[derive(Debug, PartialEq)]
pub(super) enum At<'c> {
    /// Nothing.
    Absent,
    /// The way there leads through something that has no members, so that nobody can say what is there.
    Blocked,
    /// This.
    Value(Cow<'c, Value>),
}

impl ClaimPath {
    pub(super) fn look<'c>(&self, claims: &'c Claims) -> At<'c> {
        let Some(found) = claims.member(&self.first) else {
            return At::Absent;
        };
        if self.rest.is_empty() {
            return At::Value(found);
        }
        // Those with accessors of their own are no objects.
        let Cow::Borrowed(mut value) = found else {
            return At::Blocked;
        };
        for name in &self.rest {
            let Value::Object(members) = value else {
                return At::Blocked;
            };
            match members.get(&**name) {
                Some(inner) => value = inner,
                None => return At::Absent,
            }
        }
        At::Value(Cow::Borrowed(value))
    }
}

/// Names are separated by dots. A dot that is part of a name is written `\\.`, a backslash `\\\\`; a URL is one name, as
/// collision-resistant claims have it (RFC 7519 §4.2).
impl FromStr for ClaimPath {
    type Err = MalformedPath;

    fn from_str(text: &str) -> Result<Self, MalformedPath> {
        if ["https://", "http://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Ok(Self {
                first: text.into(),
                rest: Box::default(),
            });
        }
        let mut names = vec![String::new()];
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let literal = match character {
                '.' => {
                    names.push(String::new());
                    continue;
                }
                '\\' => characters.next().ok_or(MalformedPath)?,
                other => other,
            };
            if let Some(name) = names.last_mut() {
                name.push(literal);
            }
        }
        if names.iter().any(String::is_empty) {
            return Err(MalformedPath);
        }
        let mut names = names.into_iter().map(String::into_boxed_str);
        Ok(Self {
            first: names.next().ok_or(MalformedPath)?,
            rest: names.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(text: &str) -> Option<Vec<String>> {
        let path: ClaimPath = text.parse().ok()?;
        let all = std::iter::once(&path.first).chain(&path.rest);
        Some(all.map(|name| name.to_string()).collect())
    }

    #[test]
    fn paths_are_read_as_written() {
        for (text, read) in [
            ("scope", Some(vec!["scope"])),
            ("realm_access.roles", Some(vec!["realm_access", "roles"])),
            (
                r"resource_access.my\.app.roles",
                Some(vec!["resource_access", "my.app", "roles"]),
            ),
            (r"a\\.b", Some(vec![r"a\", "b"])),
            (
                "https://acme.example/roles",
                Some(vec!["https://acme.example/roles"]),
            ),
            ("", None),
            (".", None),
            ("a.", None),
            (".a", None),
            ("a..b", None),
            (r"a\", None),
        ] {
            let wanted = read.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(names(text), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_back(written in prop::collection::vec(r"[a-z.\\]{1,6}", 1..4)) {
            let text: Vec<String> = written
                .iter()
                .map(|name| name.replace('\\', r"\\").replace('.', r"\."))
                .collect();
            prop_assert_eq!(names(&text.join(".")), Some(written));
        }
    }
}
