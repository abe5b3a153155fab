//! What a refusing API said.

use std::fmt;
use std::time::{Duration, SystemTime};

use gatewright_core::error::{ErrorCode, RetryRule};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use super::body::{MAX_BODY, object, read};
use super::challenge::BearerChallenge;
use super::retry_after::retry_after;

/// Who answers an error and then goes silent keeps nobody.
const TIME_OUT: Duration = Duration::from_secs(10);
const MAX_CODE: usize = 64;
const MAX_MESSAGE: usize = 1000;

/// A refusal by an API, read from any of the forms in which Gatewright writes one: `{"error":{"code","message"}}`,
/// `{"detail","code"}`, problem details (RFC 9457), OAuth (RFC 6749 §5.2) and JSON-RPC.
///
/// Whatever the answer holds, there is an `ApiError` of it; what can't be read is absent. `Display` and `Debug` show the
/// status and the code: the message is the server's own, and some servers repeat there what they were sent.
///
/// ```
/// use gatewright_core::error::{ErrorCode, RetryRule};
/// use gatewright_tower::client::ApiError;
/// use http::{HeaderMap, StatusCode};
///
/// let body = br#"{"error":{"code":"not_found","message":"Not found","statusCode":404}}"#;
/// let error = ApiError::from_parts(StatusCode::NOT_FOUND, &HeaderMap::new(), body);
/// assert_eq!(error.code(), Some(ErrorCode::NotFound));
/// assert_eq!(error.message(), Some("Not found"));
/// assert_eq!(error.rule(), RetryRule::Never);
/// ```
#[derive(Clone)]
pub struct ApiError {
    status: StatusCode,
    code: Option<String>,
    message: Option<String>,
    retry_after: Option<Duration>,
    missing_scopes: Vec<String>,
}

impl ApiError {
    /// Reads an answer whose body is at hand. A body of more than 64 KiB is not read.
    #[must_use]
    pub fn from_parts(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let body = Some(body).filter(|body| body.len() <= MAX_BODY);
        let said = body.and_then(object::<Envelope>).unwrap_or_default().said();
        let challenge = BearerChallenge::read(headers);
        Self {
            status,
            // The body's is the more precise one: the challenge knows three.
            code: said.code.or(challenge.error).filter(|code| is_code(code)),
            message: said.message.map(|message| presentable(&message)),
            retry_after: retry_after(headers, SystemTime::now()),
            missing_scopes: challenge.scopes,
        }
    }

    /// Reads an answer, with at most 64 KiB of its body. If the body breaks off, is longer or isn't there after ten
    /// seconds, status and fields remain.
    ///
    /// Needs a tokio runtime with its timer.
    pub async fn read<B: Body>(response: Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        match timeout(TIME_OUT, read(body)).await {
            Ok(Ok(body)) => Self::from_parts(parts.status, &parts.headers, &body),
            _ => Self::from_parts(parts.status, &parts.headers, &[]),
        }
    }

    /// Hands an answer on unless its status is 400 or above.
    ///
    /// # Errors
    ///
    /// What [`read`](Self::read) makes of the answer.
    pub async fn check<B: Body>(response: Response<B>) -> Result<Response<B>, Self> {
        if response.status().as_u16() < 400 {
            return Ok(response);
        }
        Err(Self::read(response).await)
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The code, where it is one of Gatewright's.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        self.code_text()?.parse().ok()
    }

    /// The code as it was sent, known or not: at most 64 letters, digits, `_`, `-`, `.` and `:`.
    #[must_use]
    pub fn code_text(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The server's sentence: at most 1,000 characters, none of them control characters.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// How long the server asks to wait (RFC 9110 §10.2.3), 68 years at most.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The scopes that the challenge asks for (RFC 6750 §3); at most 64.
    pub fn missing_scopes(&self) -> impl Iterator<Item = &str> {
        self.missing_scopes.iter().map(String::as_str)
    }

    /// Whether the same request may be sent again, and when.
    #[must_use]
    pub const fn rule(&self) -> RetryRule {
        RetryRule::of_status(self.status.as_u16())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API answered with status {}", self.status.as_u16())?;
        match &self.code {
            Some(code) => write!(f, " and code {code}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError")
            .field("status", &self.status.as_u16())
            .field("code", &self.code)
            .field("retry_after", &self.retry_after)
            .field("missing_scopes", &self.missing_scopes)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ApiError {}

/// The members that any of the dialects has at its top.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    error: Value,
    error_description: Value,
    detail: Value,
    title: Value,
    code: Value,
}

#[derive(Default)]
struct Said {
    code: Option<String>,
    message: Option<String>,
}

impl Envelope {
    fn said(self) -> Said {
        match self.error {
            Value::String(code) => Said {
                code: Some(code),
                message: text(self.error_description),
            },
            Value::Object(mut error) => {
                let mut member = |name| error.remove(name).unwrap_or_default();
                // JSON-RPC's own code is a number, and `data.code` is ours.
                let code = text(member("code")).or_else(|| match member("data") {
                    Value::Object(mut data) => data.remove("code").and_then(text),
                    _ => None,
                });
                Said {
                    code,
                    message: text(member("message")),
                }
            }
            _ => Said {
                code: text(self.code),
                message: text(self.detail).or_else(|| text(self.title)),
            },
        }
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn is_code(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"_-.:".contains(&b);
    (1..=MAX_CODE).contains(&text.len()) && text.bytes().all(known)
}

fn presentable(text: &str) -> String {
    text.chars()
        .take(MAX_MESSAGE)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
