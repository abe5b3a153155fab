//! Bodies.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use serde::de::DeserializeOwned;

use super::Failure;

/// How long a body may take to arrive. Without a bound, who sends a byte a minute holds a connection for as long as they
/// like.
const ARRIVAL: Duration = Duration::from_secs(30);

/// A body of JSON. Members that the type does not know are passed over.
///
/// Refuses with `invalid_payload` a body of another type, one that is not JSON, one of another shape and one that takes
/// longer than half a minute to arrive, with `payload_too_large` one that is longer than the router reads, and with `invalid_request` a form that carries an access
/// token (RFC 6750 §2.2).
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (headers, body) = body(request, state).await?;
        read(&headers, &body).map(Self)
    }
}

/// A body of JSON, or none at all, which is the default.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (headers, body) = body(request, state).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        read(&headers, &body).map(Self)
    }
}

async fn body<S: Send + Sync>(
    mut request: Request,
    state: &S,
) -> Result<(HeaderMap, Bytes), Failure> {
    let headers = std::mem::take(request.headers_mut());
    Ok((headers, arrived(request, state).await?))
}

/// The bytes of a body of whatever type.
///
/// # Errors
/// `payload_too_large`, and `invalid_payload` for one that takes longer than half a minute or breaks off.
pub(crate) async fn arrived<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    let arriving = tokio::time::timeout(ARRIVAL, Bytes::from_request(request, state));
    arriving
        .await
        .map_err(|_elapsed| {
            Failure::because(ErrorCode::InvalidPayload, "The body did not arrive in time")
        })?
        .map_err(|rejection| {
            if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
                Failure::from(ErrorCode::PayloadTooLarge)
            } else {
                Failure::because(ErrorCode::InvalidPayload, "The body could not be read")
            }
        })
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Failure> {
    match media_type(headers) {
        // Otherwise an array of a struct's members, in their order, would be taken for the struct.
        Some(essence) if is_json(&essence) && body.trim_ascii_start().starts_with(b"[") => Err(
            Failure::because(ErrorCode::InvalidPayload, "The body must be a JSON object"),
        ),
        Some(essence) if is_json(&essence) => serde_json::from_slice(body).map_err(|error| {
            Failure::because(
                ErrorCode::InvalidPayload,
                if error.is_data() {
                    "The body does not have the expected members"
                } else {
                    "The body is not JSON"
                },
            )
        }),
        Some(essence) if essence == "application/x-www-form-urlencoded" && carries_token(body) => {
            // Not read as a credential, and not to be sent as one.
            Err(AuthError::from(Cause::TokenInQuery).into())
        }
        _ => Err(Failure::because(
            ErrorCode::InvalidPayload,
            "The body must be sent with `Content-Type: application/json`",
        )),
    }
}

/// The media type without its parameters, in lower case.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let essence = value.split(';').next().unwrap_or(value);
    Some(essence.trim().to_ascii_lowercase())
}

fn is_json(essence: &str) -> bool {
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn carries_token(form: &[u8]) -> bool {
    form.split(|byte| *byte == b'&')
        .any(|pair| pair.starts_with(b"access_token="))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Shape {
        #[serde(rename = "name")]
        _name: String,
    }

    fn outcome(content_type: Option<&'static str>, body: &str) -> Result<(), ErrorCode> {
        let mut headers = HeaderMap::new();
        if let Some(value) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
        }
        read::<Shape>(&headers, body.as_bytes())
            .map(drop)
            .map_err(|failure| failure.code())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let endless = axum::body::Body::from_stream(futures_util::stream::pending::<
            Result<Bytes, std::convert::Infallible>,
        >());
        let request = Request::new(endless);
        let refused = Json::<Shape>::from_request(request, &()).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidPayload);
    }

    #[test]
    fn reads_json_and_says_what_is_wrong_with_the_rest() {
        let json = Some("application/json");
        let good = r#"{"name":"n","other":1}"#;
        assert_eq!(outcome(json, good), Ok(()));
        assert_eq!(
            outcome(Some("Application/JSON; charset=utf-8"), good),
            Ok(())
        );
        for (content_type, body) in [
            (json, ""),
            (json, "{"),
            (json, "[]"),
            (json, r#" ["n"]"#),
            (json, r#"{"name":1}"#),
            (json, r#"{"name":"a","name":"b"}"#),
            (json, r#"{"name":"a"} x"#),
            (json, "{}"),
            (None, good),
            (Some("text/plain"), good),
            (Some("application/x-www-form-urlencoded"), "name=n"),
        ] {
            assert_eq!(
                outcome(content_type, body),
                Err(ErrorCode::InvalidPayload),
                "{content_type:?} {body}"
            );
        }
    }

    /// RFC 6750 §2.2: the body is one of the methods that are not taken here.
    #[test]
    fn a_form_with_an_access_token_is_an_invalid_request() {
        let form = Some("application/x-www-form-urlencoded");
        assert_eq!(
            outcome(form, "name=n&access_token=t"),
            Err(ErrorCode::InvalidRequest)
        );
    }
}
