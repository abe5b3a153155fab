//! The server of keys, as a client of HTTP sees it.

use gatewright_core::jwt::{Algorithm, KeySet, Verifier};
use gatewright_testing::JwksAnswer;
use serde_json::Value;

use crate::quick;

async fn fetch(url: &str) -> Value {
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_client_finds_the_keys_and_verifies_with_them() {
    let mut authority = quick().0.build().await;
    let server = authority.serve_as_issuer().await;
    for well_known in ["openid-configuration", "oauth-authorization-server"] {
        let found = fetch(&format!("{}/.well-known/{well_known}", server.url())).await;
        assert_eq!(found["issuer"], authority.issuer(), "RFC 8414 §3.3");
        assert_eq!(found["jwks_uri"], server.jwks_url());
    }
    let verifier = Verifier::builder(server.url(), authority.audience())
        .algorithms([Algorithm::EdDsa])
        .build()
        .unwrap();
    let now = authority.gate().clock().now();
    let keys = async || {
        let jwks = fetch(&server.jwks_url()).await.to_string();
        KeySet::from_jwks(jwks.as_bytes()).unwrap().0
    };
    let old = authority.token("usr_1").sign();
    let before = keys().await;
    assert!(verifier.verify(&old, &before, now).is_ok());
    authority.rotate_keys();
    let new = authority.token("usr_1").sign();
    assert!(verifier.verify(&new, &before, now).is_err());
    let both = keys().await;
    assert!(verifier.verify(&new, &both, now).is_ok() && verifier.verify(&old, &both, now).is_ok());
    authority.retire_keys();
    assert!(verifier.verify(&old, &keys().await, now).is_err());
    assert_eq!((server.requests(), server.jwks_requests()), (5, 3));
}

#[tokio::test]
async fn documents_name_the_issuer_that_stays() {
    let authority = quick().0.issuer("https://elsewhere.example").build().await;
    let server = authority.serve_jwks().await;
    let found = fetch(&format!(
        "{}/.well-known/openid-configuration",
        server.url()
    ))
    .await;
    assert_eq!(found["issuer"], "https://elsewhere.example");
    assert_eq!(authority.issuer(), "https://elsewhere.example");
    assert_eq!(found["jwks_uri"], server.jwks_url());
}

#[tokio::test]
async fn it_answers_as_it_is_told() {
    let authority = quick().0.build().await;
    let server = authority.serve_jwks().await;
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", server.url()))
            .await
            .unwrap();
        let retry = answer.headers().get("retry-after").cloned();
        (
            answer.status().as_u16(),
            retry,
            answer.text().await.unwrap(),
        )
    };
    let keys = "/.well-known/jwks.json";
    assert_eq!(get("/").await.0, 404);
    assert_eq!(get(keys).await.0, 200);
    let post = reqwest::Client::new().post(server.jwks_url()).send();
    assert_eq!(post.await.unwrap().status(), 405);
    server.answer_with(JwksAnswer::ServerError);
    assert_eq!(get(keys).await.0, 500);
    server.answer_with(JwksAnswer::Unavailable);
    let (status, retry, _) = get(keys).await;
    assert_eq!((status, retry.unwrap().to_str().unwrap()), (503, "1"));
    server.answer_with(JwksAnswer::NotJson);
    let (status, _, text) = get(keys).await;
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<Value>(&text).is_err());
    server.answer_with(JwksAnswer::NoKeys);
    assert_eq!(get(keys).await.2, "{}");
    server.answer_with(JwksAnswer::Keys);
    assert!(get(keys).await.2.contains("Ed25519"));
}

#[tokio::test]
async fn a_request_that_hangs_is_counted_and_never_answered() {
    let authority = quick().0.build().await;
    let server = authority.serve_jwks().await;
    server.answer_with(JwksAnswer::Never);
    let waiting = tokio::spawn(reqwest::get(server.jwks_url()));
    while server.requests() == 0 {
        tokio::task::yield_now().await;
    }
    server.answer_with(JwksAnswer::Keys);
    assert!(reqwest::get(server.jwks_url()).await.is_ok());
    assert!(!waiting.is_finished());
    // With the server ends what it left waiting, and its port.
    let url = server.jwks_url();
    drop(server);
    assert!(reqwest::get(url).await.is_err());
    assert!(waiting.await.unwrap().is_err());
}
