//! Cross-site request forgery: which requests our own pages made.

use crate::credential::{Field, Fields, trim};
use crate::error::Cause;
use crate::origin::{Origin, OriginError};

/// Pages of which origins may make requests that change something in the name of a cookie.
///
/// A browser sends a cookie whoever caused the request, so the cookie proves nothing about the page. What browsers say of that
/// page, no page can write itself: [`Sec-Fetch-Site`](https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header) and `Origin`
/// ([RFC 6454 §7](https://www.rfc-editor.org/rfc/rfc6454#section-7)). Also a login asks for it, or a page could log its visitors
/// in as somebody else. Requests by methods that change nothing needn't be asked (RFC 9110 §9.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedOrigins(Vec<Origin>);

impl TrustedOrigins {
    /// Pages of the origin of this URL, which is our own.
    ///
    /// # Errors
    /// [`OriginError`] where the text is no URL of the scheme `http` or `https` with a host.
    pub fn of(public_url: &str) -> Result<Self, OriginError> {
        Ok(Self(vec![Origin::of_url(public_url)?]))
    }

    /// Also pages of this origin, such as `https://app.example`.
    ///
    /// # Errors
    /// [`OriginError`] where the text is no origin.
    pub fn origin(mut self, text: &str) -> Result<Self, OriginError> {
        self.0.push(Origin::parse(text)?);
        Ok(self)
    }

    /// Whether a request may be one that a page of ours made.
    ///
    /// - With neither field it passes: programs send none, and no browser of today leaves both out of a request that changes
    ///   something.
    /// - Every `Origin` must be ours or a listed one. `null` is nobody's.
    /// - Every `Sec-Fetch-Site` must be `same-origin`, or `none` (what the user did, and no page); `same-site` and `cross-site`
    ///   only if an `Origin` says that it was a listed page. What is not known is refused.
    ///
    /// # Errors
    /// [`Cause::ForeignOrigin`].
    #[inline]
    pub fn check<F: Fields + ?Sized>(&self, fields: &F) -> Result<(), Cause> {
        let mut named = false;
        for line in fields.values(Field::Origin) {
            if !self.trusts(trim(line)) {
                return Err(Cause::ForeignOrigin);
            }
            named = true;
        }
        let passes = |line| match trim(line) {
            b"same-origin" | b"none" => true,
            b"same-site" | b"cross-site" => named,
            _ => false,
        };
        if fields.values(Field::SecFetchSite).all(passes) {
            Ok(())
        } else {
            Err(Cause::ForeignOrigin)
        }
    }

    fn trusts(&self, line: &[u8]) -> bool {
        self.0.iter().any(|origin| origin.is(line))
    }
}
