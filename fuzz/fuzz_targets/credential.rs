//! Classification against a second statement of the formats, and that a good credential with anything changed in it is
//! refused or is another one.
//!
//! The first byte chooses a good credential and how many of the following pairs of bytes change it; the rest of the
//! input is classified as it is.

#![no_main]

use gatewright_core::credential::{
    Credential, Formats, ImportedAlphabet, SecretFormat, SecretKind,
};
use gatewright_core::hash::ImportedHash;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let formats = Formats::standard();
    check(&formats, data);
    check_imported(data);
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let good = match first % 4 {
        0 => with_checksum("tnx_a1b2c3d4_0123456789ABCDEFGHIJKLMNOPQ"),
        1 => with_checksum("patv1_k3v9x2m7q1z5.zyxwvutsrqponmlkjihgfedcbaZ"),
        2 => "apx_live_sk_Ab3dE6gH0123456789ABCDEFGHIJKLMN".to_owned(),
        _ => "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJpIn0.c2lnbmF0dXJl".to_owned(),
    };
    assert!(check(&formats, good.as_bytes()), "{good}");
    let mut changed = good.into_bytes();
    for (edit, value) in rest
        .iter()
        .zip(rest.iter().skip(1))
        .step_by(2)
        .take(usize::from(first / 4 % 8))
    {
        let at = usize::from(*edit) % changed.len().max(1);
        match value {
            255 if at < changed.len() => drop(changed.remove(at)),
            254 => changed.truncate(at),
            128..254 => changed.insert(at, value - 128),
            _ if at < changed.len() => changed[at] = *value,
            _ => {}
        }
    }
    check(&formats, &changed);
});

/// Keys of other systems, one shape with an id and one without a prefix, beside ours and JWTs.
fn check_imported(token: &[u8]) {
    let kind = SecretKind::ApiKey;
    let formats = Formats::builder()
        .secret(SecretFormat::separated(kind, "tnx"))
        .secret(
            SecretFormat::imported(kind, "sk_", ImportedAlphabet::Base62, 24..=40)
                .with_id_length(6),
        )
        .secret(SecretFormat::imported_catch_all(
            kind,
            ImportedAlphabet::UrlSafe,
            32..=64,
        ))
        .jwt()
        .build()
        .unwrap();
    let found = formats.classify(token).ok();
    let text = std::str::from_utf8(token).unwrap_or_default();
    let expected = if text.starts_with("tnx_") {
        return;
    } else if let Some(body) = text.strip_prefix("sk_") {
        let fits =
            (24..=40).contains(&body.len()) && body.chars().all(|c| c.is_ascii_alphanumeric());
        fits.then(|| ("sk", body[..6].to_owned()))
    } else if matches!(expected(token), Some(Expected::Jwt)) {
        assert!(matches!(found, Some(Credential::Jwt(_))));
        return;
    } else {
        let second = text.as_bytes().get(1);
        let as_jwt = text.starts_with('e')
            && second.is_some_and(|c| c.is_ascii_digit() || b"wxyz-_".contains(c))
            && text.contains('.');
        let fits = (32..=64).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c));
        (fits && !as_jwt).then(|| ("", ImportedHash::of_text(text).derived_id().unwrap()))
    };
    let found = match found {
        None => None,
        Some(Credential::Secret(secret)) => {
            assert_eq!(secret.expose(), text);
            Some((secret.brand(), secret.public_id().to_owned()))
        }
        other => panic!("{other:?} in {text}"),
    };
    assert_eq!(found, expected, "{text}");
}

/// Whether it is a credential, agreed by both.
fn check(formats: &Formats, token: &[u8]) -> bool {
    let found = formats.classify(token).ok();
    match (found, expected(token)) {
        (None, None) => false,
        (Some(Credential::Secret(secret)), Some(Expected::Secret(kind, brand, id))) => {
            assert_eq!(secret.expose().as_bytes(), token);
            assert_eq!(
                (secret.kind(), secret.brand(), secret.public_id()),
                (kind, brand, id)
            );
            let shown = format!("{secret:?}");
            assert!(!shown.contains(secret.expose()), "{shown}");
            true
        }
        (Some(Credential::Jwt(jwt)), Some(Expected::Jwt)) => {
            assert_eq!(jwt.expose().as_bytes(), token);
            assert_eq!(
                format!("{}.{}", jwt.signing_input(), jwt.signature()),
                jwt.expose()
            );
            assert_eq!(
                format!("{}.{}", jwt.header(), jwt.payload()),
                jwt.signing_input()
            );
            assert_eq!(format!("{jwt:?}"), "JwtShape(redacted)");
            true
        }
        (found, _) => panic!("{found:?} in {:?}", String::from_utf8_lossy(token)),
    }
}

enum Expected<'a> {
    Secret(SecretKind, &'static str, &'a str),
    Jwt,
}

fn expected(token: &[u8]) -> Option<Expected<'_>> {
    let text = std::str::from_utf8(token).ok()?;
    let base62 = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric());
    let lower = |text: &str| base62(text) && text == text.to_ascii_lowercase();
    for (kind, brand, separator, id_length) in [
        (SecretKind::ApiKey, "tnx", '_', 8),
        (SecretKind::Pat, "patv1", '.', 12),
    ] {
        if let Some(rest) = text
            .strip_prefix(brand)
            .and_then(|rest| rest.strip_prefix('_'))
        {
            let (id, secret) = rest.split_once(separator)?;
            let fits = id.len() == id_length && lower(id) && secret.len() == 33 && base62(secret);
            let body = text.get(..text.len().checked_sub(6)?)?;
            return (fits && with_checksum(body) == text)
                .then_some(Expected::Secret(kind, brand, id));
        }
    }
    for brand in ["apx_live_sk", "apx_test_sk"] {
        if let Some(rest) = text
            .strip_prefix(brand)
            .and_then(|rest| rest.strip_prefix('_'))
        {
            let fits = rest.len() == 32 && base62(rest);
            return fits.then(|| Expected::Secret(SecretKind::ApiKey, brand, &rest[..8]));
        }
    }
    let segment = |text: &&str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let segments: Vec<&str> = text.split('.').collect();
    // The base64url of an opening brace and some byte: 0x7B is 30 and six more bits, the first two of which are 11.
    let second = text.as_bytes().get(1)?;
    let is_jwt = text.len() <= 16_384
        && segments.len() == 3
        && segments.iter().all(segment)
        && text.starts_with('e')
        && (second.is_ascii_digit() || b"wxyz-_".contains(second));
    is_jwt.then_some(Expected::Jwt)
}

/// CRC-32 bit by bit, then base62.
fn with_checksum(body: &str) -> String {
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    let mut rest = !crc;
    let mut digits = Vec::new();
    for _ in 0..6 {
        let digit = (rest % 62) as u8;
        digits.push(char::from(match digit {
            0..10 => b'0' + digit,
            10..36 => b'A' + digit - 10,
            _ => b'a' + digit - 36,
        }));
        rest /= 62;
    }
    format!("{body}{}", digits.into_iter().rev().collect::<String>())
}
