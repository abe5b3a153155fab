//! What is fetched from a host that a tenant chose, and what isn't.

use std::future::pending;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use gatewright_core::federation::KeySource;
use gatewright_core::jwt::KeySetError;
use gatewright_core::store::BoxFuture;
use gatewright_jwks::{
    AllowedHosts, FetchError, HttpClient, HttpClientBuilder, RefreshPolicy, RemoteKeys, Resolver,
    UrlError,
};

use crate::server::{Server, answer};
use crate::{allowing, key_set, new_key};

/// How a fetch from this URL ends.
async fn fetched(http: HttpClientBuilder, url: &str) -> Result<usize, FetchError> {
    let keys = RemoteKeys::from_jwks_url(&http.build().unwrap(), url, RefreshPolicy::new());
    let keys = keys.unwrap();
    let outcome = keys.refetch().await;
    assert_eq!(outcome.is_err(), keys.last_error().is_some());
    match keys.last_error() {
        Some(error) => Err(error),
        None => Ok(keys.live().load().len()),
    }
}

/// Every name leads to these addresses.
#[derive(Debug)]
struct Leading(&'static [&'static str]);

impl Resolver for Leading {
    fn resolve(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.0.iter().map(|text| text.parse().unwrap()).collect();
        Box::pin(async { Ok(found) })
    }
}

#[tokio::test]
async fn urls_are_judged_when_they_are_configured() {
    let http = HttpClient::builder().build().unwrap();
    let refused = |url: &str| {
        RemoteKeys::from_jwks_url(&http, url, RefreshPolicy::new())
            .map(drop)
            .unwrap_err()
    };
    assert_eq!(refused("http://idp.example/keys"), UrlError::Scheme);
    assert_eq!(refused("https://u:p@idp.example/"), UrlError::Credentials);
    assert_eq!(refused("https://idp.example/#keys"), UrlError::Fragment);
    assert_eq!(refused("https://169.254.169.254/"), UrlError::Address);
    assert_eq!(refused("https://[::1]:8443/"), UrlError::Address);
    assert_eq!(refused("idp.example"), UrlError::Malformed);
}

