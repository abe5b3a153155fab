//! The fields of an http request, as the gate reads them.

use std::net::IpAddr;

use gatewright_core::credential::{Field, Fields};
use gatewright_core::source::TrustedProxies;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN, UPGRADE};

/// Reads the fields of an [`http::HeaderMap`].
#[derive(Clone, Copy)]
pub struct HeaderFields<'a>(&'a HeaderMap);

impl<'a> HeaderFields<'a> {
    /// The fields of `headers`.
    #[must_use]
    pub const fn new(headers: &'a HeaderMap) -> Self {
        Self(headers)
    }
}

impl std::fmt::Debug for HeaderFields<'_> {
    // Credentials stand in these fields.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeaderFields").finish_non_exhaustive()
    }
}

impl Fields for HeaderFields<'_> {
    #[inline]
    fn values(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
        static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
        let name = match field {
            Field::Authorization => Some(&AUTHORIZATION),
            Field::ApiKey => Some(&X_API_KEY),
            Field::Cookie => Some(&COOKIE),
            Field::Origin => Some(&ORIGIN),
            Field::SecFetchSite => Some(&SEC_FETCH_SITE),
            Field::Upgrade => Some(&UPGRADE),
            _ => None,
        };
        let mut lines = name.map(|name| self.0.get_all(name).iter());
        std::iter::from_fn(move || lines.as_mut()?.next().map(HeaderValue::as_bytes))
    }
}

/// Where a request with these fields came from, whose peer is at the other end of the socket; for adapters and handlers.
#[must_use]
pub fn source_behind(
    proxies: &TrustedProxies,
    peer: Option<IpAddr>,
    headers: &HeaderMap,
) -> Option<IpAddr> {
    let lines = headers.get_all(proxies.field().as_str());
    proxies.source(peer, lines.iter().map(HeaderValue::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_field_in_order_and_no_other_field() {
        let mut headers = HeaderMap::new();
        headers.append("authorization", HeaderValue::from_static("Basic a"));
        headers.append("x-api-key", HeaderValue::from_static("k"));
        headers.append("Authorization", HeaderValue::from_static("Bearer b"));
        headers.append("cookie", HeaderValue::from_static("c=d"));
        headers.append("origin", HeaderValue::from_static("null"));
        headers.append("sec-fetch-site", HeaderValue::from_static("none"));
        headers.append("upgrade", HeaderValue::from_static("websocket"));
        let fields = HeaderFields::new(&headers);
        let of = |field| fields.values(field).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(
            of(Field::Authorization),
            [b"Basic a".to_vec(), b"Bearer b".to_vec()]
        );
        assert_eq!(of(Field::ApiKey), [b"k".to_vec()]);
        assert_eq!(of(Field::Cookie), [b"c=d".to_vec()]);
        assert_eq!(of(Field::Origin), [b"null".to_vec()]);
        assert_eq!(of(Field::SecFetchSite), [b"none".to_vec()]);
        assert_eq!(of(Field::Upgrade), [b"websocket".to_vec()]);
    }

    #[test]
    fn debug_shows_no_credential() {
        let mut headers = HeaderMap::new();
        headers.append("x-api-key", HeaderValue::from_static("tnx_secret"));
        assert!(!format!("{:?}", HeaderFields::new(&headers)).contains("secret"));
    }
}
