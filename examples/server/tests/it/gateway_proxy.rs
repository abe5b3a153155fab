//! The proxy that adds a credential changes nothing else: what is found out through it is true of the server.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use reqwest::Client;
use serde_json::Value;

use crate::companion::Companion;
use crate::node::script;

/// Answers every request with its own head and body, each on a connection of its own.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.ends_with(b"END") {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0, "cut off");
                request.extend(&buffer[..read]);
            }
            let head = "HTTP/1.1 418 Of Its Own\r\nX-Twice: 1\r\nX-Twice: 2\r\nContent-Length:";
            let head = format!("{head} {}\r\nConnection: close\r\n\r\n", request.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&request).unwrap();
        }
    });
    address.to_string()
}

fn start(target: &str) -> (Companion, String) {
    let mut command = script("proxy.mjs");
    command
        .arg(format!("http://{target}"))
        .env("CREDENTIAL", "X-API-Key: the-right-one");
    let (proxy, hello) = Companion::start(command);
    let Value::String(base) = &hello["base"] else {
        panic!("{hello}")
    };
    (proxy, base.clone())
}

#[tokio::test]
async fn only_the_credential_and_its_own_name_are_changed() {
    let target = echo();
    let (_proxy, base) = start(&target);
    let own = base.trim_start_matches("http://");
    let client = Client::builder().no_proxy().build().unwrap();
    for (host, origin, host_there, origin_there) in [
        (
            own,
            base.as_str(),
            target.as_str(),
            format!("http://{target}"),
        ),
        (
            "evil.example.com",
            "http://evil.example.com",
            "evil.example.com",
            "http://evil.example.com".into(),
        ),
        (own, "null", &target, "null".into()),
        (
            own,
            &format!("https://{own}"),
            &target,
            format!("https://{own}"),
        ),
    ] {
        let request = client
            .post(format!("{base}/mcp/acme-corp?a=%2F"))
            .header("host", host)
            .header("origin", origin)
            .header("x-api-key", "another")
            .header("mcp-name", "  spaced  ")
            .body("{\"jsonrpc\": END");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 418);
        assert_eq!(answer.headers().get_all("x-twice").iter().count(), 2);
        let there = answer.text().await.unwrap();
        assert!(
            there.starts_with("POST /mcp/acme-corp?a=%2F HTTP/1.1\r\n"),
            "{there}"
        );
        assert!(there.ends_with("\r\n\r\n{\"jsonrpc\": END"), "{there}");
        let lines: Vec<String> = there.lines().map(str::to_ascii_lowercase).collect();
        let values = |name: &str| -> Vec<String> {
            let with_name = lines
                .iter()
                .filter_map(|line| line.strip_prefix(&format!("{name}: ")));
            with_name.map(|value| value.trim().to_owned()).collect()
        };
        assert_eq!(values("host"), [host_there], "{there}");
        assert_eq!(values("origin"), [origin_there], "{there}");
        assert_eq!(values("x-api-key"), ["the-right-one"], "{there}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_bad_gateway() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = gone.local_addr().unwrap().to_string();
    drop(gone);
    let (_proxy, base) = start(&target);
    let client = Client::builder().no_proxy().build().unwrap();
    let answer = client.get(&base).send().await.unwrap();
    assert_eq!(answer.status(), 502);
}