#[tokio::test]
async fn a_name_that_leads_to_private_addresses_is_not_connected_to() {
    let server = Server::saying(key_set(&[new_key()])).await;
    let url = format!("https://idp.example:{}/keys", server.port());
    for private in [
        &["127.0.0.1"][..],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["169.254.169.254", "10.0.0.1", "fd00::1", "100.64.0.1"],
    ] {
        let http = HttpClient::builder().resolver(Leading(private));
        assert_eq!(fetched(http, &url).await, Err(FetchError::Address));
    }
    // The same name and the same address, once the operator allows them.
    let allowed = AllowedHosts::parse([&*format!("idp.example:{}", server.port())]).unwrap();
    let http = HttpClient::builder().resolver(Leading(&["127.0.0.1"]));
    let url = url.replace("https", "http");
    assert_eq!(fetched(http.allow(allowed), &url).await, Ok(1));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_host_that_is_allowed_opens_no_other_port_and_no_other_name() {
    let server = Server::saying(key_set(&[new_key()])).await;
    let http = allowing("http://127.0.0.1:1").build().unwrap();
    for url in [
        server.url().to_owned(),
        format!("http://localhost:{}", server.port()),
        format!("https://127.0.0.1:{}", server.port()),
    ] {
        assert!(
            RemoteKeys::from_jwks_url(&http, &url, RefreshPolicy::new()).is_err(),
            "{url}"
        );
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let target = Server::saying(key_set(&[new_key()])).await;
    for status in [301, 302, 303, 307, 308] {
        let location = target.url().to_owned();
        let server = Server::start(move |_| {
            let location = location.clone();
            async move { answer(status, &[("location", &location)], "") }
        })
        .await;
        let hosts = [server.url(), target.url()].map(|url| url.trim_start_matches("http://"));
        let http = HttpClient::builder().allow(AllowedHosts::parse(hosts).unwrap());
        assert_eq!(
            fetched(http, server.url()).await,
            Err(FetchError::Redirect),
            "{status}"
        );
    }
    assert!(target.seen().is_empty());
}

#[tokio::test]
async fn only_200_is_an_answer() {
    for status in [201, 203, 204, 400, 401, 404, 500, 503] {
        let server = Server::start(move |_| async move {
            let body = if status == 204 {
                String::new()
            } else {
                key_set(&[new_key()])
            };
            answer(status, &[], &body)
        })
        .await;
        let error = fetched(allowing(server.url()), server.url()).await;
        assert_eq!(error, Err(FetchError::Status(status)));
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit() {
    let set = key_set(&[new_key()]);
    let server = Server::saying(set.clone()).await;
    let at_most = |bytes| allowing(server.url()).max_bytes(bytes);
    assert_eq!(fetched(at_most(set.len()), server.url()).await, Ok(1));
    assert_eq!(
        fetched(at_most(set.len() - 1), server.url()).await,
        Err(FetchError::TooLarge)
    );
    // By default as much as a set may have, and a set may have no more even where the limit is higher.
    let padding = " ".repeat(256 * 1024);
    let server = Server::saying(format!("{set}{padding}")).await;
    assert_eq!(
        fetched(allowing(server.url()), server.url()).await,
        Err(FetchError::TooLarge)
    );
    let wide = allowing(server.url()).max_bytes(1 << 20);
    assert_eq!(
        fetched(wide, server.url()).await,
        Err(FetchError::KeySet(KeySetError::TooLarge))
    );
}

/// The length is not announced, and the end never comes.
#[tokio::test]
async fn an_endless_body_ends_at_the_limit() {
    let server = Server::raw(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
          10\r\n0123456789abcdef\r\n10\r\n0123456789abcdef\r\n",
    )
    .await;
    let http = allowing(server.url()).max_bytes(20);
    assert_eq!(fetched(http, server.url()).await, Err(FetchError::TooLarge));
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_does_not_end_is_given_up() {
    let soon = Duration::from_millis(100);
    let silent = Server::start(|_| pending()).await;
    let http = allowing(silent.url()).timeout(soon);
    assert_eq!(fetched(http, silent.url()).await, Err(FetchError::TimedOut));
    let slow = Server::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keys\":").await;
    let http = allowing(slow.url()).timeout(soon);
    assert_eq!(fetched(http, slow.url()).await, Err(FetchError::TimedOut));
}

#[tokio::test]
async fn nobody_there() {
    let server = Server::saying("").await;
    let url = server.url().to_owned();
    drop(server);
    let found = fetched(allowing(&url), &url).await;
    assert_eq!(found, Err(FetchError::Connection));
    // Allowed, so it may be reached without TLS, but this URL says with it.
    let plain = Server::saying(key_set(&[new_key()])).await;
    let with_tls = plain.url().replace("http", "https");
    let found = fetched(allowing(plain.url()), &with_tls).await;
    assert_eq!(found, Err(FetchError::Connection));
    let nowhere = HttpClient::builder().resolver(Leading(&[]));
    let found = fetched(nowhere, "https://idp.example/keys").await;
    assert_eq!(found, Err(FetchError::Connection));
}

#[tokio::test]
async fn what_is_no_key_set_is_not_taken() {
    for text in [
        "",
        "{",
        "{}",
        "[]",
        "{\"keys\":{}}",
        "{\"keys\":[],\"keys\":[]}",
        "<html>",
    ] {
        let server = Server::saying(text).await;
        assert_eq!(
            fetched(allowing(server.url()), server.url()).await,
            Err(FetchError::KeySet(KeySetError::Json)),
            "{text}"
        );
    }
    let many: Vec<_> = (0..101).map(|_| serde_json::json!({})).collect();
    let server = Server::saying(key_set(&many)).await;
    assert_eq!(
        fetched(allowing(server.url()), server.url()).await,
        Err(FetchError::KeySet(KeySetError::TooManyKeys))
    );
}

#[test]
fn a_client_needs_a_runtime() {
    let error = HttpClient::builder().build().unwrap_err();
    assert!(error.to_string().contains("runtime"));
}
