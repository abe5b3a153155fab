//! The parameters of a request's path.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, Path, RawPathParams};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use http::request::Parts;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

/// In bytes: for the names and values of nearly every path.
const ROOM: usize = 112;
/// Twice as many as the parameters that are kept in place.
const TEXTS: usize = 8;

/// The parameters of a path, decoded. axum hands its own out as a copy on the heap; few and short ones are copied in place.
pub(crate) enum PathParameters {
    Few(Few),
    Many(RawPathParams),
}

impl PathParameters {
    pub(crate) fn of(parts: &mut Parts) -> Result<Self, AuthError> {
        if let Some(Ok(Path(few))) = at_once(Path::from_request_parts(parts, &())) {
            return Ok(Self::Few(few));
        }
        match at_once(RawPathParams::from_request_parts(parts, &())) {
            Some(Ok(many)) => Ok(Self::Many(many)),
            Some(Err(RawPathParamsRejection::InvalidUtf8InPathParam(_))) => {
                Err(AuthError::new(ErrorCode::InvalidRequest).with_message("The path is not UTF-8"))
            }
            // The parameter was found in the declared path: the router has lost it.
            _ => Err(Cause::PolicyMissing.into()),
        }
    }

    pub(crate) fn named(&self, name: &str) -> Result<&str, AuthError> {
        let value = match self {
            Self::Few(few) => {
                let mut values = few.iter().filter(|(key, _)| *key == name.as_bytes());
                only(&mut values).and_then(|(_, value)| std::str::from_utf8(value).ok())
            }
            Self::Many(many) => {
                let mut values = many.iter().filter(|(key, _)| *key == name);
                only(&mut values).map(|(_, value)| value)
            }
        };
        value.ok_or_else(|| Cause::PolicyMissing.into())
    }
}

/// With two of the name, one in a router that was put around, no rule says which of them counts.
fn only<T>(values: &mut impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// What an extractor answers that only looks at the request's extensions.
fn at_once<F: Future>(extracting: F) -> Option<F::Output> {
    match pin!(extracting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(extracted) => Some(extracted),
        Poll::Pending => None,
    }
}

/// Names and values in turn, one text behind the other.
pub(crate) struct Few {
    bytes: [u8; ROOM],
    ends: [u8; TEXTS],
    count: usize,
    used: usize,
}

impl Few {
    const NONE: Self = Self {
        bytes: [0; ROOM],
        ends: [0; TEXTS],
        count: 0,
        used: 0,
    };

    /// `None` where there is no room.
    #[inline]
    fn push(&mut self, text: &str) -> Option<()> {
        let end = self.used + text.len();
        let room = self.bytes.get_mut(self.used..end)?;
        *self.ends.get_mut(self.count)? = u8::try_from(end).ok()?;
        room.copy_from_slice(text.as_bytes());
        self.count += 1;
        self.used = end;
        Some(())
    }

    #[inline]
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let ends = self.ends.get(..self.count).unwrap_or_default();
        let mut start = 0;
        ends.as_chunks().0.iter().map_while(move |&ends| {
            let [name, value] = ends.map(usize::from);
            let texts = (self.bytes.get(start..name)?, self.bytes.get(name..value)?);
            start = value;
            Some(texts)
        })
    }
}

impl<'de> Deserialize<'de> for Few {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AllOf)
    }
}

struct AllOf;

impl<'de> Visitor<'de> for AllOf {
    type Value = Few;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the parameters of a path")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parameters: A) -> Result<Few, A::Error> {
        let mut few = Few::NONE;
        while parameters.next_key_seed(Into(&mut few))?.is_some() {
            parameters.next_value_seed(Into(&mut few))?;
        }
        Ok(few)
    }
}

struct Into<'f>(&'f mut Few);

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Into<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a short text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0
            .push(text)
            .ok_or_else(|| E::custom("there is no room for it"))
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::Request;
    use proptest::prelude::*;
    use tower::ServiceExt;

    use super::*;

    type Named = Vec<(String, String)>;

    /// What both ways say of the parameters `a`, `b` and so on, one for each value, and whether they were few.
    fn read(values: &[String]) -> (bool, Named, Named) {
        let names: Vec<String> = ('a'..).take(values.len()).map(String::from).collect();
        let route: String = names.iter().map(|name| format!("/{{{name}}}")).collect();
        let path: String = values.iter().map(|value| format!("/{value}")).collect();
        let (said, hears) = std::sync::mpsc::channel();
        let handler = async move |request: Request<Body>| {
            let mut parts = request.into_parts().0;
            let ours = PathParameters::of(&mut parts).unwrap();
            let is_few = matches!(ours, PathParameters::Few(_));
            let ours = names.iter().map(|name| {
                let value = ours.named(name).unwrap();
                (name.clone(), value.to_owned())
            });
            let theirs = RawPathParams::from_request_parts(&mut parts, &()).await;
            let theirs = theirs.unwrap();
            let theirs = theirs
                .iter()
                .map(|(name, value)| (name.into(), value.into()));
            said.send((is_few, ours.collect(), theirs.collect()))
                .unwrap();
        };
        let router: Router = Router::new().route(&route, get(handler));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = at_once(router.oneshot(request)).unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        hears.recv().unwrap()
    }

    proptest! {
        #[test]
        fn they_are_those_of_axum(values in prop::collection::vec("([a-zA-Z0-9~.-]|%2[0-9F]|%C3%A4){1,40}", 1..7)) {
            let (_, ours, theirs) = read(&values);
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn few_and_short_ones_are_kept_in_place() {
        let of = |count, length| read(&vec!["x".repeat(length); count]).0;
        assert!(of(1, ROOM - 1) && of(TEXTS / 2, 10));
        assert!(!of(1, ROOM) && !of(TEXTS / 2 + 1, 10));
    }

    #[test]
    fn of_two_of_a_name_none_counts() {
        let mut few = Few::NONE;
        for text in ["a", "x", "b", "y", "a", "x"] {
            few.push(text).unwrap();
        }
        let parameters = PathParameters::Few(few);
        assert_eq!(parameters.named("b").unwrap(), "y");
        for name in ["a", "c", "x"] {
            let error = parameters.named(name).unwrap_err();
            assert_eq!(error.cause(), Some(Cause::PolicyMissing), "{name}");
        }
    }
}
