//! The strict JSON of a token's claims reads what serde_json reads, and refuses repeated members.
//!
//! The input is the members of the payload after those that every token needs; its signature always holds. Each payload is read
//! twice, once with a space before it: only without one is it read by the reader for what issuers write. The input is also read as
//! a text of its own.

#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::json::{self, JsonError};
use gatewright_core::jwt::{
    Algorithm, Claims, JwtError, KeySet, ScopeClaim, TypRule, Verifier, VerifyingKey,
};
use gatewright_fuzz::{Text, without_minus_zero};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

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
    alone(data);
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

fn alone(text: &[u8]) {
    let theirs = Text::new(text);
    match json::parse(text) {
        Ok(value) => {
            assert!(theirs.is_readable() && !theirs.repeats);
            assert_eq!(value, without_minus_zero(&theirs.value.unwrap()));
        }
        Err(JsonError::Repeated) => assert!(theirs.is_readable() && theirs.repeats),
        Err(_) => assert!(!theirs.is_readable()),
    }
}

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
    let text = Text::new(payload);
    match read {
        Ok(claims) => {
            assert!(text.is_readable() && !text.repeats);
            compare(&claims, &text.value.unwrap());
        }
        Err(JwtError::Payload) => assert!(!text.is_readable()),
        Err(JwtError::DuplicateMember) => assert!(text.repeats),
        // A registered claim of a wrong type, or a time that has passed or is to come.
        Err(JwtError::MalformedClaim(_) | JwtError::NotYetValid) => {
            let theirs = text.value.expect("types are judged in what is JSON");
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
        (ScopeClaim::List(ours), Some(theirs)) => assert_eq!(&Value::from(ours.to_vec()), theirs),
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
