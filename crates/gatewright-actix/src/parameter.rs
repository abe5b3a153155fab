//! The value of a path parameter.

use std::borrow::Cow;

use actix_web::HttpRequest;
use gatewright_core::error::{AuthError, Cause, ErrorCode};

/// A parameter of the whole path, decoded once, as `web::Path` decodes it for the handler.
///
/// actix decodes a path in two steps, and takes what is no UTF-8 for U+FFFD. A path that this makes another one of than
/// decoding it once is refused: gate and handler might read different tenants in it.
pub(crate) fn of<'a>(request: &'a HttpRequest, name: &str) -> Result<Cow<'a, str>, AuthError> {
    let matched = request.match_info();
    // With two of the name, one in a scope that was put around, no rule says which of them counts.
    let once =
        matched.segment_count() == 1 || matched.iter().filter(|(key, _)| *key == name).count() == 1;
    let Some(value) = matched.get(name).filter(|_| once) else {
        return Err(Cause::PolicyMissing.into());
    };
    let (path, matched) = (request.uri().path(), matched.as_str());
    if path != matched && !decoded(path).eq(decoded(matched)) {
        return Err(not_text());
    }
    if !value.contains('%') {
        return Ok(value.into());
    }
    let value = String::from_utf8(decoded(value).collect()).map_err(|_| not_text())?;
    Ok(value.into())
}

fn not_text() -> AuthError {
    AuthError::new(ErrorCode::InvalidRequest).with_message("The path is not UTF-8")
}

/// Undoes percent-encoding (RFC 3986 §2.1). What is no escape stands for itself.
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (byte, left) = match rest {
            [b'%', high, low, left @ ..] if let Some(byte) = escaped(*high, *low) => (byte, left),
            [byte, left @ ..] => (*byte, left),
            [] => return None,
        };
        rest = left;
        Some(byte)
    })
}

fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once_and_leaves_what_is_no_escape() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("a%2Fb%2fc", b"a/b/c"),
            ("%25%32%35", b"%25"),
            ("a+b%2B", b"a+b+"),
            ("%c3%A9%ff", b"\xc3\xa9\xff"),
            ("100%", b"100%"),
            ("%4", b"%4"),
            ("%zz%%41", b"%zz%A"),
        ] {
            assert_eq!(decoded(text).collect::<Vec<_>>(), bytes, "{text}");
        }
    }
}
