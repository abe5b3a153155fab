//! Which token a request presents, against a plain reading of the rules.
//!
//! Each line of the input is a field: `X-API-Key` if it begins with `k`, else `Authorization`.

#![no_main]

use gatewright_core::credential::{Field, MAX_JWT_LENGTH, Presented, Source, presented};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let fields: Vec<(Field, &[u8])> = data
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let (kind, value) = line.split_first()?;
            let is_key = *kind == b'k';
            let field = if is_key {
                Field::ApiKey
            } else {
                Field::Authorization
            };
            Some((field, value))
        })
        .collect();
    for read_api_key in [false, true] {
        let found = presented(&fields[..], read_api_key);
        let expected = expected(&fields, read_api_key);
        match (found, expected) {
            (Presented::Nothing, Expected::Nothing)
            | (Presented::Foreign, Expected::Foreign)
            | (Presented::Ambiguous, Expected::Ambiguous) => {}
            (Presented::Malformed(found), Expected::Malformed(source)) if found == source => {}
            (
                Presented::Token {
                    source: found,
                    bytes,
                },
                Expected::Token(source, token),
            ) if found == source && bytes == token => {}
            (found, expected) => panic!("{found:?} where {expected:?}"),
        }
    }
});

#[derive(Debug)]
enum Expected<'a> {
    Nothing,
    Foreign,
    Malformed(Source),
    Ambiguous,
    Token(Source, &'a [u8]),
}

fn expected<'a>(fields: &[(Field, &'a [u8])], read_api_key: bool) -> Expected<'a> {
    let of = |wanted: Field| {
        let lines = fields.iter().filter(move |(field, _)| *field == wanted);
        lines.map(|(_, line)| trimmed(line)).collect::<Vec<&[u8]>>()
    };
    match of(Field::ApiKey)[..] {
        [] => {}
        _ if !read_api_key => {}
        [only] if is_token68(only) => return Expected::Token(Source::ApiKey, only),
        [_] => return Expected::Malformed(Source::ApiKey),
        _ => return Expected::Ambiguous,
    }
    let lines = of(Field::Authorization);
    let readings: Vec<Expected<'a>> = lines.iter().map(|line| authorization(line)).collect();
    if let Some(good) = readings
        .iter()
        .position(|r| matches!(r, Expected::Token(..)))
    {
        return readings.into_iter().nth(good).unwrap();
    }
    if readings.iter().any(|r| matches!(r, Expected::Malformed(_))) {
        return Expected::Malformed(Source::Authorization);
    }
    if readings.is_empty() {
        Expected::Nothing
    } else {
        Expected::Foreign
    }
}

fn authorization(line: &[u8]) -> Expected<'_> {
    let end = line
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)))
        .unwrap_or(line.len());
    let (scheme, rest) = line.split_at(end);
    if scheme.is_empty() {
        return Expected::Malformed(Source::Authorization);
    }
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Expected::Foreign;
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let token = &rest[spaces..];
    if spaces > 0 && is_token68(token) {
        Expected::Token(Source::Authorization, token)
    } else {
        Expected::Malformed(Source::Authorization)
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

fn is_token68(text: &[u8]) -> bool {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &text[..text.len() - padding];
    !body.is_empty()
        && text.len() <= MAX_JWT_LENGTH
        && body
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}
