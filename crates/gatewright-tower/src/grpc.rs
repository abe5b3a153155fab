//! Refusals of gRPC services.

use std::fmt::Write as _;

use gatewright_core::dialect::Rendered;
use gatewright_core::error::AuthError;
use gatewright_core::policy::CompiledPolicy;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use crate::render::{RenderRefusal, put_fields, put_fixed};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: &str = "grpc-message";
const CODE: &str = "gatewright-code";

/// Renders refusals as gRPC calls end at once: by an answer of trailers only, whatever the realm's dialect is
/// ([gRPC over HTTP/2, "Responses"]).
///
/// The HTTP status is 200. `grpc-status` says what the refusal's own status does, as [google.rpc.Code] pairs them:
///
/// | HTTP | gRPC |
/// |---|---|
/// | 400, 415 | 3 `INVALID_ARGUMENT` |
/// | 401 | 16 `UNAUTHENTICATED` |
/// | 403 | 7 `PERMISSION_DENIED` |
/// | 404 | 5 `NOT_FOUND` |
/// | 405 | 12 `UNIMPLEMENTED` |
/// | 409 | 9 `FAILED_PRECONDITION` |
/// | 413, 429 | 8 `RESOURCE_EXHAUSTED` |
/// | 500 | 13 `INTERNAL` |
/// | 503 | 14 `UNAVAILABLE` |
/// | others | 2 `UNKNOWN` |
///
/// A conflict is neither `ALREADY_EXISTS`, which may be untrue, nor `ABORTED`, which invites to try again what would be
/// refused again.
///
/// `grpc-message` holds the sentence for the caller. The other fields of the refusal become metadata, the challenge
/// (`www-authenticate`) and `retry-after` among them; `gatewright-code` is the name of the
/// [`ErrorCode`](gatewright_core::error::ErrorCode). Fields that gRPC reads otherwise (`grpc-…`, `…-bin`) and those that
/// describe a body (`content-…`) are left out.
///
/// **Only for gRPC services.** What doesn't speak gRPC takes the status 200 for a pass, although the service was never
/// called. A port that also serves other requests needs a layer of its own, with
/// [`HttpRefusal`](crate::HttpRefusal), around those.
///
/// ```
/// use gatewright_core::policy::{Policy, Realm};
/// use gatewright_core::principal::TenantKind;
/// use gatewright_testing::TestAuthority;
/// use gatewright_tower::{GateLayer, GrpcRefusal, Guard};
/// use http::{Request, Response};
/// use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let authority = TestAuthority::new(TenantKind::from_static("workspace"), ["acme"]).await;
/// let gate = authority.gate().clone();
/// let policy = gate.compile(&Policy::api_key(), &Realm::builder("links").build()).expect("no mistakes");
///
/// let service = GateLayer::guarding(Guard::rendering(gate, policy, GrpcRefusal::default()))
///     .layer(service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(()))));
/// let refused = service.oneshot(Request::post("/links.Links/List").body(())?).await?;
/// assert_eq!(refused.status(), 200);
/// assert_eq!(refused.headers()["grpc-status"], "16");
/// assert_eq!(refused.headers()["www-authenticate"], r#"Bearer realm="links""#);
/// # Ok(())
/// # }
/// ```
///
/// [gRPC over HTTP/2, "Responses"]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
/// [google.rpc.Code]: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct GrpcRefusal;

impl<B: Default> RenderRefusal<B> for GrpcRefusal {
    fn render(&self, error: &AuthError, policy: &CompiledPolicy, _problem: bool) -> Response<B> {
        trailers_only(error, policy.refusal(error, false))
    }

    fn empty(&self) -> Response<B> {
        Response::default()
    }
}

