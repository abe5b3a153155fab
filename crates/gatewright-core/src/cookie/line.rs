//! The lines that set and clear a cookie.

use std::fmt;

use zeroize::Zeroizing;

use super::{Cookie, MAX_COOKIE_LENGTH};
use crate::cookie::read::is_cookie_octet;

/// The value of a `Set-Cookie` field, [RFC 6265bis §4.1](https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1).
///
/// One answer may have several such fields, which are never joined by commas: it is to be added, not to replace others.
///
/// Redacted in `Debug`, not to be cloned, compared or displayed, and zeroed when it is dropped.
pub struct SetCookie(Zeroizing<String>);

/// Why no line can be made of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetCookieError {
    /// A value has only printable ASCII without white space, quotation marks, commas, semicolons and backslashes.
    #[error("the value has a character that no cookie can have")]
    Character,
    /// Name, value and attributes are longer than [`MAX_COOKIE_LENGTH`] together.
    #[error("the cookie would be longer than browsers keep")]
    TooLong,
}

impl SetCookie {
    /// The line itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetCookie(redacted)")
    }
}

pub(super) fn set(cookie: &Cookie, value: &str) -> Result<SetCookie, SetCookieError> {
    if !value.bytes().all(is_cookie_octet) {
        return Err(SetCookieError::Character);
    }
    let line = line(cookie, value, cookie.max_age_secs);
    if line.0.len() > MAX_COOKIE_LENGTH {
        return Err(SetCookieError::TooLong);
    }
    Ok(line)
}

pub(super) fn clear(cookie: &Cookie) -> SetCookie {
    line(cookie, "", Some(0))
}

fn line(cookie: &Cookie, value: &str, max_age_secs: Option<u64>) -> SetCookie {
    let age = max_age_secs.map_or_else(String::new, |secs| format!("; Max-Age={secs}"));
    let parts = [&*cookie.name, "=", value, &*cookie.attributes, &age];
    // As long as it gets, so that nothing of the value is left behind where a shorter one was.
    let length = parts.iter().map(|part| part.len()).sum();
    let mut line = Zeroizing::new(String::with_capacity(length));
    for part in parts {
        line.push_str(part);
    }
    SetCookie(line)
}
