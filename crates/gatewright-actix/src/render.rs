//! How a refusal becomes a response, and what the guard adds to a handler's.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, VARY,
};
use actix_web::web::Bytes;
use gatewright_core::dialect::Rendered;
use gatewright_core::error::AuthError;
use gatewright_core::gate::AnswerFields;

/// What core rendered, as a response. The error stays in its extensions for the service's own logs.
pub(crate) fn response(rendered: Rendered, error: AuthError) -> HttpResponse {
    let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::with_body(status, BoxBody::new(rendered.body));
    put_fields(response.headers_mut(), rendered.fields);
    response.extensions_mut().insert(error);
    response
}

/// Sets fields that a response doesn't have, and adds to what it varies by. What no header may hold is left out.
pub(crate) fn put_fields(
    headers: &mut HeaderMap,
    fields: impl IntoIterator<Item = (&'static str, String)>,
) {
    for (name, value) in fields {
        let value = HeaderValue::from_maybe_shared(Bytes::from(value));
        put(headers, name, value);
    }
}

/// The same for values that live elsewhere: each is allocated once.
pub(crate) fn put_copies(
    headers: &mut HeaderMap,
    fields: impl IntoIterator<Item = (&'static str, impl AsRef<[u8]>)>,
) {
    for (name, value) in fields {
        put(headers, name, HeaderValue::from_bytes(value.as_ref()));
    }
}

/// What every answer to an admitted request has, so that it is written without a look at names.
pub(crate) fn put_answer_fields(headers: &mut HeaderMap, fields: &AnswerFields) {
    if fields.is_private() && !headers.contains_key(CACHE_CONTROL) {
        // Where there is none, `append` is `insert` without the room for what was there.
        headers.append(
            CACHE_CONTROL,
            const { HeaderValue::from_static("no-store") },
        );
    }
    if let Some(value) = fields.vary() {
        headers.append(VARY, HeaderValue::from_static(value));
    }
    if let Some(limits) = fields.limits() {
        put_copies(headers, limits.fields());
    }
}

const CDN_CACHE_CONTROL: &str = "cdn-cache-control";

/// The cookie that the gate gives the caller, beside those of the service, unless it sets the same, in an answer that no
/// cache may keep. Not for refusals.
pub(crate) fn put_set_cookie(headers: &mut HeaderMap, fields: &AnswerFields) {
    // Nearly every answer: not even the service's own fields are looked at.
    if fields.set_cookie().is_none() {
        return;
    }
    let own = headers.get_all(SET_COOKIE).map(HeaderValue::as_bytes);
    if let Some(line) = fields.set_cookie_beside(own)
        && let Ok(mut value) = HeaderValue::from_str(line)
    {
        // It stands for the caller: neither to be printed nor to be kept by the compression of HTTP/2 (RFC 7541 §7.1.3).
        value.set_sensitive(true);
        headers.append(SET_COOKIE, value);
        // A cache would make one visitor of many (RFC 9111 §7.3). One of a network asks its own field first (RFC 9213 §2.2).
        headers.insert(
            CACHE_CONTROL,
            const { HeaderValue::from_static("no-store") },
        );
        headers.remove(CDN_CACHE_CONTROL);
    }
}

fn put<E>(headers: &mut HeaderMap, name: &'static str, value: Result<HeaderValue, E>) {
    if let Some(name) = known(name)
        && let Ok(value) = value
    {
        if name == VARY {
            headers.append(name, value);
        } else if !headers.contains_key(&name) {
            headers.insert(name, value);
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

/// Marks the response of a handler that refuses by itself: the guard around it renders the refusal again, in its route's
/// dialect.
pub(crate) struct HandlerRefusal(pub(crate) AuthError);

/// Puts a refusal in the place of what a handler answered. The fields that the handler set stay, except those that describe
/// the replaced body.
pub(crate) fn replace<B>(
    answered: HttpResponse<B>,
    rendered: Rendered,
    error: AuthError,
) -> HttpResponse {
    let mut refusal = response(rendered, error.clone());
    let mut answered = answered.drop_body();
    *answered.status_mut() = refusal.status();
    let headers = answered.headers_mut();
    let stale: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("content-"))
        .cloned()
        .collect();
    for name in stale {
        headers.remove(name);
    }
    for (name, value) in refusal.headers_mut().drain() {
        // Each name stands once in what core rendered.
        if let Some(name) = name {
            headers.insert(name, value);
        }
    }
    answered.extensions_mut().insert(error);
    answered.set_body(refusal.into_body())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_core::dialect::{Dialect, RenderContext, render};
    use gatewright_core::error::Cause;

    #[test]
    fn a_replaced_answer_keeps_what_does_not_describe_its_body() {
        let answered = HttpResponse::Ok()
            .append_header(("set-cookie", "a=1"))
            .append_header(("set-cookie", "b=2"))
            .append_header(("content-encoding", "br"))
            .append_header(("content-type", "text/plain"))
            .append_header(("www-authenticate", "Old"))
            .body("old");
        let error = AuthError::from(Cause::NothingPresented);
        let context = RenderContext::new(Dialect::Canonical).with_realm("api");
        let response = replace(answered, render(&error, &context), error);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let mut fields: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                ("cache-control", "no-store"),
                ("content-type", "application/json"),
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
                ("www-authenticate", r#"Bearer realm="api""#),
            ]
        );
    }

    #[test]
    fn what_a_handler_says_stands_and_vary_is_added_to() {
        let mut headers = HeaderMap::new();
        headers.insert(VARY, HeaderValue::from_static("accept"));
        headers.insert(
            HeaderName::from_static("ratelimit"),
            HeaderValue::from_static("own"),
        );
        put_copies(
            &mut headers,
            [("vary", "origin"), ("ratelimit", "ours"), ("x-a", "b\n")],
        );
        let of = |name: &str| headers.get_all(name).cloned().collect::<Vec<_>>();
        assert_eq!(of("vary"), ["accept", "origin"]);
        assert_eq!(of("ratelimit"), ["own"]);
        assert!(of("x-a").is_empty());
    }
}
