//! The strict JSON of a token's claims reads what serde_json reads, and refuses repeated members.
//!
//! The input is the members of the payload after those that every token needs; its signature always holds. Each payload is read
//! twice, once with a space before it: only without one is it read by the reader for what issuers write.

#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::jwt::{
    Algorithm, Claims, JwtError, KeySet, ScopeClaim, TypRule, Verifier, VerifyingKey,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const SECRET: [u8; 32] = [7; 32];

static VERIFIER: LazyLock<(Verifier, KeySet)> = LazyLock::new(|| {
    let verifier = Verifier::builder("i", "a")
        .algorithms([Algorithm::Hs256])
        .typ(TypRule::Any)
        .build()
        .unwrap();
    let key = VerifyingKey::hmac(None, &SECRET).unwrap();
    (verifier, KeySet::from_keys([key]).unwrap())
});

fuzz_target!(|data: &[u8]| {
    let payload = [br#"{"iss":"i","aud":"a","exp":9000,"#, data, b"}"].concat();
    let Some(read) = verified(&payload) else {
        return;
    };
    let Some(read_by_serde) = verified(&[b" ", &*payload].concat()) else {
        return;
    };
    assert_eq!(read.as_ref().err(), read_by_serde.as_ref().err());
    judge(&payload, read);
    judge(&payload, read_by_serde);
});

/// `None` for a payload that is too long.
fn verified(payload: &[u8]) -> Option<Result<Claims, JwtError>> {
    let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(payload));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    let token = format!("{signed}.{signature}");
    let (verifier, keys) = &*VERIFIER;
    (token.len() <= 16 * 1024).then(|| verifier.verify(&token, keys, 1))
}

fn judge(payload: &[u8], read: Result<Claims, JwtError>) {
    let theirs = serde_json::from_slice::<Value>(payload).ok();
    let (members, depth) = shape(payload);
    match read {
        Ok(claims) => {
            let theirs = theirs.expect("serde_json reads what was accepted");
            assert_eq!(count(&theirs), members, "no member was repeated");
            assert!(depth <= 32);
            compare(&claims, &theirs);
        }
        Err(JwtError::Payload) => {
            assert!(theirs.is_none_or(|theirs| depth > 32 || is_reserved(&theirs)));
        }
        Err(JwtError::DuplicateMember) => {
            let theirs = theirs.expect("a repetition is found in what is JSON");
            assert!(count(&theirs) < members);
        }
        // A registered claim of a wrong type, or a time that has passed or is to come.
        Err(JwtError::MalformedClaim(_) | JwtError::NotYetValid) => {
            let theirs = theirs.expect("types are judged in what is JSON");
            let names = ["sub", "nbf", "iat", "jti", "client_id", "sid"];
            assert!(names.iter().any(|name| theirs.get(name).is_some()));
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn compare(claims: &Claims, theirs: &Value) {
    let text = |name: &str| theirs.get(name).and_then(Value::as_str);
    let time = |name: &str| {
        theirs
            .get(name)
            .and_then(Value::as_f64)
            .map(|time| time as u64)
    };
    assert_eq!(claims.subject(), text("sub"));
    assert_eq!(claims.jti(), text("jti"));
    assert_eq!(claims.client_id(), text("client_id"));
    assert_eq!(claims.session_id(), text("sid"));
    assert_eq!(claims.issued_at(), time("iat"));
    assert_eq!(claims.not_before(), time("nbf"));
    match (claims.scope(), theirs.get("scope")) {
        (ScopeClaim::Absent, None) => {}
        (ScopeClaim::Text(ours), Some(Value::String(theirs))) => assert_eq!(ours, theirs),
        (ScopeClaim::List(ours), Some(theirs)) => assert_eq!(&json!(ours), theirs),
        (ScopeClaim::Malformed, Some(Value::Array(items))) => {
            assert!(items.iter().any(|item| !item.is_string()));
        }
        (ScopeClaim::Malformed, Some(theirs)) => assert!(!theirs.is_string()),
        (ours, theirs) => panic!("{ours:?} {theirs:?}"),
    }
    let known = [
        "iss",
        "aud",
        "exp",
        "sub",
        "jti",
        "client_id",
        "sid",
        "iat",
        "nbf",
        "scope",
    ];
    for (name, value) in theirs.as_object().unwrap() {
        let expected = (!known.contains(&name.as_str())).then(|| without_minus_zero(value));
        assert_eq!(claims.other(name), expected.as_ref(), "{name}");
    }
}

/// Minus zero is an integer or a float by the features of serde_json, and 0 here.
fn without_minus_zero(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.as_f64() == Some(0.0) => json!(0),
        Value::Array(items) => items.iter().map(without_minus_zero).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), without_minus_zero(value)))
            .collect(),
        other => other.clone(),
    }
}

/// The members of all objects, each name once.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.len() + members.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Of a JSON text: the colons outside of strings, one for each member, and the deepest nesting.
fn shape(text: &[u8]) -> (usize, usize) {
    let (mut members, mut depth, mut deepest) = (0, 0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b':' => members += 1,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    (members, deepest)
}

/// Whether a private name of serde_json is in it, which is refused wherever it stands.
fn is_reserved(value: &Value) -> bool {
    let is_private = |text: &str| text.contains("$serde_json::private::");
    match value {
        Value::String(text) => is_private(text),
        Value::Array(items) => items.iter().any(is_reserved),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| is_private(name) || is_reserved(value)),
        _ => false,
    }
}
