//! A credential in the field that presents it.

use std::fmt;

use bytes::Bytes;
use gatewright_core::credential::Secret;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use zeroize::Zeroizing;

use super::{ConfigError, Origin};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A field with a credential, and where it may go.
pub(super) struct Presented {
    name: HeaderName,
    value: HeaderValue,
}

impl Presented {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    pub(super) fn bearer(token: &Secret) -> Result<Self, ConfigError> {
        let token = token.expose();
        let body = token.trim_end_matches('=');
        if token.is_empty() {
            return Err(ConfigError::EmptyCredential);
        }
        let known = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
        if body.is_empty() || !body.bytes().all(known) {
            return Err(ConfigError::UnsendableCredential);
        }
        Self::new(AUTHORIZATION, &["Bearer ", token])
    }

    /// `X-API-Key: …`.
    pub(super) fn api_key(key: &Secret) -> Result<Self, ConfigError> {
        let key = key.expose();
        if key.is_empty() {
            return Err(ConfigError::EmptyCredential);
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ConfigError::UnsendableCredential);
        }
        Self::new(X_API_KEY, &[key])
    }

    /// `Authorization: Basic …` of what is already base64 (RFC 7617 §2).
    pub(super) fn basic(encoded: &str) -> Result<Self, ConfigError> {
        Self::new(AUTHORIZATION, &["Basic ", encoded])
    }

    fn new(name: HeaderName, parts: &[&str]) -> Result<Self, ConfigError> {
        // Sized beforehand: a string that grows leaves copies of itself behind.
        let length = parts.iter().map(|part| part.len()).sum();
        let mut text = Zeroizing::new(Vec::with_capacity(length));
        for part in parts {
            text.extend_from_slice(part.as_bytes());
        }
        // Clones of the value share these bytes, and the last one to go zeroes them.
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text))
            .map_err(|_| ConfigError::UnsendableCredential)?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }

    /// The value of the field; marked as sensitive, so its `Debug` shows nothing and HTTP/2 doesn't index it.
    pub(super) fn value(&self) -> HeaderValue {
        self.value.clone()
    }

    /// Puts the field into a request that [`wants`] it.
    pub(super) fn put(&self, headers: &mut HeaderMap) {
        // Fails only past 24,576 fields, a request that no client sends.
        let _ = headers.try_insert(self.name.clone(), self.value());
    }
}

/// Whether a request goes to one of `origins` and presents no credential of its own.
///
/// The fields of a CONNECT go to a proxy (RFC 9110 §9.3.6), and those of a TRACE come back in its answer, for which it
/// must not have a credential (§9.3.8).
pub(super) fn wants<B>(request: &Request<B>, origins: &[Origin]) -> bool {
    let headers = request.headers();
    !matches!(*request.method(), Method::CONNECT | Method::TRACE)
        && !headers.contains_key(AUTHORIZATION)
        && !headers.contains_key(X_API_KEY)
        && origins
            .iter()
            .any(|origin| origin.is_target_of(request.uri(), headers))
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: redacted", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn the_fields_value_is_exact_and_sensitive() {
        let bearer = Presented::bearer(&secret("patv1_abc.DEF-_~+/==")).unwrap();
        assert_eq!(bearer.value(), "Bearer patv1_abc.DEF-_~+/==");
        assert!(bearer.value().is_sensitive());
        let key = Presented::api_key(&secret("apx_live_sk_!~")).unwrap();
        assert_eq!(key.value(), "apx_live_sk_!~");
        assert!(key.value().is_sensitive());
    }

    #[test]
    fn what_no_field_can_hold_is_refused_and_not_shown() {
        use ConfigError::{EmptyCredential, UnsendableCredential};
        for (text, bearer, key) in [
            ("", Some(EmptyCredential), Some(EmptyCredential)),
            (
                "hunter2\r\nx: y",
                Some(UnsendableCredential),
                Some(UnsendableCredential),
            ),
            (
                "hunter2 ",
                Some(UnsendableCredential),
                Some(UnsendableCredential),
            ),
            (
                "hunter2é",
                Some(UnsendableCredential),
                Some(UnsendableCredential),
            ),
            (
                "hunter2\0",
                Some(UnsendableCredential),
                Some(UnsendableCredential),
            ),
            ("==", Some(UnsendableCredential), None),
            ("a=b", Some(UnsendableCredential), None),
            ("hunter2,", Some(UnsendableCredential), None),
        ] {
            let refusals = [
                Presented::bearer(&secret(text)).err(),
                Presented::api_key(&secret(text)).err(),
            ];
            assert_eq!(refusals, [bearer, key], "{text:?}");
            assert!(!format!("{refusals:?}").contains("hunter2"));
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let bearer = Presented::bearer(&secret("hunter2")).unwrap();
        assert_eq!(format!("{bearer:?}"), "authorization: redacted");
        assert_eq!(format!("{:?}", bearer.value()), "Sensitive");
    }
}
