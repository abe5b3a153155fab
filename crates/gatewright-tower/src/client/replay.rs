//! Which bodies can be sent a second time.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::Request;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{Either, Empty, Full};
use pin_project_lite::pin_project;

/// A request body that knows whether it can be sent again.
///
/// Buffered bodies can, and so can empty ones in a box; streams can't. For a stream of another crate's type there is
/// [`SendOnce`].
pub trait ReplayBody: Sized {
    /// The whole body once more; `None` if it can be sent only once.
    fn replay(&self) -> Option<Self>;
}

macro_rules! replay_by_clone {
    ($([$($generics:tt)*] $body:ty;)*) => {$(
        impl<$($generics)*> ReplayBody for $body {
            fn replay(&self) -> Option<Self> {
                Some(self.clone())
            }
        }
    )*};
}

replay_by_clone! {
    [] ();
    [] Bytes;
    [] String;
    [] Vec<u8>;
    [] &'static str;
    [] &'static [u8];
    [D] Empty<D>;
    [D: Buf + Clone] Full<D>;
}

/// What is in the box is not known, unless it is nothing.
impl<D: Buf + 'static, E> ReplayBody for BoxBody<D, E> {
    fn replay(&self) -> Option<Self> {
        self.is_end_stream().then(Self::default)
    }
}

/// What is in the box is not known, unless it is nothing.
impl<D: Buf + 'static, E> ReplayBody for UnsyncBoxBody<D, E> {
    fn replay(&self) -> Option<Self> {
        self.is_end_stream().then(Self::default)
    }
}

impl<L: ReplayBody, R: ReplayBody> ReplayBody for Either<L, R> {
    fn replay(&self) -> Option<Self> {
        match self {
            Self::Left(body) => body.replay().map(Self::Left),
            Self::Right(body) => body.replay().map(Self::Right),
        }
    }
}

/// The same request once more, if its body allows.
pub(super) fn replay<B: ReplayBody>(request: &Request<B>) -> Option<Request<B>> {
    let mut again = Request::new(request.body().replay()?);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    *again.extensions_mut() = request.extensions().clone();
    Some(again)
}

pin_project! {
    /// A body that is sent once: whatever the answer, its request is not repeated.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct SendOnce<B> {
        #[pin]
        body: B,
    }
}

impl<B> SendOnce<B> {
    /// Wraps `body`.
    pub const fn new(body: B) -> Self {
        Self { body }
    }

    /// The body itself, for a client that takes no other.
    pub fn into_inner(self) -> B {
        self.body
    }
}

impl<B> ReplayBody for SendOnce<B> {
    fn replay(&self) -> Option<Self> {
        None
    }
}

impl<B: Body> Body for SendOnce<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, Version};

    use super::*;

    #[test]
    fn buffers_are_sent_again_and_streams_are_not() {
        type Mixed = Either<Full<Bytes>, SendOnce<Full<Bytes>>>;
        let full = || Full::from("text");
        assert!(Bytes::from("text").replay().is_some());
        assert!(full().replay().is_some());
        assert!(Mixed::Left(full()).replay().is_some());
        assert!(Mixed::Right(SendOnce::new(full())).replay().is_none());
        assert!(UnsyncBoxBody::new(full()).replay().is_none());
        assert!(BoxBody::new(full()).replay().is_none());
        assert!(UnsyncBoxBody::new(Empty::<Bytes>::new()).replay().is_some());
        assert!(BoxBody::new(Full::<Bytes>::default()).replay().is_some());
    }

    #[test]
    fn a_replayed_request_is_the_same_request() {
        let request = Request::put("https://api.example.com/a?b")
            .version(Version::HTTP_2)
            .header("idempotency-key", "k")
            .extension(7_u8)
            .body("text")
            .unwrap();
        let again = replay(&request).unwrap();
        assert_eq!(again.method(), Method::PUT);
        assert_eq!(again.uri(), "https://api.example.com/a?b");
        assert_eq!(again.version(), Version::HTTP_2);
        assert_eq!(again.headers(), request.headers());
        assert_eq!(again.extensions().get(), Some(&7_u8));
        assert_eq!(again.body(), &"text");
    }
}
