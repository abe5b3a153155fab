//! The answer of the token endpoint (RFC 6749 §5.1).

use std::fmt;
use std::time::Duration;

use gatewright_core::credential::Secret;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use serde::{Deserialize, Deserializer};
use tokio::time::Instant;

use super::body::{Unread, object, read};
use super::jitter::jitter;
use super::presented::Presented;
use super::{ApiError, TokenError, TokenErrorKind};

/// How long a token counts as valid if the answer doesn't say.
const UNSAID_LIFETIME: Duration = Duration::from_secs(300);
/// A longer lifetime is cut: no clock here has to count further.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// When renewal begins before the end, at most.
const MAX_MARGIN: Duration = Duration::from_secs(60);

/// An access token and its time.
pub(super) struct Token {
    pub(super) presented: Presented,
    pub(super) expires: Instant,
    pub(super) renew: Instant,
}

impl Token {
    /// Reads the answer to a request that was sent at `sent`; from then on the lifetime is counted.
    pub(super) async fn read<B>(response: Response<B>, sent: Instant) -> Result<Self, TokenError>
    where
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let (parts, body) = response.into_parts();
        let body = match read(body).await {
            Ok(body) => body,
            Err(Unread::Broken(error)) => return Err(TokenError::transport(error)),
            Err(Unread::TooLong) => return Err(TokenError::new(TokenErrorKind::Malformed)),
        };
        if parts.status != StatusCode::OK {
            let error = ApiError::from_parts(parts.status, &parts.headers, &body);
            return Err(TokenError::answered(error));
        }
        Self::granted(&parts.headers, &body, sent)
            .ok_or_else(|| TokenError::new(TokenErrorKind::Malformed))
    }

    fn granted(headers: &HeaderMap, body: &[u8], sent: Instant) -> Option<Self> {
        let media_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = media_type.split(';').next()?.trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return None;
        }
        let answer: Answer = object(body)?;
        if !answer.token_type.eq_ignore_ascii_case("bearer") || answer.expires_in == Some(0) {
            return None;
        }
        let lifetime = answer
            .expires_in
            .map_or(UNSAID_LIFETIME, Duration::from_secs);
        let lifetime = lifetime.min(MAX_LIFETIME);
        let margin = (lifetime / 10).min(MAX_MARGIN);
        // Clients that started together don't renew together.
        let early = margin + jitter(margin / 2);
        Some(Self {
            presented: Presented::bearer(&answer.access_token).ok()?,
            expires: sent + lifetime,
            renew: sent + lifetime.saturating_sub(early),
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("presented", &self.presented)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(deserialize_with = "secret")]
    access_token: Secret,
    token_type: String,
    expires_in: Option<u64>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn granted(media_type: &'static str, body: &str) -> Option<Token> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Token::granted(&headers, body.as_bytes(), Instant::now())
    }

    #[test]
    fn answers_that_rfc_6749_section_5_1_allows() {
        for body in [
            r#"{"access_token":"a.b","token_type":"Bearer","expires_in":3600,"scope":"mcp:call"}"#,
            r#" {"access_token":"a.b","token_type":"bearer","example_parameter":[1]}"#,
            r#"{"access_token":"a.b","token_type":"BEARER","expires_in":18446744073709551615}"#,
        ] {
            assert!(
                granted("application/json; charset=UTF-8", body).is_some(),
                "{body}"
            );
        }
    }

    #[test]
    fn answers_that_it_does_not() {
        for body in [
            "",
            "null",
            r#"["a.b","Bearer",3600]"#,
            r#"{"token_type":"Bearer"}"#,
            r#"{"access_token":"a.b"}"#,
            r#"{"access_token":"a.b","token_type":"mac"}"#,
            r#"{"access_token":"","token_type":"Bearer"}"#,
            r#"{"access_token":"a b","token_type":"Bearer"}"#,
            r#"{"access_token":"a\r\nb","token_type":"Bearer"}"#,
            r#"{"access_token":1,"token_type":"Bearer"}"#,
            r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#,
            r#"{"access_token":"a","token_type":"Bearer","expires_in":"3600"}"#,
            r#"{"access_token":"a","token_type":"Bearer","expires_in":-1}"#,
            r#"{"access_token":"a","token_type":"Bearer","expires_in":0}"#,
            r#"{"access_token":"a","token_type":"Bearer","expires_in":1.5}"#,
            r#"{"access_token":"a","token_type":"Bearer"} x"#,
        ] {
            assert!(granted("application/json", body).is_none(), "{body}");
        }
        let good = r#"{"access_token":"a.b","token_type":"Bearer"}"#;
        assert!(granted("text/html", good).is_none());
    }

    #[test]
    fn renewal_begins_before_the_end_by_a_tenth_or_a_minute() {
        let sent = Instant::now();
        for (seconds, earliest, latest) in [(3600, 3510, 3540), (100, 85, 90), (1, 0, 1)] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let body =
                format!(r#"{{"access_token":"a","token_type":"Bearer","expires_in":{seconds}}}"#);
            let mut draws = std::collections::HashSet::new();
            for _draw in 0..50 {
                let token = Token::granted(&headers, body.as_bytes(), sent).unwrap();
                assert_eq!(token.expires - sent, Duration::from_secs(seconds));
                let renew = token.renew - sent;
                assert!(renew >= Duration::from_secs(earliest), "{renew:?}");
                assert!(renew <= Duration::from_secs(latest), "{renew:?}");
                draws.insert(renew);
            }
            assert!(draws.len() > 1);
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_token() {
        let body = r#"{"access_token":"hunter2","token_type":"Bearer"}"#;
        let token = granted("application/json", body).unwrap();
        assert!(!format!("{token:?}").contains("hunter2"));
    }
}
