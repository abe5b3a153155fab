//! What the secrets look like that a service issues.

use std::ops::RangeInclusive;

use super::charset;
use super::checksum::CHECKSUM_LENGTH;
use super::classify::MAX_SECRET_LENGTH;
use super::imported::ImportedShape;

/// What a secret stands for. Where it is stored and what it may do follow from this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretKind {
    /// An API key.
    ApiKey,
    /// A personal access token.
    Pat,
    /// The secret of an OAuth client.
    Client,
}

/// The characters of a public id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdAlphabet {
    /// `a-z0-9`: the same id in any case-insensitive column or file name.
    LowerAlphanumeric,
    /// `A-Za-z0-9`.
    Alphanumeric,
}

impl IdAlphabet {
    pub(super) fn spells(self, id: &str) -> bool {
        match self {
            Self::LowerAlphanumeric => charset::is_all(id.as_bytes(), charset::lower_alphanumeric),
            Self::Alphanumeric => charset::is_all(id.as_bytes(), charset::alphanumeric),
        }
    }
}

/// How the parts of a secret follow each other after `brand_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `id`, a separator, random characters, checksum.
    Separated(u8),
    /// `id` and random characters, nothing between, no checksum.
    Joined,
    /// Random characters only; the id travels beside the secret.
    Unnamed,
    /// As another system minted it.
    Imported(ImportedShape),
}

/// One kind of secret that a service issues: its brand, its layout, its lengths.
///
/// | constructor | wire form |
/// |---|---|
/// | [`separated`](Self::separated) | `tnx_<8>_<27 random><6 checksum>` |
/// | [`dotted`](Self::dotted) | `patv1_<12>.<27 random><6 checksum>` |
/// | [`joined`](Self::joined) | `apx_live_sk_<8><24 random>` |
/// | [`unnamed`](Self::unnamed) | `apx_secret_<24 random>` |
/// | [`imported`](Self::imported) | `sk_live_<characters>`, whatever another system minted |
///
/// Random characters are base62: 27 are 160 bits, 24 are 142. Mistakes are reported by
/// [`FormatsBuilder::build`](super::FormatsBuilder::build), all of them at once.
#[derive(Clone, Debug)]
pub struct SecretFormat {
    pub(super) kind: SecretKind,
    /// The brand and its underscore; of imported keys, whatever they begin with.
    pub(super) prefix: String,
    pub(super) layout: Layout,
    pub(super) id_length: usize,
    pub(super) id_alphabet: IdAlphabet,
    /// Random characters, the checksum not counted.
    pub(super) random_length: usize,
    pub(super) unchecked: Option<RangeInclusive<usize>>,
}

/// Fewer random base62 characters than this are less than 128 bits, and the gate's guard tag must not be
/// used for guessable secrets.
const MIN_RANDOM_LENGTH: usize = 22;
/// 160 bits.
const MIN_SEPARATED_LENGTH: usize = 27;
const MAX_BRAND_LENGTH: usize = 32;
const MAX_ID_LENGTH: usize = 64;

impl SecretFormat {
    /// `<brand>_<id>_<secret>` with an id of 8 and a checksum.
    #[must_use]
    pub fn separated(kind: SecretKind, brand: &str) -> Self {
        Self::new(
            kind,
            brand,
            Layout::Separated(b'_'),
            8,
            MIN_SEPARATED_LENGTH,
        )
    }

    /// `<brand>_<id>.<secret>` with an id of 12 and a checksum.
    #[must_use]
    pub fn dotted(kind: SecretKind, brand: &str) -> Self {
        Self::new(
            kind,
            brand,
            Layout::Separated(b'.'),
            12,
            MIN_SEPARATED_LENGTH,
        )
    }

    /// `<brand>_<32 characters>`: 8 of id, 24 of secret, no checksum.
    #[must_use]
    pub fn joined(kind: SecretKind, brand: &str) -> Self {
        Self::new(kind, brand, Layout::Joined, 8, 24).with_id_alphabet(IdAlphabet::Alphanumeric)
    }

    /// `<brand>_<24 characters>`: no id and no checksum, for secrets that are presented together with an id,
    /// such as a client's.
    #[must_use]
    pub fn unnamed(kind: SecretKind, brand: &str) -> Self {
        Self::new(kind, brand, Layout::Unnamed, 0, 24)
    }

    fn new(
        kind: SecretKind,
        brand: &str,
        layout: Layout,
        id_length: usize,
        random_length: usize,
    ) -> Self {
        Self {
            kind,
            prefix: format!("{brand}_"),
            layout,
            id_length,
            id_alphabet: IdAlphabet::LowerAlphanumeric,
            random_length,
            unchecked: None,
        }
    }

    /// The length of the public id, 8–64 characters (4–64 in an [imported](Self::imported) key). An unnamed secret has
    /// none.
    #[must_use]
    pub fn with_id_length(mut self, characters: usize) -> Self {
        self.id_length = characters;
        self
    }

    /// The characters of the public id.
    #[must_use]
    pub fn with_id_alphabet(mut self, alphabet: IdAlphabet) -> Self {
        self.id_alphabet = alphabet;
        self
    }

    /// The number of random base62 characters, checksum not counted: at least 27 in a separated secret (160 bits),
    /// at least 22 elsewhere (131 bits).
    #[must_use]
    pub fn with_random_length(mut self, characters: usize) -> Self {
        self.random_length = characters;
        self
    }

