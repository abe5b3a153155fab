//! ID tokens that are not to be believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_core::jwt::{Algorithm, ClaimName, JwtError, SigningKey};
use gatewright_jwks::login::LoginError;
use serde_json::{Value, json};

use super::log_in;
use super::provider::{AT_HASH, CLIENT, KEY, NOW, OTHER_KEY, Provider, SECRET, Ways};

type Change = fn(&mut Value);
type Row = (&'static str, Change, Result<(), LoginError>);

const fn jwt(error: JwtError) -> Result<(), LoginError> {
    Err(LoginError::IdToken(error))
}

/// The rules of OpenID Connect Core §3.1.3.7 by their number, where nothing else is named.
const CLAIMS: &[Row] = &[
    (
        "2: another issuer",
        |c| c["iss"] = json!("https://evil.example"),
        jwt(JwtError::Issuer),
    ),
    (
        "2: the issuer with a slash",
        |c| c["iss"] = json!(format!("{}/", c["iss"].as_str().unwrap())),
        jwt(JwtError::Issuer),
    ),
    (
        "2: no issuer",
        |c| drop_claim(c, "iss"),
        jwt(JwtError::MissingClaim(ClaimName::Issuer)),
    ),
    (
        "3: another client",
        |c| c["aud"] = json!("other"),
        jwt(JwtError::Audience),
    ),
    (
        "3: no client",
        |c| c["aud"] = json!([]),
        jwt(JwtError::Audience),
    ),
    (
        "3: a list of us alone",
        |c| c["aud"] = json!([CLIENT]),
        Ok(()),
    ),
    (
        "4: several clients and no azp",
        |c| c["aud"] = json!([CLIENT, "other"]),
        Err(LoginError::AuthorizedParty),
    ),
    (
        "4: several clients, issued to us",
        |c| (c["aud"], c["azp"]) = (json!(["other", CLIENT]), json!(CLIENT)),
        Ok(()),
    ),
    (
        "5: issued to another client",
        |c| (c["aud"], c["azp"]) = (json!([CLIENT, "other"]), json!("other")),
        Err(LoginError::AuthorizedParty),
    ),
    (
        "5: for us, issued to another",
        |c| c["azp"] = json!("other"),
        Err(LoginError::AuthorizedParty),
    ),
    (
        "5: azp is no string",
        |c| c["azp"] = json!([CLIENT]),
        Err(LoginError::AuthorizedParty),
    ),
    (
        "9: expired",
        |c| c["exp"] = json!(NOW - 29),
        jwt(JwtError::Expired),
    ),
    (
        "9: expired within the leeway",
        |c| c["exp"] = json!(NOW - 28),
        Ok(()),
    ),
    (
        "9: no end",
        |c| drop_claim(c, "exp"),
        jwt(JwtError::MissingClaim(ClaimName::ExpiresAt)),
    ),
    (
        "9: an end in words",
        |c| c["exp"] = json!("1700000300"),
        jwt(JwtError::MalformedClaim(ClaimName::ExpiresAt)),
    ),
    (
        "10: no time of issue",
        |c| drop_claim(c, "iat"),
        jwt(JwtError::MissingClaim(ClaimName::IssuedAt)),
    ),
    (
        "10: issued in the future",
        |c| c["iat"] = json!(NOW + 32),
        jwt(JwtError::NotYetValid),
    ),
    (
        "10: issued too long ago",
        |c| c["iat"] = json!(NOW - 630),
        jwt(JwtError::TooOld),
    ),
    (
        "11: another nonce",
        |c| c["nonce"] = json!("other"),
        Err(LoginError::Nonce),
    ),
    (
        "11: no nonce",
        |c| drop_claim(c, "nonce"),
        Err(LoginError::Nonce),
    ),
    (
        "11: a nonce in a list",
        |c| c["nonce"] = json!([c["nonce"]]),
        Err(LoginError::Nonce),
    ),
    (
        "§3.1.3.6: another access token",
        |c| c["at_hash"] = json!("77QmUPtjPfzWtF2AnpK9RA"),
        Err(LoginError::AccessTokenHash),
    ),
    (
        "§3.1.3.6: more of the hash",
        |c| c["at_hash"] = json!(format!("{AT_HASH}AA")),
        Err(LoginError::AccessTokenHash),
    ),
    (
        "§3.1.3.6: no string",
        |c| c["at_hash"] = json!(1),
        Err(LoginError::AccessTokenHash),
    ),
    (
        "§3.1.3.6: none at all",
        |c| drop_claim(c, "at_hash"),
        Ok(()),
    ),
    (
        "§2: no subject",
        |c| drop_claim(c, "sub"),
        jwt(JwtError::MissingClaim(ClaimName::Subject)),
    ),
    (
        "§2: an empty subject",
        |c| c["sub"] = json!(""),
        jwt(JwtError::MalformedClaim(ClaimName::Subject)),
    ),
    (
        "§2: a subject of 255",
        |c| c["sub"] = json!("s".repeat(255)),
        Ok(()),
    ),
    (
        "§2: a subject of 256",
        |c| c["sub"] = json!("s".repeat(256)),
        Err(LoginError::Claims),
    ),
    (
        "§2: a subject beyond ASCII",
        |c| c["sub"] = json!("\u{e4}"),
        Err(LoginError::Claims),
    ),
    (
        "§5.1: an address that is no string",
        |c| c["email"] = json!(["a@b.c"]),
        Err(LoginError::Claims),
    ),
];

fn drop_claim(claims: &mut Value, name: &str) {
    claims.as_object_mut().unwrap().remove(name).unwrap();
}

fn put_together(header: &Value, claims: &Value, signature: &str) -> String {
    let [header, claims] = [header, claims].map(|p| URL_SAFE_NO_PAD.encode(p.to_string()));
    format!("{header}.{claims}.{signature}")
}

#[tokio::test]
async fn claims_by_rule() {
    for (rule, change, expected) in CLAIMS {
        let provider = Provider::with(Ways {
            claims: *change,
            ..Ways::good()
        })
        .await;
        assert_eq!(log_in(&provider).await.map(drop), *expected, "{rule}");
    }
}

/// OpenID Connect Core §3.1.3.7 rules 6 to 8, RFC 8725 §3.1.
#[tokio::test]
async fn signatures_by_rule() {
    type Sign = fn(&Value) -> String;
    let table: [(&str, Sign, JwtError); 7] = [
        (
            "alg none",
            |c| put_together(&json!({ "alg": "none" }), c, ""),
            JwtError::Malformed,
        ),
        (
            "alg none with something for a signature",
            |c| put_together(&json!({ "alg": "none", "kid": KEY.kid() }), c, "AA"),
            JwtError::Algorithm,
        ),
        (
            "HS256 with the client secret, which is not configured",
            |c| {
                let key = SigningKey::hmac(KEY.kid(), SECRET.as_bytes()).unwrap();
                key.sign("JWT", c).unwrap()
            },
            JwtError::Algorithm,
        ),
        (
            "HS256 with the public key",
            |c| {
                let public = KEY.public_jwk().unwrap().to_string();
                let key = SigningKey::hmac(KEY.kid(), public.as_bytes()).unwrap();
                key.sign("JWT", c).unwrap()
            },
            JwtError::Algorithm,
        ),
        (
            "a key of nobody's",
            |c| OTHER_KEY.sign("JWT", c).unwrap(),
            JwtError::UnknownKey,
        ),
        (
            "a key of nobody's under the name of the provider's",
            |c| {
                let signed = OTHER_KEY.sign("JWT", c).unwrap();
                let signature = signed.rsplit('.').next().unwrap();
                let header = json!({ "alg": "RS256", "kid": KEY.kid() });
                put_together(&header, c, signature)
            },
            JwtError::Signature,
        ),
        (
            "an algorithm that is not configured",
            |c| {
                let key = SigningKey::generate(Algorithm::Es256).unwrap();
                key.sign("JWT", c).unwrap()
            },
            JwtError::Algorithm,
        ),
    ];
    for (rule, sign, expected) in table {
        let provider = Provider::with(Ways {
            sign,
            ..Ways::good()
        })
        .await;
        let outcome = log_in(&provider).await.map(drop);
        assert_eq!(outcome, jwt(expected), "{rule}");
    }
}

/// OpenID Connect Core §3.1.3.6: the hash is that of the signature's algorithm.
#[tokio::test]
async fn the_hash_goes_by_the_algorithm() {
    static ES384: std::sync::LazyLock<SigningKey> =
        std::sync::LazyLock::new(|| SigningKey::generate(Algorithm::Es384).unwrap());
    // printf jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y | openssl dgst -sha384 -binary | head -c 24 | base64
    const SHA_384: &str = "jtAeDp945y1dDqU3nkIVGNZP1HjH_MFs";
    let table: [(Change, Result<(), LoginError>); 2] = [
        (|c| c["at_hash"] = json!(SHA_384), Ok(())),
        (|_| {}, Err(LoginError::AccessTokenHash)),
    ];
    for (claims, expected) in table {
        let provider = Provider::with(Ways {
            claims,
            sign: |claims| ES384.sign("JWT", claims).unwrap(),
            keys: || json!({ "keys": [ES384.public_jwk().unwrap()] }),
            ..Ways::good()
        })
        .await;
        let login = provider.builder().algorithms([Algorithm::Es384]);
        let login = login.build().unwrap();
        let start = login.begin(NOW, None).await.unwrap();
        let query = provider.approve(&start.authorization_url);
        let finished = login.finish(&query, start.cookie.expose(), NOW).await;
        assert_eq!(finished.map(drop), expected);
    }
}

/// A provider that spells itself in two ways does so by configuration alone.
#[tokio::test]
async fn a_second_spelling_of_the_issuer_is_configured() {
    let provider = Provider::with(Ways {
        claims: |c| c["iss"] = json!("accounts.google.com"),
        ..Ways::good()
    })
    .await;
    let refused = log_in(&provider).await.map(drop);
    assert_eq!(refused, jwt(JwtError::Issuer));
    let login = provider.builder().also_issued_as("accounts.google.com");
    let login = login.build().unwrap();
    let start = login.begin(NOW, None).await.unwrap();
    let query = provider.approve(&start.authorization_url);
    let finished = login.finish(&query, start.cookie.expose(), NOW).await;
    assert_eq!(&*finished.unwrap().claims.issuer, provider.server.url());
}

/// OpenID Connect Core §5.1: a boolean, and `true`.
#[tokio::test]
async fn an_address_is_verified_by_true_alone() {
    let table: [(Change, bool); 6] = [
        (|_| {}, true),
        (|c| c["email_verified"] = json!(false), false),
        (|c| c["email_verified"] = json!("true"), false),
        (|c| c["email_verified"] = json!(1), false),
        (|c| c["email_verified"] = Value::Null, false),
        (|c| drop_claim(c, "email_verified"), false),
    ];
    for (claims, expected) in table {
        let provider = Provider::with(Ways {
            claims,
            ..Ways::good()
        })
        .await;
        let claims = log_in(&provider).await.unwrap().claims;
        assert_eq!(claims.email_verified, expected);
    }
}

/// RFC 6749 §5.1, OpenID Connect Core §3.1.3.3.
#[tokio::test]
async fn answers_of_the_token_endpoint_by_rule() {
    let table: [(&str, Change); 6] = [
        ("no ID token", |t| drop_claim(t, "id_token")),
        ("an ID token that is no string", |t| {
            t["id_token"] = json!({})
        }),
        ("no access token", |t| drop_claim(t, "access_token")),
        ("no type", |t| drop_claim(t, "token_type")),
        ("another type (OpenID Connect Core §3.1.3.3)", |t| {
            t["token_type"] = json!("DPoP")
        }),
        ("no object", |t| *t = json!([t])),
    ];
    for (rule, tokens) in table {
        let provider = Provider::with(Ways {
            tokens,
            ..Ways::good()
        })
        .await;
        let outcome = log_in(&provider).await.map(drop);
        assert_eq!(outcome, Err(LoginError::TokenResponse), "{rule}");
    }
    let provider = Provider::with(Ways {
        tokens: |t| t["token_type"] = json!("bearer"),
        ..Ways::good()
    })
    .await;
    assert_eq!(log_in(&provider).await.map(drop), Ok(()));
}
