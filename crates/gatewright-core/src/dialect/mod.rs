//! How an error looks on the wire: status, header fields and body.
//!
//! [`render`] is the only place where a refusal becomes words. Whatever text it is given, the fields
//! it returns are visible ASCII and can't start a second header line.

mod accept;
mod body;
mod challenge;
mod own;

pub use accept::wants_problem;
pub use own::{BodyWriter, ErrorBody, Refused};

use crate::error::{AuthError, ErrorCode};

/// The form of an error body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// `{"error":{"code":…,"message":…,"statusCode":…}}`
    #[default]
    Canonical,
    /// `{"detail":…,"code":…}`
    Detail,
    /// Problem details (RFC 9457), with the code in the extension member `code`.
    Problem,
    /// `{"error":…,"error_description":…}` with the registered codes of OAuth (RFC 6749 §5.2). For
    /// endpoints that authenticate clients: a 401 asks for `Basic`.
    OAuth,
    /// A JSON-RPC 2.0 error response (§5.1), with the code in `data.code`.
    JsonRpc,
}

/// The `id` of the JSON-RPC request that is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RpcId<'a> {
    /// The request was refused before its body was read, or had no readable id.
    #[default]
    Null,
    /// A number.
    Number(i64),
    /// A string.
    Text(&'a str),
}

/// What rendering needs to know besides the error.
#[derive(Clone, Copy, Debug, Default)]
pub struct RenderContext<'a> {
    dialect: Dialect,
    realm: &'a str,
    resource_metadata: Option<&'a str>,
    required: &'a [&'a str],
    rpc_id: RpcId<'a>,
    writer: Option<&'a BodyWriter>,
}

impl<'a> RenderContext<'a> {
    /// A context of this dialect, with an empty realm and nothing else.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            realm: "",
            resource_metadata: None,
            required: &[],
            rpc_id: RpcId::Null,
            writer: None,
        }
    }

    /// The realm of challenges (RFC 9110 §11.5).
    #[must_use]
    pub const fn with_realm(mut self, realm: &'a str) -> Self {
        self.realm = realm;
        self
    }

    /// The absolute URL of the protected resource's metadata (RFC 9728 §5.1).
    #[must_use]
    pub const fn with_resource_metadata(mut self, url: &'a str) -> Self {
        self.resource_metadata = Some(url);
        self
    }

    /// The scopes that the policy requires; the bits of [`AuthError::missing`] index this list.
    #[must_use]
    pub const fn with_required(mut self, scopes: &'a [&'a str]) -> Self {
        self.required = scopes;
        self
    }

    /// The id for a JSON-RPC answer.
    #[must_use]
    pub const fn with_rpc_id(mut self, id: RpcId<'a>) -> Self {
        self.rpc_id = id;
        self
    }

    /// What writes the body in place of the dialect.
    #[must_use]
    pub const fn with_body_writer(mut self, writer: &'a BodyWriter) -> Self {
        self.writer = Some(writer);
        self
    }

    /// The body that the service writes by itself, where it does.
    fn own_body(&self, error: &AuthError, message: &str) -> Option<(String, Vec<u8>)> {
        let missing: Vec<&str> = self.missing(error).collect();
        let body = self.writer?.write(&Refused {
            error,
            message,
            missing: &missing,
            dialect: self.dialect,
        })?;
        is_media_type(&body.content_type).then_some((body.content_type, body.bytes))
    }

    /// The required scopes that this error misses. A bit without a name counts for nothing.
    fn missing<'s>(&'s self, error: &AuthError) -> impl Iterator<Item = &'a str> + use<'s, 'a> {
        let mask = error.missing();
        self.required
            .iter()
            .take(64)
            .enumerate()
            .filter(move |(bit, _)| mask >> bit & 1 == 1)
            .map(|(_, name)| *name)
    }

    /// The sentence for the caller, which names all missing scopes at once.
    fn message(&self, error: &AuthError) -> String {
        let mut message = error.message().to_owned();
        if error.code() == ErrorCode::InsufficientScope && error.own_message().is_none() {
            let mut names = self.missing(error);
            if let Some(first) = names.next() {
                let rest: Vec<_> = names.collect();
                message.push_str(if rest.is_empty() { ": " } else { "s: " });
                message.push_str(first);
                for name in rest {
                    message.push(' ');
                    message.push_str(name);
                }
            }
        }
        message
    }
}

