//! What carries a person, or a browser, from one request to the next.
//!
//! A [`RefreshToken`] carries a login on when its access token has expired. It is opaque, 256 random bits; what is kept of it
//! is a [`TokenDigest`]. Each use replaces it by a child, and the [`store`](crate::store::SessionStore) keeps the line of
//! them as one session, so that whoever comes with an older one ends it for everybody.

mod token;

pub use token::{RefreshToken, TokenDigest};
