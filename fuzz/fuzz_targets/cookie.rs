//! Which cookie a request has, against a plain reading of the grammar.
//!
//! Each line of the input is one `Cookie` field.

#![no_main]

use std::sync::LazyLock;

use gatewright_core::cookie::{Cookie, CookieValue, MAX_COOKIE_LENGTH, SameSite};
use gatewright_core::credential::Field;
use libfuzzer_sys::fuzz_target;

static SID: LazyLock<Cookie> = LazyLock::new(|| {
    Cookie::named("sid", SameSite::Lax)
        .build()
        .expect("a good cookie")
});

fuzz_target!(|data: &[u8]| {
    let fields: Vec<(Field, &[u8])> = data
        .split(|byte| *byte == b'\n')
        .map(|line| (Field::Cookie, line))
        .collect();
    check(&fields);
    // The same with one more, good, cookie at the end, and at the front.
    let more: (Field, &[u8]) = (Field::Cookie, b"a=1; sid=good-one; b=2");
    check(&[&fields[..], &[more]].concat());
    check(&[&[more], &fields[..]].concat());
});

fn check(fields: &[(Field, &[u8])]) {
    let values: Vec<&[u8]> = fields
        .iter()
        .flat_map(|(_, line)| line.split(|byte| *byte == b';'))
        .filter_map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (&pair[..equals], &pair[equals + 1..]);
            (trimmed(name) == b"sid").then(|| trimmed(value))
        })
        .collect();
    let found = SID.read(fields);
    match (found, &values[..]) {
        (CookieValue::Absent, []) => {}
        (CookieValue::Duplicate, [_, _, ..]) => {}
        (CookieValue::Value(value), [only]) => {
            assert_eq!(value, *only);
            assert!(is_value(only));
        }
        (CookieValue::Malformed, [only]) => assert!(!is_value(only)),
        (found, values) => panic!("{found:?} of {} cookies", values.len()),
    }
}

fn trimmed(text: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| *byte != b' ' && *byte != b'\t';
    match (
        text.iter().position(is_text),
        text.iter().rposition(is_text),
    ) {
        (Some(first), Some(last)) => &text[first..=last],
        _ => &[],
    }
}

/// RFC 6265bis §4.1.1.
fn is_value(value: &[u8]) -> bool {
    let bare = match value.len() {
        0 | 1 => value,
        _ if value.starts_with(b"\"") && value.ends_with(b"\"") => &value[1..value.len() - 1],
        _ => value,
    };
    value.len() <= MAX_COOKIE_LENGTH
        && bare
            .iter()
            .all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(byte))
}
