//! What kind of credential a token is, and its parts.

use std::fmt;

use super::charset;
use super::checksum::{CHECKSUM_LENGTH, is_checksum};
use super::format::{Layout, SecretFormat, SecretKind};
use super::imported::PublicId;
use super::registry::Formats;

/// The longest JWT that is looked at, in bytes.
pub const MAX_JWT_LENGTH: usize = 16 * 1024;
/// The longest credential of any other kind that is looked at, in bytes.
pub const MAX_SECRET_LENGTH: usize = 256;

/// A well-formed credential, borrowed from the request. Nothing about it is proven yet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// A secret that this service issued, or something that looks like one.
    Secret(SecretCredential<'a>),
    /// Three segments that may be a signed JWT.
    Jwt(JwtShape<'a>),
}

/// A secret of one of the configured formats.
#[derive(Clone, Copy)]
pub struct SecretCredential<'a> {
    kind: SecretKind,
    whole: &'a str,
    brand: &'a str,
    public_id: PublicId<'a>,
    holds_128_bits: bool,
}

impl<'a> SecretCredential<'a> {
    /// What it stands for.
    #[must_use]
    pub fn kind(&self) -> SecretKind {
        self.kind
    }

    /// The brand it was issued under, without the underscore.
    #[must_use]
    pub fn brand(&self) -> &'a str {
        self.brand
    }

    /// The part that names the record. It may be logged. Empty in an
    /// [unnamed](SecretFormat::unnamed) format; of an [imported](SecretFormat::imported) key without an id, derived
    /// from the whole text.
    #[must_use]
    pub fn public_id(&self) -> &str {
        self.public_id.as_str()
    }

    /// Whether the secret part is long enough for a guard tag. Always, but in imported keys.
    pub(crate) fn holds_128_bits(&self) -> bool {
        self.holds_128_bits
    }

    /// The whole credential, which is what is hashed and compared.
    #[must_use]
    pub fn expose(&self) -> &'a str {
        self.whole
    }
}

impl fmt::Debug for SecretCredential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretCredential")
            .field("kind", &self.kind)
            .field("brand", &self.brand)
            .field("public_id", &self.public_id())
            .finish_non_exhaustive()
    }
}

/// Three non-empty base64url segments, the first of which begins as a JSON object does:
/// [RFC 7515 §3.1](https://www.rfc-editor.org/rfc/rfc7515#section-3.1). Not decoded, not verified.
#[derive(Clone, Copy)]
pub struct JwtShape<'a> {
    whole: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> JwtShape<'a> {
    /// The first segment, still encoded.
    #[must_use]
    pub fn header(&self) -> &'a str {
        self.header
    }

    /// The second segment, still encoded.
    #[must_use]
    pub fn payload(&self) -> &'a str {
        self.payload
    }

    /// The third segment, still encoded.
    #[must_use]
    pub fn signature(&self) -> &'a str {
        self.signature
    }

    /// What is signed: the first two segments and the dot between them.
    #[must_use]
    pub fn signing_input(&self) -> &'a str {
        let length = self.header.len() + 1 + self.payload.len();
        self.whole.get(..length).unwrap_or_default()
    }

    /// The whole token.
    #[must_use]
    pub fn expose(&self) -> &'a str {
        self.whole
    }
}

impl fmt::Debug for JwtShape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtShape(redacted)")
    }
}

/// Why a token is not a credential. Says nothing of what was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Nothing at all.
    #[error("the token is empty")]
    Empty,
    /// Above [`MAX_JWT_LENGTH`], or above [`MAX_SECRET_LENGTH`] for a secret.
    #[error("the token is too long")]
    TooLong,
    /// A prefix that no configured format has.
    #[error("the token has no known prefix")]
    UnknownFormat,
    /// A character that this format can't have.
    #[error("the token has a character that its format can't have")]
    BadCharacter,
    /// The public id has the wrong length, or its separator is missing.
    #[error("the token's id is malformed")]
    Id,
    /// The secret part has the wrong length.
    #[error("the token's secret part has the wrong length")]
    SecretLength,
    /// The checksum is wrong: mistyped or truncated.
    #[error("the token's checksum is wrong")]
    Checksum,
    /// Not three segments, or an empty one.
    #[error("the token does not have three segments")]
    Segments,
}

