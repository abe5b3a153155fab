//! The revocation endpoint (RFC 7009) and the introspection endpoint (RFC 7662).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatewright_core::credential::SecretKind;
use gatewright_core::error::ErrorCode;
use gatewright_core::jwt::{AccessTokenClaims, Algorithm, SigningKey};
use gatewright_core::principal::SessionId;
use gatewright_core::store::{CredentialStore, RevocationStore};
use gatewright_issuer::{AccessTokens, Grant, MintedCredential};
use serde_json::{Value, json};

use crate::provider::{Ask, Endpoint, ISSUER, Provider, RESOURCE, field, json};
use crate::world::NOW;

async fn introspect(provider: &Provider, by: &MintedCredential, token: &str) -> Value {
    let ask = Ask::of(by, &format!("token={token}"));
    let answer = provider.ask(Endpoint::Introspect, ask).await;
    assert_eq!(answer.status, 200);
    assert_eq!(field(&answer, "content-type"), Some("application/json"));
    assert_eq!(field(&answer, "cache-control"), Some("no-store"));
    json(&answer)
}

/// What is not there, or no longer, or never was ours.
async fn dead(provider: &Provider) -> Vec<(&'static str, String)> {
    let client = provider.client("mcp:call").await;
    let id = client.id.as_str();
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let claims = AccessTokenClaims::new(ISSUER, id, RESOURCE, id, "jti", NOW, NOW + 3_600);
    let forged = stranger.sign("at+jwt", &claims).unwrap();
    let ours = provider.keys.active(NOW).unwrap();
    let untyped = ours.sign("JWT", &claims).unwrap();
    let expired = AccessTokenClaims::new(ISSUER, id, RESOURCE, id, "jti", NOW - 2, NOW);
    let expired = ours.sign("at+jwt", &expired).unwrap();
    vec![
        ("unknown", "unknown".to_owned()),
        ("a JWT of nobody", "eyJhbGciOiJub25lIn0.e30.x".to_owned()),
        ("forged", forged),
        ("another kind of JWT", untyped),
        ("expired", expired),
        ("too long", "e".repeat(20_000)),
        ("a client secret", client.secret.expose().to_owned()),
    ]
}

#[tokio::test]
async fn a_revoked_token_is_refused_by_the_next_request() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    // RFC 7009 §2.1: a hint that is wrong or unknown does not stop the search.
    for hint in [
        "",
        "&token_type_hint=access_token",
        "&token_type_hint=refresh_token",
        "&token_type_hint=foo",
    ] {
        let (token, other) = (provider.token(&client).await, provider.token(&client).await);
        for _ in 0..2 {
            assert!(provider.enter(&token).await.is_ok());
        }
        // RFC 7009 §2.2: a token revoked already is answered in the same way.
        for _ in 0..2 {
            let ask = Ask::of(&client, &format!("token={token}{hint}"));
            let answer = provider.ask(Endpoint::Revoke, ask).await;
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{hint}");
            assert_eq!(field(&answer, "cache-control"), Some("no-store"));
            let refused = provider.enter(&token).await;
            assert_eq!(refused.unwrap_err(), ErrorCode::TokenRevoked);
        }
        assert_eq!(
            introspect(&provider, &client, &token).await,
            json!({"active": false})
        );
        assert!(provider.enter(&other).await.is_ok(), "that token alone");
    }
}

#[tokio::test]
async fn revocation_by_the_rules() {
    let provider = Provider::new().await;
    let (client, other) = (
        provider.client("mcp:call").await,
        provider.client("mcp:call").await,
    );
    for (what, token) in dead(&provider).await {
        let answer = provider
            .ask(
                Endpoint::Revoke,
                Ask::of(&client, &format!("token={token}")),
            )
            .await;
        assert_eq!(
            (answer.status, answer.body.len()),
            (200, 0),
            "RFC 7009 §2.2: {what}"
        );
    }
    let token = provider.token(&client).await;
    for (rule, ask, status, error) in [
        (
            "RFC 7009 §2.1: required",
            Ask::of(&client, ""),
            400,
            "invalid_request",
        ),
        (
            "RFC 7009 §2.1: no value",
            Ask::of(&client, "token="),
            400,
            "invalid_request",
        ),
        (
            "RFC 7009 §2.1: repeated",
            Ask::of(&client, "token=a&token=b"),
            400,
            "invalid_request",
        ),
        (
            "RFC 7009 §2.1: another's",
            Ask::of(&other, &format!("token={token}")),
            400,
            "invalid_grant",
        ),
        (
            "RFC 7009 §2.1: nobody",
            Ask::bare(&format!("token={token}")),
            401,
            "invalid_client",
        ),
        (
            "RFC 7009 §2.1: not the query",
            Ask {
                query: Some("token=x"),
                ..Ask::of(&client, "token=a")
            },
            400,
            "invalid_request",
        ),
    ] {
        let answer = provider.ask(Endpoint::Revoke, ask).await;
        assert_eq!(
            (answer.status, &json(&answer)["error"]),
            (status, &error.into()),
            "{rule}"
        );
    }
    assert!(provider.enter(&token).await.is_ok());
}

