//! The way of a login that comes to its end, and of one that can't.

use std::time::Duration;

use gatewright_core::credential::Secret;
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_jwks::FetchError;
use gatewright_jwks::login::{LocalPath, LoginError, OidcClient, OidcLogin};
use serde_json::{Value, json};

use super::log_in;
use super::provider::{BACK, CLIENT, KEY, NOW, OTHER_KEY, Provider, Ways, builder_at, parameters};
use crate::server::{Server, answer};
use crate::{allowing, still};

#[tokio::test]
async fn a_login_comes_to_its_end() {
    let provider = Provider::good().await;
    let login = provider.login();
    let path = LocalPath::parse("/keys?page=2");
    let start = login.begin(NOW, path.clone()).await.unwrap();

    let (endpoint, query) = start.authorization_url.split_once('?').unwrap();
    assert_eq!(endpoint, format!("{}/authorize", provider.server.url()));
    let asked = parameters(query);
    assert_eq!(asked.len(), 8);
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", BACK),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], value);
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(asked[name].len(), 43, "{name}");
    }

    let query = provider.approve(&start.authorization_url);
    let finished = login.finish(&query, start.cookie.expose(), NOW + 1);
    let finished = finished.await.unwrap();
    assert_eq!(&*finished.claims.issuer, provider.server.url());
    assert_eq!(&*finished.claims.subject, "248289761001");
    assert_eq!(finished.claims.email.as_deref(), Some("Jane@example.com"));
    assert!(finished.claims.email_verified);
    assert_eq!(finished.claims.name.as_deref(), Some("Jane Doe"));
    assert_eq!(finished.return_to, path);
}

/// Another process with the same key finishes what this one began.
#[tokio::test]
async fn nothing_is_kept_in_between() {
    let provider = Provider::good().await;
    let start = provider.login().begin(NOW, None).await.unwrap();
    let query = provider.approve(&start.authorization_url);
    let other = provider.login();
    assert!(
        other
            .finish(&query, start.cookie.expose(), NOW)
            .await
            .is_ok()
    );
}

