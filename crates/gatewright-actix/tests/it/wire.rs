//! What goes over a socket.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use actix_web::{App, HttpServer, rt, web};
use gatewright_actix::{GuardedScope, get};
use gatewright_core::limit::Rate;
use gatewright_core::policy::{Limits, Policy, Realm};

use crate::authority;

/// One connection, one request, all that comes back.
async fn exchange(address: SocketAddr, request: String) -> String {
    let exchange = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    };
    web::block(exchange).await.unwrap()
}

fn head(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n")
}

#[actix_web::test]
async fn workers_share_their_policies_and_limits() {
    let authority = authority().await;
    let limits = Limits::none().per_source(Rate::new(4, 60, 4).unwrap());
    let realm = Realm::builder("api").limits(limits).build();
    let (routes, table) = GuardedScope::new(authority.gate().clone(), realm)
        .route("/links", get(Policy::pat(), async || "links"))
        .route("/open", get(Policy::public(), async || "open"))
        .finish()
        .unwrap();
    let server = HttpServer::new(move || App::new().configure(|config| routes.register(config)))
        .workers(2)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    rt::spawn(server);

    let pat = authority.pat("creator", "*").await;
    let field = format!("authorization: Bearer {pat}\r\n");
    let passed = exchange(address, head("GET /links", &field)).await;
    assert!(passed.starts_with("HTTP/1.1 200 OK\r\n"), "{passed}");
    assert!(
        passed.contains("\r\ncache-control: no-store\r\n"),
        "{passed}"
    );
    assert!(passed.ends_with("\r\n\r\nlinks"), "{passed}");

    let refused = exchange(address, head("HEAD /links", "")).await;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(refused.contains("\r\nwww-authenticate: Bearer realm=\"api\"\r\n"));
    assert!(refused.ends_with("\r\n\r\n"), "no body: {refused}");

    let unreadable = exchange(address, head("GET /links", "x-api-key: \u{e9}\r\n")).await;
    assert!(unreadable.starts_with("HTTP/1.1 401 "), "{unreadable}");

    table.replace([("GET", "/open", Policy::pat())]).unwrap();
    for _ in 0..2 {
        let replaced = exchange(address, head("GET /open", "")).await;
        assert!(replaced.starts_with("HTTP/1.1 401 "), "{replaced}");
    }
    // Whichever worker answered, all were charged to one source.
    let mut seen = Vec::new();
    for _ in 0..8 {
        let answer = exchange(address, head("GET /nowhere", "")).await;
        seen.push(answer[9..12].to_owned());
    }
    assert_eq!(seen.last().map(String::as_str), Some("429"), "{seen:?}");
    handle.stop(false).await;
}
