//! A stored hash that is read is canonical, is kept as it was, and asks for no more than the caps.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use gatewright_core::hash::Phc;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
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