    /// Also accepts older separated secrets without a checksum, whose secret part (base62) has a length in
    /// `characters`. At least 22; the length of newly minted secrets can't be in the range, or a wrong checksum
    /// would pass as an older secret.
    #[must_use]
    pub fn accept_unchecked(mut self, characters: RangeInclusive<usize>) -> Self {
        self.unchecked = Some(characters);
        self
    }

    /// What it stands for.
    #[must_use]
    pub fn kind(&self) -> SecretKind {
        self.kind
    }

    /// Whether the secret holds the id of its record. That of an [unnamed](Self::unnamed) secret travels beside it.
    #[must_use]
    pub fn has_id(&self) -> bool {
        self.layout != Layout::Unnamed
    }

    /// The brand, without the underscore that follows it. Of imported keys, their prefix without such an underscore.
    #[must_use]
    pub fn brand(&self) -> &str {
        self.prefix.strip_suffix('_').unwrap_or(&self.prefix)
    }

    /// The length of the secret part as minted now, checksum included.
    pub(super) fn secret_length(&self) -> usize {
        match self.layout {
            Layout::Separated(_) => self.random_length.saturating_add(CHECKSUM_LENGTH),
            Layout::Joined | Layout::Unnamed | Layout::Imported(_) => self.random_length,
        }
    }

    /// Every mistake of this format taken alone.
    pub(super) fn mistakes(&self) -> Vec<FormatError> {
        if let Layout::Imported(shape) = self.layout {
            return shape.mistakes(self);
        }
        let mut mistakes = Vec::new();
        let brand = self.brand();
        let mut report = |wrong: bool, mistake: fn(String) -> FormatError| {
            if wrong {
                mistakes.push(mistake(brand.to_owned()));
            }
        };

        let brand_is_fine = (1..=MAX_BRAND_LENGTH).contains(&brand.len())
            && brand
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        report(!brand_is_fine, FormatError::Brand);

        let id_is_fine = match self.layout {
            Layout::Unnamed | Layout::Imported(_) => self.id_length == 0,
            Layout::Separated(_) | Layout::Joined => (8..=MAX_ID_LENGTH).contains(&self.id_length),
        };
        report(!id_is_fine, FormatError::IdLength);

        let least = match self.layout {
            Layout::Separated(_) => MIN_SEPARATED_LENGTH,
            Layout::Joined | Layout::Unnamed | Layout::Imported(_) => MIN_RANDOM_LENGTH,
        };
        report(self.random_length < least, FormatError::TooGuessable);

        let longest = self
            .unchecked
            .as_ref()
            .map_or(0, |range| *range.end())
            .max(self.secret_length());
        let total = (self.prefix.len() + 1)
            .saturating_add(self.id_length)
            .saturating_add(longest);
        report(total > MAX_SECRET_LENGTH, FormatError::TooLong);

        if let Some(range) = &self.unchecked {
            let separated = matches!(self.layout, Layout::Separated(_));
            report(
                !separated || range.is_empty() || range.contains(&self.secret_length()),
                FormatError::Unchecked,
            );
            report(
                *range.start() < MIN_RANDOM_LENGTH,
                FormatError::TooGuessable,
            );
        }
        mistakes
    }
}

/// A mistake in the configuration of formats. Each names the brand it is about, where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A brand is 1–32 characters of `A-Za-z0-9_`.
    #[error("the brand `{0}` is not 1 to 32 letters, digits or underscores")]
    Brand(String),
    /// An id has 8–64 characters, of an imported key 4–64; an unnamed secret has none.
    #[error("the id of `{0}` is too short or too long, or is given to a secret that has none")]
    IdLength(String),
    /// Fewer random characters than are safe against guessing.
    #[error("secrets of `{0}` would have too few random characters")]
    TooGuessable(String),
    /// A credential could be longer than [`MAX_SECRET_LENGTH`](super::MAX_SECRET_LENGTH).
    #[error("credentials of `{0}` would be too long to be accepted")]
    TooLong(String),
    /// The prefix of imported keys is 1–32 characters of `A-Za-z0-9-_.~`.
    #[error("the prefix `{0}` is not 1 to 32 letters, digits, `-`, `_`, `.` or `~`")]
    Prefix(String),
    /// The lengths of imported keys are an empty range, or were set a second time by
    /// [`with_random_length`](SecretFormat::with_random_length).
    #[error("the imported keys `{0}` have no possible length")]
    ImportedLengths(String),
    /// The range of [`accept_unchecked`](SecretFormat::accept_unchecked) is empty, contains the length of checked
    /// secrets, or belongs to a layout that has no checksum anyway.
    #[error("`{0}` can't accept secrets without checksum in this range of lengths")]
    Unchecked(String),
    /// The prefix of one format starts that of another, or is the same.
    #[error("the brands `{0}` and `{1}` can't be told apart by prefix")]
    Overlap(String, String),
    /// Two formats are for keys without any prefix.
    #[error("only one format can be for keys without a prefix")]
    SecondCatchAll,
    /// Credentials of this brand would begin as a JWT does.
    #[error("credentials of `{0}` would begin as a JWT does")]
    BeginsAsJwt(String),
    /// Nothing would be accepted.
    #[error("no format is configured")]
    Empty,
}
