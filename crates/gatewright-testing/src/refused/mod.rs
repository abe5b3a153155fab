//! What a refused caller got, and whether it is what the caller should get.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "assertions: a panic is how they say that something is wrong"
)]

mod challenge;

use std::fmt;
use std::ops::RangeBounds;

use gatewright_core::dialect::{Dialect, RenderContext, Rendered, render};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use serde_json::Value;

pub use challenge::{Challenge, ChallengeError};

/// The answer to a refused request, from whichever framework.
///
/// Each `assert_*` panics with what was expected and what was found, at the line of the caller, and returns the answer, so
/// that they are chained.
///
/// ```
/// use gatewright_core::error::ErrorCode;
/// use gatewright_testing::Refused;
///
/// let fields = [
///     ("content-type", "application/json"),
///     ("cache-control", "no-store"),
///     ("www-authenticate", r#"Bearer realm="api", error="insufficient_scope", scope="links.write""#),
/// ];
/// let body = r#"{"detail":"Token does not have the required scope: links.write","code":"insufficient_scope"}"#;
///
/// Refused::new(403, fields, body)
///     .assert_code(ErrorCode::InsufficientScope)
///     .assert_missing_scopes(&["links.write"])
///     .assert_not_stored()
///     .assert_hides("tnx_live_secret");
/// ```
///
/// From axum, hyper or tower it is [read](Self::read) from the response; from a framework with types of its own it is put
/// together by [`new`](Self::new), as with actix-web: `Refused::new(response.status().as_u16(), response.headers().iter(),
/// body)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Refused {
    /// An answer of these parts. Field names may be in any case and occur more than once.
    pub fn new<N: fmt::Display, V: AsRef<[u8]>>(
        status: u16,
        fields: impl IntoIterator<Item = (N, V)>,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let fields = fields.into_iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_ref());
            (name.to_string().to_ascii_lowercase(), value.into_owned())
        });
        Self {
            status,
            fields: fields.collect(),
            body: body.into(),
        }
    }

    /// Reads a response to its end.
    ///
    /// # Panics
    /// If the body fails.
    pub async fn read<B: Body>(response: http::Response<B>) -> Self
    where
        B::Error: fmt::Debug,
    {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self::new(parts.status.as_u16(), parts.headers.iter(), body)
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The first value of a field; the case of the name does not matter.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The dialect in which it speaks.
    ///
    /// # Panics
    /// Where the body is that of none.
    #[must_use]
    #[track_caller]
    pub fn dialect(&self) -> Dialect {
        self.word().0
    }

    /// The challenges of all its `WWW-Authenticate` fields.
    ///
    /// # Panics
    /// Where one is malformed; see [`Challenge::parse`].
    #[must_use]
    #[track_caller]
    pub fn challenges(&self) -> Vec<Challenge> {
        let mut challenges = Vec::new();
        for field in self.values("www-authenticate") {
            match Challenge::parse(field) {
                Ok(read) => challenges.extend(read),
                Err(error) => panic!("expected a challenge, found one malformed {error}: {field}"),
            }
        }
        challenges
    }

    /// The one challenge that it has.
    ///
    /// # Panics
    /// Where there is none, or more than one, or one is malformed.
    #[must_use]
    #[track_caller]
    pub fn challenge(&self) -> Challenge {
        let mut challenges = self.challenges();
        match (challenges.pop(), challenges.is_empty()) {
            (Some(challenge), true) => challenge,
            (None, _) => panic!("expected a challenge, found none: {self}"),
            (Some(_), false) => panic!("expected one challenge, found several: {self}"),
        }
    }

    /// That it tells this code in whichever dialect, with the status that goes with it.
    ///
    /// The OAuth dialect has fewer names than there are codes; there the name has to be the one for this code. A challenge
    /// of `Bearer`, where there is one, has to name the `error` that goes with the code (RFC 6750 §3.1), or none where none
    /// goes with it.
    ///
    /// # Panics
    /// Where it tells another, or contradicts itself, or a challenge is malformed.
    #[track_caller]
    pub fn assert_code(&self, expected: ErrorCode) -> &Self {
        let (status, found) = (expected.status(), self.status);
        assert_eq!(
            found, status,
            "expected {expected}, status {status}; found {self}"
        );
        let (dialect, word) = self.word();
        let name = match dialect {
            Dialect::OAuth => oauth_name(expected),
            _ => expected.as_str().to_owned(),
        };
        assert_eq!(word, name, "expected the code {name}; found {self}");
        // A request may be refused with this code and no challenge; one for a token in the query has one.
        let sample = match expected {
            ErrorCode::InvalidRequest => AuthError::from(Cause::TokenInQuery),
            code => AuthError::new(code),
        };
        let context = RenderContext::new(Dialect::Canonical);
        let rendered = Self::from(render(&sample, &context));
        let error_of = |refused: &Self| {
            let mut challenges = refused.challenges().into_iter();
            let bearer = challenges.find(|challenge| challenge.is("Bearer"));
            bearer.map(|bearer| bearer.param("error").map(str::to_owned))
        };
        if let Some(found) = error_of(self) {
            let error = error_of(&rendered).flatten();
            assert_eq!(
                found, error,
                "expected a challenge with the error of {expected}; found {self}"
            );
        }
        self
    }

    /// That it has one challenge, of this scheme, and that the check of it passes.
    ///
    /// # Panics
    /// Where it has none or several or one of another scheme, where it is malformed, or where the check panics.
    #[track_caller]
    pub fn assert_challenge(&self, scheme: &str, check: impl FnOnce(&Challenge)) -> &Self {
        let challenge = self.challenge();
        assert!(
            challenge.is(scheme),
            "expected a challenge of {scheme}; found {self}"
        );
        check(&challenge);
        self
    }

    /// That it has no challenge.
    ///
    /// # Panics
    /// Where it has one, even a malformed one.
    #[track_caller]
    pub fn assert_no_challenge(&self) -> &Self {
        let found = self.field("www-authenticate");
        assert_eq!(found, None, "expected no challenge; found {self}");
        self
    }

    /// That it refuses for want of exactly these scopes, in any order (RFC 6750 §3.1).
    ///
    /// # Panics
    /// Where the status is not 403, the challenge is not one of `Bearer` with `insufficient_scope`, or names other scopes.
    #[track_caller]
    pub fn assert_missing_scopes(&self, expected: &[&str]) -> &Self {
        assert_eq!(self.status, 403, "expected status 403; found {self}");
        let challenge = self.challenge();
        let (scheme, error) = (challenge.is("Bearer"), challenge.param("error"));
        assert!(
            scheme && error == Some("insufficient_scope"),
            "expected a challenge of Bearer with insufficient_scope; found {self}"
        );
        let (mut expected, mut found) = (expected.to_vec(), challenge.scopes());
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(
            found, expected,
            "expected to miss {expected:?}; found {self}"
        );
        self
    }

    /// That it says once after how many seconds to try again (RFC 9110 §10.2.3), within these.
    ///
    /// # Panics
    /// Where there is no `Retry-After`, or more than one, or one that is not a number of seconds or out of range.
    #[track_caller]
    pub fn assert_retry_after(&self, expected: impl RangeBounds<u64> + fmt::Debug) -> &Self {
        let value = self.only("retry-after");
        let seconds = digits(value);
        assert!(
            seconds.is_some_and(|seconds| expected.contains(&seconds)),
            "expected retry-after of {expected:?}; found {self}"
        );
        self
    }

    /// That no cache may store it (RFC 9111 §5.2.2.5).
    ///
    /// # Panics
    /// Where it has no `Cache-Control`, or more than one, or one without `no-store`.
    #[track_caller]
    pub fn assert_not_stored(&self) -> &Self {
        let mut directives = self.only("cache-control").split(',');
        let is_there =
            directives.any(|directive| directive.trim().eq_ignore_ascii_case("no-store"));
        assert!(is_there, "expected cache-control: no-store; found {self}");
        self
    }

    /// That the text stands nowhere in it, neither plainly nor as a JSON string spells it. The message does not repeat the
    /// text.
    ///
    /// # Panics
    /// Where it does, or where the text is empty.
    #[track_caller]
    pub fn assert_hides(&self, secret: &str) -> &Self {
        assert!(!secret.is_empty(), "an empty text is everywhere");
        for (name, value) in &self.fields {
            assert!(
                !name.contains(&secret.to_ascii_lowercase()),
                "the name of a field holds the text that is to be hidden"
            );
            assert!(
                !value.contains(secret),
                "the field {name} holds the text that is to be hidden"
            );
        }
        let spelled = serde_json::to_string(secret).unwrap();
        let spelled = &spelled[1..spelled.len() - 1];
        let body = String::from_utf8_lossy(&self.body);
        let in_json = || match serde_json::from_slice(&self.body) {
            Ok(value) => holds(&value, secret),
            Err(_) => false,
        };
        assert!(
            !body.contains(secret) && !body.contains(spelled) && !in_json(),
            "the body holds the text that is to be hidden"
        );
        self
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let name = name.to_ascii_lowercase();
        self.fields
            .iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value.as_str())
    }

    #[track_caller]
    fn only(&self, name: &str) -> &str {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            (None, _) => panic!("expected {name}, found none: {self}"),
            (Some(_), Some(_)) => panic!("expected {name} once: {self}"),
        }
    }

    /// The dialect, and the code as it spells it.
    #[track_caller]
    fn word(&self) -> (Dialect, String) {
        let read = match serde_json::from_slice(&self.body) {
            Ok(body) => self.read_word(&body),
            Err(_) => Err("JSON"),
        };
        match read {
            Ok(word) => word,
            Err(rule) => panic!("expected a refusal with {rule}; found {self}"),
        }
    }

    /// The media type, without parameters (RFC 9110 §8.3.1).
    fn media_type(&self) -> String {
        let field = self.field("content-type").unwrap_or_default();
        let essence = field.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    }

    fn read_word(&self, body: &Value) -> Result<(Dialect, String), &'static str> {
        let media_type = self.media_type();
        let is_problem = media_type == PROBLEM;
        let error = &body["error"];
        let (dialect, code) = if !body["jsonrpc"].is_null() {
            if body["jsonrpc"] != "2.0" || !error["code"].is_i64() || body.get("id").is_none() {
                return Err("jsonrpc 2.0, an id and a numeric error.code");
            }
            (Dialect::JsonRpc, &error["data"]["code"])
        } else if error.is_object() {
            if error["statusCode"] != self.status {
                return Err("error.statusCode equal to the status");
            }
            (Dialect::Canonical, &error["code"])
        } else if error.is_string() {
            (Dialect::OAuth, error)
        } else if !body["type"].is_null() || is_problem {
            if !is_problem || body["status"] != self.status {
                return Err("application/problem+json and a status equal to that of the answer");
            }
            (Dialect::Problem, &body["code"])
        } else if body["detail"].is_string() {
            (Dialect::Detail, &body["code"])
        } else {
            return Err("the body of a dialect");
        };
        if dialect != Dialect::Problem && media_type != "application/json" {
            return Err("the media type application/json");
        }
        match code.as_str() {
            Some(code) => Ok((dialect, code.to_owned())),
            None => Err("a code"),
        }
    }
}

const PROBLEM: &str = "application/problem+json";

impl<B: AsRef<[u8]>> From<http::Response<B>> for Refused {
    fn from(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Self::new(parts.status.as_u16(), parts.headers.iter(), body.as_ref())
    }
}

impl From<Rendered> for Refused {
    fn from(rendered: Rendered) -> Self {
        Self::new(rendered.status, rendered.fields, rendered.body)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        for (name, value) in &self.fields {
            write!(f, "; {name}: {value}")?;
        }
        write!(f, "; body {}", String::from_utf8_lossy(&self.body))
    }
}

/// How the OAuth dialect spells a code, asked from where it is written.
fn oauth_name(code: ErrorCode) -> String {
    let rendered = render(&AuthError::new(code), &RenderContext::new(Dialect::OAuth));
    let body: Value = serde_json::from_slice(&rendered.body).unwrap();
    body["error"].as_str().unwrap().to_owned()
}

/// A number in digits alone; `parse` would take a sign.
fn digits(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn holds(value: &Value, secret: &str) -> bool {
    match value {
        Value::String(text) => text.contains(secret),
        Value::Array(items) => items.iter().any(|item| holds(item, secret)),
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| name.contains(secret) || holds(member, secret)),
        _ => false,
    }
}
