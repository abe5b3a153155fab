//! How a refusal becomes a response.

use bytes::Bytes;
use gatewright_core::dialect::Rendered;
use gatewright_core::error::AuthError;
use gatewright_core::gate::AnswerFields;
use gatewright_core::policy::CompiledPolicy;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderName, HeaderValue, SET_COOKIE, VARY};
use http::{Response, StatusCode};

/// Makes the response that a refused caller gets.
///
/// A type parameter of the layer, since protocols over HTTP differ: a gRPC service answers 200 with the status in
/// trailers.
pub trait RenderRefusal<B> {
    /// The response for `error` on a route of `policy`. `problem` says that the client asked for
    /// `application/problem+json`.
    fn render(&self, error: &AuthError, policy: &CompiledPolicy, problem: bool) -> Response<B>;

    /// A response without a body, for the answer to a preflight.
    fn empty(&self) -> Response<B>;
}

/// Renders refusals in the dialect of the policy's realm, for bodies that can be made of [`Bytes`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct HttpRefusal;

impl<B: From<Bytes>> RenderRefusal<B> for HttpRefusal {
    fn render(&self, error: &AuthError, policy: &CompiledPolicy, problem: bool) -> Response<B> {
        rendered_response(policy.refusal(error, problem))
    }

    fn empty(&self) -> Response<B> {
        Response::new(B::from(Bytes::new()))
    }
}

/// What core rendered, as an http response.
pub fn rendered_response<B: From<Bytes>>(rendered: Rendered) -> Response<B> {
    let length = HeaderValue::from(rendered.body.len());
    let mut response = Response::new(B::from(Bytes::from(rendered.body)));
    *response.status_mut() =
        StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    put_fields(&mut response, rendered.fields);
    // Said here, since the answer to a `HEAD` keeps it and loses the body.
    let _ = response.headers_mut().try_insert(CONTENT_LENGTH, length);
    response
}

