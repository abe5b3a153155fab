//! Both sides together: a client of this crate, through reqwest, at a gate of this crate.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gatewright_core::credential::Secret;
use gatewright_core::error::{ErrorCode, RetryRule};
use gatewright_core::policy::{Policy, Realm};
use gatewright_tower::GateLayer;
use gatewright_tower::client::{ApiError, AttachLayer, ClientCredentials, RetryLayer, TokenLayer};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

use crate::authority;
use crate::client_loopback::{Reqwest, origin, serve, text};

#[tokio::test]
async fn a_key_passes_and_one_that_lacks_a_scope_is_told_which() {
    let authority = authority().await;
    let policy = Policy::api_key().scope("links.write");
    let realm = Realm::builder("api").build();
    let policy = authority.gate().compile(&policy, &realm).unwrap();
    let gate = GateLayer::new(authority.gate().clone(), policy);
    let api = serve(move |request: Request<Incoming>| {
        let service = ServiceBuilder::new()
            .layer(gate.clone())
            .service(service_fn(async |_: Request<Incoming>| {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            }));
        async { service.oneshot(request).await.unwrap() }
    })
    .await;

    let call = async |scopes| {
        let key = Secret::new(authority.key("creator", scopes).await);
        let client = ServiceBuilder::new()
            .layer(RetryLayer::new())
            .layer(AttachLayer::api_key(origin(&api), &key).unwrap())
            .service(Reqwest::new());
        let request = Request::get(&api).body(Full::<Bytes>::default()).unwrap();
        ApiError::check(client.oneshot(request).await.unwrap()).await
    };
    assert_eq!(call("links.*").await.unwrap().status(), 200);
    let refusal = call("links.read").await.unwrap_err();
    assert_eq!(refusal.code(), Some(ErrorCode::InsufficientScope));
    assert_eq!(
        refusal.missing_scopes().collect::<Vec<_>>(),
        ["links.write"]
    );
    assert_eq!(
        refusal.message(),
        Some("Token does not have the required scope: links.write")
    );
    assert_eq!(refusal.rule(), RetryRule::Never);
}

/// The layers in the order that their documentation advises: what the retries can't mend, a fresh token does.
#[tokio::test]
async fn tokens_around_retries_around_reqwest() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let server = serve(move |request: Request<Incoming>| {
        let mut seen = noted.lock().unwrap();
        let field = request.headers()["authorization"].to_str().unwrap();
        let scheme = field.replace("YXB4X2NsaWVudF8xOmh1bnRlcjI=", "apx_client_1:hunter2");
        seen.push(format!("{} {scheme}", request.uri().path()));
        let response = Response::builder();
        let (response, body) = match seen.len() {
            1 | 4 => (
                response.header("content-type", "application/json"),
                format!(
                    r#"{{"access_token":"token{}","token_type":"Bearer"}}"#,
                    seen.len()
                ),
            ),
            2 => (
                response.status(429).header("retry-after", "0"),
                String::new(),
            ),
            3 => {
                let challenge = r#"Bearer error="invalid_token""#;
                let response = response.status(401).header("www-authenticate", challenge);
                (response, String::new())
            }
            _ => (response, "done".to_owned()),
        };
        std::future::ready(response.body(Full::new(Bytes::from(body))).unwrap())
    })
    .await;

    let secret = Secret::new("hunter2".to_owned());
    let tokens = ClientCredentials::new(&format!("{server}/oauth/token"), "apx_client_1", &secret)
        .unwrap()
        .tokens(Reqwest::new());
    let client = ServiceBuilder::new()
        .layer(TokenLayer::new(origin(&server), tokens))
        .layer(RetryLayer::new())
        .service(Reqwest::new());
    let call = Request::post(format!("{server}/v1"))
        .body(Full::new(Bytes::from("text")))
        .unwrap();
    let answer = ApiError::check(client.oneshot(call).await.unwrap())
        .await
        .unwrap();
    assert_eq!(text(answer.into_body()).await, "done");
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "/oauth/token Basic apx_client_1:hunter2",
            "/v1 Bearer token1",
            "/v1 Bearer token1",
            "/oauth/token Basic apx_client_1:hunter2",
            "/v1 Bearer token4",
        ]
    );
}
