//! Access tokens (RFC 9068).

use std::collections::HashSet;
use std::sync::Arc;

use gatewright_core::error::ErrorCode;
use gatewright_core::jwt::{Algorithm, Verifier};
use gatewright_core::principal::{SessionId, TenantId};
use gatewright_core::store::{MemoryStore, RevocationStore};
use gatewright_issuer::{
    AccessTokens, Grant, IssueError, KeyLifetimes, SealingKey, SigningKeys, SigningKeysError,
};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use crate::world::{NOW, World, user};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://api.example";

async fn keys(algorithm: Algorithm) -> Result<Arc<SigningKeys>, SigningKeysError> {
    let sealing = SealingKey::new(&[7; 32]).unwrap();
    let store = Arc::new(MemoryStore::new());
    let lifetimes = KeyLifetimes::new(600, 3_600);
    let keys = SigningKeys::open(store, sealing, algorithm, lifetimes, NOW).await;
    keys.map(Arc::new)
}

fn grant() -> Grant {
    let session = SessionId::new("ses_1").unwrap();
    Grant::user(&user("usr_alice"), "app", AUDIENCE, 3, session)
}

#[tokio::test]
async fn the_verifier_accepts_what_is_issued_until_it_expires() {
    let keys = keys(Algorithm::EdDsa).await.unwrap();
    let tokens = AccessTokens::new(ISSUER, Arc::clone(&keys), 300);
    let issued = tokens
        .issue(&grant().in_tenant(TenantId::new("ten_acme").unwrap()), NOW)
        .unwrap();
    assert_eq!((issued.expires_in, issued.expires_at), (300, NOW + 300));
    let verifier = Verifier::builder(ISSUER, AUDIENCE)
        .algorithms([Algorithm::EdDsa])
        .rfc9068()
        .private_claims()
        .build()
        .unwrap();
    let set = keys.live().load();
    let text = issued.access_token.expose();
    let claims = verifier.verify(text, &set, NOW + 299).unwrap();
    assert_eq!(claims.subject(), Some("usr_alice"));
    assert_eq!(claims.client_id(), Some("app"));
    assert_eq!(claims.session_id(), Some("ses_1"));
    assert_eq!(claims.tenant(), Some("ten_acme"));
    assert_eq!(claims.epoch(), Some(3));
    assert_eq!(claims.issued_at(), Some(NOW));
    assert_eq!(claims.jti(), Some(issued.jti.as_str()));
    assert!(verifier.verify(text, &set, NOW + 300).is_err());
    assert!(!format!("{issued:?}").contains(text));
}

#[tokio::test]
async fn jsonwebtoken_accepts_it_with_the_published_keys() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let keys = keys(algorithm).await.unwrap();
        // Not an expired token's time, since theirs is the machine's clock.
        let far = 4_000_000_000;
        let tokens = AccessTokens::new(ISSUER, Arc::clone(&keys), 300);
        let issued = tokens.issue(&grant(), far).unwrap();
        let text = issued.access_token.expose();
        let header = decode_header(text).unwrap();
        assert_eq!(header.typ.as_deref(), Some("at+jwt"), "RFC 9068 §2.1");
        let set: JwkSet = serde_json::from_value(keys.jwks(far)).unwrap();
        let jwk = set.find(&header.kid.unwrap()).unwrap();
        let mut validation = Validation::new(algorithm.as_str().parse().unwrap());
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        // RFC 9068 §2.2
        let required = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];
        validation.set_required_spec_claims(&required);
        let key = DecodingKey::from_jwk(jwk).unwrap();
        let claims = decode::<Value>(text, &key, &validation).unwrap().claims;
        let expected = json!({
            "iss": ISSUER, "sub": "usr_alice", "aud": AUDIENCE, "client_id": "app", "jti": issued.jti,
            "iat": far, "exp": far + 300, "epoch": 3, "sid": "ses_1",
        });
        assert_eq!(claims, expected);
    }
}

#[tokio::test]
async fn every_token_has_its_own_id() {
    let keys = keys(Algorithm::EdDsa).await.unwrap();
    let tokens = AccessTokens::new(ISSUER, keys, 300);
    let ids: HashSet<String> = (0..64)
        .map(|_| tokens.issue(&grant(), NOW).unwrap().jti)
        .collect();
    assert_eq!(ids.len(), 64);
    assert!(ids.iter().all(|id| id.len() == 22));
}

#[tokio::test]
async fn no_token_outlives_the_keys() {
    let keys = keys(Algorithm::EdDsa).await.unwrap();
    let tokens = AccessTokens::new(ISSUER, Arc::clone(&keys), 1_000_000);
    let issued = tokens.issue(&grant(), NOW).unwrap();
    assert_eq!(issued.expires_in, 3_600);
    assert_eq!(issued.expires_at, NOW + 3_600);
}

#[tokio::test]
async fn a_user_named_as_the_client_gets_no_token() {
    let keys = keys(Algorithm::EdDsa).await.unwrap();
    let session = SessionId::new("ses_1").unwrap();
    let grant = Grant::user(&user("app"), "app", AUDIENCE, 0, session);
    let refused = AccessTokens::new(ISSUER, keys, 300).issue(&grant, NOW);
    assert!(matches!(refused.unwrap_err(), IssueError::SubjectIsClient));
}

#[tokio::test]
async fn a_shared_secret_is_no_signing_key() {
    let error = keys(Algorithm::Hs256).await.unwrap_err();
    assert!(matches!(error, SigningKeysError::Key(_)));
}

#[tokio::test]
async fn a_raised_epoch_ends_the_tokens_before_it_and_none_after() {
    let world = World::new().await;
    let issue = |epoch| {
        let session = SessionId::new("ses_1").unwrap();
        let grant = Grant::user(&world.alice, "app", AUDIENCE, epoch, session);
        let grant = grant.in_tenant(world.acme.clone());
        world.tokens.issue(&grant, NOW).unwrap().access_token
    };
    let before = issue(0);
    assert_eq!(world.verdict(&before).await, Ok(()));
    let raised = world.store.memory.raise_user_epoch(&world.alice).await;
    let epoch = world.gate.changes().publish(raised.unwrap());
    let refused = world.verdict(&before).await;
    assert_eq!(refused, Err(ErrorCode::TokenRevoked));
    // A login within the same second.
    assert_eq!(world.verdict(&issue(epoch)).await, Ok(()));
}
