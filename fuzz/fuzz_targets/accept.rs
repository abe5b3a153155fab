//! Whether `Accept` names the problem form, against a tokeniser of the grammar.
//!
//! Each line of the input is one field.

#![no_main]

use gatewright_core::dialect::wants_problem;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let fields: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let mut read = 0;
    let within = fields.iter().take_while(|field| {
        read += field.len();
        read <= 4096
    });
    let expected = within
        .flat_map(|field| cut(field, b','))
        .any(|range| asks(&range));
    assert_eq!(wants_problem(fields.into_iter()), expected);
});

fn asks(range: &[u8]) -> bool {
    let mut parts = cut(range, b';').into_iter();
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    name.trim_ascii() == b"application/problem+json"
        && parts
            .map(|part| part.trim_ascii().to_ascii_lowercase())
            .filter(|part| part.starts_with(b"q="))
            .all(|part| is_weight(&part[2..]))
}

/// 0.001 to 1.000 (RFC 9110 §12.4.2).
fn is_weight(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let shape = text.len() <= 5
        && text.starts_with(['0', '1'])
        && (text.len() == 1 || text.as_bytes()[1] == b'.')
        && text.chars().skip(2).all(|c| c.is_ascii_digit());
    let value: f64 = text.parse().unwrap_or(0.0);
    shape && value > 0.0 && value <= 1.0
}

/// Cuts at a separator outside of quoted strings, by one pass over the bytes.
fn cut(text: &[u8], separator: u8) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte == separator {
            parts.push(Vec::new());
            continue;
        }
        let part = parts.last_mut().unwrap();
        part.push(*byte);
        if *byte == b'"' {
            while let Some(inner) = bytes.next() {
                part.push(*inner);
                match inner {
                    b'"' => break,
                    b'\\' => part.extend(bytes.next()),
                    _ => {}
                }
            }
        }
    }
    parts
}
