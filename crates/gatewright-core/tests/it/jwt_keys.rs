//! Which keys are taken, and which are left out of a set.

use std::sync::Arc;

use gatewright_core::jwt::{
    Algorithm, KeyError, KeySet, KeySetError, LiveKeys, SignError, SigningKey, Verifier,
    VerifyingKey,
};
use serde_json::{Value, json};

use crate::jwt_forge::{b64, unb64};

const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn ed(more: Value) -> Value {
    let mut jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": ED});
    for (name, value) in more.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

fn read(jwk: &Value) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::from_jwk(jwk.to_string())
}

fn public(algorithm: Algorithm) -> Value {
    SigningKey::generate(algorithm)
        .unwrap()
        .public_jwk()
        .unwrap()
}

#[test]
fn what_a_jwk_must_be() {
    let rsa = public(Algorithm::Rs256);
    let ec = public(Algorithm::Es256);
    let with = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    let mut even = unb64(rsa["n"].as_str().unwrap());
    *even.last_mut().unwrap() &= 0xfe;
    let off_curve = {
        let mut y = unb64(ec["y"].as_str().unwrap());
        y[31] ^= 1;
        b64(y)
    };
    let table = [
        (
            "RFC 7518 §3.3: RSA ≥ 2048 bits",
            with(&rsa, "n", json!(b64([0xff; 255]))),
            KeyError::TooSmall,
        ),
        (
            "leading zeros don't count",
            with(
                &rsa,
                "n",
                json!(b64([[0; 64].as_slice(), &[0xff; 255]].concat())),
            ),
            KeyError::TooSmall,
        ),
        (
            "RSA ≤ 8192 bits",
            with(&rsa, "n", json!(b64([0xff; 1025]))),
            KeyError::TooLarge,
        ),
        (
            "an even modulus",
            with(&rsa, "n", json!(b64(even))),
            KeyError::Invalid,
        ),
        (
            "an exponent of 1",
            with(&rsa, "e", json!("AQ")),
            KeyError::Invalid,
        ),
        (
            "an even exponent",
            with(&rsa, "e", json!("AQAA")),
            KeyError::Invalid,
        ),
        (
            "an exponent of 0",
            with(&rsa, "e", json!("AA")),
            KeyError::Invalid,
        ),
        (
            "no modulus",
            json!({"kty": "RSA", "e": "AQAB"}),
            KeyError::Json,
        ),
        (
            "padding",
            with(&rsa, "e", json!("AQAB====")),
            KeyError::Json,
        ),
        (
            "RFC 8725 §3.4: a point off the curve",
            with(&ec, "y", json!(off_curve)),
            KeyError::Invalid,
        ),
        (
            "RFC 7518 §6.2.1.2: short coordinates",
            with(&ec, "x", json!(b64([1; 31]))),
            KeyError::Invalid,
        ),
        (
            "a curve that is not supported",
            with(&ec, "crv", json!("secp256k1")),
            KeyError::Unsupported,
        ),
        (
            "another kind of OKP",
            ed(json!({"crv": "X25519"})),
            KeyError::Unsupported,
        ),
        (
            "a short Ed25519 key",
            ed(json!({"x": b64([1; 31])})),
            KeyError::Invalid,
        ),
        (
            "RFC 7517 §5: an unknown `kty`",
            json!({"kty": "AKP", "alg": "ML-DSA-44"}),
            KeyError::Unsupported,
        ),
        (
            "no `kty`",
            json!({"crv": "Ed25519", "x": ED}),
            KeyError::Json,
        ),
        (
            "a shared secret",
            json!({"kty": "oct", "k": b64([1; 32])}),
            KeyError::Symmetric,
        ),
        ("a private key", ed(json!({"d": ED})), KeyError::Private),
        (
            "RFC 7517 §4.2: `use`",
            ed(json!({"use": "enc"})),
            KeyError::Use,
        ),
        (
            "`use` is a string",
            ed(json!({"use": ["sig"]})),
            KeyError::Json,
        ),
        (
            "RFC 7517 §4.3: `key_ops`",
            ed(json!({"key_ops": ["sign"]})),
            KeyError::Operations,
        ),
        (
            "`key_ops` for nothing",
            ed(json!({"key_ops": []})),
            KeyError::Operations,
        ),
        (
            "more `key_ops` than there can be: comparing them all would take too long",
            ed(
                json!({"key_ops": (0..17).map(|n| if n == 0 { "verify".to_owned() } else { n.to_string() }).collect::<Vec<_>>()}),
            ),
            KeyError::Operations,
        ),
        (
            "RFC 7517 §4.3: `key_ops` once each",
            ed(json!({"key_ops": ["verify", "verify"]})),
            KeyError::Operations,
        ),
        (
            "`key_ops` is a list",
            ed(json!({"key_ops": "verify"})),
            KeyError::Json,
        ),
        (
            "RFC 7517 §4.4: `alg` of another kind",
            ed(json!({"alg": "ES256"})),
            KeyError::Algorithm,
        ),
        (
            "a curve of another `alg`",
            with(&ec, "alg", json!("ES384")),
            KeyError::Algorithm,
        ),
        (
            "RSA for encryption",
            with(&rsa, "alg", json!("RSA-OAEP-256")),
            KeyError::Algorithm,
        ),
        ("`alg` is a string", ed(json!({"alg": 1})), KeyError::Json),
        (
            "RFC 7517 §4.5: `kid` is a string",
            ed(json!({"kid": 1})),
            KeyError::Json,
        ),
        ("not an object", json!([]), KeyError::Json),
    ];
    for (rule, jwk, error) in table {
        assert_eq!(read(&jwk).unwrap_err(), error, "{rule}");
    }
    assert_eq!(
        VerifyingKey::from_jwk(format!(
            r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED}","\u0078":"{ED}"}}"#
        ))
        .unwrap_err(),
        KeyError::DuplicateMember
    );
    for good in [
        ed(json!({"use": "sig", "key_ops": ["verify", "sign"], "alg": "EdDSA"})),
        ed(json!({"alg": "Ed25519"})),
        with(
            &rsa,
            "n",
            json!(b64(
                [&[0], unb64(rsa["n"].as_str().unwrap()).as_slice()].concat()
            )),
        ),
        with(&rsa, "alg", json!("PS384")),
    ] {
        assert!(read(&good).is_ok(), "{good}");
    }
}

