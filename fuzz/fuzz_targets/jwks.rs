//! Of a JWK Set every member is kept or skipped, what is kept is written as the same key, and no member takes a good one along.

#![no_main]

use gatewright_core::jwt::{Algorithm, KeySet, KeySetError, VerifyingKey};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let theirs = serde_json::from_slice::<Value>(data).ok();
    let members = theirs.as_ref().and_then(|set| set.get("keys")?.as_array());
    let (keys, skipped) = match KeySet::from_jwks(data) {
        Ok(read) => read,
        Err(KeySetError::TooManyKeys) => {
            // With `keys` twice, serde_json shows the last one only, and the set is refused before it is counted.
            assert!(members.is_some_and(|members| members.len() > 100));
            return;
        }
        Err(_) => return,
    };
    let members = members.expect("serde_json reads what was accepted");
    assert_eq!(keys.len() + skipped.len(), members.len());

    let mut places = skipped.iter().map(|key| key.index());
    assert!(places.clone().is_sorted_by(|one, next| one < next));
    assert!(places.all(|place| place < members.len()));
    let mut kept = (0..members.len())
        .filter(|place| skipped.iter().all(|key| key.index() != *place))
        .map(|place| &members[place]);

    for key in keys.iter() {
        let member = kept.next().expect("as many as there are keys");
        assert_eq!(key.kid(), member.get("kid").and_then(Value::as_str));
        assert!(!key.algorithm().is_symmetric());
        assert!(member.get("d").is_none(), "private");
        assert!(member.get("use").is_none_or(|purpose| purpose == "sig"));
        let verifies = |names: &Value| names.as_array().unwrap().contains(&"verify".into());
        assert!(member.get("key_ops").is_none_or(verifies));
        if let Some(declared) = member.get("alg") {
            let declared = declared.as_str().map(str::parse);
            assert_eq!(declared, Some(Ok(key.algorithm())));
        }
        if key.kid().is_some() {
            let found = keys.find(key.kid(), key.algorithm()).unwrap();
            assert!(std::ptr::eq(found, key), "one name, one key");
        }

        let written = key.public_jwk().expect("a public key");
        let again = VerifyingKey::from_jwk(written.to_string()).expect("what is written is read");
        assert!(key.thumbprint().is_some());
        assert_eq!(again.thumbprint(), key.thumbprint());
        assert_eq!(
            (again.kid(), again.algorithm()),
            (key.kid(), key.algorithm())
        );
        assert_eq!(again.public_jwk().as_ref(), Some(&written));
        assert_eq!(written["kty"], member["kty"]);
        assert!(!key.verify(b"message", b"signature"));
    }
    beside_a_good_one(members);
});

fn beside_a_good_one(members: &[Value]) {
    // The key of RFC 8037 appendix A.2.
    let good = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "good",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    if members.len() == 100 || members.iter().any(|member| member["kid"] == "good") {
        return;
    }
    let members = [members, &[good]].concat();
    let set = json!({"keys": members}).to_string();
    let (keys, _) = KeySet::from_jwks(set.as_bytes()).expect("one more");
    assert!(keys.find(Some("good"), Algorithm::EdDsa).is_some());
}
