//! Whatever text an error is rendered with, its fields are one line each, its challenge reads as what went in, and its
//! body is JSON that says the code.
//!
//! The first two bytes choose the cause and the dialect; the lines that follow are the realm, the message, the metadata
//! URL, a field's value, and the names of required scopes.

#![no_main]

use gatewright_core::dialect::{Dialect, RenderContext, RpcId, render};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: (u8, u8, u64, &str)| {
    let (cause, form, missing, text) = input;
    let cause = Cause::ALL[usize::from(cause) % Cause::ALL.len()];
    let dialects = [
        Dialect::Canonical,
        Dialect::Detail,
        Dialect::Problem,
        Dialect::OAuth,
        Dialect::JsonRpc,
    ];
    let dialect = dialects[usize::from(form) % dialects.len()];
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (realm, message, url, value) = (line(), line(), line(), line());
    let required: Vec<&str> = lines.collect();

    let mut error = AuthError::from(cause)
        .with_missing(missing)
        .with_field("x-more", value);
    if !message.is_empty() {
        error = error.with_message(message.to_owned());
    }
    let context = RenderContext::new(dialect)
        .with_realm(realm)
        .with_resource_metadata(url)
        .with_required(&required)
        .with_rpc_id(RpcId::Text(message));
    let answer = render(&error, &context);

    let mut names: Vec<&str> = answer.fields.iter().map(|(name, _)| *name).collect();
    for (name, value) in &answer.fields {
        assert!(
            value
                .bytes()
                .all(|byte| matches!(byte, b'\t' | b' '..=b'~')),
            "{name}"
        );
        assert_eq!(value.trim_ascii(), value, "{name}");
    }
    names.sort_unstable();
    assert!(names.is_sorted_by(|one, next| one < next), "each once");
    let field = |wanted: &str| {
        let found = answer.fields.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(field("cache-control"), Some("no-store"));
    assert_eq!(
        field("retry-after").is_some(),
        matches!(answer.status, 429 | 503)
    );
    assert!(field("www-authenticate").is_some() || answer.status != 401);

    if let Some(challenge) = field("www-authenticate") {
        let (scheme, parameters) = parse(challenge).expect(challenge);
        let get = |wanted: &str| {
            let mut found = parameters.iter().filter(|(name, _)| name == wanted);
            let value = found.next().map(|(_, value)| value.as_str());
            assert!(found.next().is_none(), "each once");
            value
        };
        let visible: String = realm
            .chars()
            .map(|c| match c {
                ' '..='~' => c,
                _ if c.is_whitespace() || c.is_control() => ' ',
                _ => '?',
            })
            .collect();
        assert_eq!(get("realm"), Some(&*visible));
        let is_token = |text: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
        };
        if scheme == "Bearer" {
            let url = Some(url).filter(|url| is_token(url));
            assert_eq!(get("resource_metadata"), url);
            let wanted = required.iter().take(64).enumerate();
            let mut scopes: Vec<&str> = wanted
                .filter(|(bit, name)| missing & (1 << bit) != 0 && is_token(name))
                .map(|(_, name)| *name)
                .collect();
            scopes.sort_unstable();
            scopes.dedup();
            let mut told: Vec<&str> =
                get("scope").map_or(Vec::new(), |list| list.split(' ').collect());
            told.sort_unstable();
            assert_eq!(told, scopes);
            let description = get("error_description");
            assert_eq!(description.is_some(), get("error").is_some());
            assert!(description.is_none_or(|text| !text.contains(['"', '\\'])));
        } else {
            assert_eq!((scheme, parameters.len()), ("Basic", 1));
        }
    }

    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let code = match dialect {
        Dialect::Canonical => &body["error"]["code"],
        Dialect::Detail | Dialect::Problem => &body["code"],
        Dialect::JsonRpc => &body["error"]["data"]["code"],
        _ => &body["error"],
    };
    if dialect != Dialect::OAuth {
        assert_eq!(code, cause.code().as_str());
        assert_eq!(code.as_str().unwrap().parse(), Ok(cause.code()));
    }
    assert!(code.is_string() && ErrorCode::ALL.contains(&cause.code()));
    if dialect == Dialect::Detail && !message.is_empty() {
        assert_eq!(body["detail"], message);
    }
});

/// `scheme 1*SP name="quoted" *( ", " name="quoted" )`, unescaped (RFC 9110 §11.3, §5.6.4).
fn parse(challenge: &str) -> Option<(&str, Vec<(String, String)>)> {
    let (scheme, rest) = challenge.split_once(' ')?;
    let mut parameters = Vec::new();
    let mut chars = rest.chars().peekable();
    loop {
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=') {
            name.push(c);
        }
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if !is_name || chars.next() != Some('=') || chars.next() != Some('"') {
            return None;
        }
        let mut value = String::new();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => value.push(chars.next()?),
                c => value.push(c),
            }
        }
        parameters.push((name, value));
        match (chars.next(), chars.next()) {
            (None, _) => return Some((scheme, parameters)),
            (Some(','), Some(' ')) => {}
            _ => return None,
        }
    }
}
