//! `Retry-After` (RFC 9110 §10.2.3).

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, HeaderValue, RETRY_AFTER};

/// What longer times are cut to, 68 years (as RFC 9111 §1.2.2 does), so that any clock can add it.
const LONGEST: Duration = Duration::from_secs(1 << 31);

/// How long the server asks to wait, by a number of seconds or by a date.
///
/// A date counts from the answer's own `Date`, so that clocks that differ don't matter; where there is none, from `now`.
/// A date in the past is no wait at all.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?;
    let text = value.to_str().ok()?;
    let asked = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        let from = headers.get(DATE).and_then(date).unwrap_or(now);
        let then = date(value)?;
        then.duration_since(from).unwrap_or(Duration::ZERO)
    };
    Some(asked.min(LONGEST))
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::HeaderValue;

    use super::*;

    #[test]
    fn seconds_and_the_three_forms_of_a_date() {
        // 1994-11-06T08:49:37Z, the example of RFC 9110 §5.6.7.
        let example = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let now = example - Duration::from_secs(90);
        for (value, date, wait) in [
            ("120", None, Some(120)),
            ("0", None, Some(0)),
            ("99999999999999999999999", None, Some(1 << 31)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None, Some(90)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None, Some(90)),
            ("Sun Nov  6 08:49:37 1994", None, Some(90)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", None, Some(1 << 31)),
            (
                "Sun, 06 Nov 1994 08:49:37 GMT",
                Some("Sun, 06 Nov 1994 08:49:30 GMT"),
                Some(7),
            ),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some("no date"), Some(90)),
            (
                "Sun, 06 Nov 1994 08:49:37 GMT",
                Some("Mon, 07 Nov 1994 00:00:00 GMT"),
                Some(0),
            ),
            ("-1", None, None),
            ("+1", None, None),
            ("1.5", None, None),
            ("soon", None, None),
            ("", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            let read = retry_after(&headers, now);
            assert_eq!(read, wait.map(Duration::from_secs), "{value:?} {date:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