#[test]
fn the_caller_may_name_the_algorithm_a_jwk_leaves_open() {
    let mut jwk = public(Algorithm::Rs256);
    let for_ps256 = |jwk: &Value| {
        VerifyingKey::from_jwk_for(Algorithm::Ps256, jwk.to_string()).map(|key| key.algorithm())
    };
    assert_eq!(for_ps256(&jwk), Err(KeyError::Algorithm));
    jwk.as_object_mut().unwrap().remove("alg");
    assert_eq!(for_ps256(&jwk), Ok(Algorithm::Ps256));
    assert_eq!(read(&jwk).unwrap().algorithm(), Algorithm::Rs256);
    assert_eq!(
        VerifyingKey::from_jwk_for(Algorithm::Es256, jwk.to_string()).unwrap_err(),
        KeyError::Algorithm
    );
}

#[test]
fn hmac_secrets_are_long_and_never_shown() {
    assert_eq!(
        VerifyingKey::hmac(None, &[1; 31]).unwrap_err(),
        KeyError::TooSmall
    );
    assert_eq!(
        SigningKey::hmac("k", &[1; 31]).unwrap_err(),
        KeyError::TooSmall
    );
    let secret = b"very secret, and of thirty-two b";
    let key = SigningKey::hmac("k", secret).unwrap();
    assert_eq!(
        (key.public_jwk(), key.verifying_key().thumbprint()),
        (None, None)
    );
    assert_eq!(key.to_pkcs8_der().unwrap_err(), KeyError::Symmetric);
    assert_eq!(
        SigningKey::generate(Algorithm::Hs256).unwrap_err(),
        KeyError::Symmetric
    );
    let shown = format!("{key:?} {:?}", key.verifying_key());
    assert_eq!(
        shown,
        r#"SigningKey { kid: "k", algorithm: Hs256, .. } VerifyingKey { kid: Some("k"), algorithm: Hs256, .. }"#
    );
}

