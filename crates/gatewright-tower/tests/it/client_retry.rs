//! Which requests are sent again, and when.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gatewright_tower::client::{ReplayBody, RetryLayer, SendOnce};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::{Layer as _, Service, ServiceExt as _};

use crate::client_loopback::{Reqwest, answer, serve, text};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    Unreachable,
    Misbuilt,
}

/// What comes next: a status with its `Retry-After`, or nothing.
type Next = Result<(u16, Option<&'static str>), Failure>;

/// Plays `script`, then 200, and notes when it was called. Ready for one call after each `poll_ready`, and its clones
/// are not ready because it is.
struct Script {
    ready: bool,
    script: Arc<Mutex<VecDeque<Next>>>,
    calls: Arc<Mutex<Vec<Instant>>>,
}

impl Script {
    fn new(script: impl IntoIterator<Item = Next>) -> Self {
        Self {
            ready: false,
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            calls: Arc::default(),
        }
    }

    /// The seconds between the calls, rounded down.
    fn waits(&self) -> Vec<u64> {
        let calls = self.calls.lock().unwrap();
        calls
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_secs())
            .collect()
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

impl Clone for Script {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            script: Arc::clone(&self.script),
            calls: Arc::clone(&self.calls),
        }
    }
}

impl<B> Service<Request<B>> for Script {
    type Response = Response<Full<Bytes>>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being ready"
        );
        self.calls.lock().unwrap().push(Instant::now());
        let next = self.script.lock().unwrap().pop_front();
        Box::pin(async move {
            tokio::task::yield_now().await;
            let (status, retry_after) = next.unwrap_or(Ok((200, None)))?;
            let mut response = answer(status, "");
            if let Some(value) = retry_after {
                let value = value.parse().unwrap();
                response.headers_mut().insert("retry-after", value);
            }
            Ok(response)
        })
    }
}

fn request(method: &str) -> Request<&'static str> {
    let request = Request::builder()
        .method(method)
        .uri("https://api.example.com/");
    request.body("text").unwrap()
}

async fn status<B: ReplayBody>(script: &Script, request: Request<B>) -> Result<u16, Failure> {
    let service = RetryLayer::new().layer(script.clone());
    let answer = service.oneshot(request).await;
    answer.map(|answer| answer.status().as_u16())
}

fn fails(status: u16) -> Next {
    Ok((status, None))
}