fn trailers_only<B: Default>(error: &AuthError, rendered: Rendered) -> Response<B> {
    let mut response = Response::<B>::default();
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    fields.insert(GRPC_STATUS, HeaderValue::from(status(rendered.status)));
    let message = percent_encoded(&rendered.message);
    if !message.is_empty() {
        put_fields(&mut response, [(GRPC_MESSAGE, message)]);
    }
    put_fixed(&mut response, [(CODE, error.code().as_str())]);
    let metadata = rendered.fields.into_iter();
    put_fields(
        &mut response,
        metadata.filter(|(name, value)| is_metadata(name, value)),
    );
    response
}

/// The code for a refusal of this HTTP status.
const fn status(http: u16) -> u16 {
    match http {
        400 | 415 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        405 => 12,
        409 => 9,
        413 | 429 => 8,
        500 => 13,
        503 => 14,
        _ => 2,
    }
}

/// Whether gRPC takes the field for text of the application (`ASCII-Header`), and it is true of an answer without a body.
fn is_metadata(name: &str, value: &str) -> bool {
    let reserved = ["content-", "grpc-"];
    !reserved.iter().any(|prefix| name.starts_with(prefix))
        && !name.ends_with("-bin")
        && !value.is_empty()
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// A message as `Percent-Encoded`. A space at either end is encoded too, since a field's value neither starts nor ends
/// with one (RFC 9113 §8.2.1).
fn percent_encoded(message: &str) -> String {
    let last = message.len().saturating_sub(1);
    let mut encoded = String::with_capacity(message.len());
    for (at, byte) in message.bytes().enumerate() {
        match byte {
            b' ' if at != 0 && at != last => encoded.push(' '),
            b'!'..=b'$' | b'&'..=b'~' => encoded.push(char::from(byte)),
            // Writing to a string doesn't fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use gatewright_core::dialect::{Dialect, RenderContext, render};
    use gatewright_core::error::ErrorCode;

    use super::*;

    fn refusal(error: &AuthError) -> Response<()> {
        let context = RenderContext::new(Dialect::Problem)
            .with_realm("api")
            .with_required(&["links.read", "links.write"]);
        trailers_only(error, render(error, &context))
    }

    fn fields(response: &Response<()>) -> Vec<(&str, &str)> {
        let fields = response.headers().iter();
        fields
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect()
    }

    /// The pairs of google/rpc/code.proto ("HTTP Mapping"). It has no 405, 413 and 415, and three codes to choose from
    /// for a 409; doc/statuscodes.md of gRPC has those of an unknown method and of a message that is too large.
    #[test]
    fn every_code_has_the_status_of_its_kind() {
        use ErrorCode as E;
        let table: &[(&str, &[ErrorCode])] = &[
            (
                "3",
                &[
                    E::InvalidRequest,
                    E::InvalidPayload,
                    E::ValidationError,
                    E::InvalidLink,
                    E::InvalidScope,
                    E::InvalidGrant,
                    E::UnauthorizedClient,
                    E::UnsupportedGrantType,
                    E::InvalidTarget,
                    E::UnsupportedMediaType,
                ],
            ),
            (
                "16",
                &[
                    E::MissingBearerToken,
                    E::InvalidToken,
                    E::InvalidTokenFormat,
                    E::TokenExpired,
                    E::TokenRevoked,
                    E::InvalidCredentials,
                    E::RefreshTokenMissing,
                    E::InvalidRefreshToken,
                    E::InvalidClient,
                ],
            ),
            (
                "7",
                &[
                    E::InsufficientScope,
                    E::InsufficientRole,
                    E::FeatureLocked,
                    E::ForbiddenOrigin,
                ],
            ),
            ("5", &[E::NotFound]),
            ("12", &[E::MethodNotAllowed]),
            ("9", &[E::Conflict]),
            ("8", &[E::PayloadTooLarge, E::RateLimited, E::QuotaExceeded]),
            ("13", &[E::InternalError]),
            ("14", &[E::TemporarilyUnavailable]),
        ];
        for code in ErrorCode::ALL {
            let rows = table.iter().filter(|(_, codes)| codes.contains(code));
            let expected: Vec<_> = rows.map(|(status, _)| *status).collect();
            let answer = refusal(&AuthError::new(*code));
            assert_eq!(answer.status(), 200);
            assert_eq!([&answer.headers()["grpc-status"]], *expected, "{code}");
            assert_eq!(answer.headers()["gatewright-code"], code.as_str());
        }
        assert_eq!(status(418), 2);
    }

    /// gRPC over HTTP/2: `Trailers-Only → HTTP-Status Content-Type Trailers`.
    #[test]
    fn a_refusal_is_trailers_and_metadata() {
        let scope = AuthError::new(ErrorCode::InsufficientScope).with_missing(0b11);
        assert_eq!(
            fields(&refusal(&scope)),
            [
                ("content-type", "application/grpc"),
                ("grpc-status", "7"),
                (
                    "grpc-message",
                    "Token does not have the required scopes: links.read links.write"
                ),
                ("gatewright-code", "insufficient_scope"),
                ("cache-control", "no-store"),
                (
                    "www-authenticate",
                    r#"Bearer realm="api", error="insufficient_scope", error_description="Token does not have the required scopes: links.read links.write", scope="links.read links.write""#
                ),
            ]
        );
        let limited = AuthError::new(ErrorCode::RateLimited)
            .with_retry_after(7)
            .with_field("ratelimit", r#""plan";r=0;t=7"#);
        assert_eq!(
            fields(&refusal(&limited))[4..],
            [
                ("cache-control", "no-store"),
                ("retry-after", "7"),
                ("ratelimit", r#""plan";r=0;t=7"#),
            ]
        );
    }

    /// gRPC over HTTP/2: names that start with `grpc-` are gRPC's, `-bin` is base64, `ASCII-Value → 1*( %x20-%x7E )`.
    #[test]
    fn a_field_of_the_services_own_is_metadata_or_left_out() {
        let error = AuthError::new(ErrorCode::Conflict)
            .with_field("grpc-status", "0")
            .with_field("grpc-encoding", "gzip")
            .with_field("grpc-status-details-bin", "AAAA")
            .with_field("trace-bin", "not base64!")
            .with_field("content-language", "en")
            .with_field("with-tab", "a\tb")
            .with_field("empty", "")
            .with_field("gatewright-code", "forged")
            .with_field("link-id", "lnk_1");
        let answer = refusal(&error);
        assert_eq!(answer.headers()["grpc-status"], "9");
        assert_eq!(answer.headers()["gatewright-code"], "conflict");
        assert_eq!(
            fields(&answer)[4..],
            [("cache-control", "no-store"), ("link-id", "lnk_1")]
        );
    }

    /// gRPC over HTTP/2: `Percent-Byte-Unencoded → 1*( %x20-%x24 / %x26-%x7E )`, `Percent-Byte-Encoded → "%" 2HEXDIGIT`
    /// with the digits 0-9 A-F, over UTF-8.
    #[test]
    fn messages_are_percent_encoded() {
        let table = [
            ("Not found", "Not found"),
            (
                r##"!"#$&'()*+,-./:;<=>?@[\]^_`{|}~"##,
                r##"!"#$&'()*+,-./:;<=>?@[\]^_`{|}~"##,
            ),
            ("50% off", "50%25 off"),
            ("%41", "%2541"),
            ("Schlüssel", "Schl%C3%BCssel"),
            ("\u{1F511}", "%F0%9F%94%91"),
            ("a\r\nb\tc\0\u{7F}", "a%0D%0Ab%09c%00%7F"),
            // RFC 9113 §8.2.1.
            (" inside stays ", "%20inside stays%20"),
            ("  ", "%20%20"),
            (" ", "%20"),
        ];
        for (message, encoded) in table {
            let error = AuthError::new(ErrorCode::Conflict).with_message(message);
            assert_eq!(refusal(&error).headers()["grpc-message"], encoded);
        }
        // `Percent-Encoded` has at least one byte, and `Status-Message` is optional.
        let silent = AuthError::new(ErrorCode::Conflict).with_message("");
        assert!(!refusal(&silent).headers().contains_key("grpc-message"));
    }
}
