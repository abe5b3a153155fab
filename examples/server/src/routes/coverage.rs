//! The endpoint coverage map: which credential goes where, drawn from the policies that judge it.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{
    ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use gatewright_core::document;
use gatewright_core::error::ErrorCode;
use gatewright_core::policy::RouteTable;

use super::Site;
use crate::web::Failure;

/// The page has one `style` element and loads nothing.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The map of a table, for programs and for people.
pub(super) struct Coverage {
    map: Bytes,
    page: Bytes,
}

impl Coverage {
    pub(super) fn of(table: &RouteTable) -> Self {
        Self {
            map: document::coverage(table).to_string().into(),
            page: document::coverage_page(table).into(),
        }
    }
}

/// `GET /v2/coverage`: JSON, or the page for whoever accepts `text/html` by name.
pub(super) async fn coverage(
    State(site): State<Site>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let coverage = site.coverage.get().ok_or(ErrorCode::InternalError)?;
    let vary = (VARY, HeaderValue::from_static("accept"));
    if !headers.get_all(ACCEPT).iter().any(names_html) {
        let json = HeaderValue::from_static("application/json");
        return Ok(([(CONTENT_TYPE, json), vary], coverage.map.clone()).into_response());
    }
    let fields = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(PAGE_POLICY),
        ),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        vary,
    ];
    Ok((fields, coverage.page.clone()).into_response())
}

/// Whether one of the media ranges is `text/html`, and not with the weight 0 (RFC 9110 §12.5.1).
fn names_html(accept: &HeaderValue) -> bool {
    let ranges = accept.to_str().unwrap_or_default().split(',');
    ranges.into_iter().any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let refused = |parameter: &str| {
            let weight = parameter
                .strip_prefix("q=")
                .or_else(|| parameter.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.bytes().all(|byte| matches!(byte, b'0' | b'.')))
        };
        parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("text/html"))
            && !parts.any(refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_for_those_who_name_it() {
        for (accept, html) in [
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("application/json, Text/HTML; q=0.1", true),
            ("*/*", false),
            ("text/*", false),
            ("application/json", false),
            ("text/html;q=0", false),
            ("text/html; Q=0.000", false),
            ("", false),
        ] {
            assert_eq!(
                names_html(&HeaderValue::from_static(accept)),
                html,
                "{accept}"
            );
        }
    }
}
