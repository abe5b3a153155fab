//! The header of a token: three segments, then what may stand in the first.

use std::borrow::Cow;

use super::algorithm::Algorithm;
use super::error::JwtError;
use super::json::{Json, read_members};
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
        let has_fourth = payload
            .bytes()
            .fold(false, |found, byte| found | (byte == b'.'));
        if header.is_empty() || payload.is_empty() || signature.is_empty() || has_fourth {
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

/// What a header says.
pub(super) struct Header<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<Cow<'a, str>>,
    pub(super) typ: Option<Cow<'a, str>>,
}

#[derive(Default)]
struct Parameters<'a> {
    algorithm: Option<Json<'a>>,
    kid: Option<Json<'a>>,
    typ: Option<Json<'a>>,
    is_forbidden: bool,
}

/// Reads a decoded header and judges its `typ`.
pub(super) fn read<'a>(header: &'a [u8], rule: &TypRule) -> Result<Header<'a>, JwtError> {
    let header = utf8(header, JwtError::Header)?;
    let mut found = Parameters::default();
    read_members(header, &mut found, |found, name, value| match &*name {
        "alg" => found.algorithm = Some(value),
        "kid" => found.kid = Some(value),
        "typ" => found.typ = Some(value),
        name => found.is_forbidden |= FORBIDDEN.contains(&name),
    })
    .map_err(|error| error.in_token(JwtError::Header))?;
    if found.is_forbidden {
        return Err(JwtError::ForbiddenHeader);
    }
    let (kid, typ) = (text(found.kid)?, text(found.typ)?);
    let algorithm = text(found.algorithm)?
        .ok_or(JwtError::Header)?
        .parse()
        .map_err(|_| JwtError::Algorithm)?;
    if !rule.allows(typ.as_deref()) {
        return Err(JwtError::Type);
    }
    Ok(Header {
        algorithm,
        kid,
        typ,
    })
}

pub(super) fn utf8(bytes: &[u8], malformed: JwtError) -> Result<&str, JwtError> {
    std::str::from_utf8(bytes).map_err(|_| malformed)
}

fn text(value: Option<Json<'_>>) -> Result<Option<Cow<'_, str>>, JwtError> {
    match value {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwtError::Header),
    }
}
