//! One cookie out of a request's `Cookie` fields.

use crate::credential::{Field, Fields, trim};

/// The longest cookie, in bytes: of the value that is looked at, and of the whole line that is set, attributes included. What
/// browsers keep of name and value together (RFC 6265bis §5.6).
pub const MAX_COOKIE_LENGTH: usize = 4096;

/// What [`Cookie::read`](super::Cookie::read) found.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieValue<'a> {
    /// No cookie of that name.
    Absent,
    /// More than one. A sibling domain can plant a second one, and which of them comes first is no rule.
    Duplicate,
    /// One, longer than [`MAX_COOKIE_LENGTH`] or with bytes that a cookie's value can't have.
    Malformed,
    /// Exactly one, as the user agent sent it (possibly empty).
    Value(&'a [u8]),
}

impl std::fmt::Debug for CookieValue<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Duplicate => "Duplicate",
            Self::Malformed => "Malformed",
            Self::Value(_) => "Value(redacted)",
        })
    }
}

/// Finds the cookie called `name` (in exactly that case) in all `Cookie` fields of a request,
/// RFC 6265bis §4.2 and §5.8.3.
///
/// The value is checked against §4.1.1: `*cookie-octet`, or the same between two quotation marks, which then are
/// part of the value. Pairs of other names are skipped, whatever they look like.
pub(super) fn read<'a, F: Fields + ?Sized>(fields: &'a F, name: &str) -> CookieValue<'a> {
    let mut found = under(fields, name);
    match (found.next(), found.next()) {
        (None, _) => CookieValue::Absent,
        (Some(_), Some(_)) => CookieValue::Duplicate,
        (Some(value), None) if is_good(value) => CookieValue::Value(value),
        (Some(_), None) => CookieValue::Malformed,
    }
}

/// All of them that [`read`] would give, were each the only one.
pub(super) fn read_all<'a, F: Fields + ?Sized>(
    fields: &'a F,
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    under(fields, name).filter(|value| is_good(value))
}

fn under<'a, 'n, F: Fields + ?Sized>(
    fields: &'a F,
    name: &'n str,
) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n, F> {
    let pairs = fields
        .values(Field::Cookie)
        .flat_map(|line| line.split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (&pair[..equals], &pair[equals + 1..]);
        (trim(key) == name.as_bytes()).then(|| trim(value))
    })
}

fn is_good(value: &[u8]) -> bool {
    value.len() <= MAX_COOKIE_LENGTH && is_cookie_value(value)
}

/// `cookie-value = *cookie-octet / ( DQUOTE *cookie-octet DQUOTE )`
fn is_cookie_value(value: &[u8]) -> bool {
    let octets = match value {
        [b'"', octets @ .., b'"'] => octets,
        octets => octets,
    };
    octets.iter().copied().all(is_cookie_octet)
}

/// `cookie-octet`: printable ASCII without white space, quotation mark, comma, semicolon and backslash.
pub(super) const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E)
}