/// Many use a token while it is revoked: whoever starts after the answer is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_use_that_races_a_revocation_loses() {
    let provider = Arc::new(Provider::new().await);
    let client = provider.client("mcp:call").await;
    for _ in 0..50 {
        let token: Arc<str> = provider.token(&client).await.into();
        assert!(provider.enter(&token).await.is_ok());
        let revoked = Arc::new(AtomicBool::new(false));
        let mut users = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (provider, token, revoked) = (provider.clone(), token.clone(), revoked.clone());
            users.spawn(async move {
                loop {
                    let was_revoked = revoked.load(Ordering::SeqCst);
                    let entered = provider.enter(&token).await;
                    assert!(
                        !(was_revoked && entered.is_ok()),
                        "passed after its revocation"
                    );
                    if was_revoked {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        let ask = Ask::of(&client, &format!("token={token}"));
        assert_eq!(provider.ask(Endpoint::Revoke, ask).await.status, 200);
        revoked.store(true, Ordering::SeqCst);
        assert!(provider.enter(&token).await.is_err());
        users.join_all().await;
    }
}

#[tokio::test]
async fn a_note_of_a_revoked_token_is_kept_until_it_expires() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let token = provider.token(&client).await;
    let ask = Ask::of(&client, &format!("token={token}"));
    provider.ask(Endpoint::Revoke, ask).await;
    let end = NOW + 3_600;
    assert_eq!(provider.store.forget_revocations(end - 1).await.unwrap(), 0);
    assert_eq!(provider.store.forget_revocations(end + 1).await.unwrap(), 1);
}

#[tokio::test]
async fn a_good_token_is_described_to_its_own_client() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call audit.read").await;
    let token = provider.token(&client).await;
    let told = introspect(&provider, &client, &token).await;
    let id = client.id.as_str();
    // RFC 7662 §2.2
    let expected = json!({
        "active": true, "scope": "audit.read mcp:call", "client_id": id, "token_type": "Bearer",
        "exp": NOW + 3_600, "iat": NOW, "sub": id, "aud": RESOURCE, "iss": ISSUER, "jti": told["jti"],
    });
    assert_eq!(told, expected);
    assert!(told["jti"].is_string());
}

#[tokio::test]
async fn of_anything_else_only_that_it_is_not_active() {
    let provider = Provider::new().await;
    let (client, other) = (
        provider.client("mcp:call").await,
        provider.client("mcp:call").await,
    );
    let inactive = json!({"active": false});
    for (what, token) in dead(&provider).await {
        assert_eq!(
            introspect(&provider, &client, &token).await,
            inactive,
            "{what}"
        );
    }
    let token = provider.token(&client).await;
    assert_eq!(
        introspect(&provider, &other, &token).await,
        inactive,
        "somebody else's"
    );
    assert_eq!(introspect(&provider, &client, &token).await["active"], true);

    let revoked = provider
        .clients
        .revoke(&provider.acme, other.id.as_str(), None)
        .await;
    revoked.unwrap();
    assert_eq!(introspect(&provider, &client, &token).await["active"], true);
    for (rule, ask, status, error) in [
        (
            "RFC 7662 §2.1: required",
            Ask::of(&client, ""),
            400,
            "invalid_request",
        ),
        (
            "RFC 7662 §2.1: authorized",
            Ask::bare(&format!("token={token}")),
            401,
            "invalid_client",
        ),
        (
            "a client that is no more",
            Ask::of(&other, &format!("token={token}")),
            401,
            "invalid_client",
        ),
    ] {
        let answer = provider.ask(Endpoint::Introspect, ask).await;
        assert_eq!(
            (answer.status, &json(&answer)["error"]),
            (status, &error.into()),
            "{rule}"
        );
    }
    provider.clock.advance(3_600);
    assert_eq!(
        introspect(&provider, &client, &token).await,
        inactive,
        "expired"
    );
}

#[tokio::test]
async fn a_resource_server_may_be_told_of_the_tokens_of_its_tenant() {
    let provider = Provider::with(64, |builder| {
        builder.may_introspect(|caller, token| {
            caller.scopes().to_string() == "audit.read"
                && token.tenant() == Some(caller.tenant().id().as_str())
        })
    })
    .await;
    let (client, resource) = (
        provider.client("mcp:call").await,
        provider.client("audit.read").await,
    );
    let token = provider.token(&client).await;
    assert_eq!(
        introspect(&provider, &resource, &token).await["sub"],
        client.id.as_str()
    );
    let its = provider.token(&resource).await;
    assert_eq!(
        introspect(&provider, &client, &its).await,
        json!({"active": false})
    );

    // Whoever revokes the record alone ends the tokens as well.
    let (acme, id) = (&provider.acme, client.id.as_str());
    let revoked = provider
        .store
        .revoke(acme, SecretKind::Client, id, NOW)
        .await;
    provider.gate.changes().publish(revoked.unwrap());
    assert_eq!(
        introspect(&provider, &resource, &token).await,
        json!({"active": false})
    );

    // A person's token of our own ends with the person's session and epoch.
    let tokens = AccessTokens::new(ISSUER, Arc::clone(&provider.keys), 300);
    let session = SessionId::new("ses_1").unwrap();
    let grant = Grant::user(&provider.alice, "app", RESOURCE, 0, session.clone());
    let grant = grant.in_tenant(provider.acme.clone());
    let issue = || tokens.issue(&grant, NOW).unwrap().access_token;
    let (first, second) = (issue(), issue());
    assert_eq!(
        introspect(&provider, &resource, first.expose()).await["sub"],
        "usr_alice"
    );
    let ended = provider
        .store
        .end_session(&session, NOW + 300)
        .await
        .unwrap();
    provider.gate.changes().publish(ended);
    for token in [first, second] {
        assert_eq!(
            introspect(&provider, &resource, token.expose()).await,
            json!({"active": false})
        );
    }
}