impl Formats {
    /// Says what kind of credential `token` is.
    ///
    /// The prefix decides, and finally: a token that starts as `tnx_` and isn't a `tnx` key is malformed, it isn't
    /// tried as something else.
    ///
    /// # Errors
    ///
    /// [`Malformed`], by the first rule that is broken. Lengths are checked before any character.
    pub fn classify<'a>(&self, token: &'a [u8]) -> Result<Credential<'a>, Malformed> {
        self.classify_after(token, None)
    }

    /// [`classify`](Self::classify) after a [`glance`](Self::glance) at the same token, whose checksum is not computed
    /// again.
    pub(crate) fn classify_after<'a>(
        &self,
        token: &'a [u8],
        glance: Option<Glance<'_>>,
    ) -> Result<Credential<'a>, Malformed> {
        let sum = glance.map(|glance| glance.sum_is_right);
        if token.is_empty() {
            return Err(Malformed::Empty);
        }
        if token.len() > MAX_JWT_LENGTH {
            return Err(Malformed::TooLong);
        }
        for format in &self.secrets {
            if token.starts_with(format.prefix.as_bytes()) {
                return secret(format, token, sum).map(Credential::Secret);
            }
        }
        // Without a dot it is no JWT, and may be a key without a prefix that happens to begin so.
        let claimed = |token: &[u8]| self.catch_all.is_none() || token.contains(&b'.');
        if self.jwt && begins_as_jwt(token) && claimed(token) {
            return jwt(token).map(Credential::Jwt);
        }
        match &self.catch_all {
            Some(format) => secret(format, token, None).map(Credential::Secret),
            None => Err(Malformed::UnknownFormat),
        }
    }
}

impl Formats {
    /// What may be a secret with a checksum, without a look at its characters: length and separator are right.
    #[inline]
    pub(crate) fn glance<'a>(&self, token: &'a [u8]) -> Option<Glance<'a>> {
        let mut formats = self.secrets.iter();
        let format = formats.find(|format| token.starts_with(format.prefix.as_bytes()))?;
        let Layout::Separated(separator) = format.layout else {
            return None;
        };
        let body = token.get(format.prefix.len()..)?;
        let (id, rest) = body.split_at_checked(format.id_length)?;
        let (first, secret) = rest.split_first()?;
        let (covered, sum) = token.split_last_chunk()?;
        let is_whole = *first == separator && secret.len() == format.secret_length();
        is_whole.then(|| Glance {
            kind: format.kind,
            id,
            sum_is_right: is_checksum(covered, sum),
        })
    }
}

/// What a glance at a token shows: enough to find what is known of it, and nothing to rely on.
#[derive(Clone, Copy)]
pub(crate) struct Glance<'a> {
    kind: SecretKind,
    id: &'a [u8],
    sum_is_right: bool,
}

impl<'a> Glance<'a> {
    /// The kind and the id, where the checksum is right: a mistyped secret isn't looked for.
    /// [`classify`](Formats::classify) refuses some of these; of what it reads as a secret with a checksum, it reads the
    /// same kind and id.
    #[inline]
    pub(crate) fn name(self) -> Option<(SecretKind, &'a [u8])> {
        self.sum_is_right.then_some((self.kind, self.id))
    }
}

/// Whether the text begins as the base64url of `{` and one more byte: an `e`, then a character whose value has both
/// upper bits set.
///
/// RFC 7515 would also allow white space before the brace. No issuer writes it, and without it no brand can be taken
/// for a JWT or a JWT for a brand.
#[inline]
pub(crate) fn begins_as_jwt(text: &[u8]) -> bool {
    matches!(text, [b'e', b'w'..=b'z' | b'0'..=b'9' | b'-' | b'_', ..])
}

/// `token` starts with the format's prefix. `known_sum` says whether its checksum is right, where that is known.
fn secret<'a>(
    format: &SecretFormat,
    token: &'a [u8],
    known_sum: Option<bool>,
) -> Result<SecretCredential<'a>, Malformed> {
    if token.len() > MAX_SECRET_LENGTH {
        return Err(Malformed::TooLong);
    }
    let whole = std::str::from_utf8(token).map_err(|_| Malformed::BadCharacter)?;
    let credential = |public_id, holds_128_bits| SecretCredential {
        kind: format.kind,
        whole,
        brand: whole.get(..format.brand().len()).unwrap_or_default(),
        public_id,
        holds_128_bits,
    };
    if let Layout::Imported(shape) = format.layout {
        let (public_id, holds_128_bits) = shape.read(format, whole)?;
        return Ok(credential(public_id, holds_128_bits));
    }
    let body = whole.get(format.prefix.len()..).ok_or(Malformed::Id)?;
    let (public_id, rest) = body
        .split_at_checked(format.id_length)
        .ok_or(Malformed::Id)?;
    if !format.id_alphabet.spells(public_id) {
        return Err(Malformed::Id);
    }

    let secret = match format.layout {
        Layout::Separated(separator) => rest
            .strip_prefix(char::from(separator))
            .ok_or(Malformed::Id)?,
        Layout::Joined | Layout::Unnamed | Layout::Imported(_) => rest,
    };
    if !charset::is_all(secret.as_bytes(), charset::alphanumeric) {
        return Err(Malformed::BadCharacter);
    }
    if secret.len() == format.secret_length() {
        if matches!(format.layout, Layout::Separated(_)) {
            let (covered, sum) = token
                .split_last_chunk::<CHECKSUM_LENGTH>()
                .ok_or(Malformed::Checksum)?;
            // Not a secret comparison: anybody can compute the checksum.
            if !known_sum.unwrap_or_else(|| is_checksum(covered, sum)) {
                return Err(Malformed::Checksum);
            }
        }
    } else if !format
        .unchecked
        .as_ref()
        .is_some_and(|lengths| lengths.contains(&secret.len()))
    {
        return Err(Malformed::SecretLength);
    }

    Ok(credential(PublicId::Read(public_id), true))
}

