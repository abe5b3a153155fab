//! Requests that a page of another site made.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use gatewright_tower::HeaderFields;

use super::Failure;
use crate::routes::Site;

/// Proof that no foreign page made the request: neither `Sec-Fetch-Site` nor `Origin` is there, as with programs, or they
/// name our own origin. `Origin: null` names nobody's.
///
/// What logs somebody in asks for it, or a page could log its visitors in as somebody else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SameOrigin;

impl FromRequestParts<Site> for SameOrigin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Failure> {
        site.pages.check(&HeaderFields::new(&parts.headers))?;
        Ok(Self)
    }
}
