//! Access tokens: fetched once, renewed in time, given up when refused.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::credential::Secret;
use gatewright_core::error::ErrorCode;
use gatewright_tower::client::{
    CallError, ClientCredentials, SendOnce, TokenError, TokenErrorKind, TokenLayer, Tokens,
};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::{Instant, advance, sleep};
use tower::{BoxError, Layer as _, Service, ServiceExt as _, service_fn};

use crate::client_loopback::{Answer, Reqwest, answer, origin, serve, text};

const ENDPOINT: &str = "https://as.example.com/oauth/token";
const API: &str = "https://api.example.com";

fn client(endpoint: &str) -> ClientCredentials {
    let secret = Secret::new("hunter2".to_owned());
    ClientCredentials::new(endpoint, "apx_client_1", &secret).unwrap()
}

fn granted(number: usize, lifetime: u64) -> Answer {
    let body = format!(
        r#"{{"access_token":"token{number}","token_type":"Bearer","expires_in":{lifetime}}}"#
    );
    let mut granted = answer(200, body);
    let json = "application/json".parse().unwrap();
    granted.headers_mut().insert(CONTENT_TYPE, json);
    granted
}

fn refused(status: u16, code: &str) -> Answer {
    answer(status, format!(r#"{{"error":"{code}"}}"#))
}

/// A token endpoint that counts its requests and answers each when it is let.
#[derive(Clone)]
struct Endpoint {
    requests: Arc<AtomicUsize>,
    answers: Arc<Semaphore>,
    /// Plays for the n-th request, from 1; otherwise a token of an hour.
    failures: Arc<Mutex<Vec<(usize, Failing)>>>,
}

#[derive(Clone, Copy)]
enum Failing {
    Status(u16, &'static str),
    Limited(&'static str),
    Slow(u64),
    Unreachable,
    Html,
    Panic,
}

impl Endpoint {
    /// Answers at once.
    fn open() -> Self {
        Self::answering(Semaphore::MAX_PERMITS)
    }

    fn answering(answers: usize) -> Self {
        Self {
            requests: Arc::default(),
            answers: Arc::new(Semaphore::new(answers)),
            failures: Arc::default(),
        }
    }

    fn failing(self, number: usize, how: Failing) -> Self {
        self.failures.lock().unwrap().push((number, how));
        self
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn tokens(&self) -> Tokens {
        client(ENDPOINT).tokens(self.clone())
    }
}

impl Service<Request<Full<Bytes>>> for Endpoint {
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let answers = Arc::clone(&self.answers);
        let failures = self.failures.lock().unwrap();
        let failing = failures.iter().find(|(at, _)| *at == number);
        let failing = failing.map(|(_, how)| *how);
        Box::pin(async move {
            answers.acquire().await.unwrap().forget();
            match failing {
                None => Ok(granted(number, 3600)),
                Some(Failing::Status(status, code)) => Ok(refused(status, code)),
                Some(Failing::Limited(retry_after)) => {
                    let mut limited = answer(429, "");
                    let value = retry_after.parse().unwrap();
                    limited.headers_mut().insert(RETRY_AFTER, value);
                    Ok(limited)
                }
                Some(Failing::Slow(lifetime)) => {
                    sleep(Duration::from_secs(lifetime)).await;
                    Ok(granted(number, lifetime))
                }
                Some(Failing::Unreachable) => Err("unreachable".into()),
                Some(Failing::Html) => Ok(answer(200, "<html>")),
                Some(Failing::Panic) => panic!("the service's own mistake"),
            }
        })
    }
}

async fn bearer(tokens: &Tokens) -> Result<String, TokenErrorKind> {
    let value = tokens.bearer().await.map_err(|error| error.kind())?;
    Ok(value.to_str().unwrap().to_owned())
}

/// Lets every task that can go on do so.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// RFC 6749 §4.4.2 and §2.3.1, RFC 8707 §2, over the wire; a hundred callers at once cost one request.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_make_one_request_as_the_standard_has_it() {
    let requests: Arc<AtomicUsize> = Arc::default();
    let counted = Arc::clone(&requests);
    let server = serve(move |request: Request<Incoming>| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/oauth/token"));
            // base64("apx_client_1:hunter2")
            assert_eq!(request.headers()[AUTHORIZATION], "Basic YXB4X2NsaWVudF8xOmh1bnRlcjI=");
            assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
            assert_eq!(request.headers()["accept"], "application/json");
            let body = text(request.into_body().map_err(|_| "broken")).await;
            assert_eq!(
                body,
                "grant_type=client_credentials&scope=mcp%3Acall+links.read&resource=https%3A%2F%2Fa%2Fb"
            );
            sleep(Duration::from_millis(20)).await;
            granted(number, 3600)
        }
    })
    .await;
    let tokens = client(&format!("{server}/oauth/token"))
        .with_scope("mcp:call links.read")
        .with_resource("https://a/b")
        .tokens(Reqwest::new());
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { bearer(&tokens).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Ok("Bearer token1".to_owned()));
    }
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_gives_up_takes_nobody_along() {
    let endpoint = Endpoint::answering(0);
    let tokens = endpoint.tokens();
    let spawn = || {
        let tokens = tokens.clone();
        tokio::spawn(async move { bearer(&tokens).await })
    };
    let callers: Vec<_> = (0..10).map(|_| spawn()).collect();
    settle().await;
    // The first drives the request; the second takes over, and goes as well.
    callers[0].abort();
    settle().await;
    callers[1].abort();
    settle().await;
    endpoint.answers.add_permits(1);
    for caller in callers.into_iter().skip(2) {
        assert_eq!(caller.await.unwrap(), Ok("Bearer token1".to_owned()));
    }
    assert_eq!(endpoint.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_all_gave_up_goes_on() {
    let endpoint = Endpoint::answering(0);
    let tokens = endpoint.tokens();
    let given_up = tokio::time::timeout(Duration::from_secs(1), tokens.bearer()).await;
    assert!(given_up.is_err());
    endpoint.answers.add_permits(1);
    settle().await;
    assert_eq!(bearer(&tokens).await, Ok("Bearer token1".to_owned()));
    assert_eq!(endpoint.requests(), 1);
}

/// As in the body of a loop over buffered calls, which isn't left while the calls stand still.
#[tokio::test(start_paused = true)]
async fn a_caller_who_is_not_polled_any_more_stands_in_nobodys_way() {
    let endpoint = Endpoint::answering(0);
    let tokens = endpoint.tokens();
    let mut still = std::pin::pin!(tokens.bearer());
    assert!(poll_once(still.as_mut()).await.is_pending());
    endpoint.answers.add_permits(1);
    let other = tokio::time::timeout(Duration::from_secs(60), bearer(&tokens)).await;
    assert_eq!(other, Ok(Ok("Bearer token1".to_owned())));
    assert_eq!(still.await.unwrap(), "Bearer token1");
    assert_eq!(endpoint.requests(), 1);
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// Clones may be used in several runtimes, and one of them may be blocked, or be gone.
#[test]
fn a_runtime_that_stands_still_strands_nobody() {
    let runtime = |paused| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(paused).build().unwrap()
    };
    let endpoint = Endpoint::answering(0);
    let tokens = endpoint.tokens();
    let still = runtime(false);
    still.block_on(async {
        let mut caller = std::pin::pin!(tokens.bearer());
        assert!(poll_once(caller.as_mut()).await.is_pending());
        settle().await;
    });
    runtime(true).block_on(async {
        assert_eq!(bearer(&tokens).await, Err(TokenErrorKind::TimedOut));
        endpoint.answers.add_permits(2);
        assert_eq!(bearer(&tokens).await, Ok("Bearer token2".to_owned()));
    });

    let endpoint = Endpoint::answering(0);
    let tokens = endpoint.tokens();
    let gone = runtime(false);
    gone.block_on(async {
        let mut caller = std::pin::pin!(tokens.bearer());
        assert!(poll_once(caller.as_mut()).await.is_pending());
    });
    drop(gone);
    endpoint.answers.add_permits(1);
    assert!(runtime(true).block_on(bearer(&tokens)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_all_who_waited_and_for_a_second_to_all_who_come() {
    let endpoint = Endpoint::answering(0).failing(1, Failing::Status(401, "invalid_client"));
    let tokens = endpoint.tokens();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.bearer().await.unwrap_err() })
        })
        .collect();
    settle().await;
    endpoint.answers.add_permits(2);
    for caller in callers {
        let error = caller.await.unwrap();
        assert_eq!(error.kind(), TokenErrorKind::Refused);
        assert_eq!(
            error.api_error().unwrap().code(),
            Some(ErrorCode::InvalidClient)
        );
        assert!(!error.is_transient());
    }
    assert_eq!(bearer(&tokens).await, Err(TokenErrorKind::Refused));
    assert_eq!(endpoint.requests(), 1);
    advance(Duration::from_millis(1250)).await;
    assert_eq!(bearer(&tokens).await, Ok("Bearer token2".to_owned()));
}

/// However many calls need a token, an endpoint that fails gets the requests of one client that retries.
#[tokio::test(start_paused = true)]
async fn a_failing_endpoint_is_left_alone_for_1_2_4_8_16_seconds() {
    let endpoint = (1..8).fold(Endpoint::open(), |endpoint, number| {
        endpoint.failing(number, Failing::Status(503, ""))
    });
    let tokens = endpoint.tokens();
    let mut rests = Vec::new();
    let mut last = Instant::now();
    for requests in 1..=8 {
        while endpoint.requests() < requests {
            let _ = bearer(&tokens).await;
            advance(Duration::from_millis(100)).await;
        }
        rests.push(last.elapsed().as_secs());
        last = Instant::now();
    }
    for (rest, least) in rests.into_iter().zip([0, 1, 2, 4, 8, 16, 16, 16]) {
        assert!(
            (least..=least * 5 / 4).contains(&rest),
            "{rest} after {least}"
        );
    }
    assert_eq!(bearer(&tokens).await, Ok("Bearer token8".to_owned()));
}

/// RFC 9110 §10.2.3; but not for ever.
#[tokio::test(start_paused = true)]
async fn a_limited_endpoint_is_left_alone_as_long_as_it_asks() {
    for (retry_after, seconds) in [("30", 30), ("0", 1), ("99999999999999999999", 300)] {
        let endpoint = Endpoint::open().failing(1, Failing::Limited(retry_after));
        let tokens = endpoint.tokens();
        assert_eq!(bearer(&tokens).await, Err(TokenErrorKind::Unavailable));
        advance(Duration::from_secs(seconds) - Duration::from_millis(1)).await;
        assert_eq!(bearer(&tokens).await, Err(TokenErrorKind::Unavailable));
        assert_eq!(endpoint.requests(), 1, "{retry_after}");
        advance(Duration::from_secs(seconds) / 4).await;
        advance(Duration::from_millis(1)).await;
        assert_eq!(bearer(&tokens).await, Ok("Bearer token2".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_on_its_way_is_not_handed_out() {
    let endpoint = Endpoint::open().failing(1, Failing::Slow(10));
    let tokens = endpoint.tokens();
    assert_eq!(bearer(&tokens).await, Err(TokenErrorKind::TimedOut));
    advance(Duration::from_millis(1250)).await;
    assert_eq!(bearer(&tokens).await, Ok("Bearer token2".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn whose_fault_it_is() {
    for (how, kind, transient) in [
        (
            Failing::Status(400, "invalid_scope"),
            TokenErrorKind::Refused,
            false,
        ),
        (
            Failing::Status(429, "temporarily_unavailable"),
            TokenErrorKind::Unavailable,
            true,
        ),
        (Failing::Status(503, ""), TokenErrorKind::Unavailable, true),
        (Failing::Status(404, ""), TokenErrorKind::Malformed, false),
        (Failing::Status(302, "x"), TokenErrorKind::Malformed, false),
        (Failing::Status(201, "x"), TokenErrorKind::Malformed, false),
        (Failing::Html, TokenErrorKind::Malformed, false),
        (Failing::Unreachable, TokenErrorKind::Transport, true),
    ] {
        let error = Endpoint::open()
            .failing(1, how)
            .tokens()
            .bearer()
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.is_transient()),
            (kind, transient),
            "{error:?}"
        );
    }
    let error = Endpoint::answering(0).tokens().bearer().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (TokenErrorKind::TimedOut, true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_expires_and_handed_out_meanwhile() {
    let endpoint = Endpoint::answering(1);
    let tokens = endpoint.tokens();
    assert_eq!(bearer(&tokens).await, Ok("Bearer token1".to_owned()));
    advance(Duration::from_secs(3600 - 91)).await;
    assert_eq!(bearer(&tokens).await, Ok("Bearer token1".to_owned()));
    assert_eq!(endpoint.requests(), 1, "too early to renew");

    // Nobody waits for the new one, however long it takes.
    advance(Duration::from_secs(32)).await;
    let from = Instant::now();
    for _ in 0..3 {
        assert_eq!(bearer(&tokens).await, Ok("Bearer token1".to_owned()));
        settle().await;
        assert_eq!(endpoint.requests(), 2);
    }
    assert_eq!(from.elapsed(), Duration::ZERO);
    endpoint.answers.add_permits(1);
    settle().await;
    assert_eq!(bearer(&tokens).await, Ok("Bearer token2".to_owned()));
    assert_eq!(endpoint.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn where_renewal_fails_the_old_token_serves_until_it_expires() {
    let endpoint = (2..8).fold(Endpoint::open(), |endpoint, number| {
        endpoint.failing(number, Failing::Unreachable)
    });
    let tokens = endpoint.tokens();
    bearer(&tokens).await.unwrap();
    advance(Duration::from_secs(3541)).await;
    for _ in 0..100 {
        assert_eq!(bearer(&tokens).await, Ok("Bearer token1".to_owned()));
        settle().await;
        advance(Duration::from_millis(200)).await;
    }
    // Attempts after 0, 1, 3, 7 and 15 seconds, and some chance.
    assert_eq!(endpoint.requests(), 6);
    advance(Duration::from_secs(40)).await;
    assert_eq!(bearer(&tokens).await, Err(TokenErrorKind::Transport));
    assert_eq!(endpoint.requests(), 7);
    advance(Duration::from_secs(20)).await;
    assert_eq!(bearer(&tokens).await, Ok("Bearer token8".to_owned()));
}

#[tokio::test]
async fn a_service_that_panics_strands_nobody() {
    let endpoint = Endpoint::open().failing(1, Failing::Panic);
    let tokens = endpoint.tokens();
    let callers = [tokens.clone(), tokens.clone()];
    let callers = callers.map(|tokens| tokio::spawn(async move { bearer(&tokens).await }));
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Err(TokenErrorKind::Transport));
    }
    assert_eq!(bearer(&tokens).await, Ok("Bearer token2".to_owned()));
}

/// An API that accepts these tokens; another gets 401 with this challenge.
#[derive(Clone)]
struct Api {
    accepted: &'static [&'static str],
    challenge: &'static str,
    refusal: u16,
    /// The field and the body of each request.
    seen: Arc<Mutex<Vec<String>>>,
}

fn api(accepted: &'static [&'static str], challenge: &'static str) -> Api {
    Api {
        accepted,
        challenge,
        refusal: 401,
        seen: Arc::default(),
    }
}

impl Api {
    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Service<Request<Full<Bytes>>> for Api {
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let api = self.clone();
        Box::pin(async move {
            let token = request.headers().get(AUTHORIZATION);
            let token = token.map_or("", |value| value.to_str().unwrap()).to_owned();
            let good = api.accepted.contains(&token.trim_start_matches("Bearer "));
            let body = text(request.into_body()).await;
            api.seen.lock().unwrap().push(format!("{token} {body}"));
            tokio::task::yield_now().await;
            let mut response = answer(if good { 200 } else { api.refusal }, "answered");
            if !good {
                let challenge = api.challenge.parse().unwrap();
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            Ok(response)
        })
    }
}

const REFUSES: &str = r#"Bearer realm="api", error="invalid_token""#;

fn post() -> Request<Full<Bytes>> {
    let request = Request::post(format!("{API}/links"));
    request.body(Full::from("text")).unwrap()
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_request_sent_once_more() {
    let endpoint = Endpoint::open();
    let api = api(&["token2"], REFUSES);
    let client = TokenLayer::new(origin(API), endpoint.tokens()).layer(api.clone());
    let answer = client.oneshot(post()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(api.seen(), ["Bearer token1 text", "Bearer token2 text"]);
    assert_eq!(endpoint.requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_refusals_of_one_token_cost_one_request() {
    let endpoint = Endpoint::open();
    let api = api(&["token2"], REFUSES);
    let client = TokenLayer::new(origin(API), endpoint.tokens()).layer(api.clone());
    let callers: Vec<_> = (0..100)
        .map(|_| tokio::spawn(client.clone().oneshot(post())))
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(endpoint.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_api_that_refuses_every_token_gets_a_new_one_every_ten_seconds() {
    let endpoint = Endpoint::open();
    let api = api(&[], REFUSES);
    let client = TokenLayer::new(origin(API), endpoint.tokens()).layer(api.clone());
    for (requests, calls) in [(2, 2), (2, 3), (3, 5)] {
        let answer = client.clone().oneshot(post()).await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(text(answer.into_body()).await, "answered");
        assert_eq!(endpoint.requests(), requests);
        assert_eq!(api.seen().len(), calls);
        advance(Duration::from_secs(6)).await;
    }
}

#[tokio::test]
async fn other_refusals_keep_the_token() {
    for (refusal, challenge) in [
        (401, r#"Bearer realm="api""#),
        (401, r#"Bearer error="insufficient_scope""#),
        (401, r#"Basic realm="invalid_token""#),
        (403, REFUSES),
    ] {
        let endpoint = Endpoint::open();
        let mut api = api(&[], challenge);
        api.refusal = refusal;
        let client = TokenLayer::new(origin(API), endpoint.tokens()).layer(api.clone());
        assert_eq!(client.oneshot(post()).await.unwrap().status(), refusal);
        assert_eq!((endpoint.requests(), api.seen().len()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_refusal_of_an_old_token_leaves_the_new_one_alone() {
    let endpoint = Endpoint::open();
    let layer = TokenLayer::new(origin(API), endpoint.tokens());
    let api = api(&["token2"], REFUSES);
    let slow = api.clone();
    let slow = layer.layer(service_fn(move |request| {
        let answered = slow.clone().oneshot(request);
        async {
            sleep(Duration::from_secs(20)).await;
            answered.await
        }
    }));
    let late = tokio::spawn(slow.oneshot(post()));
    settle().await;
    assert_eq!(
        layer.layer(api).oneshot(post()).await.unwrap().status(),
        200
    );
    assert_eq!(late.await.unwrap().unwrap().status(), 200);
    assert_eq!(endpoint.requests(), 2);
}

#[tokio::test]
async fn a_stream_is_not_sent_again_but_the_next_request_has_a_new_token() {
    let endpoint = Endpoint::open();
    let api = api(&["token2"], REFUSES);
    let once = api.clone();
    let once = once.map_request(|request: Request<SendOnce<_>>| request.map(SendOnce::into_inner));
    let client = TokenLayer::new(origin(API), endpoint.tokens()).layer(once);
    for status in [401, 200] {
        let answer = client
            .clone()
            .oneshot(post().map(SendOnce::new))
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
    }
    assert_eq!(api.seen(), ["Bearer token1 text", "Bearer token2 text"]);
}

#[tokio::test]
async fn another_origin_gets_no_token_and_none_is_fetched_for_it() {
    let endpoint = Endpoint::open();
    let api = api(&[], REFUSES);
    let layer = TokenLayer::new(origin(API), endpoint.tokens());
    let client = layer
        .and_to(origin("https://second.example.com"))
        .layer(api.clone());
    let mut elsewhere = post();
    *elsewhere.uri_mut() = "https://api.example.com.evil.example/".parse().unwrap();
    let mut own = post();
    own.headers_mut()
        .insert("x-api-key", "own".parse().unwrap());
    for request in [elsewhere, own] {
        client.clone().oneshot(request).await.unwrap();
    }
    assert_eq!(endpoint.requests(), 0);
    assert_eq!(api.seen(), [" text", " text"]);
    let mut second = post();
    *second.uri_mut() = "https://second.example.com/".parse().unwrap();
    client.oneshot(second).await.unwrap();
    assert_eq!(api.seen()[2], "Bearer token1 text");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let endpoint = Endpoint::open().failing(1, Failing::Unreachable);
    let api = api(&[], REFUSES);
    let client = TokenLayer::new(origin(API), endpoint.tokens()).layer(api.clone());
    let error = client.oneshot(post()).await.unwrap_err();
    assert!(matches!(&error, CallError::Token(error) if error.is_transient()));
    let error = error.boxed().downcast::<TokenError>().unwrap();
    assert_eq!(error.kind(), TokenErrorKind::Transport);
    assert!(api.seen().is_empty());
}

#[tokio::test]
async fn a_service_is_called_only_when_it_is_ready() {
    /// Ready for one call after each `poll_ready`; its clones are not ready because it is.
    #[derive(Default)]
    struct ReadyOnce(bool);
    impl Clone for ReadyOnce {
        fn clone(&self) -> Self {
            Self::default()
        }
    }
    impl Service<Request<Full<Bytes>>> for ReadyOnce {
        type Response = Answer;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Answer, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            self.0 = true;
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
            assert!(std::mem::take(&mut self.0), "called without being ready");
            let refused = Response::builder()
                .status(401)
                .header(WWW_AUTHENTICATE, REFUSES);
            std::future::ready(Ok(refused.body(Full::default()).unwrap()))
        }
    }
    let layer = TokenLayer::new(origin(API), Endpoint::open().tokens());
    let mut client = layer.layer(ReadyOnce::default());
    let first = client.ready().await.unwrap().call(post());
    let second = client.ready().await.unwrap().call(post());
    let (first, second) = tokio::join!(first, second);
    assert_eq!(
        (
            first.unwrap().status().as_u16(),
            second.unwrap().status().as_u16()
        ),
        (401, 401)
    );
}

#[tokio::test]
async fn nothing_prints_the_secret_or_the_token() {
    let endpoint = Endpoint::open();
    let tokens = endpoint.tokens();
    let value = tokens.bearer().await.unwrap();
    let layer = TokenLayer::new(origin(API), tokens.clone());
    let keyed = client("https://as.example.com/oauth/token?subscription-key=hunter2");
    let shown = format!("{keyed:?} {value:?} {tokens:?} {layer:#?}");
    for secret in ["hunter2", "aHVudGVyMg", "aHVudGVy", "token1"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let echo = Endpoint::open().failing(1, Failing::Status(400, "invalid_client\\u0022hunter2"));
    let error = echo.tokens().bearer().await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}
