//! Keys that another system minted: accepted, never minted here.

use std::ops::RangeInclusive;

use aws_lc_rs::digest::{SHA256, digest};

use super::classify::{MAX_SECRET_LENGTH, Malformed};
use super::format::{FormatError, IdAlphabet, Layout, SecretFormat, SecretKind};

/// The characters of an imported key after its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImportedAlphabet {
    /// `0-9a-fA-F`.
    Hex,
    /// `A-Za-z0-9`.
    Base62,
    /// `A-Za-z0-9`, `-` and `_`: base64url without padding.
    Base64Url,
    /// `A-Za-z0-9`, `-`, `_`, `.` and `~`, the unreserved characters of a URL: UUIDs, and keys of several parts.
    UrlSafe,
}

impl ImportedAlphabet {
    fn contains(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Base62 => byte.is_ascii_alphanumeric(),
            Self::Base64Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::UrlSafe => is_unreserved(byte),
        }
    }

    /// Whether so many characters can hold 128 random bits. What has no character beyond hex counts as hex, whatever the
    /// format says: nobody's 22 random letters and digits look so. Of [`UrlSafe`](Self::UrlSafe) nobody knows how many bits a
    /// character is worth: letters and digits count as hex, and one more than a UUID has, since its 32 have 122 random
    /// bits at most.
    fn holds_128_bits(self, secret: &str) -> bool {
        match self {
            Self::Hex => secret.len() >= 32,
            Self::Base62 | Self::Base64Url => {
                let is_hex = secret.bytes().all(|byte| byte.is_ascii_hexdigit());
                secret.len() >= if is_hex { 32 } else { 22 }
            }
            Self::UrlSafe => secret
                .bytes()
                .filter(u8::is_ascii_alphanumeric)
                .nth(32)
                .is_some(),
        }
    }

    /// The least length of a key whose id, which logs show, is a hash of it.
    const fn least_for_derived_id(self) -> usize {
        match self {
            Self::Hex | Self::UrlSafe => 32,
            Self::Base62 | Self::Base64Url => 22,
        }
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// What follows the prefix of an imported key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ImportedShape {
    alphabet: ImportedAlphabet,
    shortest: usize,
    longest: usize,
    pub(super) catch_all: bool,
}

const MAX_PREFIX_LENGTH: usize = 32;
const ID_LENGTHS: RangeInclusive<usize> = 4..=64;
/// The least characters that are secret.
const MIN_SECRET_LENGTH: usize = 16;

impl SecretFormat {
    /// Keys that another system minted: `prefix` as it stands (`sk_live_`, `acme-`), then as many characters of
    /// `alphabet` as `lengths` allows. They are accepted; [minting](Self::mint) one is an error.
    ///
    /// What names the record:
    /// - the first characters after the prefix, if [`with_id_length`](Self::with_id_length) says how many (4–64). They
    ///   are part of the length, and no secret.
    /// - else a *derived id*: the first half of the SHA-256 of the whole text, as 32 characters of hex. So a table that
    ///   has only hashes can be imported, see [`ImportedHash::derived_id`](crate::hash::ImportedHash::derived_id). As
    ///   logs and lists show it, guesses at the text could be tried against it; hence such keys have at least 22
    ///   characters (32 of hex, or of the URL-safe alphabet), and should be random.
    ///
    /// At least 16 characters are secret. A guard tag is given to keys whose secret part can hold 128 random bits: 22
    /// characters of base62 or base64url, 32 of what looks like hex, 33 letters and digits of the URL-safe alphabet. The id has the
    /// characters of `alphabet`; the other `with_` methods are not for these keys.
    ///
    /// Prefixes still must not start each other: if the old system had `sk_` and `sk_live_`, say `sk_` with an alphabet
    /// that has the underscore.
    #[must_use]
    pub fn imported(
        kind: SecretKind,
        prefix: &str,
        alphabet: ImportedAlphabet,
        lengths: RangeInclusive<usize>,
    ) -> Self {
        Self::of_shape(kind, prefix, alphabet, &lengths, false)
    }

    /// As [`imported`](Self::imported), for keys without any prefix. At most one such format goes with a set of others.
    ///
    /// It is asked last, about what has no other format's prefix. Where JWTs are accepted, what begins as one and has a
    /// dot is taken for a JWT, and for nothing else. The price: a mistyped prefix is no longer told from an unknown
    /// key, and arbitrary texts of this shape cost a read of the store.
    #[must_use]
    pub fn imported_catch_all(
        kind: SecretKind,
        alphabet: ImportedAlphabet,
        lengths: RangeInclusive<usize>,
    ) -> Self {
        Self::of_shape(kind, "", alphabet, &lengths, true)
    }