#[test]
fn private_keys_survive_pkcs8() {
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ] {
        let key = SigningKey::generate(algorithm).unwrap();
        let der = key.to_pkcs8_der().unwrap();
        let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", der.to_vec()));
        let again = SigningKey::from_pkcs8_pem(algorithm, &pem).unwrap();
        assert_eq!(again.kid(), key.kid(), "{algorithm}");
        let token = again.sign("at+jwt", &json!({"a": 1})).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert!(
            key.verifying_key()
                .verify(signed.as_bytes(), &unb64(signature)),
            "{algorithm}"
        );
        let other = if algorithm == Algorithm::EdDsa {
            Algorithm::Es256
        } else {
            Algorithm::EdDsa
        };
        assert_eq!(
            SigningKey::from_pkcs8_der(other, &der).unwrap_err(),
            KeyError::Encoding
        );
        let mislabelled = pem::encode(&pem::Pem::new("EC PRIVATE KEY", der.to_vec()));
        assert_eq!(
            SigningKey::from_pkcs8_pem(algorithm, &mislabelled).unwrap_err(),
            KeyError::Encoding
        );
        let shown = format!(
            "SigningKey {{ kid: {:?}, algorithm: {algorithm:?}, .. }}",
            key.kid()
        );
        assert_eq!(format!("{key:?}"), shown);
    }
    let p384 = SigningKey::generate(Algorithm::Es384)
        .unwrap()
        .to_pkcs8_der()
        .unwrap();
    assert_eq!(
        SigningKey::from_pkcs8_der(Algorithm::Es256, &p384).unwrap_err(),
        KeyError::Encoding
    );
}

#[test]
fn public_keys_come_in_pem_too() {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING};
    use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};

    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ] {
        let key = SigningKey::generate(algorithm).unwrap();
        let private = key.to_pkcs8_der().unwrap();
        let spki = match algorithm {
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(&private)
                .unwrap()
                .public_key()
                .as_der()
                .unwrap(),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private)
                    .unwrap()
                    .public_key()
                    .as_der()
                    .unwrap()
            }
            Algorithm::Es384 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &private)
                    .unwrap()
                    .public_key()
                    .as_der()
                    .unwrap()
            }
            _ => Ed25519KeyPair::from_pkcs8(&private)
                .unwrap()
                .public_key()
                .as_der()
                .unwrap(),
        };
        let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", spki.as_ref()));
        let read = VerifyingKey::from_spki_pem(algorithm, Some("k"), &pem).unwrap();
        assert_eq!(read.thumbprint().as_deref(), Some(key.kid()), "{algorithm}");
        assert_eq!(read.kid(), Some("k"));
        let other = if algorithm == Algorithm::Es256 {
            Algorithm::Es384
        } else {
            Algorithm::Es256
        };
        assert_eq!(
            VerifyingKey::from_spki_pem(other, None, &pem).unwrap_err(),
            KeyError::Encoding
        );
        // RFC 8725 §2.1: never as a secret.
        assert_eq!(
            VerifyingKey::from_spki_pem(Algorithm::Hs256, None, &pem).unwrap_err(),
            KeyError::Symmetric
        );
    }
    assert_eq!(
        VerifyingKey::from_spki_pem(Algorithm::Rs256, None, "").unwrap_err(),
        KeyError::Encoding
    );
}

#[test]
fn one_bad_key_does_not_lose_the_set() {
    let set = format!(
        r#"{{"keys":[7,{{"kty":"AKP"}},{{"kty":"OKP","crv":"Ed25519","x":"{ED}","x":"{ED}","kid":"d"}},
            {{"kty":"oct","k":"AAAA","kid":"o"}},{{"kty":"OKP","crv":"Ed25519","x":"{ED}","kid":"good","alg":"Ed25519"}}],
            "issuer":"members of the set itself are ignored"}}"#
    );
    let (keys, skipped) = KeySet::from_jwks(set.as_bytes()).unwrap();
    assert_eq!(keys.len(), 1);
    assert!(keys.find(Some("good"), Algorithm::EdDsa).is_some());
    assert!(keys.find(Some("good"), Algorithm::Es256).is_none());
    assert!(keys.find(None, Algorithm::EdDsa).is_some());
    let reasons: Vec<_> = skipped
        .iter()
        .map(|key| (key.index(), key.kid(), key.reason()))
        .collect();
    assert_eq!(
        reasons,
        [
            (0, None, KeyError::Json),
            (1, None, KeyError::Unsupported),
            (2, Some("d"), KeyError::DuplicateMember),
            (3, Some("o"), KeyError::Symmetric),
        ]
    );
}

