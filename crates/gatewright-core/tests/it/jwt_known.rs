//! Known answers from outside, and agreement with other implementations.

use gatewright_core::jwt::{
    AccessTokenClaims, Algorithm, KeyError, KeySet, SigningKey, TypRule, Verifier, VerifyingKey,
};
use serde_json::{Value, json};

use crate::jwt_forge::{AUDIENCE, ISSUER, unb64};
use crate::jwt_pyjwt;

/// RFC 7638 §3.1, and the second key of RFC 7517 §A.1.
const RFC_7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

/// The payload of RFC 7515 §A.1, §A.2 and §A.3.
const RFC_7515_PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn holds(key: &VerifyingKey, header: &str, payload: &str, signature: &str) -> bool {
    key.verify(format!("{header}.{payload}").as_bytes(), &unb64(signature))
}

#[test]
fn rfc_7515_a_1_hs256() {
    let secret = unb64(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    );
    let key = VerifyingKey::hmac(None, &secret).unwrap();
    let header = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9";
    assert!(holds(
        &key,
        header,
        RFC_7515_PAYLOAD,
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    ));
    assert!(!holds(
        &key,
        header,
        "e30",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    ));
}

#[test]
fn rfc_7515_a_2_rs256() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let key = VerifyingKey::from_jwk(format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#)).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Rs256);
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert!(holds(
        &key,
        "eyJhbGciOiJSUzI1NiJ9",
        RFC_7515_PAYLOAD,
        signature
    ));
    assert!(!holds(&key, "eyJhbGciOiJSUzI1NiJ9", "e30", signature));
}

#[test]
fn rfc_7515_a_3_es256() {
    let key = VerifyingKey::from_jwk(
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    )
    .unwrap();
    let signature =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert!(holds(
        &key,
        "eyJhbGciOiJFUzI1NiJ9",
        RFC_7515_PAYLOAD,
        signature
    ));
    assert!(!holds(&key, "eyJhbGciOiJFUzI1NiJ9", "e30", signature));
}

#[test]
fn rfc_8037_a_3_a_4_a_5_ed25519() {
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let key = VerifyingKey::from_jwk(jwk).unwrap();
    assert_eq!(
        key.thumbprint().as_deref(),
        Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
    );
    let payload = "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(holds(&key, "eyJhbGciOiJFZERTQSJ9", payload, signature));
    assert!(!holds(&key, "eyJhbGciOiJFZERTQSJ9", "e30", signature));
}

#[test]
fn rfc_7638_3_1_thumbprint() {
    let jwk =
        json!({"kty": "RSA", "n": RFC_7638_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
    let key = VerifyingKey::from_jwk(jwk.to_string()).unwrap();
    assert_eq!(
        key.thumbprint().as_deref(),
        Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
    );
}

#[test]
fn rfc_7517_a_1_set() {
    let set = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
         "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "use": "enc", "kid": "1"},
        {"kty": "RSA", "n": RFC_7638_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"},
    ]});
    let (keys, skipped) = KeySet::from_jwks(set.to_string().as_bytes()).unwrap();
    assert_eq!(keys.len(), 1);
    assert!(keys.find(Some("2011-04-29"), Algorithm::Rs256).is_some());
    assert_eq!(skipped.len(), 1);
    assert_eq!(
        (skipped[0].index(), skipped[0].kid(), skipped[0].reason()),
        (0, Some("1"), KeyError::Use)
    );
}

#[test]
fn tokens_of_pyjwt_verify() {
    for (name, jwk, token) in jwt_pyjwt::TOKENS {
        let algorithm: Algorithm = name.parse().unwrap();
        let keys =
            KeySet::from_keys([VerifyingKey::from_jwk_for(algorithm, jwk).unwrap()]).unwrap();
        let verifier = Verifier::builder(ISSUER, AUDIENCE)
            .algorithms([algorithm])
            .build()
            .unwrap();
        let claims = verifier.verify(token, &keys, 1_500_000_000).unwrap();
        assert_eq!(claims.subject(), Some("user-1"), "{name}");
        assert_eq!(claims.audiences().collect::<Vec<_>>(), [AUDIENCE, "other"]);
    }
    let key = VerifyingKey::hmac(None, b"0123456789abcdef0123456789abcdef").unwrap();
    let verifier = Verifier::builder(ISSUER, AUDIENCE)
        .algorithms([Algorithm::Hs256])
        .build()
        .unwrap();
    let keys = KeySet::from_keys([key]).unwrap();
    assert!(
        verifier
            .verify(jwt_pyjwt::HS256, &keys, 1_500_000_000)
            .is_ok()
    );
}

#[test]
fn jsonwebtoken_accepts_what_we_sign() {
    use jsonwebtoken::jwk::Jwk;
    use jsonwebtoken::{DecodingKey, Validation, decode};

    let secret = [9; 32];
    let asymmetric = [
        "RS256", "RS384", "PS256", "PS512", "ES256", "ES384", "EdDSA",
    ];
    let keys = asymmetric
        .map(|name| SigningKey::generate(name.parse().unwrap()).unwrap())
        .into_iter()
        .chain([SigningKey::hmac("secret", &secret).unwrap()]);
    for key in keys {
        let claims = AccessTokenClaims::new(
            ISSUER,
            "u",
            AUDIENCE,
            "app",
            "j",
            1_700_000_000,
            4_000_000_000,
        );
        let token = key.sign("at+jwt", &claims).unwrap();
        let theirs = match key.public_jwk() {
            Some(jwk) => {
                DecodingKey::from_jwk(&serde_json::from_value::<Jwk>(jwk).unwrap()).unwrap()
            }
            None => DecodingKey::from_secret(&secret),
        };
        let mut validation = Validation::new(key.algorithm().as_str().parse().unwrap());
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        let data = decode::<Value>(&token, &theirs, &validation).unwrap();
        assert_eq!(data.header.kid.as_deref(), Some(key.kid()));
        assert_eq!(data.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(data.claims["sub"], "u");

        let verifier = Verifier::builder(ISSUER, AUDIENCE)
            .algorithms([key.algorithm()])
            .typ(TypRule::AccessToken)
            .rfc9068()
            .build()
            .unwrap();
        let keys = KeySet::from_keys([key.verifying_key()]).unwrap();
        assert_eq!(
            verifier
                .verify(&token, &keys, 1_800_000_000)
                .unwrap()
                .client_id(),
            Some("app")
        );
    }
}
