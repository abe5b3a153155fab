//! One cookie out of a request's `Cookie` fields.

use super::fields::{Field, Fields, trim};

/// The longest cookie value that is looked at, in bytes: what
/// [RFC 6265 §6.1](https://www.rfc-editor.org/rfc/rfc6265#section-6.1) asks of user agents.
pub const MAX_COOKIE_LENGTH: usize = 4096;

/// What [`cookie`] found.
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
/// [RFC 6265 §5.4](https://www.rfc-editor.org/rfc/rfc6265#section-5.4).
///
/// The value is checked against §4.1.1: `*cookie-octet`, or the same between two quotation marks, which then are
/// part of the value. Pairs of other names are skipped, whatever they look like.
pub fn cookie<'a, F: Fields + ?Sized>(fields: &'a F, name: &str) -> CookieValue<'a> {
    let mut found = CookieValue::Absent;
    for line in fields.values(Field::Cookie) {
        for pair in line.split(|byte| *byte == b';') {
            let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            let (key, value) = (&pair[..equals], trim(&pair[equals + 1..]));
            if trim(key) != name.as_bytes() {
                continue;
            }
            if found != CookieValue::Absent {
                return CookieValue::Duplicate;
            }
            found = if value.len() <= MAX_COOKIE_LENGTH && is_cookie_value(value) {
                CookieValue::Value(value)
            } else {
                CookieValue::Malformed
            };
        }
    }
    found
}

/// `cookie-value = *cookie-octet / ( DQUOTE *cookie-octet DQUOTE )`
fn is_cookie_value(value: &[u8]) -> bool {
    let octets = match value {
        [b'"', octets @ .., b'"'] => octets,
        octets => octets,
    };
    octets
        .iter()
        .all(|byte| matches!(byte, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E))
}
