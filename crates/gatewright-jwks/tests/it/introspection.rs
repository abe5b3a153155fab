//! Tokens that only their provider can read.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use gatewright_core::credential::Secret;
use gatewright_core::federation::Introspector;
use gatewright_jwks::{HttpClient, Introspection, UrlError};

use crate::server::{Server, answer};
use crate::{allowing, until};

const JSON: (&str, &str) = ("content-type", "application/json");

fn asking(server: &Server) -> Introspection {
    let http = allowing(server.url()).timeout(Duration::from_secs(5));
    let secret = Secret::new("s3cret".to_owned());
    Introspection::new(&http.build().unwrap(), server.url(), "app", &secret).unwrap()
}

fn token() -> Secret {
    Secret::new("opaque".to_owned())
}

/// RFC 7662 §2.2 and §2.3: what counts as an answer.
#[tokio::test]
async fn only_an_answer_about_the_token_counts() {
    type Row = (
        u16,
        &'static [(&'static str, &'static str)],
        &'static str,
        Is,
    );
    #[derive(Debug, PartialEq)]
    enum Is {
        Active,
        Inactive,
        Unreachable,
    }
    const ACTIVE: &str = "{\"active\":true,\"sub\":\"usr_1\",\"exp\":9}";
    const TABLE: &[Row] = &[
        (200, &[JSON], ACTIVE, Is::Active),
        (200, &[JSON], " {\"active\":true}\n", Is::Active),
        (
            200,
            &[("content-type", "Application/JSON; charset=utf-8")],
            ACTIVE,
            Is::Active,
        ),
        (200, &[JSON], "{\"active\":false}", Is::Inactive),
        (
            200,
            &[JSON],
            "{\"active\":false,\"sub\":\"usr_1\"}",
            Is::Inactive,
        ),
        (200, &[JSON], "{}", Is::Unreachable),
        (200, &[JSON], "", Is::Unreachable),
        (200, &[JSON], "[true]", Is::Unreachable),
        (200, &[JSON], "{\"active\":\"true\"}", Is::Unreachable),
        (200, &[JSON], "{\"active\":1}", Is::Unreachable),
        (200, &[JSON], "{\"active\":null}", Is::Unreachable),
        (200, &[JSON], "{\"Active\":true}", Is::Unreachable),
        (
            200,
            &[JSON],
            "{\"active\":true,\"active\":true}",
            Is::Unreachable,
        ),
        (200, &[JSON], "{\"active\":true} x", Is::Unreachable),
        (200, &[], ACTIVE, Is::Unreachable),
        (
            200,
            &[("content-type", "text/html")],
            ACTIVE,
            Is::Unreachable,
        ),
        (
            200,
            &[("content-type", "application/json+x")],
            ACTIVE,
            Is::Unreachable,
        ),
        // A signed answer (RFC 9701) was not asked for.
        (
            200,
            &[("content-type", "application/token-introspection+jwt")],
            ACTIVE,
            Is::Unreachable,
        ),
        (
            200,
            &[JSON, ("content-type", "text/html")],
            ACTIVE,
            Is::Unreachable,
        ),
        (201, &[JSON], ACTIVE, Is::Unreachable),
        (204, &[], "", Is::Unreachable),
        (307, &[JSON, ("location", "/")], ACTIVE, Is::Unreachable),
        (400, &[JSON], "{\"active\":false}", Is::Unreachable),
        // Our own secret is refused, RFC 7662 §2.3: that says nothing of the token.
        (
            401,
            &[JSON],
            "{\"error\":\"invalid_client\"}",
            Is::Unreachable,
        ),
        (500, &[JSON], ACTIVE, Is::Unreachable),
    ];
    for (status, headers, body, expected) in TABLE {
        let server = Server::start(move |_| async move { answer(*status, headers, body) }).await;
        let found = match asking(&server).introspect(&token()).await {
            Ok(Some(text)) => {
                assert_eq!(text, *body);
                Is::Active
            }
            Ok(None) => Is::Inactive,
            Err(_) => Is::Unreachable,
        };
        assert_eq!(found, *expected, "{status} {headers:?} {body}");
        assert_eq!(server.seen().len(), 1);
    }
}

