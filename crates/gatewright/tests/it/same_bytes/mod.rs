//! One service, one table of requests, and the same bytes from every framework.
//!
//! The service of `service.rs` stands on loopback sockets three times: on axum, on actix-web, and on hyper with the tower
//! layer. Each has a gate of its own over one store and one clock. Every request of `requests.txt` is sent to all of them,
//! and their answers (status, fields, body) must be equal to each other and to `answers.snap`.
//!
//! `UPDATE_SNAPSHOTS=1` writes that file anew, from what axum answers; read the difference before you commit it.

mod actix;
mod answer;
mod axum;
mod client;
mod hyper;
mod request;
mod service;
mod world;

use std::path::Path;

use self::answer::Answer;
use self::client::Client;
use self::request::Row;
use self::world::World;

const REQUESTS: &str = include_str!("requests.txt");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_framework_answers_alike() {
    let (http1, http2) = tokio::join!(asked(Protocol::Http1), asked(Protocol::Http2));

    let written: Vec<String> = http1.iter().map(written).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/same_bytes/answers.snap");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, written.concat()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    for row in &written {
        assert!(
            kept.contains(row.as_str()),
            "answers.snap has another\n{row}"
        );
    }
    assert!(written.concat() == kept, "answers.snap has other rows");

    for (row, over_http2) in http2 {
        let (_, over_http1) = http1
            .iter()
            .find(|(known, _)| known.title == row.title)
            .unwrap();
        let title = &row.title;
        assert!(
            *over_http1 == over_http2,
            "{title}\nHTTP/1.1 answers\n{over_http1}\nHTTP/2 answers\n{over_http2}"
        );
    }
}

/// Sends every row to every framework, which must agree, and gives what they answer.
async fn asked(protocol: Protocol) -> Vec<(Row, Answer)> {
    let world = World::new().await;
    let actix = actix::Server::start(world.gate(), service::families(&world)).await;
    let axum = axum::serve(world.gate(), service::families(&world)).await;
    let hyper = hyper::serve(world.gate(), service::families(&world)).await;
    let mut servers = Vec::new();
    for (name, address) in [
        ("axum", axum),
        ("hyper", hyper),
        ("actix-web", actix.address),
    ] {
        let client = match protocol {
            Protocol::Http1 => Client::Http1(address),
            Protocol::Http2 => Client::http2(address).await,
        };
        servers.push((name, client));
    }
    let mut rows = request::rows(REQUESTS);
    if protocol == Protocol::Http2 {
        rows.retain(|row| !row.only_http1);
    }
    let mut answers = Vec::new();
    let mut differences = String::new();
    for row in rows {
        let wire = row.wire(&world);
        world.clock.advance(row.wait);
        world.store.put_out_of_reach(row.outage);
        let mut same: Option<Answer> = None;
        for (name, client) in &servers {
            let mut answer = client.send(&wire).await;
            for _ in 1..row.times {
                answer = client.send(&wire).await;
            }
            let told = world.credentials().find(|text| answer.shows(text));
            assert!(told.is_none(), "{name} tells a credential: {}", row.title);
            let same = same.get_or_insert_with(|| answer.clone());
            if *same != answer {
                let title = &row.title;
                differences.push_str(&format!(
                    "\n{title}\naxum answers\n{same}\n{name} answers\n{answer}"
                ));
            }
        }
        world.store.put_out_of_reach(false);
        answers.push((row, same.unwrap()));
    }
    assert!(differences.is_empty(), "{differences}");
    answers
}

fn written((row, answer): &(Row, Answer)) -> String {
    let indented = |text: &str| -> String {
        let lines = text.lines().map(|line| format!("    {line}"));
        lines.map(|line| format!("{}\n", line.trim_end())).collect()
    };
    let request = indented(&row.written);
    let answer = indented(&answer.to_string());
    format!("= {}\n{request}\n{answer}\n", row.title)
}