#[tokio::test(start_paused = true)]
async fn five_retries_after_1_2_4_8_16_seconds_and_then_the_last_answer() {
    for failure in [500, 502, 503, 504, 429] {
        let script = Script::new(vec![fails(failure); 6]);
        assert_eq!(status(&script, request("GET")).await, Ok(failure));
        for (wait, least) in script.waits().into_iter().zip([1, 2, 4, 8, 16]) {
            assert!(
                (least..=least * 5 / 4).contains(&wait),
                "{wait} after {least}"
            );
        }
        assert_eq!(script.calls(), 6);
    }
    let script = Script::new(vec![Err(Failure::Unreachable); 6]);
    assert_eq!(
        status(&script, request("GET")).await,
        Err(Failure::Unreachable)
    );
    assert_eq!(script.calls(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_says_something_is_returned_at_once() {
    for last in [200, 302, 400, 401, 403, 404, 409, 501] {
        let script = Script::new([fails(503), fails(last)]);
        assert_eq!(status(&script, request("GET")).await, Ok(last));
        assert_eq!(script.calls(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for() {
    let script = Script::new([Ok((429, Some("40"))), Ok((503, Some("20")))]);
    assert_eq!(status(&script, request("POST")).await, Ok(503));
    assert_eq!(
        status(&Script::new([Ok((429, Some("40")))]), request("POST")).await,
        Ok(200)
    );

    let script = Script::new([Ok((429, Some("40"))), Ok((503, Some("20")))]);
    assert_eq!(status(&script, request("GET")).await, Ok(200));
    let waits = script.waits();
    assert!(
        (40..=50).contains(&waits[0]) && (20..=25).contains(&waits[1]),
        "{waits:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_carried_out_is_not_carried_out_twice() {
    for failure in [fails(500), fails(503), Err(Failure::Unreachable)] {
        for method in ["POST", "PATCH"] {
            let script = Script::new([failure]);
            let answered = status(&script, request(method)).await;
            assert_eq!(answered, failure.map(|(status, _)| status));
            assert_eq!(script.calls(), 1, "{method}");

            let mut keyed = request(method);
            let key = "8e03978e-40d5-43dd-bc93-6894a57f9324".parse().unwrap();
            keyed.headers_mut().insert("idempotency-key", key);
            assert_eq!(status(&Script::new([failure]), keyed).await, Ok(200));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_can_be_sent_once_is_sent_once() {
    let script = Script::new([fails(503)]);
    let once = request("PUT").map(|body| SendOnce::new(Full::new(Bytes::from(body))));
    assert_eq!(status(&script, once).await, Ok(503));
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_wait_is_begun_that_ends_past_the_total() {
    let began = Instant::now();
    for (script, total, calls, most) in [
        (vec![Ok((429, Some("3600")))], 120, 1, 0),
        (vec![Ok((429, Some("99999999999999999999")))], 120, 1, 0),
        // 1 + 2 seconds fit, 4 more don't.
        (vec![fails(503); 6], 6, 3, 4),
        (vec![fails(503); 6], 0, 1, 0),
    ] {
        let from = began.elapsed();
        let script = Script::new(script);
        let layer = RetryLayer::new().with_total(Duration::from_secs(total));
        let answer = layer
            .layer(script.clone())
            .oneshot(request("GET"))
            .await
            .unwrap();
        assert!(matches!(answer.status().as_u16(), 429 | 503));
        assert_eq!(script.calls(), calls);
        assert!((began.elapsed() - from).as_secs() <= most);
    }
}

#[tokio::test(start_paused = true)]
async fn which_errors_count_as_no_answer_is_a_parameter() {
    let layer = RetryLayer::new().retry_errors_if(|error: &Failure| *error == Failure::Unreachable);
    let script = Script::new([Err(Failure::Unreachable), Err(Failure::Misbuilt)]);
    let answer = layer.layer(script.clone()).oneshot(request("GET")).await;
    assert_eq!(answer.unwrap_err(), Failure::Misbuilt);
    assert_eq!(script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_can_be_dropped_and_stands_in_nobodys_way() {
    let script = Script::new([fails(503)]);
    let mut service = RetryLayer::new().layer(script.clone());
    let first = ready(&mut service).await.call(request("GET"));
    let first = tokio::time::timeout(Duration::from_millis(500), first).await;
    assert!(first.is_err(), "waits for its second attempt");
    let second = ready(&mut service).await.call(request("GET")).await;
    assert_eq!(second.unwrap().status(), 200);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(script.calls(), 2);
}

async fn ready<S: Service<Request<&'static str>, Error = Failure>>(service: &mut S) -> &mut S {
    service.ready().await.unwrap()
}

/// Over the wire, through reqwest: the body arrives whole each time, and so do the fields.
#[tokio::test]
async fn over_the_wire_the_whole_request_is_repeated() {
    let bodies: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&bodies);
    let api = serve(move |request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let marked = request.headers()["x-mark"] == "m";
            let body = text(request.into_body().map_err(|_| "broken")).await;
            let mut seen = seen.lock().unwrap();
            seen.push(format!("{body} {marked}"));
            if seen.len() < 3 {
                let mut answer = answer(429, "wait");
                answer
                    .headers_mut()
                    .insert("retry-after", "0".parse().unwrap());
                return answer;
            }
            answer(200, "done")
        }
    })
    .await;
    let client = RetryLayer::new().layer(Reqwest::new());
    let call = Request::post(&api).header("x-mark", "m");
    let call = call.body(Full::new(Bytes::from("text"))).unwrap();
    let answer = client.oneshot(call).await.unwrap();
    assert_eq!(text(answer.into_body()).await, "done");
    assert_eq!(*bodies.lock().unwrap(), ["text true"; 3]);
}