/// OpenID Connect Core §9 and Discovery §3.
#[tokio::test]
async fn the_client_proves_itself_as_the_provider_takes_it() {
    const METHODS: &str = "token_endpoint_auth_methods_supported";
    type Row = (fn(&mut Value), &'static str);
    let table: [Row; 5] = [
        (|m| m[METHODS] = json!(["client_secret_basic"]), "header"),
        (
            |m| m[METHODS] = json!(["client_secret_post", "client_secret_basic"]),
            "header",
        ),
        (
            |m| m[METHODS] = json!(["private_key_jwt", "client_secret_post"]),
            "form",
        ),
        (|_| {}, "header"),
        (|m| m[METHODS] = json!(["private_key_jwt"]), "neither"),
    ];
    for (n, (metadata, expected)) in table.into_iter().enumerate() {
        let provider = Provider::with(Ways {
            metadata,
            ..Ways::good()
        })
        .await;
        let outcome = log_in(&provider).await.map(drop);
        let seen = provider.server.seen();
        let Some(exchange) = seen.iter().find(|seen| seen.path == "/token") else {
            assert_eq!(outcome, Err(LoginError::Authentication));
            assert_eq!(expected, "neither", "row {n}");
            continue;
        };
        assert_eq!(outcome, Ok(()), "row {n}");
        let by_header = exchange.headers.contains_key("authorization");
        assert_eq!(by_header, expected == "header", "row {n}");
        assert_eq!(exchange.body.contains("client_secret="), expected == "form");
    }
}

/// RFC 6749 §4.1.2: a code is spent once, and §5.2: our own secret is refused.
#[tokio::test]
async fn what_the_token_endpoint_refuses() {
    let provider = Provider::good().await;
    let login = provider.login();
    let start = login.begin(NOW, None).await.unwrap();
    let query = provider.approve(&start.authorization_url);
    let finish = async || {
        login
            .finish(&query, start.cookie.expose(), NOW)
            .await
            .map(drop)
    };
    assert_eq!(finish().await, Ok(()));
    assert_eq!(finish().await, Err(LoginError::Code));
    assert_eq!(provider.exchanges(), 2);

    let client = OidcClient::new(CLIENT, Secret::new("another".to_owned()), BACK);
    let key = Secret::new("k".repeat(32));
    let login = OidcLogin::builder(&provider.http(), provider.server.url(), client, key);
    let login = login.build().unwrap();
    let start = login.begin(NOW, None).await.unwrap();
    let query = provider.approve(&start.authorization_url);
    let refused = login.finish(&query, start.cookie.expose(), NOW).await;
    assert_eq!(refused, Err(LoginError::Client));
    assert_eq!(LoginError::Client.code(), ErrorCode::InternalError);
}

/// RFC 7636 §4.6: a code of somebody else's login is of no use, since its challenge is of another verifier.
#[tokio::test]
async fn an_injected_code_is_refused_by_the_provider() {
    let provider = Provider::good().await;
    let login = provider.login();
    let victim = login.begin(NOW, None).await.unwrap();
    let stolen = parameters(&provider.approve(&victim.authorization_url))["code"].clone();
    let attacker = login.begin(NOW, None).await.unwrap();
    let own = provider.approve(&attacker.authorization_url);
    let query = own.replace(&parameters(&own)["code"], &stolen);
    let finished = login.finish(&query, attacker.cookie.expose(), NOW).await;
    assert_eq!(finished, Err(LoginError::Code));
    assert_eq!(provider.exchanges(), 1);
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_fetched_once() {
    let provider = Provider::with(Ways {
        keys: || {
            // The first answer is of before the rotation.
            static ASKED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
            let first = ASKED.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            let key = if first { &OTHER_KEY } else { &KEY };
            json!({ "keys": [key.public_jwk().unwrap()] })
        },
        ..Ways::good()
    })
    .await;
    let login = provider.login();
    let keys = || {
        provider
            .server
            .paths()
            .iter()
            .filter(|path| *path == "/keys")
            .count()
    };
    crate::until(|| keys() == 1).await;
    for _ in 0..2 {
        let start = login.begin(NOW, None).await.unwrap();
        let query = provider.approve(&start.authorization_url);
        let finished = login.finish(&query, start.cookie.expose(), NOW).await;
        assert_eq!(finished.map(drop), Ok(()));
    }
    assert_eq!(keys(), 2);
}

#[tokio::test]
async fn twenty_who_begin_at_once_read_the_metadata_once() {
    let provider = Provider::good().await;
    let login = provider.login();
    let begun = (0..20).map(|_| login.begin(NOW, None));
    for start in futures_util::future::join_all(begun).await {
        assert!(start.is_ok());
    }
    let paths = provider.server.paths();
    let read = paths.iter().filter(|path| path.contains("well-known"));
    // Once for the logins, once for the keys.
    assert!(read.count() <= 2, "{paths:?}");
}

/// A provider that is out of reach has refused nobody.
#[tokio::test]
async fn out_of_reach_is_never_not_valid() {
    let unavailable = |error: LoginError| {
        assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable, "{error}");
        let refusal = AuthError::from(error);
        assert_eq!(refusal.status(), 503);
        assert!(refusal.retry_after().is_some());
    };

    // Nobody listens.
    let closed = Server::saying("").await.url().to_owned();
    let http = allowing(&closed).build().unwrap();
    let login = builder_at(&http, &closed).build().unwrap();
    let error = login.begin(NOW, None).await.map(drop).unwrap_err();
    assert!(matches!(error, LoginError::Unreachable(_)), "{error}");
    unavailable(error);

    // The token endpoint fails, in each of its ways.
    let endless = Server::start(|_| std::future::pending()).await;
    let html = Server::start(|_| async { answer(200, &[("content-type", "text/html")], "{}") });
    let large = Server::saying("x".repeat(300_000)).await;
    let broken = Server::start(|_| async { answer(500, &[], "") }).await;
    let elsewhere = Server::start(|_| async { answer(307, &[("location", "/")], "") }).await;
    let gone = Server::start(|_| async { answer(404, &[], "") }).await;
    let html = html.await;
    for (at, expected) in [
        (&endless, LoginError::Unreachable(FetchError::TimedOut)),
        (&html, LoginError::TokenResponse),
        (&large, LoginError::Unreachable(FetchError::TooLarge)),
        (&broken, LoginError::Unreachable(FetchError::Status(500))),
        (&elsewhere, LoginError::Unreachable(FetchError::Redirect)),
        (&gone, LoginError::Unreachable(FetchError::Status(404))),
    ] {
        let error = exchange_at(at).await;
        assert_eq!(error, expected);
        unavailable(error);
    }

    // There are no keys.
    let provider = Provider::with(Ways {
        metadata: |metadata| metadata["jwks_uri"] = json!("https://127.0.0.1:1/keys"),
        ..Ways::good()
    })
    .await;
    let error = log_in(&provider).await.unwrap_err();
    assert_eq!(error, LoginError::Keys);
    unavailable(error);
}

/// How a login ends whose token endpoint is this server.
async fn exchange_at(token: &Server) -> LoginError {
    let endpoint = format!("{}/token", token.url());
    let metadata = Server::start(move |seen| {
        let url = format!("http://{}", seen.headers["host"].to_str().unwrap());
        let metadata = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": endpoint,
            "jwks_uri": format!("{url}/keys"),
        });
        async move { answer(200, &[], &metadata.to_string()) }
    })
    .await;
    let hosts = [&metadata, token].map(|server| server.url().trim_start_matches("http://"));
    let http = gatewright_jwks::HttpClient::builder()
        .allow(gatewright_jwks::AllowedHosts::parse(hosts).unwrap())
        .timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let clock = gatewright_testing::FakeClock::at(NOW);
    let login = builder_at(&http, metadata.url()).refresh(still(&clock));
    let login = login.build().unwrap();
    let start = login.begin(NOW, None).await.unwrap();
    let state = parameters(&start.authorization_url)["state"].clone();
    let query = format!("code=c&state={state}");
    let finished = login.finish(&query, start.cookie.expose(), NOW).await;
    finished.unwrap_err()
}

