//! A server on this machine that publishes an authority's keys.

#![allow(
    clippy::unwrap_used,
    reason = "part of a fixture of tests: a panic is how it says that it could not be set up"
)]

use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::token::TestKeys;

const JWKS: &str = "/.well-known/jwks.json";
const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// A server that publishes an authority's keys over HTTP/1.1 on a port of 127.0.0.1.
///
/// It answers `GET` of `/.well-known/jwks.json` (RFC 7517 §5), `/.well-known/oauth-authorization-server` (RFC 8414 §3) and
/// `/.well-known/openid-configuration` (OpenID Connect Discovery §4), always with the keys as they are, so that a
/// [rotation](crate::TestAuthority::rotate_keys) shows, and 404 elsewhere. It runs on the caller's runtime and ends when it is dropped; then connections are refused.
///
/// ```
/// use gatewright_core::principal::TenantKind;
/// use gatewright_testing::{JwksAnswer, TestAuthority};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
/// let server = authority.serve_as_issuer().await;
/// assert_eq!(authority.issuer(), server.url());
///
/// let fetch = async || reqwest::get(server.jwks_url()).await.unwrap().status();
/// assert_eq!(fetch().await, 200);
/// server.answer_with(JwksAnswer::ServerError);
/// assert_eq!(fetch().await, 500);
/// assert_eq!(server.requests(), 2);
/// # }
/// ```
#[derive(Debug)]
pub struct JwksServer {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// How a [`JwksServer`] answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwksAnswer {
    /// With the documents, as it should.
    #[default]
    Keys,
    /// With status 500.
    ServerError,
    /// With status 503, and `Retry-After` of a second.
    Unavailable,
    /// Not at all: the request is taken and never answered, not even after a later change.
    Never,
    /// With status 200, a JSON media type, and a body that is not JSON.
    NotJson,
    /// With status 200 and a document without keys, or without a `jwks_uri`.
    NoKeys,
}

#[derive(Debug)]
struct Shared {
    keys: Arc<TestKeys>,
    answer: Mutex<JwksAnswer>,
    requests: AtomicU64,
    jwks_requests: AtomicU64,
}

impl JwksServer {
    /// Answers from now on. The issuer that its documents name may be its own URL.
    pub(crate) async fn start(keys: Arc<TestKeys>, issuer: impl FnOnce(&str) -> String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            keys,
            answer: Mutex::default(),
            requests: AtomicU64::new(0),
            jwks_requests: AtomicU64::new(0),
        });
        let documents = Arc::new(Documents {
            shared: Arc::clone(&shared),
            issuer: issuer(&url),
            url: url.clone(),
        });
        let task = tokio::spawn(accept(listener, documents));
        Self { url, shared, task }
    }

    /// Its base URL, `http://127.0.0.1:` and the port, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the keys are.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}{JWKS}", self.url)
    }

    /// How many requests arrived, whatever they asked for and however they were answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How many of them asked for the keys.
    #[must_use]
    pub fn jwks_requests(&self) -> u64 {
        self.shared.jwks_requests.load(Ordering::SeqCst)
    }

    /// Answers requests that arrive from now on in this way.
    pub fn answer_with(&self, answer: JwksAnswer) {
        *self
            .shared
            .answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = answer;
    }
}

impl Drop for JwksServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The connections end with the task: they are tasks of its set.
async fn accept(listener: TcpListener, documents: Arc<Documents>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, at worst: others end meanwhile.
            tokio::task::yield_now().await;
            continue;
        };
        let documents = Arc::clone(&documents);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let documents = Arc::clone(&documents);
                async move { Ok::<_, Infallible>(documents.answer(&request).await) }
            });
            // Whatever ends a connection is the client's affair.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

struct Documents {
    shared: Arc<Shared>,
    url: String,
    issuer: String,
}

impl Documents {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let shared = &self.shared;
        let path = request.uri().path();
        shared.requests.fetch_add(1, Ordering::SeqCst);
        if path == JWKS {
            shared.jwks_requests.fetch_add(1, Ordering::SeqCst);
        }
        let how = *shared.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let document = match how {
            JwksAnswer::Keys => match path {
                JWKS => shared.keys.jwks(),
                OPENID | OAUTH => self.metadata(),
                _ => return status(StatusCode::NOT_FOUND),
            },
            JwksAnswer::ServerError => return status(StatusCode::INTERNAL_SERVER_ERROR),
            JwksAnswer::Unavailable => {
                let mut answer = status(StatusCode::SERVICE_UNAVAILABLE);
                let second = header::HeaderValue::from_static("1");
                answer.headers_mut().insert(header::RETRY_AFTER, second);
                return answer;
            }
            JwksAnswer::Never => pending().await,
            JwksAnswer::NotJson => return json_text("{\"keys\":[".to_owned()),
            JwksAnswer::NoKeys => json!({}),
        };
        if request.method() != Method::GET {
            let mut answer = status(StatusCode::METHOD_NOT_ALLOWED);
            let get = header::HeaderValue::from_static("GET");
            answer.headers_mut().insert(header::ALLOW, get);
            return answer;
        }
        json_text(document.to_string())
    }

    /// What RFC 8414 §2 and OpenID Connect Discovery §3 require, though nothing but the keys is served here.
    fn metadata(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{url}{JWKS}"),
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.shared.keys.algorithm().as_str()],
        })
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn json_text(text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(text));
    let media_type = header::HeaderValue::from_static("application/json");
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    answer
}
