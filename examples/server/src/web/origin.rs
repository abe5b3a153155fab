//! Requests that a page of another site made.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use gatewright_core::error::Cause;

use super::Failure;
use crate::routes::Site;

/// Proof that no foreign page made the request: neither `Sec-Fetch-Site` nor `Origin` is there, as with programs, or they
/// name our own origin. `Origin: null` names nobody's.
///
/// What logs somebody in asks for it, or a page could log its visitors in as somebody else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SameOrigin;

impl FromRequestParts<Site> for SameOrigin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Failure> {
        if is_ours(&parts.headers, origin(&site.app.public_url)) {
            Ok(Self)
        } else {
            Err(Cause::ForeignOrigin.into())
        }
    }
}

fn is_ours(headers: &HeaderMap, ours: &str) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let mut origins = headers.get_all(ORIGIN).iter();
    // `none`: the user typed the address.
    sites.all(|site| site == "same-origin" || site == "none")
        && origins.all(|origin| origin == ours)
}

/// The origin of a URL: scheme, host and port (RFC 6454 §6.2).
fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |place| place + 3);
    let end = url
        .get(authority..)
        .and_then(|rest| rest.find('/'))
        .map_or(url.len(), |slash| authority + slash);
    url.get(..end).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn passes(fields: &[(&'static str, &'static str)]) -> bool {
        let headers = fields
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect();
        is_ours(&headers, "https://api.test")
    }

    #[test]
    fn programs_and_our_own_pages_pass_and_others_do_not() {
        assert!(passes(&[]));
        assert!(passes(&[("origin", "https://api.test")]));
        assert!(passes(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://api.test")
        ]));
        assert!(passes(&[("sec-fetch-site", "none")]));
        for foreign in [
            &[("origin", "null")][..],
            &[("origin", "http://api.test")],
            &[("origin", "https://api.test.evil.test")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://evil.test"),
            ],
        ] {
            assert!(!passes(foreign), "{foreign:?}");
        }
    }

    #[test]
    fn the_origin_of_a_url_ends_with_its_authority() {
        for url in [
            "https://api.test",
            "https://api.test/",
            "https://api.test/a/b",
        ] {
            assert_eq!(origin(url), "https://api.test");
        }
        assert_eq!(origin("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
    }
}
