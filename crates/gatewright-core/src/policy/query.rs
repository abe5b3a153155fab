//! The value of a query parameter.

use std::borrow::Cow;

/// Why a parameter has no one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    #[error("stands there twice")]
    Twice,
    #[error("is not UTF-8")]
    NotText,
}

/// The one value of the parameter of this name, decoded as forms are (WHATWG URL, "application/x-www-form-urlencoded
/// parsing"); `None` where there is none.
pub(super) fn only<'q>(query: &'q str, name: &str) -> Result<Option<Cow<'q, str>>, QueryError> {
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decoded(key).as_deref() != Ok(name) {
            continue;
        }
        // Handlers read the query too. Of two values, gate and handler might each take another.
        if found.replace(value).is_some() {
            return Err(QueryError::Twice);
        }
    }
    found.map(decoded).transpose()
}

fn decoded(text: &str) -> Result<Cow<'_, str>, QueryError> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        (bytes, rest) = match rest {
            [] => break,
            [b'%', high, low, left @ ..] if let Some(byte) = escaped(*high, *low) => {
                bytes.push(byte);
                (bytes, left)
            }
            [b'+', left @ ..] => {
                bytes.push(b' ');
                (bytes, left)
            }
            [byte, left @ ..] => {
                bytes.push(*byte);
                (bytes, left)
            }
        };
    }
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| QueryError::NotText)
}

fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_has_one_value_or_none() {
        for (query, value) in [
            ("", Ok(None)),
            ("a=b&orgs=c", Ok(None)),
            ("ORG=acme", Ok(None)),
            ("org=acme", Ok(Some("acme"))),
            ("a&org=acme&b=%ff", Ok(Some("acme"))),
            ("org", Ok(Some(""))),
            ("org=", Ok(Some(""))),
            ("org=a=b", Ok(Some("a=b"))),
            ("o%72g=ac%6De%2Dcorp", Ok(Some("acme-corp"))),
            ("org=a+b%2B%2", Ok(Some("a b+%2"))),
            ("org=%C3%A9", Ok(Some("\u{e9}"))),
            ("org=%ff", Err(QueryError::NotText)),
            ("org=a&org=a", Err(QueryError::Twice)),
            ("org=a&%6frg=b", Err(QueryError::Twice)),
            ("org&org", Err(QueryError::Twice)),
        ] {
            let found = only(query, "org").map(|value| value.map(Cow::into_owned));
            assert_eq!(
                found,
                value.map(|value| value.map(str::to_owned)),
                "{query}"
            );
        }
    }
}
