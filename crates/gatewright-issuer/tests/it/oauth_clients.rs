//! The life of OAuth clients.

use gatewright_core::error::ErrorCode;
use gatewright_core::store::{RevocationStore, TokenRef};
use gatewright_issuer::{Authority, MintRequest, RotationGrace};
use serde_json::json;

use crate::provider::{Ask, Endpoint, Provider, json};
use crate::world::{NOW, scopes};

const GRANT: &str = "grant_type=client_credentials";

#[tokio::test]
async fn ids_and_secrets_look_as_documented() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let id = client.id.as_str().strip_prefix("apx_client_").unwrap();
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let secret = client.secret.expose().strip_prefix("apx_secret_").unwrap();
    assert!(secret.len() == 24 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let another = provider.client("mcp:call").await;
    assert_ne!(another.id, client.id);
    assert_ne!(another.secret.expose(), client.secret.expose());
}

#[tokio::test]
async fn nobody_registers_a_client_that_can_do_more_than_they() {
    let provider = Provider::new().await;
    let key = {
        let (acme, alice) = (provider.acme.clone(), provider.alice.clone());
        let request = provider.clients.request(acme, alice, scopes("mcp:call"));
        provider
            .clients
            .register(request, &Authority::operator())
            .await
            .unwrap()
    };
    let caller = provider.enter(&provider.token(&key).await).await.unwrap();
    let realm = gatewright_core::policy::Realm::builder("mcp").build();
    let authority = Authority::of(&caller, &realm);
    for (asked, outcome) in [
        ("mcp:call", Ok(())),
        ("mcp:call:conn_1", Ok(())),
        ("mcp:call audit.read", Err(ErrorCode::InsufficientScope)),
        ("unheard.of", Err(ErrorCode::InvalidScope)),
    ] {
        let (acme, alice) = (provider.acme.clone(), provider.alice.clone());
        let request = provider.clients.request(acme, alice, scopes(asked));
        let registered = provider.clients.register(request, &authority).await;
        assert_eq!(
            registered.map(drop).map_err(|error| error.code()),
            outcome,
            "{asked}"
        );
    }
    let (globex, alice) = (provider.globex.clone(), provider.alice.clone());
    let request = provider.clients.request(globex, alice, scopes("mcp:call"));
    let refused = provider.clients.register(request, &authority).await;
    assert_eq!(refused.unwrap_err().code(), ErrorCode::InsufficientScope);
    // What the minter's token does not outlive, no client does.
    let (acme, alice) = (provider.acme.clone(), provider.alice.clone());
    let request = provider.clients.request(acme, alice, scopes("mcp:call"));
    let minted = provider
        .clients
        .register(request, &authority)
        .await
        .unwrap();
    assert_eq!(minted.expires_at, Some(NOW + 3_600));
}

#[tokio::test]
async fn other_secrets_are_not_clients() {
    let provider = Provider::new().await;
    let (acme, alice) = (provider.acme.clone(), provider.alice.clone());
    let request = MintRequest::new("tnx", acme, alice, scopes("mcp:call"));
    let refused = provider
        .clients
        .register(request, &Authority::operator())
        .await;
    assert_eq!(refused.unwrap_err().code(), ErrorCode::InternalError);
}

#[tokio::test]
async fn a_rotation_keeps_the_secret_before_it_for_the_grace() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let id = client.id.as_str();
    let token = provider.token(&client).await;
    let grace = RotationGrace::from_secs(60).unwrap();
    let operator = Authority::operator();
    let rotated = provider
        .clients
        .rotate(&provider.acme, id, grace, &operator)
        .await
        .unwrap();
    let status = async |secret: &str| {
        let ask = Ask::basic(id, secret, GRANT);
        provider.ask(Endpoint::Token, ask).await.status
    };
    assert_eq!(status(client.secret.expose()).await, 200);
    assert_eq!(status(rotated.secret.expose()).await, 200);
    provider.clock.advance(60);
    assert_eq!(status(client.secret.expose()).await, 401);
    assert_eq!(status(rotated.secret.expose()).await, 200);
    assert!(provider.enter(&token).await.is_ok(), "tokens live on");

    let elsewhere = provider
        .clients
        .rotate(&provider.globex, id, grace, &operator)
        .await;
    assert_eq!(elsewhere.unwrap_err().code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn a_revoked_client_takes_its_tokens_along() {
    let provider = Provider::new().await;
    let (client, other) = (
        provider.client("mcp:call").await,
        provider.client("mcp:call").await,
    );
    let id = client.id.as_str();
    let (used, unused) = (provider.token(&client).await, provider.token(&client).await);
    let others = provider.token(&other).await;
    for token in [&used, &others] {
        assert!(provider.enter(token).await.is_ok());
    }
    let elsewhere = provider.clients.revoke(&provider.globex, id, None).await;
    assert_eq!(elsewhere.unwrap_err().code(), ErrorCode::NotFound);
    assert!(provider.enter(&used).await.is_ok());

    for _ in 0..2 {
        provider
            .clients
            .revoke(&provider.acme, id, None)
            .await
            .unwrap();
        for token in [&used, &unused] {
            assert_eq!(
                provider.enter(token).await.unwrap_err(),
                ErrorCode::TokenRevoked
            );
        }
        let answer = provider.ask(Endpoint::Token, Ask::of(&client, GRANT)).await;
        assert_eq!(
            (answer.status, &json(&answer)["error"]),
            (401, &"invalid_client".into())
        );
    }
    // The epoch alone would do, for those who look at no record.
    let standing = provider
        .store
        .standing(TokenRef::client(id, None))
        .await
        .unwrap();
    assert!(standing.epoch > 0);
    assert!(provider.enter(&others).await.is_ok());
    let ask = Ask::of(&other, &format!("token={used}"));
    let answer = provider.ask(Endpoint::Introspect, ask).await;
    assert_eq!(json(&answer), json!({"active": false}));
}

#[tokio::test]
async fn a_revocation_that_failed_half_way_is_completed_by_the_next() {
    let provider = Provider::new().await;
    let client = provider.client("mcp:call").await;
    let (id, token) = (client.id.as_str(), provider.token(&client).await);
    provider.store.put_out_of_reach(true);
    let failed = provider.clients.revoke(&provider.acme, id, None).await;
    assert_eq!(
        failed.unwrap_err().code(),
        ErrorCode::TemporarilyUnavailable
    );
    provider.store.put_out_of_reach(false);
    provider
        .clients
        .revoke(&provider.acme, id, None)
        .await
        .unwrap();
    assert_eq!(
        provider.enter(&token).await.unwrap_err(),
        ErrorCode::TokenRevoked
    );
}

/// Tokens asked for while their client is being revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_token_escapes_the_revocation_of_its_client() {
    let provider = std::sync::Arc::new(Provider::new().await);
    for _ in 0..30 {
        let client = std::sync::Arc::new(provider.client("mcp:call").await);
        provider.token(&client).await;
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (provider, client) = (provider.clone(), client.clone());
            asking.spawn(async move {
                let answer = provider.ask(Endpoint::Token, Ask::of(&client, GRANT)).await;
                json(&answer)["access_token"].as_str().map(str::to_owned)
            });
        }
        let id = client.id.as_str();
        provider
            .clients
            .revoke(&provider.acme, id, None)
            .await
            .unwrap();
        for token in asking.join_all().await.into_iter().flatten() {
            assert_eq!(
                provider.enter(&token).await.unwrap_err(),
                ErrorCode::TokenRevoked
            );
        }
    }
}
