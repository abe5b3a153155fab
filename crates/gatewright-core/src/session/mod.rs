//! What carries a person, or a browser, from one request to the next.
//!
//! A [`RefreshToken`] carries a login on when its access token has expired. It is opaque, 256 random bits; what is kept of it
//! is a [`TokenDigest`]. Each use replaces it by a child, and the [`store`](crate::store::SessionStore) keeps the line of
//! them as one session, so that whoever comes with an older one ends it for everybody.
//!
//! A visitor has no login, and is known again by a cookie that holds all there is to know: who it is, when it came, and the
//! scopes that it was given, sealed by HMAC-SHA-256. A realm's [`Visitors`] write and read it, under keys that rotate
//! ([`VisitorKeys`]) and for as long as [`VisitorTerms`] say.

mod token;
mod visitor;

pub use token::{RefreshToken, TokenDigest};
pub use visitor::{
    Opened, SealedVisit, TooManyEntitlements, Visit, VisitorError, VisitorKey, VisitorKeyError,
    VisitorKeys, VisitorSeal, VisitorTerms, VisitorTermsError, VisitorTrust, Visitors,
};
