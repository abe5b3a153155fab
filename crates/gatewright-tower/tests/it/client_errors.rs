//! Refusals are read in every form in which they are written.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gatewright_core::dialect::{Dialect, RenderContext, render};
use gatewright_core::error::{AuthError, ErrorCode};
use gatewright_tower::client::ApiError;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::Full;
use proptest::prelude::{any, prop, proptest};

const REQUIRED: &[&str] = &["links.read", "mcp:call"];

fn rendered(error: &AuthError, dialect: Dialect) -> ApiError {
    let context = RenderContext::new(dialect)
        .with_realm("a, \"b\"")
        .with_required(REQUIRED);
    let answer = render(error, &context);
    let fields = answer.fields.into_iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::try_from(value).unwrap(),
        )
    });
    let status = StatusCode::from_u16(answer.status).unwrap();
    ApiError::from_parts(status, &fields.collect(), &answer.body)
}

/// Core writes, the client reads.
#[test]
fn every_code_in_every_dialect() {
    for code in ErrorCode::ALL.iter().copied() {
        let error = AuthError::new(code)
            .with_message("A sentence")
            .with_missing(0b11);
        let error = error.with_retry_after(7);
        for dialect in [
            Dialect::Canonical,
            Dialect::Detail,
            Dialect::Problem,
            Dialect::JsonRpc,
        ] {
            let read = rendered(&error, dialect);
            assert_eq!(read.code(), Some(code), "{dialect:?}");
            assert_eq!(read.code_text(), Some(code.as_str()));
            assert_eq!(read.status().as_u16(), code.status());
            assert_eq!(read.message(), Some("A sentence"), "{dialect:?} {code}");
            assert_eq!(read.rule(), code.retry());
            let waits = matches!(code.status(), 429 | 503);
            let wait = waits.then_some(Duration::from_secs(7));
            assert_eq!(read.retry_after(), wait, "{code}");
            let missing: Vec<_> = read.missing_scopes().collect();
            match code {
                ErrorCode::InsufficientScope => assert_eq!(missing, REQUIRED),
                _ if code.status() != 401 => assert!(missing.is_empty(), "{code}"),
                _ => {}
            }
        }
        // OAuth registers fewer codes.
        let read = rendered(&error, Dialect::OAuth);
        assert!(read.code_text().is_some(), "{code}");
        assert_eq!(read.message(), Some("A sentence"));
    }
    let refused = rendered(&ErrorCode::InvalidClient.into(), Dialect::OAuth);
    assert_eq!(refused.code(), Some(ErrorCode::InvalidClient));
}

fn read(body: &str) -> ApiError {
    ApiError::from_parts(StatusCode::BAD_REQUEST, &HeaderMap::new(), body.as_bytes())
}

