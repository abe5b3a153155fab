//! A token in the query is found exactly where a form decoder finds one.

#![no_main]

use gatewright_core::credential::query_has_token;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| {
    let has = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default())
        .any(|name| form_decoded(name.as_bytes()) == b"access_token");
    assert_eq!(query_has_token(query), has, "{query:?}");
});

/// As the URL standard decodes a name (§5.1): what is no escape stands for itself.
fn form_decoded(mut text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    while let [first, rest @ ..] = text {
        let digits = rest
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let escape = digits
            .filter(|digits| *first == b'%' && digits.chars().all(|c| c.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escape {
            Some(byte) => {
                decoded.push(byte);
                text = &rest[2..];
            }
            None => {
                decoded.push(if *first == b'+' { b' ' } else { *first });
                text = rest;
            }
        }
    }
    decoded
}
