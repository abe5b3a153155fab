//! Media types: what a body is, and which answers a client takes.

use http::HeaderMap;
use http::header::{ACCEPT, HeaderValue};

/// What the transport asks clients to send. Servers insist on it by name, though what they answer is JSON.
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// Says in the transport's words what a client that takes JSON has said in its own (RFC 9110 §12.5.1). One that does not
/// take it is left to the server, which refuses it.
pub(super) fn normalise_accept(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(ACCEPT).iter().peekable();
    let takes_json = lines.peek().is_none() || lines.any(names_json);
    if takes_json {
        headers.insert(ACCEPT, BOTH);
    }
}

/// Whether a value of `Content-Type` says JSON, with whatever parameters.
pub(super) fn is_json(value: &HeaderValue) -> bool {
    let essence = value.as_bytes().split(|byte| *byte == b';').next();
    essence.is_some_and(|essence| {
        essence
            .trim_ascii()
            .eq_ignore_ascii_case(b"application/json")
    })
}

/// Whether one of the media ranges covers `application/json`, and not with the weight 0.
fn names_json(line: &HeaderValue) -> bool {
    let ranges = line.to_str().unwrap_or_default().split(',');
    ranges.into_iter().any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let refused = |parameter: &str| {
            let weight = parameter.split_once('=');
            weight.is_some_and(|(name, weight)| {
                name.trim().eq_ignore_ascii_case("q")
                    && weight.bytes().all(|byte| matches!(byte, b'0' | b'.'))
            })
        };
        let covers = |essence: &str| {
            ["*/*", "application/*", "application/json"]
                .iter()
                .any(|range| essence.eq_ignore_ascii_case(range))
        };
        parts.next().is_some_and(covers) && !parts.any(refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_json_takes_it_by_name_and_others_are_left_alone() {
        for (accept, json) in [
            (&[][..], true),
            (&["*/*"], true),
            (&["application/*;q=0.5"], true),
            (&["text/html", "Application/JSON; q=1"], true),
            (&["application/json, text/event-stream"], true),
            (&["text/event-stream"], false),
            (&["application/json;q=0"], false),
            (&["application/json; Q=0.000, text/html"], false),
            (&[""], false),
            (&["text/html"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in accept {
                headers.append(ACCEPT, HeaderValue::from_static(line));
            }
            let before = headers.clone();
            normalise_accept(&mut headers);
            if json {
                let all: Vec<_> = headers.get_all(ACCEPT).iter().collect();
                assert_eq!(all, [&BOTH], "{accept:?}");
            } else {
                assert_eq!(headers, before, "{accept:?}");
            }
        }
    }
}