#[test]
fn a_kid_that_names_two_keys_names_none() {
    let [a, b, c] = [(); 3].map(|()| public(Algorithm::Es256));
    let named = |jwk: &Value, kid: &str| {
        let mut jwk = jwk.clone();
        jwk["kid"] = json!(kid);
        jwk
    };
    let unusable = json!({"kty": "AKP", "kid": "2"});
    let set = json!({"keys": [named(&a, "1"), named(&b, "1"), named(&c, "2"), unusable]});
    let (keys, skipped) = KeySet::from_jwks(set.to_string().as_bytes()).unwrap();
    assert!(keys.find(Some("1"), Algorithm::Es256).is_none());
    assert!(keys.find(Some("2"), Algorithm::Es256).is_some());
    let reasons: Vec<_> = skipped
        .iter()
        .map(|key| (key.index(), key.reason()))
        .collect();
    assert_eq!(
        reasons,
        [
            (0, KeyError::DuplicateKid),
            (1, KeyError::DuplicateKid),
            (3, KeyError::Unsupported)
        ]
    );
    let same = [named(&a, "1"), named(&b, "1")].map(|jwk| read(&jwk).unwrap());
    assert_eq!(
        KeySet::from_keys(same).unwrap_err(),
        KeySetError::DuplicateKid
    );
}

#[test]
fn sets_are_bounded_and_well_formed() {
    let of = |count: usize| json!({"keys": vec![ed(json!({})); count]}).to_string();
    assert_eq!(KeySet::from_jwks(of(100).as_bytes()).unwrap().0.len(), 100);
    assert_eq!(
        KeySet::from_jwks(of(101).as_bytes()).unwrap_err(),
        KeySetError::TooManyKeys
    );
    let blank = format!("{}{}", of(1), " ".repeat(256 * 1024));
    assert_eq!(
        KeySet::from_jwks(blank.as_bytes()).unwrap_err(),
        KeySetError::TooLarge
    );
    for text in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[]} x"#,
    ] {
        assert_eq!(
            KeySet::from_jwks(text.as_bytes()).unwrap_err(),
            KeySetError::Json,
            "{text}"
        );
    }
    assert!(KeySet::from_jwks(br#"{"keys":[]}"#).unwrap().0.is_empty());
}

#[test]
fn only_claims_that_could_be_read_are_signed() {
    struct Twice;
    impl serde::Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("sub", "a"), ("sub", "b")])
        }
    }
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    assert_eq!(key.sign("at+jwt", &Twice), Err(SignError::Claims));
    assert_eq!(key.sign("at+jwt", &[1]), Err(SignError::Claims));
    assert_eq!(key.sign("at+jwt", "text"), Err(SignError::Claims));
    assert!(key.sign("at+jwt", &json!({})).is_ok());
}

#[test]
fn no_token_is_signed_that_is_too_long_to_be_read() {
    let key = SigningKey::hmac("k", &[3; 32]).unwrap();
    let keys = KeySet::from_keys([key.verifying_key()]).unwrap();
    let verifier = Verifier::builder("i", "a")
        .algorithms([Algorithm::Hs256])
        .build()
        .unwrap();
    let claims = |pad: usize| json!({"iss": "i", "aud": "a", "exp": 9, "pad": "x".repeat(pad)});
    let longest = (12_000..12_300)
        .filter_map(|pad| key.sign("at+jwt", &claims(pad)).ok())
        .max_by_key(String::len)
        .unwrap();
    assert!((16 * 1024 - 4..=16 * 1024).contains(&longest.len()));
    assert!(verifier.verify(&longest, &keys, 1).is_ok());
    assert_eq!(key.sign("at+jwt", &claims(12_300)), Err(SignError::TooLong));
}

#[test]
fn a_new_generation_comes_with_the_new_keys() {
    let live = LiveKeys::new(KeySet::default());
    let (before, keys) = live.snapshot();
    assert!(keys.is_empty());
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    live.replace(KeySet::from_keys([key.verifying_key()]).unwrap());
    assert_eq!(live.load().len(), 1);
    assert!(live.generation() > before);

    // Whoever sees generation n sees the keys of replacement n.
    const REPLACEMENTS: u64 = 20_000;
    let named = |n: u64| {
        let key = VerifyingKey::hmac(Some(&n.to_string()), &[1; 32]).unwrap();
        KeySet::from_keys([key]).unwrap()
    };
    let live = Arc::new(LiveKeys::new(named(0)));
    let writer = Arc::clone(&live);
    let thread =
        std::thread::spawn(move || (1..=REPLACEMENTS).for_each(|n| writer.replace(named(n))));
    loop {
        let (generation, keys) = live.snapshot();
        let replacement: u64 = keys.iter().next().unwrap().kid().unwrap().parse().unwrap();
        assert_eq!(replacement, generation);
        assert!(live.generation() + 1 >= generation);
        if generation == REPLACEMENTS {
            break;
        }
    }
    thread.join().unwrap();
    assert_eq!(live.generation(), REPLACEMENTS);
}
