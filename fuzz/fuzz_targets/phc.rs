//! A stored hash that is read is canonical, is kept as it was, is of one scheme, and asks for no more than the caps; one
//! that another system made is read as any decoder reads it.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use gatewright_core::hash::{ImportedHash, Phc, SecretHash};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    check_schemes(text);
    check_import(text);
    let parsed = text.parse::<Phc>();
    let Ok(phc) = parsed else {
        assert!(written_again(text).as_deref() != Some(text), "{text}");
        return;
    };
    assert_eq!(phc.as_str(), text);
    let settings = phc.settings();
    assert!(settings.memory_kib() <= 128 * 1024 && settings.passes() <= 10);
    assert!((1..=4).contains(&settings.lanes()) && settings.memory_kib() >= 8 * settings.lanes());
    assert_eq!(written_again(text).as_deref(), Some(text));
    let shown = format!("{phc:?}");
    assert!(text.split('$').skip(4).all(|field| !shown.contains(field)));
});

/// A text is argon2id, or what was stored for a SHA-256, or nothing.
fn check_schemes(text: &str) {
    let sha256 = text.strip_prefix("$sha256$").is_some_and(|hex| {
        hex.len() == 64 && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    });
    match text.parse::<SecretHash>() {
        Ok(stored) => {
            assert_eq!(stored.as_str(), text);
            assert_eq!(stored.is_imported(), sha256);
            assert_eq!(!stored.is_imported(), text.parse::<Phc>().is_ok());
        }
        Err(_) => assert!(!sha256 && text.parse::<Phc>().is_err(), "{text}"),
    }
}

/// SHA-256 in hex or in any of four sorts of base64.
fn check_import(text: &str) {
    let from_hex = || -> Option<Vec<u8>> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|c| c.to_digit(16).map(|digit| digit as u8))
            .collect();
        Some(
            digits?
                .chunks(2)
                .map(|pair| pair[0] << 4 | pair[1])
                .collect(),
        )
    };
    let expected = match text.len() {
        64 => from_hex(),
        43 | 44 => [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
            .iter()
            .find_map(|engine| engine.decode(text).ok()),
        _ => None,
    };
    let expected = expected.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let imported = ImportedHash::sha256(text).ok();
    assert_eq!(
        imported.as_ref().map(ImportedHash::as_str),
        expected
            .map(ImportedHash::sha256_digest)
            .as_ref()
            .map(ImportedHash::as_str),
    );
}

/// The text taken apart and written from its values, if they are within the caps.
fn written_again(text: &str) -> Option<String> {
    let mut fields = text.strip_prefix("$argon2id$v=19$m=")?.split('$');
    let (numbers, salt, output) = (fields.next()?, fields.next()?, fields.next()?);
    let (m, rest) = numbers.split_once(",t=")?;
    let (t, p) = rest.split_once(",p=")?;
    let (m, t, p): (u32, u32, u32) = (m.parse().ok()?, t.parse().ok()?, p.parse().ok()?);
    let salt = STANDARD_NO_PAD.decode(salt).ok()?;
    let output = STANDARD_NO_PAD.decode(output).ok()?;
    let fits = (1..=4).contains(&p)
        && (8 * p..=131_072).contains(&m)
        && (1..=10).contains(&t)
        && (8..=64).contains(&salt.len())
        && (16..=64).contains(&output.len());
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    fits.then(|| format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${output}"))
}
