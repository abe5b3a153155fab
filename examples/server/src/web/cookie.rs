//! Cookies that handlers set.

use axum::http::header::{HeaderName, HeaderValue, SET_COOKIE};
use axum::response::AppendHeaders;
use gatewright_core::cookie::SetCookie;

use super::Failure;

/// The field that sets or clears a cookie, beside others of its name.
pub(crate) fn set_cookie(
    line: &SetCookie,
) -> Result<AppendHeaders<[(HeaderName, HeaderValue); 1]>, Failure> {
    let mut value = HeaderValue::from_str(line.expose()).map_err(Failure::internal)?;
    // It stands for its holder: neither to be printed nor to be kept by the compression of HTTP/2 (RFC 7541 §7.1.3).
    value.set_sensitive(true);
    Ok(AppendHeaders([(SET_COOKIE, value)]))
}
