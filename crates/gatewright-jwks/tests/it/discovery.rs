//! Keys found by an issuer's metadata.

use gatewright_core::federation::KeySource;
use gatewright_jwks::{AllowedHosts, FetchError, HttpClient, RefreshPolicy, RemoteKeys, UrlError};
use serde_json::json;

use crate::server::{Answer, Server, answer};
use crate::{allowing, key_set, new_key};

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// A server that has the metadata of `issuer` (behind its own host) at one path alone, and keys at `/keys`.
async fn publishing(at: &'static str, issuer_path: &'static str) -> Server {
    Server::start(move |seen| async move {
        let host = format!("http://{}", seen.headers["host"].to_str().unwrap());
        let metadata = json!({
            "issuer": format!("{host}{issuer_path}"),
            "jwks_uri": format!("{host}/keys"),
            "scopes_supported": [1, {"a": null}],
        });
        match &*seen.path {
            "/keys" => answer(200, &[], &key_set(&[new_key()])),
            path if path == at => answer(200, &[], &metadata.to_string()),
            _ => answer(404, &[], ""),
        }
    })
    .await
}

async fn discovered(server: &Server, issuer: &str) -> Option<FetchError> {
    let http = allowing(server.url()).build().unwrap();
    let keys = RemoteKeys::from_issuer(&http, issuer, RefreshPolicy::new()).unwrap();
    let outcome = keys.refetch().await;
    assert_eq!(outcome.is_ok(), keys.last_error().is_none());
    keys.last_error()
}

/// OpenID Connect Discovery §4 appends to the issuer; RFC 8414 §3.1 inserts between its host and path.
#[tokio::test]
async fn both_well_known_forms() {
    let table: &[(&'static str, &'static str, &[&str])] = &[
        ("", OPENID, &[OPENID]),
        ("/", OPENID, &[OPENID]),
        ("", OAUTH, &[OPENID, OAUTH]),
        (
            "/realms/acme",
            "/realms/acme/.well-known/openid-configuration",
            &["/realms/acme/.well-known/openid-configuration"],
        ),
        (
            "/realms/acme",
            "/.well-known/oauth-authorization-server/realms/acme",
            &[
                "/realms/acme/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/realms/acme",
            ],
        ),
        (
            "/t/",
            "/.well-known/oauth-authorization-server/t",
            &[
                "/t/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/t",
            ],
        ),
    ];
    for (path, at, asked) in table {
        let server = publishing(at, path).await;
        let issuer = format!("{}{path}", server.url());
        assert_eq!(discovered(&server, &issuer).await, None, "{path} {at}");
        let expected: Vec<_> = asked.iter().copied().chain(["/keys"]).collect();
        assert_eq!(server.paths(), expected);
    }
}

#[tokio::test]
async fn metadata_of_another_issuer_are_refused() {
    // Configured without the slash, published with it, and the other way round.
    let server = publishing(OPENID, "/").await;
    let found = discovered(&server, server.url()).await;
    assert_eq!(found, Some(FetchError::Issuer));
    let server = publishing(OPENID, "").await;
    let found = discovered(&server, &format!("{}/", server.url())).await;
    assert_eq!(found, Some(FetchError::Issuer));
    let server = publishing("/a/.well-known/openid-configuration", "/b").await;
    let found = discovered(&server, &format!("{}/a", server.url())).await;
    assert_eq!(found, Some(FetchError::Issuer));
    assert_eq!(server.paths().len(), 1, "its keys are not even fetched");
}

#[tokio::test]
async fn the_second_form_is_for_hosts_that_lack_the_first() {
    for (status, requests) in [(400, 2), (404, 2), (429, 1), (500, 1), (503, 1), (302, 1)] {
        let server = Server::start(move |_| async move { answer(status, &[], "") }).await;
        assert!(discovered(&server, server.url()).await.is_some());
        assert_eq!(server.paths().len(), requests, "{status}");
    }
}

#[tokio::test]
async fn metadata_are_read_strictly() {
    let good = "\"issuer\":\"SELF\",\"jwks_uri\":\"SELF/keys\"";
    let table = [
        (format!("{{{good}}}"), None),
        (
            "[\"SELF\",\"SELF/keys\"]".to_owned(),
            Some(FetchError::Malformed),
        ),
        (
            "{\"issuer\":\"SELF\"}".to_owned(),
            Some(FetchError::Malformed),
        ),
        (
            format!("{{{good},\"issuer\":\"SELF\"}}"),
            Some(FetchError::Malformed),
        ),
        (
            format!("{{{good},\"jwks_uri\":\"https://a.example\"}}"),
            Some(FetchError::Malformed),
        ),
        (
            "{\"issuer\":[\"SELF\"],\"jwks_uri\":\"SELF/keys\"}".to_owned(),
            Some(FetchError::Malformed),
        ),
        ("<html>".to_owned(), Some(FetchError::Malformed)),
    ];
    for (text, expected) in table {
        let said = text.clone();
        let server = Server::start(move |seen| {
            let host = format!("http://{}", seen.headers["host"].to_str().unwrap());
            let said: Answer = if seen.path == "/keys" {
                answer(200, &[], &key_set(&[new_key()]))
            } else {
                answer(200, &[], &said.replace("SELF", &host))
            };
            async move { said }
        })
        .await;
        assert_eq!(discovered(&server, server.url()).await, expected, "{text}");
    }
}

#[tokio::test]
async fn the_url_of_the_keys_is_judged_like_any_other() {
    let table = [
        ("http://idp.example/keys", UrlError::Scheme),
        ("https://169.254.169.254/keys", UrlError::Address),
        ("https://u:p@idp.example/keys", UrlError::Credentials),
        ("https://idp.example/keys#k", UrlError::Fragment),
        ("/keys", UrlError::Malformed),
        ("file:///etc/passwd", UrlError::Scheme),
    ];
    for (url, error) in table {
        let server = Server::start(move |seen| async move {
            let host = format!("http://{}", seen.headers["host"].to_str().unwrap());
            answer(
                200,
                &[],
                &json!({"issuer": host, "jwks_uri": url}).to_string(),
            )
        })
        .await;
        let found = discovered(&server, server.url()).await;
        assert_eq!(found, Some(FetchError::Url(error)), "{url}");
    }
}

#[tokio::test]
async fn an_issuer_is_a_url_without_a_query() {
    let http = HttpClient::builder()
        .allow(AllowedHosts::parse(["idp.internal:80"]).unwrap())
        .build()
        .unwrap();
    let table = [
        ("https://idp.example?a=b", UrlError::Query),
        ("https://idp.example/?", UrlError::Query),
        ("https://idp.example/#", UrlError::Fragment),
        ("http://idp.example", UrlError::Scheme),
        ("https://10.0.0.1", UrlError::Address),
        ("accounts.example.com", UrlError::Malformed),
        ("", UrlError::Malformed),
    ];
    for (issuer, error) in table {
        let refused = RemoteKeys::from_issuer(&http, issuer, RefreshPolicy::new());
        assert_eq!(refused.map(drop), Err(error), "{issuer}");
    }
}
