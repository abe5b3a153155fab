//! The table as a text that is kept with the source, and what has changed since.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::policy::{RouteRow, RouteTable};

/// Begins the lines that mean nothing.
const COMMENT: char = '#';

/// The table as a text for reviewers: one line a route, by path and method, with everything that its policy asks for. The same
/// table always gives the same text, and a change of one route changes one line.
///
/// Lines that begin with `#` are comments.
#[must_use]
pub fn snapshot(table: &RouteTable) -> String {
    let mut text = String::from("# Every route and who may call it. Drawn from the policies.\n");
    for row in table.rows() {
        text.push_str(&line(row));
        text.push('\n');
    }
    text
}

/// How a table differs from a text that [`snapshot`] once gave, by path and method. Empty where they agree.
///
/// Nothing in the text is passed over but comments and empty lines: what can't be read, or stands there twice, is said to
/// be gone.
#[must_use]
pub fn drift(snapshot: &str, table: &RouteTable) -> Vec<Difference> {
    let mut served: BTreeMap<(String, String), String> = table
        .rows()
        .iter()
        .map(|row| (key(row), line(row)))
        .collect();
    let mut known = BTreeSet::new();
    let mut differences = Vec::new();
    for was in snapshot.lines() {
        if was.is_empty() || was.starts_with(COMMENT) {
            continue;
        }
        let mut words = was.split(' ');
        let name = words.next().zip(words.next());
        let Some((method, path)) = name else {
            differences.push((None, Difference::Removed(was.to_owned())));
            continue;
        };
        let key = (path.to_owned(), method.to_owned());
        let difference = match served.get(&key) {
            Some(is) if known.insert(key.clone()) => {
                if is == was {
                    continue;
                }
                Difference::Changed {
                    was: was.to_owned(),
                    is: is.clone(),
                }
            }
            _ => Difference::Removed(was.to_owned()),
        };
        differences.push((Some(key), difference));
    }
    served.retain(|key, _| !known.contains(key));
    differences.extend(
        served
            .into_iter()
            .map(|(key, is)| (Some(key), Difference::Added(is))),
    );
    differences.sort_by(|(ours, _), (theirs, _)| ours.cmp(theirs));
    differences
        .into_iter()
        .map(|(_, difference)| difference)
        .collect()
}

/// One route that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A route that the text does not have.
    Added(String),
    /// A line whose route is not served, or that is none.
    Removed(String),
    /// Another policy.
    Changed {
        /// The line of the text.
        was: String,
        /// The line of the table.
        is: String,
    },
}

impl fmt::Display for Difference {
    /// As `diff` shows it: `- was`, `+ is`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(line) => write!(f, "+ {line}"),
            Self::Removed(line) => write!(f, "- {line}"),
            Self::Changed { was, is } => write!(f, "- {was}\n+ {is}"),
        }
    }
}

fn key(row: &RouteRow) -> (String, String) {
    (word(&row.path).into(), word(&row.method).into())
}

fn line(row: &RouteRow) -> String {
    let (path, method) = key(row);
    let mut line = format!("{method} {path} realm={}", word(&row.realm));
    if let Some(tenant) = &row.tenant {
        line.push_str(&format!(" tenant={}", word(tenant)));
    }
    if let Some(tenant) = &row.tenant_query {
        line.push_str(&format!(" tenant=?{}", word(tenant)));
    }
    for (n, alternative) in row.modes.iter().enumerate() {
        line.push_str(if n == 0 { " " } else { " | " });
        line.push_str(alternative.mode);
        for scope in &alternative.scopes {
            line.push_str(&format!(" {scope}"));
        }
        if let Some(role) = &alternative.role {
            line.push_str(&format!(" {}+", word(role)));
        }
        if let Some(feature) = &alternative.feature {
            line.push_str(&format!(" plan:{}", word(feature)));
        }
    }
    if row.public {
        line.push_str(if row.modes.is_empty() { " " } else { " | " });
        line.push_str("NONE");
    }
    line
}

/// A name that can't be taken for several, for another one or for a comment.
fn word(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'|' | b'#' | b'\\');
    if !text.is_empty() && text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{text:?}").replace(' ', "\\u{20}"))
}