/// RFC 6749 §2.3.1 and Appendix B: name and secret are form-encoded before they are joined.
#[tokio::test]
async fn the_request_is_a_clients_form() {
    let server = Server::start(|_| async { answer(200, &[JSON], "{\"active\":false}") }).await;
    let http = allowing(server.url()).build().unwrap();
    let url = format!("{}/introspect?realm=a", server.url());
    let secret = Secret::new("p:w +&=%\u{e4}".to_owned());
    let asking = Introspection::new(&http, &url, "app:1/a b", &secret).unwrap();
    let token = Secret::new("a+b&token=c d%\u{fc}".to_owned());
    assert_eq!(asking.introspect(&token).await, Ok(None));
    let seen = server.seen().remove(0);
    assert_eq!(seen.path, "/introspect?realm=a");
    assert_eq!(
        seen.body,
        "token=a%2Bb%26token%3Dc+d%25%C3%BC&token_type_hint=access_token"
    );
    // printf 'app%%3A1%%2Fa+b:p%%3Aw+%%2B%%26%%3D%%25%%C3%%A4' | base64
    assert_eq!(
        seen.headers["authorization"],
        "Basic YXBwJTNBMSUyRmErYjpwJTNBdyslMkIlMjYlM0QlMjUlQzMlQTQ="
    );
    assert_eq!(
        seen.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(seen.headers["accept"], "application/json");
}

#[tokio::test]
async fn a_provider_says_when_to_come_back() {
    for (said, expected) in [("7", 7), ("0", 1), ("86400", 60), ("soon", 5)] {
        let server =
            Server::start(move |_| async move { answer(503, &[("retry-after", said)], "") }).await;
        let refused = asking(&server).introspect(&token()).await.unwrap_err();
        assert_eq!(refused.retry_after_secs, expected, "{said}");
    }
}

#[tokio::test]
async fn a_provider_that_hangs_gathers_sixty_four_questions() {
    let server = Server::start(|_| pending()).await;
    let asking = Arc::new(asking(&server));
    let waiting: Vec<_> = (0..64)
        .map(|_| {
            let asking = Arc::clone(&asking);
            tokio::spawn(async move { asking.introspect(&token()).await })
        })
        .collect();
    until(|| server.seen().len() == 64).await;
    let refused = asking.introspect(&token()).await.unwrap_err();
    assert_eq!(refused.retry_after_secs, 1);
    assert_eq!(server.seen().len(), 64);
    // Who goes away makes room.
    for task in waiting {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    let asked = tokio::spawn(async move { asking.introspect(&token()).await });
    until(|| server.seen().len() == 65).await;
    asked.abort();
}

#[tokio::test]
async fn a_hanging_answer_is_given_up() {
    let server = Server::start(|_| pending()).await;
    let http = allowing(server.url()).timeout(Duration::from_millis(100));
    let secret = Secret::new("s3cret".to_owned());
    let asking = Introspection::new(&http.build().unwrap(), server.url(), "app", &secret);
    assert!(asking.unwrap().introspect(&token()).await.is_err());
}

#[tokio::test]
async fn the_endpoint_is_judged_and_the_secret_stays_hidden() {
    let http = HttpClient::builder().build().unwrap();
    let secret = Secret::new("hunter2".to_owned());
    let new = |url: &str| Introspection::new(&http, url, "app", &secret);
    assert_eq!(new("http://idp.example/i").unwrap_err(), UrlError::Scheme);
    assert_eq!(new("https://127.0.0.1/i").unwrap_err(), UrlError::Address);
    let asking = new("https://idp.example/i?key=hunter2").unwrap();
    assert!(!format!("{asking:?}").contains("hunter2"), "{asking:?}");
}
