//! Where requests come from, with a proxy in front and without.

use gatewright_core::source::TrustedProxies;
use serde_json::json;

use super::{PASSWORD, Server, answer};

/// How many of a source's anonymous calls are left, by `RateLimit: "source";r=…`, after one more from there.
async fn left(server: &Server, field: &str, line: &str) -> u32 {
    let request = server.request("GET", "/v2/coverage");
    let response = request.header(field, line).send().await.unwrap();
    let told = response.headers()["ratelimit"].to_str().unwrap();
    let left = told.strip_prefix("\"source\";r=").unwrap();
    left[..left.find(';').unwrap()].parse().unwrap()
}

/// Tries to log in, with the caller's own lines before what the proxy appends; answers the status.
async fn log_in(server: &Server, password: &str, lines: &[&str]) -> u16 {
    let body = json!({ "email": "ada@acme.test", "password": password });
    let mut request = server.request("POST", "/v2/auth/login").json(&body);
    for line in lines {
        request = request.header("forwarded", *line);
    }
    answer(request.send().await.unwrap()).await.0
}

/// Those of the events since the last call.
fn sources(server: &Server) -> Vec<String> {
    let events = server.audit.take().into_iter();
    let sources = events.map(|event| event.source.unwrap().to_string());
    let mut sources: Vec<_> = sources.collect();
    sources.dedup();
    sources
}

#[tokio::test]
async fn limits_by_source_go_by_what_the_proxy_tells_if_it_is_believed() {
    let behind = Server::start_behind(TrustedProxies::forwarded(1).ok(), true).await;
    for number in 0..200 {
        let spoofed = format!("for=198.51.100.{number}, for=203.0.113.9");
        left(&behind, "forwarded", &spoofed).await;
    }
    assert!(left(&behind, "forwarded", "for=203.0.113.9").await < 998);
    assert_eq!(left(&behind, "forwarded", "for=203.0.113.10").await, 999);
    // The other field is the caller's, and what says nothing is the peer's.
    for number in 0..100 {
        left(&behind, "x-forwarded-for", &format!("203.0.113.{number}")).await;
        left(&behind, "forwarded", "for=unknown").await;
    }
    assert!(left(&behind, "forwarded", "for=127.0.0.1").await < 998);

    let alone = Server::start_with(true).await;
    for number in 0..200 {
        left(&alone, "forwarded", &format!("for=203.0.113.{number}")).await;
    }
    assert!(left(&alone, "forwarded", "for=192.0.2.1").await < 998);
}

#[tokio::test]
async fn failed_logins_count_by_what_the_proxy_tells() {
    let server = Server::start_behind(TrustedProxies::forwarded(1).ok(), false).await;
    server.person("ada").await;
    for number in 0..10 {
        let spoofed = format!("for=198.51.100.{number}");
        let lines = [&spoofed[..], "for=\"", "for=\"203.0.113.9:4711\""];
        assert_eq!(log_in(&server, "wrong", &lines).await, 401);
    }
    let guesser = ["for=192.0.2.1", "for=203.0.113.9"];
    assert_eq!(log_in(&server, PASSWORD, &guesser).await, 429);
    assert_eq!(sources(&server), ["203.0.113.9"]);
    assert_eq!(log_in(&server, PASSWORD, &["for=203.0.113.10"]).await, 200);
    assert_eq!(sources(&server), ["203.0.113.10"], "what is noted too");
}

/// A caller who comes around the proxy, or is one of nobody's, can't look like somebody else.
#[tokio::test]
async fn a_peer_that_is_not_listed_is_not_believed() {
    let proxies = TrustedProxies::forwarded(1).unwrap();
    let elsewhere = proxies.from_peers(["10.0.0.0/8".parse().unwrap()]);
    let server = Server::start_behind(Some(elsewhere), false).await;
    server.person("ada").await;
    for number in 0..10 {
        let line = format!("for=203.0.113.{number}");
        assert_eq!(log_in(&server, "wrong", &[&line]).await, 401);
    }
    assert_eq!(log_in(&server, PASSWORD, &["for=192.0.2.1"]).await, 429);
    assert_eq!(sources(&server), ["127.0.0.1"]);
}

/// What handlers note of a caller who is proven, and what the gate notes of one it refuses.
#[tokio::test]
async fn events_name_the_source_that_the_proxy_tells() {
    let server = Server::start_behind(TrustedProxies::forwarded(1).ok(), false).await;
    let ada = server.person("ada").await;
    server.handle("acme", "free", &ada).await;
    let jwt = server.login("handle", "ada").await;
    let body = json!({ "name": "all", "scopes": ["links.read"] });
    let minted = server.call("POST", "/v2/handles/acme/tokens", &jwt, body);
    let pat = super::text(&minted.await.1["token"]);
    server.audit.take();
    for (path, bearer, status, source) in [
        ("/v2/billing/plan?handle=other", &jwt, 404, "203.0.113.9"),
        (
            "/v2/public/handles/acme/analytics",
            &pat,
            403,
            "203.0.113.10",
        ),
    ] {
        let line = format!("for=192.0.2.1, for={source}");
        let request = server.request("GET", path).bearer_auth(bearer);
        let response = request.header("forwarded", line).send().await.unwrap();
        assert_eq!(answer(response).await.0, status, "{path}");
        assert_eq!(sources(&server), [source], "{path}");
    }
}
