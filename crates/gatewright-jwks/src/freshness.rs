//! How long an answer stays fresh, and how long to wait before the next request.

use std::time::{Duration, UNIX_EPOCH};

use gatewright_core::time::Timestamp;
use rand::TryRng;
use rand::rngs::SysRng;
use reqwest::header::{AGE, CACHE_CONTROL, EXPIRES, HeaderMap, HeaderName, RETRY_AFTER};

/// For how long from `now` an answer is fresh by its own account (RFC 9111 §4.2): `max-age` less `Age`, else `Expires`.
/// `None` where it says nothing.
pub(crate) fn lifetime(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let age = text(headers, &AGE).and_then(seconds).unwrap_or_default();
    if let Some(max_age) = max_age(headers) {
        return Some(max_age.saturating_sub(age));
    }
    // What is no date, `0` above all, has expired already (RFC 9111 §5.3).
    text(headers, &EXPIRES).map(|date| until(date, now).unwrap_or_default())
}

/// How long a host asks to be left alone (RFC 9110 §10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?;
    seconds(value).or_else(|| until(value, now))
}

/// A little less than `duration`, by chance, so that many sources that were configured together don't stay in step.
pub(crate) fn jittered(duration: Duration) -> Duration {
    // Without a random number the pace is only less irregular.
    let chance = SysRng.try_next_u32().unwrap_or(u32::MAX / 2);
    duration.saturating_sub(duration.mul_f64(0.2 * f64::from(chance) / f64::from(u32::MAX)))
}

/// The least that the directives of `Cache-Control` say; what may not be reused without asking is fresh for no time.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|directive| {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => Some(Duration::ZERO),
                // A malformed one is stale (RFC 9111 §4.2.1).
                "max-age" => Some(seconds(value.trim().trim_matches('"')).unwrap_or_default()),
                _ => None,
            }
        })
        .min()
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Delta-seconds (RFC 9111 §1.2.2): too large a number means the largest.
fn seconds(digits: &str) -> Option<Duration> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().unwrap_or(u32::MAX);
    Some(Duration::from_secs(number.into()))
}

fn until(date: &str, now: Timestamp) -> Option<Duration> {
    let date = httpdate::parse_http_date(date).ok()?;
    let since_epoch = date.duration_since(UNIX_EPOCH).ok()?;
    Some(since_epoch.saturating_sub(Duration::from_secs(now)))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 §5.6.7.
    const NOW: Timestamp = 784_111_777;

    type Lines<'l> = &'l [(HeaderName, &'static str)];

    fn headers(lines: Lines<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn lifetimes_by_what_an_answer_says() {
        let (cc, expires) = (CACHE_CONTROL, EXPIRES);
        let table: &[(Lines<'_>, Option<u64>)] = &[
            (&[], None),
            (&[(cc.clone(), "public")], None),
            (
                &[(cc.clone(), "public, Max-Age=600, must-revalidate")],
                Some(600),
            ),
            (&[(cc.clone(), "max-age=\"600\"")], Some(600)),
            (&[(cc.clone(), "s-maxage=9, max-age=600")], Some(600)),
            (&[(cc.clone(), "max-age=600"), (AGE, "100")], Some(500)),
            (&[(cc.clone(), "max-age=600"), (AGE, "601")], Some(0)),
            (&[(cc.clone(), "max-age=600"), (AGE, "soon")], Some(600)),
            (&[(cc.clone(), "max-age=600, max-age=60")], Some(60)),
            (
                &[(cc.clone(), "max-age=600"), (cc.clone(), "no-store")],
                Some(0),
            ),
            (&[(cc.clone(), "no-cache")], Some(0)),
            (&[(cc.clone(), "max-age=-1")], Some(0)),
            (&[(cc.clone(), "max-age=")], Some(0)),
            (
                &[(cc.clone(), "max-age=99999999999999999999")],
                Some(u64::from(u32::MAX)),
            ),
            (
                &[(expires.clone(), "Sun, 06 Nov 1994 08:59:37 GMT")],
                Some(600),
            ),
            (
                &[(expires.clone(), "Sun, 06 Nov 1994 08:39:37 GMT")],
                Some(0),
            ),
            (&[(expires.clone(), "0")], Some(0)),
            (
                &[
                    (cc, "max-age=5"),
                    (expires, "Sun, 06 Nov 1994 08:59:37 GMT"),
                ],
                Some(5),
            ),
        ];
        for (lines, expected) in table {
            assert_eq!(
                lifetime(&headers(lines), NOW),
                expected.map(Duration::from_secs),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let table = [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ];
        for (value, expected) in table {
            let headers = headers(&[(RETRY_AFTER, value)]);
            assert_eq!(
                retry_after(&headers, NOW),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    #[test]
    fn jitter_takes_at_most_a_fifth_away() {
        let whole = Duration::from_secs(100);
        for _ in 0..1000 {
            let jittered = jittered(whole);
            assert!(
                (Duration::from_secs(80)..=whole).contains(&jittered),
                "{jittered:?}"
            );
        }
        assert!(jittered(Duration::MAX) > Duration::MAX / 10 * 7);
    }
}
