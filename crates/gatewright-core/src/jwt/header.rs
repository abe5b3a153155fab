//! The header of a token: three segments, then what may stand in the first.

use super::algorithm::Algorithm;
use super::base64url;
use super::error::JwtError;
use super::json::{Json, JsonError, Object};
use super::verifier::TypRule;

/// Longer tokens are refused unread, and none is signed.
pub(super) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Parameters that change what is verified, or bring a key along (RFC 7515 §4.1.11, RFC 7797, RFC 8725 §3.10).
const FORBIDDEN: [&str; 6] = ["crit", "b64", "jwk", "jku", "x5u", "x5c"];

/// The parts of a compact JWS (RFC 7515 §7.1), still encoded.
#[derive(Clone, Copy)]
pub(super) struct Segments<'t> {
    pub(super) header: &'t str,
    pub(super) payload: &'t str,
    pub(super) signature: &'t str,
    /// Header, dot and payload: what is signed.
    pub(super) signed: &'t str,
}

impl<'t> Segments<'t> {
    pub(super) fn split(token: &'t str) -> Result<Self, JwtError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwtError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwtError::Malformed)?;
        if header.is_empty() || payload.is_empty() || signature.is_empty() || payload.contains('.')
        {
            return Err(JwtError::Malformed);
        }
        Ok(Self {
            header,
            payload,
            signature,
            signed,
        })
    }
}

/// Checks a decoded header and returns the algorithm that it claims and its `kid`.
pub(super) fn check<'o>(
    header: &'o Object<'_>,
    typ: &TypRule,
) -> Result<(Algorithm, Option<&'o str>), JwtError> {
    if FORBIDDEN.iter().any(|name| header.get(name).is_some()) {
        return Err(JwtError::ForbiddenHeader);
    }
    let kid = text(header, "kid")?;
    let declared = text(header, "typ")?;
    let algorithm = text(header, "alg")?
        .ok_or(JwtError::Header)?
        .parse()
        .map_err(|_| JwtError::Algorithm)?;
    if !typ.allows(declared) {
        return Err(JwtError::Type);
    }
    Ok((algorithm, kid))
}

/// Decodes a segment into `bytes`; the caller keeps them alive for the object read from them.
pub(super) fn decode(segment: &str) -> Result<Vec<u8>, JwtError> {
    base64url::decode(segment).ok_or(JwtError::Malformed)
}

pub(super) fn parse(bytes: &[u8], malformed: JwtError) -> Result<Object<'_>, JwtError> {
    Object::parse(bytes).map_err(|error| match error {
        JsonError::Malformed => malformed,
        JsonError::Repeated => JwtError::DuplicateMember,
    })
}

fn text<'o>(header: &'o Object<'_>, name: &str) -> Result<Option<&'o str>, JwtError> {
    match header.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwtError::Header),
    }
}
