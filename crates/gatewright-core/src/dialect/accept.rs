//! Reading `Accept` for the problem form (RFC 9110 §12.5.1).

/// Bytes of `Accept` that are read, over all its values; clients send a few hundred.
const LIMIT: usize = 4096;

/// Whether the client asks for `application/problem+json` by name, with a weight above 0.
///
/// `values` are the values of the request's `Accept` fields. A range such as `*/*` asks for nothing in
/// particular, so it leaves the route's own dialect. What breaks the grammar is skipped, and values
/// past 4096 bytes altogether aren't read.
#[must_use]
pub fn wants_problem<'a>(accept: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut budget = LIMIT;
    for value in accept {
        let Some(left) = budget.checked_sub(value.len()) else {
            return false;
        };
        budget = left;
        if mentions_problem(value) && split(value, b',').any(names_problem) {
            return true;
        }
    }
    false
}

/// Whether it is worth reading: nearly no request's is, and every request has one.
fn mentions_problem(value: &[u8]) -> bool {
    value.contains(&b'+')
        && value.split(|&byte| byte == b'+').any(|before| {
            let (_, name) = before.split_at(before.len().saturating_sub(b"problem".len()));
            name.eq_ignore_ascii_case(b"problem")
        })
}

/// One media range with its parameters.
fn names_problem(range: &[u8]) -> bool {
    let mut parts = split(range, b';');
    let Some(media_type) = parts.next() else {
        return false;
    };
    media_type
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/problem+json")
        && parts.all(|parameter| match parameter.trim_ascii() {
            [b'q' | b'Q', b'=', weight @ ..] => is_positive_weight(weight),
            _ => true,
        })
}

/// `qvalue` of RFC 9110 §12.4.2, except zero.
fn is_positive_weight(weight: &[u8]) -> bool {
    match weight {
        [b'1'] => true,
        [b'1', b'.', digits @ ..] => digits.len() <= 3 && digits.iter().all(|d| *d == b'0'),
        [b'0', b'.', digits @ ..] => {
            digits.len() <= 3
                && digits.iter().all(u8::is_ascii_digit)
                && digits.iter().any(|d| *d != b'0')
        }
        _ => false,
    }
}

/// Splits at a separator that is outside of quoted strings (RFC 9110 §5.6.4).
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |&byte| {
        if escaped {
            escaped = false;
        } else if quoted {
            match byte {
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if byte == b'"' {
            quoted = true;
        } else {
            return byte == separator;
        }
        false
    })
}
