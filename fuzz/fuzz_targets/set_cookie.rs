//! Which cookies can be set, against what a browser makes of the line.
//!
//! The input is a byte of choices and then, each on a line, a name, a path, a domain and a value.

#![no_main]

use gatewright_core::cookie::{Cookie, CookieValue, MAX_COOKIE_LENGTH, SameSite, SetCookie};
use gatewright_core::credential::Field;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choices, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let mut texts = text.splitn(4, '\n');
    let mut next = || texts.next().unwrap_or_default();
    let (name, path, domain, value) = (next(), next(), next(), next());
    let same_site = [SameSite::Strict, SameSite::Lax, SameSite::None][usize::from(choices % 3)];
    let mut builder = Cookie::named(name, same_site).path(path);
    if !domain.is_empty() {
        builder = builder.domain(domain);
    }
    let (secure, http_only) = (choices & 4 == 0, choices & 8 == 0);
    if !secure {
        builder = builder.insecure_without_tls();
    }
    if !http_only {
        builder = builder.insecure_for_scripts();
    }
    let Ok(cookie) = builder.build() else {
        return;
    };

    let expected = Kept {
        name,
        value,
        path: Some(path),
        domain: (!domain.is_empty()).then_some(domain),
        secure,
        http_only,
    };
    assert_eq!(
        kept(&cookie.clear()),
        Some(Kept {
            value: "",
            ..expected
        })
    );
    let Ok(line) = cookie.set(value) else {
        return;
    };
    assert!(line.expose().len() <= MAX_COOKIE_LENGTH);
    assert_eq!(kept(&line), Some(expected));
    let sent = format!("a=1; {name}={value}; b=2");
    let fields = [(Field::Cookie, sent.as_bytes())];
    let found = cookie.read(&fields[..]);
    if name == "a" || name == "b" {
        assert_eq!(found, CookieValue::Duplicate);
    } else {
        assert_eq!(found, CookieValue::Value(value.as_bytes()));
    }
});

#[derive(Clone, Copy, Debug, PartialEq)]
struct Kept<'a> {
    name: &'a str,
    value: &'a str,
    path: Option<&'a str>,
    domain: Option<&'a str>,
    secure: bool,
    http_only: bool,
}

/// What a browser keeps, RFC 6265bis §5.6 and §5.7; `None` where it ignores the line.
fn kept(line: &SetCookie) -> Option<Kept<'_>> {
    let line = line.expose();
    if line.bytes().any(|byte| byte.is_ascii_control()) {
        return None;
    }
    let mut parts = line.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let mut kept = Kept {
        name: name.trim_matches([' ', '\t']),
        value: value.trim_matches([' ', '\t']),
        path: None,
        domain: None,
        secure: false,
        http_only: false,
    };
    let mut same_site = None;
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim_matches([' ', '\t']);
        if value.len() > 1024 {
            continue;
        }
        match &*key.trim_matches([' ', '\t']).to_ascii_lowercase() {
            "path" => kept.path = value.starts_with('/').then_some(value),
            "domain" => kept.domain = Some(value),
            "secure" => kept.secure = true,
            "httponly" => kept.http_only = true,
            "samesite" => same_site = Some(value),
            "max-age" => {}
            other => panic!("no attribute of ours: {other}"),
        }
    }
    let lower = kept.name.to_ascii_lowercase();
    let host = kept.path == Some("/") && kept.domain.is_none();
    let refused = kept.name.len() + kept.value.len() > 4096
        || same_site? == "None" && !kept.secure
        || lower.starts_with("__secure-") && !kept.secure
        || lower.starts_with("__host-") && !(kept.secure && host);
    (!refused).then_some(kept)
}
