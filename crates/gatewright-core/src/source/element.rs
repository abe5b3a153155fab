//! The elements of a list field, from the right.
//!
//! What stands at the left was written by somebody else, perhaps to be misread: `for="` opens a quote that would swallow
//! all that a proxy appends, if quotes were found from the left. Found from the right, they can't: in a well-formed element
//! no quote opens but after `=`, so the scan is back outside of every quote when it meets the comma before it.

use super::ProxyField;
use super::node::Node;
use crate::tchar::is_tchar;

/// How many bytes are looked at, over all lines.
const MAX_BYTES: usize = 4096;
/// The longest `for` with escapes that is read. An address with a port is at most 53.
const MAX_ESCAPED: usize = 128;

/// The elements that are left, of which the last comes next.
pub(super) struct FromRight<'a, I> {
    field: ProxyField,
    lines: I,
    /// What is left of the line that was begun.
    rest: Option<&'a [u8]>,
    bytes: usize,
}

impl<'a, I: DoubleEndedIterator<Item = &'a [u8]>> FromRight<'a, I> {
    pub(super) const fn new(field: ProxyField, lines: I) -> Self {
        Self {
            field,
            lines,
            rest: None,
            bytes: MAX_BYTES,
        }
    }

    /// Whom the next element to the left names; `None` if there is none, or if it is malformed.
    pub(super) fn next_node(&mut self) -> Option<Node> {
        let line = match self.rest.take() {
            Some(rest) => rest,
            None => self.lines.next_back()?,
        };
        let seen = line.split_at_checked(line.len().saturating_sub(self.bytes))?;
        let (unseen, seen) = seen;
        let quotes = self.field == ProxyField::Forwarded;
        let element = match comma(seen, quotes)? {
            Some(at) => {
                let element = seen.get(at + 1..)?;
                self.rest = line.get(..unseen.len() + at);
                element
            }
            None if unseen.is_empty() => seen,
            None => return None,
        };
        self.bytes = self.bytes.saturating_sub(element.len() + 1);
        let element = trimmed(element);
        match self.field {
            ProxyField::Forwarded => forwarded(element),
            ProxyField::XForwardedFor => Node::parse_bare(element),
        }
    }
}

/// The last comma, outside of quoted strings where there are such; `None` where a quote has no other.
fn comma(text: &[u8], quotes: bool) -> Option<Option<usize>> {
    let mut quoted = false;
    let mut left = text;
    while let Some((byte, before)) = left.split_last() {
        match byte {
            b',' if !quoted => return Some(Some(before.len())),
            b'"' if quotes && !quoted => quoted = true,
            b'"' if quoted => {
                let escapes = before.iter().rev().take_while(|byte| **byte == b'\\');
                quoted = escapes.count() % 2 == 1;
            }
            _ => {}
        }
        left = before;
    }
    (!quoted).then_some(None)
}

/// `forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )`, RFC 7239 §4, but not an empty one.
fn forwarded(element: &[u8]) -> Option<Node> {
    if element.is_empty() {
        return None;
    }
    let mut node = None;
    let mut rest = element;
    loop {
        if !matches!(rest, [] | [b';', ..]) {
            let (name, after) = token(rest)?;
            let (value, after) = value(after.strip_prefix(b"=")?)?;
            // RFC 7239 §4: names are case-insensitive, and none stands twice. Of the others nothing is asked here.
            if name.eq_ignore_ascii_case(b"for") && node.replace(value.node()?).is_some() {
                return None;
            }
            rest = after;
        }
        rest = match rest {
            [] => return Some(node.unwrap_or(Node::Nobody)),
            [b';', after @ ..] => after,
            _ => return None,
        };
    }
}

/// A parameter's value (RFC 9110 §5.6.4).
enum Value<'a> {
    Token(&'a [u8]),
    /// What stands between the quotes.
    Quoted(&'a [u8]),
}

impl Value<'_> {
    fn node(&self) -> Option<Node> {
        let text = match self {
            Self::Token(text) => *text,
            Self::Quoted(text) if !text.contains(&b'\\') => *text,
            Self::Quoted(text) => {
                let mut plain = [0; MAX_ESCAPED];
                let mut length = 0;
                let mut bytes = text.iter();
                while let Some(byte) = bytes.next() {
                    let byte = if *byte == b'\\' { bytes.next()? } else { byte };
                    *plain.get_mut(length)? = *byte;
                    length += 1;
                }
                return Node::parse(plain.get(..length)?);
            }
        };
        Node::parse(text)
    }
}

/// Cuts off `token / quoted-string`.
fn value(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let (value, after) = token(text)?;
        return Some((Value::Token(value), after));
    };
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((Value::Quoted(quoted.get(..at)?), quoted.get(at + 1..)?)),
            b'\\' => {
                bytes.next().filter(|(_, byte)| is_text(**byte))?;
            }
            byte if !is_text(*byte) => return None,
            _ => {}
        }
    }
    None
}

/// Cuts off a token (RFC 9110 §5.6.2), which is not empty.
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| !is_tchar(*byte));
    let end = end.unwrap_or(text.len());
    text.split_at_checked(end).filter(|_| end > 0)
}

/// What may stand in a quoted string, quotes and backslashes apart (RFC 9110 §5.6.4).
const fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// Without the white space that may surround an element of a list (RFC 9110 §5.6.1).
fn trimmed(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
