//! Tokens of a real identity provider, held against our rules and against those of others.

use std::time::{SystemTime, UNIX_EPOCH};

use gatewright_core::jwt::{ClaimName, Claims, JwtError, KeySet, ScopeClaim, Verifier};
use serde_json::Value;

use crate::libraries::{LIBRARIES, verify};
use crate::provider::{FAULTS, Provider};

const AUDIENCE: &str = "https://gateway.test/mcp/acme-corp";

/// Its keys as they stand; all of them are fit for us.
async fn keys(provider: &Provider) -> KeySet {
    let (keys, skipped) = KeySet::from_jwks(&provider.jwks().await).unwrap();
    assert!(skipped.is_empty(), "{skipped:?}");
    keys
}

fn judged(provider: &Provider, keys: &KeySet, token: &str) -> Result<Claims, JwtError> {
    let verifier = Verifier::builder(&provider.issuer, AUDIENCE).rfc9068();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    verifier.build().unwrap().verify(token, keys, now.as_secs())
}

#[tokio::test]
async fn its_tokens_pass() {
    let mut provider = Provider::start(AUDIENCE);
    let configuration = provider.configuration().await;
    assert_eq!(configuration["issuer"], provider.issuer);
    assert_eq!(configuration["jwks_uri"], provider.jwks_uri());
    let introspection = &configuration["introspection_endpoint"];
    assert_eq!(*introspection, provider.introspection_uri());

    let keys = keys(&provider).await;
    let token = provider.token("machine").await;
    let claims = judged(&provider, &keys, &token).unwrap();
    assert_eq!(claims.issuer(), provider.issuer);
    assert_eq!(claims.client_id(), Some("machine"));
    assert_eq!(claims.subject(), Some("machine"));
    assert_eq!(claims.audiences().collect::<Vec<_>>(), [AUDIENCE]);
    assert!(matches!(claims.scope(), ScopeClaim::Text(scope) if scope == "mcp:call"));

    // What is wrong with the forged ones is their fault alone.
    let right = provider.right();
    judged(&provider, &keys, &right).unwrap();
    for library in LIBRARIES {
        for token in [&token, &right] {
            let jwks = provider.jwks_uri();
            let claims = verify(library, &jwks, &provider.issuer, AUDIENCE, token);
            assert_eq!(claims.unwrap()["client_id"], "machine", "{library}");
        }
    }
}

#[tokio::test]
async fn a_token_with_a_fault_is_refused_for_that_fault() {
    let mut provider = Provider::start(AUDIENCE);
    let keys = keys(&provider).await;
    for fault in FAULTS {
        let expected = match fault {
            "wrong issuer" => JwtError::Issuer,
            "wrong audience" => JwtError::Audience,
            "missing aud" => JwtError::MissingClaim(ClaimName::Audience),
            "expired" => JwtError::Expired,
            "not yet valid" => JwtError::NotYetValid,
            // Without a signature it is not even a JWS in our eyes.
            "none" => JwtError::Malformed,
            "none with a signature" | "HS256 of the public key" => JwtError::Algorithm,
            "unknown kid" => JwtError::UnknownKey,
            "known kid, another key" => JwtError::Signature,
            "typ of an ID token" => JwtError::Type,
            _ => panic!("nothing is said of {fault}"),
        };
        let token = provider.forge(fault);
        let refused = judged(&provider, &keys, &token).unwrap_err();
        assert_eq!(refused, expected, "{fault}");
    }
    // Others refuse them for the same: the forgeries are real.
    for (fault, reasons) in [
        (
            "wrong audience",
            ["Audience doesn't match", "Invalid claim: 'aud'"],
        ),
        ("expired", ["Signature has expired", "The token is expired"]),
        (
            "known kid, another key",
            ["InvalidSignature", "BadSignature"],
        ),
    ] {
        for (library, reason) in LIBRARIES.into_iter().zip(reasons) {
            let (token, jwks) = (provider.forge(fault), provider.jwks_uri());
            let claims = verify(library, &jwks, &provider.issuer, AUDIENCE, &token);
            let refused = claims.unwrap_err();
            assert!(refused.contains(reason), "{library}: {fault}: {refused}");
        }
    }
}

#[tokio::test]
async fn a_rotation_is_followed_by_whoever_fetches_again() {
    let mut provider = Provider::start(AUDIENCE);
    let before = keys(&provider).await;
    let old = provider.token("machine").await;
    let kid = provider.rotate();
    let new = provider.token("machine").await;
    judged(&provider, &before, &old).unwrap();
    let unknown = judged(&provider, &before, &new).unwrap_err();
    assert_eq!(unknown, JwtError::UnknownKey);

    let between = keys(&provider).await;
    assert!(between.iter().any(|key| key.kid() == Some(&kid)));
    judged(&provider, &between, &old).unwrap();
    judged(&provider, &between, &new).unwrap();

    provider.retire();
    let after = keys(&provider).await;
    let retired = judged(&provider, &after, &old).unwrap_err();
    assert_eq!(retired, JwtError::UnknownKey);
    judged(&provider, &after, &new).unwrap();
    assert_eq!(provider.fetches(), 3);

    // Who holds its keys does not need it.
    provider.stop();
    judged(&provider, &after, &new).unwrap();
    for library in LIBRARIES {
        let jwks = provider.jwks_uri();
        let claims = verify(library, &jwks, &provider.issuer, AUDIENCE, &new);
        assert!(claims.is_err(), "{library} got its keys from elsewhere");
    }
}

#[tokio::test]
async fn an_opaque_token_is_read_by_its_maker_alone() {
    let provider = Provider::start(AUDIENCE);
    let token = provider.token("opaque").await;
    let keys = keys(&provider).await;
    assert!(judged(&provider, &keys, &token).is_err());
    let told = provider.introspect(&token).await;
    assert_eq!(told["active"], true);
    assert_eq!(told["client_id"], "opaque");
    assert_eq!(told["scope"], "mcp:call");
    let unknown = provider.introspect("no-such-token").await;
    assert_eq!(unknown["active"], Value::Bool(false));
}
