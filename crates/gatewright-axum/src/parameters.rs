//! The parameters of a path.

use std::fmt;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, RawPathParams};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use http::request::Parts;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The parameters of a whole path, nesting included, decoded as axum's `Path` decodes them.
pub(crate) enum Parameters {
    /// Nearly always, since paths are short: nothing is allocated for them.
    Copied(Copied),
    /// axum's own copy, of any length.
    Raw(RawPathParams),
}

impl Parameters {
    /// Those of a request, which keeps them.
    pub(crate) fn read(parts: &mut Parts) -> Result<Self, AuthError> {
        match at_once(Path::<Copied>::from_request_parts(parts, &())) {
            Some(Ok(Path(copied))) if copied.whole => return Ok(Self::Copied(copied)),
            Some(Ok(_)) => {}
            Some(Err(PathRejection::FailedToDeserializePathParams(error)))
                if matches!(error.kind(), ErrorKind::InvalidUtf8InPathParam { .. }) =>
            {
                let error = AuthError::new(ErrorCode::InvalidRequest);
                return Err(error.with_message("The path is not UTF-8"));
            }
            _ => return Err(Cause::PolicyMissing.into()),
        }
        match at_once(RawPathParams::from_request_parts(parts, &())) {
            Some(Ok(raw)) => Ok(Self::Raw(raw)),
            _ => Err(Cause::PolicyMissing.into()),
        }
    }

    /// The value of the parameter of this name. With two of the name, one in a router that was put around, no rule says
    /// which of them counts.
    pub(crate) fn only(&self, name: &str) -> Result<&str, AuthError> {
        let value = match self {
            Self::Copied(copied) => only(copied.pairs(), name.as_bytes())
                .and_then(|value| std::str::from_utf8(value).ok()),
            Self::Raw(raw) => only(raw.iter(), name),
        };
        value.ok_or_else(|| Cause::PolicyMissing.into())
    }
}

fn only<'a, T: PartialEq + ?Sized>(
    pairs: impl Iterator<Item = (&'a T, &'a T)>,
    name: &T,
) -> Option<&'a T> {
    let mut values = pairs.filter(|(key, _)| *key == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// What an extractor gives that only looks at the request's extensions.
fn at_once<F: Future>(reading: F) -> Option<F::Output> {
    match pin!(reading).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(read) => Some(read),
        Poll::Pending => None,
    }
}

/// Names and values one after the other, each behind a byte that is its length.
pub(crate) struct Copied {
    text: [u8; 94],
    used: u8,
    /// Whether there was room for all.
    whole: bool,
}

impl Copied {
    fn push(&mut self, text: &str) {
        let begin = usize::from(self.used) + 1;
        let end = begin + text.len();
        self.whole = self.whole && end <= self.text.len();
        if let (true, Ok(length), Ok(used)) =
            (self.whole, u8::try_from(text.len()), u8::try_from(end))
        {
            self.text[begin - 1] = length;
            self.text[begin..end].copy_from_slice(text.as_bytes());
            self.used = used;
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.text.get(..usize::from(self.used)).unwrap_or(&[]);
        let mut next = move || {
            let (length, left) = rest.split_first()?;
            let (text, left) = left.split_at_checked(usize::from(*length))?;
            rest = left;
            Some(text)
        };
        std::iter::from_fn(move || Some((next()?, next()?)))
    }
}

impl<'de> Deserialize<'de> for Copied {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Copied;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parameters of a path")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Copied, A::Error> {
        let mut copied = Copied {
            text: [0; 94],
            used: 0,
            whole: true,
        };
        while pairs.next_key_seed(Text(&mut copied))?.is_some() {
            pairs.next_value_seed(Text(&mut copied))?;
        }
        Ok(copied)
    }
}

/// A name or a value.
struct Text<'a>(&'a mut Copied);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    /// What a route of this pattern makes of a path, and whether it had to be allocated.
    async fn read(pattern: &str, path: &str, name: &'static str) -> (Result<String, u16>, bool) {
        let found = Arc::new(Mutex::new(None));
        let finding = Arc::clone(&found);
        let route = get(async move |request: Request| {
            let (mut parts, _) = request.into_parts();
            let read = Parameters::read(&mut parts);
            let raw = matches!(read, Ok(Parameters::Raw(_)));
            let value = read.and_then(|read| read.only(name).map(str::to_owned));
            let value = value.map_err(|error| error.status());
            *finding.lock().unwrap() = Some((value, raw));
        });
        let request = Request::get(path).body(Body::empty()).unwrap();
        let router = Router::new().nest("/w/{outer}", Router::new().route(pattern, route));
        drop(router.oneshot(request).await);
        let found = found.lock().unwrap().take();
        found.unwrap()
    }

    #[tokio::test]
    async fn one_of_the_name_decoded_once() {
        let (there, not_there) = (|value: &str| Ok(value.to_owned()), Err(500));
        let cases = [
            ("/w/acme/l/x", "outer", there("acme")),
            ("/w/acme/l/x", "inner", there("x")),
            ("/w/a%2Fb%25/l/x", "outer", there("a/b%")),
            ("/w/%C3%A9/l/x", "outer", there("é")),
            ("/w/acme/l/x", "other", not_there.clone()),
            ("/w/inner/l/outer", "x", not_there),
            ("/w/%FF/l/x", "inner", Err(400)),
        ];
        for (path, name, value) in cases {
            assert_eq!(read("/l/{inner}", path, name).await, (value, false));
        }
        let twice = read("/l/{outer}", "/w/acme/l/acme", "outer").await;
        assert_eq!(twice, (Err(500), false));
    }

    #[tokio::test]
    async fn of_any_length() {
        for length in 1..300 {
            let long = "a".repeat(length);
            let path = format!("/w/{long}/l/x");
            // Four bytes of lengths, the names, and the other value.
            let raw = length + 4 + "outer".len() + "inner".len() + 1 > 94;
            for (name, value) in [("outer", long.clone()), ("inner", "x".to_owned())] {
                assert_eq!(read("/l/{inner}", &path, name).await, (Ok(value), raw));
            }
        }
    }
}