fn jwt(token: &[u8]) -> Result<JwtShape<'_>, Malformed> {
    well_formed_jwt(token).ok_or_else(|| jwt_mistake(token))
}

fn well_formed_jwt(token: &[u8]) -> Option<JwtShape<'_>> {
    let whole = std::str::from_utf8(token).ok()?;
    let (header, rest) = whole.split_at_checked(charset::first_dot(token)?)?;
    let (_, rest) = rest.split_at_checked(1)?;
    let (payload, rest) = rest.split_at_checked(charset::last_dot(rest.as_bytes())?)?;
    let (_, signature) = rest.split_at_checked(1)?;
    // A fourth segment shows as a dot in the payload, which is no character of one.
    let is_segment = |segment: &str| {
        !segment.is_empty() && charset::is_all(segment.as_bytes(), charset::base64url)
    };
    (is_segment(header) && is_segment(payload) && is_segment(signature)).then_some(JwtShape {
        whole,
        header,
        payload,
        signature,
    })
}

/// The first rule that `token`, which is no well-formed JWT, breaks.
fn jwt_mistake(token: &[u8]) -> Malformed {
    if std::str::from_utf8(token).is_err() {
        return Malformed::BadCharacter;
    }
    let mut segments = token.split(|byte| *byte == b'.');
    let are_three = segments
        .by_ref()
        .take(3)
        .filter(|segment| !segment.is_empty())
        .count()
        == 3;
    // An empty third segment is an unsecured JWS (RFC 7515 appendix A.5), which nobody here accepts.
    if are_three && segments.next().is_none() {
        Malformed::BadCharacter
    } else {
        Malformed::Segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rules one after the other, as they are written.
    fn plain(token: &[u8]) -> Result<[&str; 3], Malformed> {
        let whole = std::str::from_utf8(token).map_err(|_| Malformed::BadCharacter)?;
        let segments: Vec<&str> = whole.split('.').collect();
        let Ok(segments) = <[&str; 3]>::try_from(segments) else {
            return Err(Malformed::Segments);
        };
        if segments.iter().any(|segment| segment.is_empty()) {
            return Err(Malformed::Segments);
        }
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !segments
            .iter()
            .all(|segment| segment.bytes().all(is_base64url))
        {
            return Err(Malformed::BadCharacter);
        }
        Ok(segments)
    }

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            "[a-z0-9_.]{0,60}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60),
        ]
    }

    proptest! {
        /// What a glance finds is what the rules find, where they find anything.
        #[test]
        fn a_glance_sees_what_is_there(
            brand in prop::sample::select(vec!["tnx", "patv1", "apx_live_sk", ""]),
            rest in any_bytes(),
            place in 0_usize..60,
            other: u8,
        ) {
            let formats = Formats::standard();
            let mut texts = vec![[brand.as_bytes(), b"_", &rest].concat()];
            if let Some(format) = formats.format(brand) {
                let minted = format.mint().unwrap();
                texts.push(minted.secret.expose().as_bytes().to_vec());
                let mut mistyped = minted.secret.expose().as_bytes().to_vec();
                let place = place % mistyped.len();
                mistyped[place] = other;
                texts.push(mistyped);
            }
            for text in texts {
                let after = formats.classify_after(&text, formats.glance(&text));
                prop_assert_eq!(after.err(), formats.classify(&text).err());
                let glance = formats.glance(&text).and_then(Glance::name);
                match formats.classify(&text) {
                    Ok(Credential::Secret(secret)) if secret.brand() != "apx_live_sk" => {
                        prop_assert_eq!(glance, Some((secret.kind(), secret.public_id().as_bytes())));
                    }
                    Err(Malformed::BadCharacter | Malformed::Id) => {}
                    _ => prop_assert_eq!(glance, None),
                }
            }
        }
    }

    fn agrees(token: &[u8]) {
        let read = jwt(token).map(|shape| [shape.header, shape.payload, shape.signature]);
        assert_eq!(read, plain(token), "{token:?}");
    }

    #[test]
    fn segments_are_told_from_characters() {
        for token in [
            "", ".", "..", "...", "a", "a.b", "a.b.", "a..c", ".b.c", "a.b.c", "a.b.c.", "a.b.c.d",
            ".a.b.c", "a.=.c", "a.b.c.=", "a.=", "é.b.c", "a.é", "a.b.=.", "..=",
        ] {
            agrees(token.as_bytes());
        }
        agrees(b"a.b.\xff");
        agrees(b"a.\xff");
    }

    proptest! {
        #[test]
        fn a_jwt_is_read_as_the_plain_rules_say(
            token in prop_oneof![
                prop::collection::vec(prop_oneof![4 => Just(b'a'), 1 => Just(b'.'), 1 => any::<u8>()], 0..50),
                "[A-Za-z0-9_-]{1,60}[.][A-Za-z0-9_-]{1,60}[.][A-Za-z0-9_-]{1,60}[.=é]?[a.]?".prop_map(String::into_bytes),
            ],
        ) {
            agrees(&token);
        }
    }
}