#[test]
fn what_is_not_one_of_the_forms_has_no_code() {
    let long = format!(r#"{{"detail":"d","code":"{}"}}"#, "c".repeat(65));
    for body in [
        "",
        "null",
        "<html>",
        r#"{"code":"#,
        r#"[{"code":"not_found"}]"#,
        r#"{"code":404}"#,
        r#"{"error":["not_found"]}"#,
        r#"{"error":{"code":5,"data":5}}"#,
        r#"{"error":"not found\r\nx: y"}"#,
        r#"{"code":"not_found","code":"conflict"}"#,
        &long,
    ] {
        assert_eq!(read(body).code_text(), None, "{body}");
    }
    // Another server's code is kept as text.
    let other = read(r#"{"error":"slow_down","error_description":7}"#);
    assert_eq!((other.code(), other.code_text()), (None, Some("slow_down")));
    assert_eq!(other.message(), None);
}

#[test]
fn the_servers_sentence_is_bounded_and_not_in_the_error_that_is_logged() {
    let body = format!(
        r#"{{"detail":"hunter2\r\n\u001b[0m{}","code":"conflict"}}"#,
        "é".repeat(5000)
    );
    let error = read(&body);
    let message = error.message().unwrap();
    assert!(message.starts_with("hunter2   [0m"), "{message}");
    assert_eq!(message.chars().count(), 1000);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!(
        error.to_string(),
        "the API answered with status 400 and code conflict"
    );
}

#[test]
fn without_a_body_the_challenge_has_the_code() {
    let mut headers = HeaderMap::new();
    let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
    headers.insert(WWW_AUTHENTICATE, challenge);
    headers.insert(RETRY_AFTER, HeaderValue::from_static("3"));
    let error = ApiError::from_parts(StatusCode::UNAUTHORIZED, &headers, b"");
    assert_eq!(error.code(), Some(ErrorCode::InvalidToken));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
}

/// Yields as many chunks as it is asked for, or breaks.
#[derive(Debug)]
struct Endless {
    breaks: bool,
    chunk: &'static [u8],
}

impl Body for Endless {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(Some(match self.breaks {
            true => Err("broken"),
            false => Ok(Frame::data(Bytes::from_static(self.chunk))),
        }))
    }
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    for (breaks, chunk) in [(false, &[b' '; 1000][..]), (false, &[]), (true, &[])] {
        let mut response = Response::new(Endless { breaks, chunk });
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let error = ApiError::check(response).await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (503, None));
    }
    let mut padded = b"{\"detail\":\"d\",\"code\":\"conflict\"}".to_vec();
    padded.resize(64 * 1024, b' ');
    let error = ApiError::read(Response::new(Full::new(Bytes::from(padded.clone())))).await;
    assert_eq!(error.code(), Some(ErrorCode::Conflict));
    padded.push(b' ');
    let error = ApiError::read(Response::new(Full::new(Bytes::from(padded)))).await;
    assert_eq!(error.code(), None);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    struct Silent;
    impl Body for Silent {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            Poll::Pending
        }
    }
    let mut response = Response::new(Silent);
    *response.status_mut() = StatusCode::NOT_FOUND;
    let read = tokio::time::timeout(Duration::from_secs(60), ApiError::read(response)).await;
    assert_eq!(read.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_answer_below_400_goes_through() {
    for status in [200, 204, 304] {
        let response = Response::builder()
            .status(status)
            .body(Full::<Bytes>::from("text"))
            .unwrap();
        assert_eq!(ApiError::check(response).await.unwrap().status(), status);
    }
}

proptest! {
    /// Whatever comes, there is an error of it, and what it says stays in its bounds.
    #[test]
    fn reading_is_total(
        status in 100_u16..1000,
        challenge in prop::collection::vec(prop::sample::select(
            &[r#"Bearer"#, " ", ",", "=", "\"", "\\", "error", "scope", "a", "realm=\"x\"", "\u{e9}"][..],
        ), 0..24),
        retry in ".{0,12}",
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in [(WWW_AUTHENTICATE, challenge.concat()), (RETRY_AFTER, retry)] {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(name, value);
            }
        }
        let status = StatusCode::from_u16(status).unwrap();
        let error = ApiError::from_parts(status, &headers, &body);
        assert!(error.code_text().is_none_or(|code| (1..=64).contains(&code.len())));
        assert!(error.missing_scopes().all(|scope| scope.bytes().all(|b| b.is_ascii_graphic())));
    }

    /// Scopes that core puts into a challenge come back from it, whatever the realm.
    #[test]
    fn scopes_survive_the_challenge(
        realm in r#"[ -~é]{0,20}"#,
        scopes in prop::collection::btree_set(r"[a-z!#$%&'()*+,./:;<=>?@\[\]^_`{|}~-]{1,12}", 1..8),
    ) {
        let required: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let context = RenderContext::new(Dialect::Canonical).with_realm(&realm).with_required(&required);
        let error = AuthError::new(ErrorCode::InsufficientScope).with_missing(u64::MAX);
        let answer = render(&error, &context);
        let (_, value) = answer.fields.iter().find(|(name, _)| *name == "www-authenticate").unwrap();
        let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap())]);
        let read = ApiError::from_parts(StatusCode::FORBIDDEN, &headers, &answer.body);
        assert_eq!(read.missing_scopes().collect::<Vec<_>>(), required);
    }
}