    fn of_shape(
        kind: SecretKind,
        prefix: &str,
        alphabet: ImportedAlphabet,
        lengths: &RangeInclusive<usize>,
        catch_all: bool,
    ) -> Self {
        Self {
            kind,
            prefix: prefix.to_owned(),
            layout: Layout::Imported(ImportedShape {
                alphabet,
                shortest: *lengths.start(),
                longest: *lengths.end(),
                catch_all,
            }),
            id_length: 0,
            id_alphabet: IdAlphabet::Alphanumeric,
            random_length: 0,
            unchecked: None,
        }
    }

    pub(super) fn is_catch_all(&self) -> bool {
        matches!(self.layout, Layout::Imported(shape) if shape.catch_all)
    }
}

/// A mistake, but for the brand that it is about.
type Mistake = fn(String) -> FormatError;

impl ImportedShape {
    /// Every mistake of an imported format taken alone.
    pub(super) fn mistakes(&self, format: &SecretFormat) -> Vec<FormatError> {
        let secret = self.shortest.saturating_sub(format.id_length);
        let prefix = format.prefix.as_bytes();
        let rules: [(bool, Mistake); 6] = [
            (
                (self.catch_all || (1..=MAX_PREFIX_LENGTH).contains(&prefix.len()))
                    && prefix.iter().all(|byte| is_unreserved(*byte)),
                FormatError::Prefix,
            ),
            (
                format.id_length == 0 || ID_LENGTHS.contains(&format.id_length),
                FormatError::IdLength,
            ),
            (
                secret >= MIN_SECRET_LENGTH
                    && (format.id_length > 0 || secret >= self.alphabet.least_for_derived_id()),
                FormatError::TooGuessable,
            ),
            (
                prefix.len().saturating_add(self.longest) <= MAX_SECRET_LENGTH,
                FormatError::TooLong,
            ),
            (
                self.shortest <= self.longest && format.random_length == 0,
                FormatError::ImportedLengths,
            ),
            (format.unchecked.is_none(), FormatError::Unchecked),
        ];
        rules
            .into_iter()
            .filter(|(kept, _)| !kept)
            .map(|(_, mistake)| mistake(format.brand().to_owned()))
            .collect()
    }

    /// The id of `whole`, which starts with the format's prefix, and whether what is secret holds 128 bits.
    pub(super) fn read<'a>(
        &self,
        format: &SecretFormat,
        whole: &'a str,
    ) -> Result<(PublicId<'a>, bool), Malformed> {
        let body = whole.get(format.prefix.len()..).ok_or(Malformed::Id)?;
        if !(self.shortest..=self.longest).contains(&body.len()) {
            return Err(Malformed::SecretLength);
        }
        if !body.bytes().all(|byte| self.alphabet.contains(byte)) {
            return Err(Malformed::BadCharacter);
        }
        let (id, secret) = body
            .split_at_checked(format.id_length)
            .ok_or(Malformed::Id)?;
        let id = if id.is_empty() {
            PublicId::derived(whole)
        } else {
            PublicId::Read(id)
        };
        Ok((id, self.alphabet.holds_128_bits(secret)))
    }
}

/// What names the record of a presented credential.
#[derive(Clone, Copy)]
pub(super) enum PublicId<'a> {
    /// Part of the text.
    Read(&'a str),
    /// Half of the text's SHA-256, in hex.
    Derived([u8; DERIVED_LENGTH]),
}

const DERIVED_LENGTH: usize = 32;

impl PublicId<'_> {
    fn derived(whole: &str) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let hash = digest(&SHA256, whole.as_bytes());
        let mut id = [b'0'; DERIVED_LENGTH];
        let (pairs, _) = id.as_chunks_mut::<2>();
        for ([high, low], byte) in pairs.iter_mut().zip(hash.as_ref()) {
            *high = DIGITS[usize::from(byte >> 4)];
            *low = DIGITS[usize::from(byte & 0xF)];
        }
        Self::Derived(id)
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Read(id) => id,
            // Always ASCII.
            Self::Derived(id) => std::str::from_utf8(id).unwrap_or_default(),
        }
    }
}
