//! Whether a request is sent again, and after which time.

use std::time::{Duration, SystemTime};

use gatewright_core::error::RetryRule;
use http::header::{HeaderMap, HeaderName};
use http::{Method, Request, StatusCode};
use tokio::time::Instant;

use crate::client::jitter::jitter;
use crate::client::retry_after::retry_after;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The waits before the five retries.
const BACKOFF: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// One request's way through its attempts.
#[derive(Debug)]
pub(super) struct Course {
    began: Instant,
    total: Duration,
    /// Whether it may be sent again although it may have been carried out.
    repeatable: bool,
    retries: usize,
}

impl Course {
    pub(super) fn new<B>(request: &Request<B>, total: Duration) -> Self {
        Self {
            began: Instant::now(),
            total,
            repeatable: is_repeatable(request.method(), request.headers()),
            retries: 0,
        }
    }

    /// The wait before the next attempt after this answer; `None` if it is the last word.
    pub(super) fn after_answer(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Duration> {
        let backoff = *BACKOFF.get(self.retries)?;
        let asked = || retry_after(headers, SystemTime::now());
        let wait = match RetryRule::of_status(status.as_u16()) {
            // Refused before it was carried out, so any request may come again.
            RetryRule::AfterHeader => asked().unwrap_or(backoff),
            RetryRule::Backoff if !self.repeatable => return None,
            RetryRule::Backoff if status == StatusCode::SERVICE_UNAVAILABLE => {
                asked().map_or(backoff, |asked| asked.max(backoff))
            }
            RetryRule::Backoff => backoff,
            _ => return None,
        };
        self.spend(wait)
    }

    /// The wait before the next attempt after no answer at all.
    pub(super) fn after_error(&mut self) -> Option<Duration> {
        let backoff = *BACKOFF.get(self.retries)?;
        if !self.repeatable {
            return None;
        }
        self.spend(backoff)
    }

    fn spend(&mut self, wait: Duration) -> Option<Duration> {
        let left = self.total.checked_sub(self.began.elapsed())?;
        if wait > left {
            return None;
        }
        self.retries += 1;
        // Later, never earlier: what a server asks for is a minimum.
        Some(wait.saturating_add(jitter(wait / 4)).min(left))
    }
}

/// Idempotent methods (RFC 9110 §9.2.2), and those that a key makes so.
fn is_repeatable(method: &Method, headers: &HeaderMap) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS | Method::TRACE
    ) || headers
        .get(IDEMPOTENCY_KEY)
        .is_some_and(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::RETRY_AFTER;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn course(method: &str, key: Option<&'static str>) -> Course {
        let mut request = Request::builder().method(method);
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        Course::new(&request.body(()).unwrap(), LONG)
    }

    fn asking(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))])
    }

    #[test]
    fn which_answers_are_retried_for_which_requests() {
        const KEY: Option<&str> = Some("k");
        for (method, key, retried) in [
            ("GET", None, &[429, 500, 502, 503, 504][..]),
            ("HEAD", None, &[429, 500, 502, 503, 504]),
            ("PUT", None, &[429, 500, 502, 503, 504]),
            ("DELETE", None, &[429, 500, 502, 503, 504]),
            ("OPTIONS", None, &[429, 500, 502, 503, 504]),
            ("POST", None, &[429]),
            ("PATCH", None, &[429]),
            ("PURGE", None, &[429]),
            ("POST", Some(""), &[429]),
            ("POST", KEY, &[429, 500, 502, 503, 504]),
            ("PATCH", KEY, &[429, 500, 502, 503, 504]),
        ] {
            for status in 200..600 {
                let status = StatusCode::from_u16(status).unwrap();
                let wait = course(method, key).after_answer(status, &HeaderMap::new());
                let expected = retried.contains(&status.as_u16());
                assert_eq!(wait.is_some(), expected, "{method} {key:?} {status}");
            }
            let expected = retried.len() > 1;
            assert_eq!(course(method, key).after_error().is_some(), expected);
        }
    }

    #[test]
    fn backs_off_1_2_4_8_16_seconds_and_a_little_chance() {
        let mut course = course("GET", None);
        for seconds in [1, 2, 4, 8, 16] {
            let least = Duration::from_secs(seconds);
            let wait = course
                .after_answer(StatusCode::BAD_GATEWAY, &HeaderMap::new())
                .unwrap();
            assert!(wait >= least && wait <= least * 5 / 4, "{wait:?}");
        }
        assert_eq!(
            course.after_answer(StatusCode::BAD_GATEWAY, &HeaderMap::new()),
            None
        );
        assert_eq!(course.after_error(), None);
    }

    #[test]
    fn never_earlier_than_the_server_asks() {
        for (status, value, least) in [
            (429, "30", 30),
            (429, "0", 0),
            (429, "nonsense", 1),
            (503, "30", 30),
            (503, "0", 1),
            (500, "30", 1),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let wait = course("GET", None)
                .after_answer(status, &asking(value))
                .unwrap();
            let least = Duration::from_secs(least);
            assert!(
                wait >= least && wait <= least * 5 / 4,
                "{status} {value}: {wait:?}"
            );
        }
    }

    #[test]
    fn a_wait_past_the_total_is_not_begun() {
        let status = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(
            course("GET", None).after_answer(status, &asking("3601")),
            None
        );
        // Chance doesn't carry a wait past it.
        let wait = course("GET", None).after_answer(status, &asking("3599"));
        assert!(wait.is_some_and(|wait| wait <= LONG), "{wait:?}");
        let forever = asking("99999999999999999999");
        assert_eq!(course("GET", None).after_answer(status, &forever), None);
    }
}