/// An error as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rendered {
    /// The HTTP status.
    pub status: u16,
    /// The header fields. Names are in lower case and occur once; values are visible ASCII with
    /// single spaces or tabs inside.
    pub fields: Vec<(&'static str, String)>,
    /// The body, of the type that the field `content-type` says.
    pub body: Vec<u8>,
    /// The sentence for the caller, for protocols that carry it outside of a body.
    pub message: String,
}

/// Renders a refusal.
///
/// Every 401, every 403 of `insufficient_scope`, and a 400 about how a credential was sent have a
/// challenge in `www-authenticate` (RFC 9110 §11.6.1, RFC 6750 §3). Every 429 and 503 has a
/// `retry-after` of at least one second. No answer may be stored.
///
/// ```
/// use gatewright_core::dialect::{Dialect, RenderContext, render};
/// use gatewright_core::error::{AuthError, Cause};
///
/// let context = RenderContext::new(Dialect::Canonical)
///     .with_realm("api")
///     .with_required(&["links.read", "analytics.*"]);
/// let error = AuthError::from(Cause::MissingScope).with_missing(0b10);
/// let answer = render(&error, &context);
///
/// assert_eq!(answer.status, 403);
/// assert_eq!(
///     String::from_utf8_lossy(&answer.body),
///     r#"{"error":{"code":"insufficient_scope","message":"Token does not have the required scope: analytics.*","statusCode":403}}"#,
/// );
/// assert!(answer.fields.iter().any(|(name, value)| *name == "www-authenticate"
///     && value.ends_with(r#"scope="analytics.*""#)));
/// ```
#[must_use]
pub fn render(error: &AuthError, context: &RenderContext<'_>) -> Rendered {
    let message = context.message(error);
    let (content_type, body) = context.own_body(error, &message).unwrap_or_else(|| {
        let (content_type, body) = body::write(error, &message, context);
        (content_type.to_owned(), body)
    });

    let mut fields = vec![
        ("content-type", content_type),
        ("cache-control", "no-store".to_owned()),
    ];
    if let Some(value) = challenge::write(error, &message, context) {
        fields.push(("www-authenticate", value));
    }
    if matches!(error.status(), 429 | 503) {
        let seconds = error.retry_after().map_or(1, std::num::NonZeroU32::get);
        fields.push(("retry-after", seconds.to_string()));
    }
    for (name, value) in error.fields() {
        let taken = RESERVED.contains(&name) || fields.iter().any(|(other, _)| *other == name);
        if !taken && is_field_name(name) && is_field_value(value) {
            fields.push((name, value.to_owned()));
        }
    }
    Rendered {
        status: error.status(),
        fields,
        body,
        message,
    }
}

/// Fields that [`render`] or the HTTP library alone decides about, also where they are absent.
const RESERVED: &[&str] = &[
    "content-type",
    "content-length",
    "transfer-encoding",
    "connection",
    "cache-control",
    "www-authenticate",
    "retry-after",
];

/// A type and a subtype, and perhaps parameters (RFC 9110 §8.3.1). Without one, browsers guess from the body.
fn is_media_type(value: &str) -> bool {
    let essence = value.split(';').next().unwrap_or_default().trim_ascii_end();
    is_field_value(value)
        && essence.split_once('/').is_some_and(|(kind, subtype)| {
            [kind, subtype].iter().all(|name| {
                !name.is_empty()
                    && name
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
            })
        })
}

/// A token (RFC 9110 §5.6.2) without upper case.
fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// Visible ASCII, with spaces and tabs inside only (RFC 9110 §5.5 without obs-text).
fn is_field_value(value: &str) -> bool {
    value.trim_ascii() == value && value.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~'))
}
