//! Who a visitor is: nobody in particular, but the same one as before.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng;
use rand::rngs::{SysError, SysRng};

use super::IdError;
use crate::time::Timestamp;

/// Seconds since the epoch, in as many bytes as reach the year 36,000.
const TIME_BYTES: usize = 5;
const LATEST: Timestamp = (1 << (8 * TIME_BYTES)) - 1;

/// A browser that came without a credential and is known again by its cookie. 128 random bits, after the second in which they
/// were drawn.
///
/// It proves nothing: what makes a visitor is the seal of the cookie that it comes in. Its text is 28 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VisitorId([u8; Self::BYTES]);

impl VisitorId {
    /// How many bytes it has.
    pub const BYTES: usize = TIME_BYTES + 16;
    /// A multiple of four for a multiple of three: no bits are left over, and each has one text.
    const CHARACTERS: usize = Self::BYTES / 3 * 4;

    /// A new one.
    ///
    /// # Errors
    /// [`SysError`] when the system has no random bytes.
    pub fn generate(now: Timestamp) -> Result<Self, SysError> {
        let mut bytes = [0; Self::BYTES];
        let (time, random) = bytes.split_at_mut(TIME_BYTES);
        let [_, _, _, seconds @ ..] = now.min(LATEST).to_be_bytes();
        time.copy_from_slice(&seconds);
        SysRng.try_fill_bytes(random)?;
        Ok(Self(bytes))
    }

    /// The bytes, the seconds first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The reverse of [`as_bytes`](Self::as_bytes).
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// When it was drawn.
    #[must_use]
    pub fn minted_at(&self) -> Timestamp {
        let time = self.0.iter().take(TIME_BYTES);
        time.fold(0, |seconds, byte| seconds << 8 | Timestamp::from(*byte))
    }
}

impl fmt::Display for VisitorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; Self::CHARACTERS];
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text);
        written.map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for VisitorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VisitorId(\"{self}\")")
    }
}

impl FromStr for VisitorId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.len() {
            0 => return Err(IdError::Empty),
            Self::CHARACTERS => {}
            longer if longer > Self::CHARACTERS => return Err(IdError::TooLong),
            _ => return Err(IdError::NoVisitor),
        }
        let mut bytes = [0; Self::BYTES];
        let written = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes);
        written.map_err(|_| IdError::NoVisitor)?;
        Ok(Self(bytes))
    }
}

impl serde::Serialize for VisitorId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_read_back_and_no_other_is() {
        for now in [0, 1, 1_700_000_000, LATEST] {
            let id = VisitorId::generate(now).unwrap();
            assert_eq!(id.minted_at(), now);
            assert_eq!(id.to_string().len(), 28);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(VisitorId::from_bytes(*id.as_bytes()), id);
            assert_ne!(VisitorId::generate(now).unwrap(), id);
        }
        assert_eq!(VisitorId::generate(u64::MAX).unwrap().minted_at(), LATEST);
        for (text, error) in [
            ("", IdError::Empty),
            (&*"A".repeat(27), IdError::NoVisitor),
            (&*"A".repeat(29), IdError::TooLong),
            (&*"=".repeat(28), IdError::NoVisitor),
            (&*"+".repeat(28), IdError::NoVisitor),
            (&*"é".repeat(14), IdError::NoVisitor),
        ] {
            assert_eq!(text.parse::<VisitorId>(), Err(error), "{text:?}");
        }
    }

    /// The id holds 21 bytes so that callers of ours, of whom many are remembered, don't make room for it.
    #[test]
    fn a_subject_is_no_larger_for_visitors() {
        assert_eq!(size_of::<crate::principal::Subject>(), 24);
    }
}
