//! A visit as text that nobody else can write.
//!
//! Base64url without padding of
//!
//! ```text
//! version  1 byte, 1
//! key      4 bytes, the id of the key, big-endian
//! visitor  21 bytes, of which 5 are the second of the first visit, big-endian, and 16 random
//! seen     5 bytes, the second of the last visit, big-endian
//! scopes   the entitlements, sorted, with a space between them
//! seal     32 bytes, HMAC-SHA-256 over the label, the cookie's name, the realm's, and all of the above
//! ```
//!
//! Names stand after their length in four bytes, so that no two pairs of them read alike. They are the seal's alone: a value
//! that is moved to another cookie, or to the same cookie of another realm, does not open there.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::VisitorKeys;
use crate::principal::VisitorId;
use crate::scope::ScopeSet;
use crate::time::Timestamp;

const LABEL: &[u8] = b"gatewright visitor cookie";
const VERSION: u8 = 1;
const TIME_BYTES: usize = 5;
const LATEST: Timestamp = (1 << (8 * TIME_BYTES)) - 1;
/// What comes before the scopes.
const HEAD_BYTES: usize = 1 + 4 + VisitorId::BYTES + TIME_BYTES;
const SEAL_BYTES: usize = 32;

/// What a visitor's cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visit {
    /// Who it is, and since when.
    pub visitor: VisitorId,
    /// When it was last seen, as far as the cookie was written anew since.
    pub seen_at: Timestamp,
    /// What it may do.
    pub entitlements: ScopeSet,
}

impl Visit {
    /// A visit.
    #[must_use]
    pub const fn new(visitor: VisitorId, seen_at: Timestamp, entitlements: ScopeSet) -> Self {
        Self {
            visitor,
            seen_at,
            entitlements,
        }
    }
}

/// A visit that was sealed by one of our keys. Whether it still counts is for the [terms](super::VisitorTerms) to say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// What the cookie says.
    pub visit: Visit,
    /// Whether it was sealed by the key of new seals, not by an older one.
    pub by_current_key: bool,
}

/// The text of a visit: the value of the cookie. Whoever has it is the visitor.
///
/// Redacted in `Debug`, not to be cloned, compared or displayed, and zeroed when it is dropped.
pub struct SealedVisit(Zeroizing<String>);

impl SealedVisit {
    /// The longest there is, in bytes. With the name of a cookie and its attributes there are fewer than 4,096, which is what
    /// user agents keep (RFC 6265bis §5.6).
    pub const MAX_LENGTH: usize = 3_584;

    /// The value.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SealedVisit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedVisit(redacted)")
    }
}

/// The visit has more entitlements than a cookie holds: they are longer than 2,625 bytes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the entitlements of a visitor have more than {} bytes",
    VisitorSeal::MAX_SCOPES
)]
#[non_exhaustive]
pub struct TooManyEntitlements;

/// Seals the visits of one cookie in one realm, and opens them.
#[derive(Clone, Debug)]
pub struct VisitorSeal {
    keys: Arc<VisitorKeys>,
    /// What every seal is over besides the value.
    names: Box<[u8]>,
}

impl VisitorSeal {
    /// The longest text of entitlements, in bytes.
    const MAX_SCOPES: usize = SealedVisit::MAX_LENGTH / 4 * 3 - HEAD_BYTES - SEAL_BYTES;

    /// For the cookie of this name in the realm of this name.
    #[must_use]
    pub fn new(keys: Arc<VisitorKeys>, cookie: &str, realm: &str) -> Self {
        let mut names = LABEL.to_vec();
        for name in [cookie, realm] {
            // No name is longer than memory, and of one longer than 4 GiB the length only repeats.
            names.extend((name.len() as u32).to_be_bytes());
            names.extend(name.as_bytes());
        }
        let names = names.into();
        Self { keys, names }
    }

    /// The visit as text, sealed by the newest key.
    ///
    /// # Errors
    /// [`TooManyEntitlements`].
    pub fn seal(&self, visit: &Visit) -> Result<SealedVisit, TooManyEntitlements> {
        let scopes = visit.entitlements.to_string();
        if scopes.len() > Self::MAX_SCOPES {
            return Err(TooManyEntitlements);
        }
        let (id, key) = self.keys.current();
        let [_, _, _, seen_at @ ..] = visit.seen_at.min(LATEST).to_be_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD_BYTES + scopes.len() + SEAL_BYTES));
        bytes.push(VERSION);
        bytes.extend(id.to_be_bytes());
        bytes.extend(visit.visitor.as_bytes());
        bytes.extend(seen_at);
        bytes.extend(scopes.as_bytes());
        let seal = self.sign(key, &bytes);
        bytes.extend(seal.as_ref());
        Ok(SealedVisit(Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes))))
    }

    /// The visit that one of our keys sealed; `None` for anything else.
    #[must_use]
    pub fn open(&self, value: &[u8]) -> Option<Opened> {
        if value.len() > SealedVisit::MAX_LENGTH {
            return None;
        }
        // Canonical base64url alone: no second text of the same bytes.
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(value).ok()?);
        let (content, seal) = bytes.split_last_chunk::<SEAL_BYTES>()?;
        let (version, rest) = content.split_first()?;
        let (id, rest) = rest.split_first_chunk::<4>()?;
        let (visitor, rest) = rest.split_first_chunk::<{ VisitorId::BYTES }>()?;
        let (seen_at, scopes) = rest.split_first_chunk::<TIME_BYTES>()?;
        if *version != VERSION {
            return None;
        }
        let id = u32::from_be_bytes(*id);
        let key = self.keys.find(id)?;
        verify_slices_are_equal(self.sign(key, content).as_ref(), seal).ok()?;

        let text = std::str::from_utf8(scopes).ok()?;
        let entitlements = ScopeSet::parse(text).ok()?;
        if entitlements.to_string() != text {
            return None;
        }
        let seen_at = seen_at
            .iter()
            .fold(0, |seconds, byte| seconds << 8 | Timestamp::from(*byte));
        let visit = Visit::new(VisitorId::from_bytes(*visitor), seen_at, entitlements);
        let by_current_key = id == self.keys.current().0;
        Some(Opened {
            visit,
            by_current_key,
        })
    }

    fn sign(&self, key: &hmac::Key, content: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(key);
        context.update(&self.names);
        context.update(content);
        context.sign()
    }
}