/// What was read once holds while it can't be read again, for a day.
#[tokio::test]
async fn metadata_outlive_an_outage() {
    static DOWN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    let server = Server::start(|seen| async move {
        if DOWN.load(std::sync::atomic::Ordering::SeqCst) {
            return answer(503, &[], "");
        }
        let url = format!("http://{}", seen.headers["host"].to_str().unwrap());
        let metadata = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize?tenant=a"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/keys"),
        });
        answer(200, &[], &metadata.to_string())
    })
    .await;
    let http = allowing(server.url()).build().unwrap();
    let clock = gatewright_testing::FakeClock::at(NOW);
    let login = builder_at(&http, server.url()).refresh(still(&clock));
    let login = login.build().unwrap();
    // No keys are there, nor asked for again: from here on, the logins alone ask.
    crate::until(|| server.paths().iter().any(|path| path == "/keys")).await;
    let begin = async |now| login.begin(now, None).await;
    let url = begin(NOW).await.unwrap().authorization_url;
    // RFC 6749 §3.1: the endpoint's own query stays.
    assert!(
        url.contains("/authorize?tenant=a&response_type=code&"),
        "{url}"
    );
    DOWN.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(begin(NOW + 3_599).await.is_ok());
    assert!(begin(NOW + 86_399).await.is_ok());
    let error = begin(NOW + 86_400).await.map(drop).unwrap_err();
    assert_eq!(error, LoginError::Unreachable(FetchError::Status(503)));
    // It is left alone for a moment.
    let asked = server.paths().len();
    assert!(begin(NOW + 86_403).await.is_err());
    assert_eq!(server.paths().len(), asked);
    DOWN.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(begin(NOW + 86_404).await.is_ok());
}
