//! The fields of a request, as the gate reads them.

use actix_web::http::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN, UPGRADE,
};
use gatewright_core::credential::{Field, Fields};

/// The fields of a request, byte for byte as they came.
pub(crate) struct HeaderFields<'a>(pub(crate) &'a HeaderMap);

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
        let lines = name.map(|name| self.0.get_all(name)).unwrap_or_default();
        lines.map(HeaderValue::as_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_field_in_order_and_no_other_field() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", &b"Basic a"[..]),
            ("x-api-key", b"\xff"),
            ("authorization", b"Bearer b"),
            ("cookie", b"c=d"),
            ("origin", b"null"),
            ("sec-fetch-site", b"none"),
            ("upgrade", b"websocket"),
        ] {
            let value = HeaderValue::from_bytes(value).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        let fields = HeaderFields(&headers);
        let of = |field| fields.values(field).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(
            of(Field::Authorization),
            [b"Basic a".to_vec(), b"Bearer b".to_vec()]
        );
        assert_eq!(of(Field::ApiKey), [b"\xff".to_vec()]);
        assert_eq!(of(Field::Cookie), [b"c=d".to_vec()]);
        assert_eq!(of(Field::Origin), [b"null".to_vec()]);
        assert_eq!(of(Field::SecFetchSite), [b"none".to_vec()]);
        assert_eq!(of(Field::Upgrade), [b"websocket".to_vec()]);
    }
}