/// Sets fields that the response doesn't have, and adds to what it varies by. What no header may hold is left out.
pub(crate) fn put_fields<B>(
    response: &mut Response<B>,
    fields: impl IntoIterator<Item = (&'static str, String)>,
) {
    for (name, value) in fields {
        put(
            response,
            name,
            HeaderValue::from_maybe_shared(Bytes::from(value)),
        );
    }
}

/// The same for values that nothing has to be copied of.
pub(crate) fn put_fixed<B>(
    response: &mut Response<B>,
    fields: impl IntoIterator<Item = (&'static str, &'static str)>,
) {
    for (name, value) in fields {
        let value = Bytes::from_static(value.as_bytes());
        put(response, name, HeaderValue::from_maybe_shared(value));
    }
}

/// The same for values that live elsewhere: each is allocated once.
pub(crate) fn put_copies<B>(
    response: &mut Response<B>,
    fields: impl IntoIterator<Item = (&'static str, impl AsRef<[u8]>)>,
) {
    for (name, value) in fields {
        put(response, name, HeaderValue::from_bytes(value.as_ref()));
    }
}

/// What every answer to an admitted request has, so that it is written without a look at names.
#[inline]
pub(crate) fn put_answer_fields<B>(response: &mut Response<B>, fields: &AnswerFields) {
    // Each fails only past 24,576 fields, a response that no server sends.
    let headers = response.headers_mut();
    if fields.is_private() && !headers.contains_key(CACHE_CONTROL) {
        let _ = headers.try_insert(
            CACHE_CONTROL,
            const { HeaderValue::from_static("no-store") },
        );
    }
    if let Some(value) = fields.vary() {
        let value = HeaderValue::from_static(value);
        let _ = response.headers_mut().try_append(VARY, value);
    }
    if let Some(limits) = fields.limits() {
        put_copies(response, limits.fields());
    }
}

const CDN_CACHE_CONTROL: &str = "cdn-cache-control";

/// The cookie that the gate gives the caller, beside those of the service, unless it sets the same, in an answer that no
/// cache may keep. Not for refusals.
#[inline]
pub(crate) fn put_set_cookie<B>(response: &mut Response<B>, fields: &AnswerFields) {
    // Nearly every answer: not even the service's own fields are looked at.
    if fields.set_cookie().is_none() {
        return;
    }
    let own = response.headers().get_all(SET_COOKIE).iter();
    if let Some(line) = fields.set_cookie_beside(own.map(HeaderValue::as_bytes))
        && let Ok(mut value) = HeaderValue::from_str(line)
    {
        // It stands for the caller: neither to be printed nor to be kept by the compression of HTTP/2 (RFC 7541 §7.1.3).
        value.set_sensitive(true);
        // Each fails only past 24,576 fields, a response that no server sends.
        let headers = response.headers_mut();
        let _ = headers.try_append(SET_COOKIE, value);
        // A cache would make one visitor of many (RFC 9111 §7.3). One of a network asks its own field first (RFC 9213 §2.2).
        let no_store = const { HeaderValue::from_static("no-store") };
        let _ = headers.try_insert(CACHE_CONTROL, no_store);
        headers.remove(CDN_CACHE_CONTROL);
    }
}

fn put<B, E>(response: &mut Response<B>, name: &'static str, value: Result<HeaderValue, E>) {
    if let Some(name) = known(name)
        && let Ok(value) = value
    {
        let headers = response.headers_mut();
        // Each fails only past 24,576 fields, a response that no server sends.
        if name == VARY {
            let _ = headers.try_append(name, value);
        } else if let Ok(entry) = headers.try_entry(name) {
            let _ = entry.or_try_insert(value);
        }
    }
}

/// Some of the names that warm answers have are none that `http` knows, and it would allocate for those.
fn known(name: &'static str) -> Option<HeaderName> {
    static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
    static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
    match name {
        "ratelimit" => Some(RATELIMIT.clone()),
        "ratelimit-policy" => Some(RATELIMIT_POLICY.clone()),
        _ => HeaderName::from_lowercase(name.as_bytes()).ok(),
    }
}

/// Marks the response of a handler that refuses by itself: in the response's extensions it makes the guard around the
/// handler render the refusal again, in its route's dialect.
///
/// The fields that the handler set stay, except those that describe the replaced body (`content-…`) or, in gRPC, the
/// replaced status (`grpc-…`).
#[derive(Clone, Debug)]
pub struct HandlerRefusal(AuthError);

impl HandlerRefusal {
    /// A refusal for `error`.
    #[must_use]
    pub const fn new(error: AuthError) -> Self {
        Self(error)
    }

    pub(crate) fn take<B>(response: &mut Response<B>) -> Option<AuthError> {
        let Self(error) = response.extensions_mut().remove()?;
        Some(error)
    }
}

/// Puts `refusal` in the place of what a handler answered.
pub(crate) fn replace<B>(answered: &mut Response<B>, mut refusal: Response<B>) {
    let mut headers = std::mem::take(answered.headers_mut());
    let fresh = std::mem::take(refusal.headers_mut());
    let stale: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            name.starts_with("content-") || name.starts_with("grpc-") || fresh.contains_key(name)
        })
        .cloned()
        .collect();
    for name in stale {
        headers.remove(name);
    }
    headers.extend(fresh);
    let mut extensions = std::mem::take(answered.extensions_mut());
    extensions.extend(std::mem::take(refusal.extensions_mut()));
    *refusal.headers_mut() = headers;
    *refusal.extensions_mut() = extensions;
    *answered = refusal;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_answer_keeps_what_does_not_describe_its_body() {
        let mut answered: Response<Bytes> = Response::new(Bytes::from_static(b"old"));
        for (name, value) in [
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("content-encoding", "br"),
            ("content-type", "text/plain"),
            ("grpc-status-details-bin", "CAU"),
            ("www-authenticate", "Old"),
        ] {
            answered
                .headers_mut()
                .append(name, HeaderValue::from_static(value));
        }
        let mut refusal = Response::new(Bytes::from_static(b"new"));
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        refusal
            .headers_mut()
            .append("content-type", HeaderValue::from_static("application/json"));
        refusal
            .headers_mut()
            .append("www-authenticate", HeaderValue::from_static("New"));
        replace(&mut answered, refusal);
        let response = answered;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.body(), "new");
        let mut fields: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                ("content-type", "application/json"),
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
                ("www-authenticate", "New"),
            ]
        );
    }
}
