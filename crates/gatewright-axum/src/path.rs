//! The parameters of a request's path.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use gatewright_core::error::{AuthError, Cause, ErrorCode};
use http::request::Parts;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

thread_local! {
    /// Room for the parameters of a path, for one request after another: axum hands out nothing but copies of its own, and
    /// this one needs no new memory. Nothing is read here: a request takes the room with its texts, and brings it back.
    static ROOM: RefCell<Texts> = const { RefCell::new(Texts::NONE) };
}

/// In bytes. Longer ones don't stay after their request.
const KEPT: usize = 4096;

/// The parameters of a path, decoded.
pub(crate) struct PathParameters(Texts);

impl PathParameters {
    /// # Errors
    /// `invalid_request` for a path that is not UTF-8.
    #[inline]
    pub(crate) fn of(parts: &mut Parts) -> Result<Self, AuthError> {
        match at_once(Path::<Written>::from_request_parts(parts, &())) {
            Some(Ok(_)) => Ok(Self(ROOM.take())),
            rejected => Err(lost(rejected.and_then(Result::err))),
        }
    }

    /// The value of the one parameter of this name. With two, one in a router that was put around, no rule says which of them
    /// counts.
    #[inline]
    pub(crate) fn named(&self, name: &str) -> Result<&str, AuthError> {
        self.0
            .value_of(name)
            .ok_or_else(|| Cause::PolicyMissing.into())
    }
}

impl Drop for PathParameters {
    #[inline]
    fn drop(&mut self) {
        if self.0.bytes.capacity() <= KEPT {
            ROOM.with_borrow_mut(|room| std::mem::swap(room, &mut self.0));
        }
    }
}

#[cold]
fn lost(rejection: Option<PathRejection>) -> AuthError {
    if let Some(PathRejection::FailedToDeserializePathParams(failed)) = &rejection
        && let ErrorKind::InvalidUtf8InPathParam { .. } = failed.kind()
    {
        return AuthError::new(ErrorCode::InvalidRequest).with_message("The path is not UTF-8");
    }
    // The parameter was found in the declared path: the router has lost it.
    Cause::PolicyMissing.into()
}

/// What an extractor answers that only looks at the request's extensions.
#[inline]
fn at_once<F: Future>(extracting: F) -> Option<F::Output> {
    match pin!(extracting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(extracted) => Some(extracted),
        Poll::Pending => None,
    }
}

/// Names and values in turn, one text behind the other.
#[derive(Default)]
struct Texts {
    bytes: String,
    ends: Vec<usize>,
}

impl Texts {
    const NONE: Self = Self {
        bytes: String::new(),
        ends: Vec::new(),
    };

    #[inline]
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    #[inline]
    fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }

    #[inline]
    fn value_of(&self, wanted: &str) -> Option<&str> {
        let (mut start, mut found) = (0, None);
        for &[name, value] in self.ends.as_chunks().0 {
            if self.bytes.get(start..name)? == wanted
                && found.replace(self.bytes.get(name..value)?).is_some()
            {
                return None;
            }
            start = value;
        }
        found
    }
}

/// Reading one writes the parameters into the thread's [`ROOM`].
struct Written;

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for Written {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the parameters of a path")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parameters: A) -> Result<Self, A::Error> {
        ROOM.with_borrow_mut(|texts| {
            texts.clear();
            while parameters.next_key_seed(To(texts))?.is_some() {
                parameters.next_value_seed(To(texts))?;
            }
            Ok(self)
        })
    }
}

/// Adds a text.
struct To<'t>(&'t mut Texts);

impl<'de> DeserializeSeed<'de> for To<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for To<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.push(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::RawPathParams;
    use axum::routing::get;
    use http::Request;
    use proptest::prelude::*;
    use tower::ServiceExt;

    use super::*;

    /// The head of a request for this path, as it reaches the handler of the route.
    fn routed(route: &str, path: &str) -> Parts {
        let (said, hears) = std::sync::mpsc::channel();
        let handler = async move |request: Request<Body>| {
            said.send(request.into_parts().0).unwrap();
        };
        let router: Router = Router::new().route(route, get(handler));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = at_once(router.oneshot(request)).unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        hears.recv().unwrap()
    }

    fn read(route: &str, path: &str) -> PathParameters {
        PathParameters::of(&mut routed(route, path)).unwrap()
    }

    fn cause(parameters: &PathParameters, name: &str) -> Option<Cause> {
        parameters.named(name).unwrap_err().cause()
    }

    proptest! {
        #[test]
        fn they_are_those_of_axum(values in prop::collection::vec("([a-zA-Z0-9~.-]|%2[0-9F]|%C3%A4){1,40}", 1..7)) {
            let route: String = ('a'..).take(values.len()).map(|name| format!("/{{{name}}}")).collect();
            let path: String = values.iter().map(|value| format!("/{value}")).collect();
            let mut parts = routed(&route, &path);
            let ours = PathParameters::of(&mut parts).unwrap();
            let theirs = at_once(RawPathParams::from_request_parts(&mut parts, &()));
            let theirs = theirs.unwrap().unwrap();
            prop_assert_eq!(theirs.iter().count(), values.len());
            for (name, value) in &theirs {
                prop_assert_eq!(ours.named(name).unwrap(), value);
            }
        }
    }

    /// A handler may call a router of its own before the guard is done; and whoever comes next on the thread comes anew.
    #[test]
    fn each_request_has_its_own() {
        let outer = read("/{a}/{b}", "/one/two");
        let inner = read("/{b}", "/three");
        assert_eq!(inner.named("b").unwrap(), "three");
        assert_eq!(cause(&inner, "a"), Some(Cause::PolicyMissing));
        assert_eq!(
            (outer.named("a").unwrap(), outer.named("b").unwrap()),
            ("one", "two")
        );
        drop((inner, outer));
        let next = read("/", "/");
        for name in ["a", "b", ""] {
            assert_eq!(cause(&next, name), Some(Cause::PolicyMissing), "{name:?}");
        }
    }

    #[test]
    fn what_is_no_text_or_came_past_the_router_has_none() {
        drop(read("/{a}", "/left"));
        let mut parts = routed("/{a}/{b}", "/x/%ff");
        let error = PathParameters::of(&mut parts).err().unwrap();
        assert_eq!(error.code(), ErrorCode::InvalidRequest);
        let mut parts = Request::new(()).into_parts().0;
        let error = PathParameters::of(&mut parts).err().unwrap();
        assert_eq!(error.cause(), Some(Cause::PolicyMissing));
    }

    #[test]
    fn long_ones_do_not_stay() {
        for (length, stays) in [(KEPT / 2, true), (KEPT + 1, false)] {
            let value = "x".repeat(length);
            let parameters = read("/{a}", &format!("/{value}"));
            assert_eq!(parameters.named("a").unwrap(), value);
            drop(parameters);
            let kept = ROOM.with_borrow(|texts| texts.bytes.capacity());
            assert_eq!(kept >= length, stays, "{kept} of {length}");
        }
    }

    #[test]
    fn of_two_of_a_name_none_counts() {
        let mut texts = Texts::NONE;
        for text in ["a", "x", "b", "y", "a", "x"] {
            texts.push(text);
        }
        let parameters = PathParameters(texts);
        assert_eq!(parameters.named("b").unwrap(), "y");
        for name in ["a", "c", "x"] {
            assert_eq!(
                cause(&parameters, name),
                Some(Cause::PolicyMissing),
                "{name}"
            );
        }
    }
}
