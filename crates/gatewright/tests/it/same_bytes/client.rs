//! Sends a request and takes the answer apart: HTTP/1.1 byte by byte, since a client library would mend what is odd.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::answer::Answer;
use super::request::Wire;

/// A client of one server.
pub(crate) enum Client {
    /// With a connection for each request.
    Http1(SocketAddr),
    /// With one connection, opened with prior knowledge (RFC 9113 §3.3).
    Http2(SendRequest<Empty<Bytes>>),
}

impl Client {
    pub(crate) async fn http2(address: SocketAddr) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        Self::Http2(sender)
    }

    pub(crate) async fn send(&self, wire: &Wire) -> Answer {
        let exchange = async {
            match self {
                Self::Http1(address) => http1(*address, wire).await,
                Self::Http2(sender) => http2(sender.clone(), wire).await,
            }
        };
        let answer = tokio::time::timeout(Duration::from_secs(30), exchange).await;
        answer.unwrap()
    }
}

async fn http1(address: SocketAddr, wire: &Wire) -> Answer {
    let mut head = format!("{} ", wire.method).into_bytes();
    head.extend(&wire.target);
    head.extend(b" HTTP/1.1\r\nhost: api.example\r\nconnection: close\r\n");
    for (name, value) in &wire.fields {
        head.extend(name.bytes());
        head.extend(b": ");
        head.extend(value);
        head.extend(b"\r\n");
    }
    if wire.method != "GET" && wire.method != "HEAD" {
        head.extend(b"content-length: 0\r\n");
    }
    head.extend(b"\r\n");

    let mut received = Vec::new();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&head).await.unwrap();
    stream.read_to_end(&mut received).await.unwrap();
    parsed(&received)
}

fn parsed(received: &[u8]) -> Answer {
    let end = received
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = std::str::from_utf8(&received[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    Answer::new(
        status.parse().unwrap(),
        fields.collect(),
        received[end + 4..].to_vec(),
    )
}

async fn http2(mut sender: SendRequest<Empty<Bytes>>, wire: &Wire) -> Answer {
    let target = std::str::from_utf8(&wire.target).unwrap();
    let mut request = http::Request::builder()
        .method(wire.method.as_str())
        .uri(format!("http://api.example{target}"));
    for (name, value) in &wire.fields {
        // White space around a value is not part of it, and no HTTP/2 field may have any (RFC 9113 §8.2.1).
        request = request.header(name, value.trim_ascii());
    }
    let request = request.body(Empty::new()).unwrap();

    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    let fields = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    Answer::new(parts.status.as_u16(), fields.collect(), body)
}
