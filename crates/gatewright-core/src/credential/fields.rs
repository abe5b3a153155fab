//! Which bytes of a request are the credential.

use super::charset;
use crate::tchar::is_tchar;

/// A header field that may carry a credential, or that says which page made the request and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `Authorization`, [RFC 9110 §11.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2).
    Authorization,
    /// `X-API-Key`.
    ApiKey,
    /// `Cookie`, [RFC 6265 §5.4](https://www.rfc-editor.org/rfc/rfc6265#section-5.4).
    Cookie,
    /// `Origin`, [RFC 6454 §7](https://www.rfc-editor.org/rfc/rfc6454#section-7).
    Origin,
    /// `Sec-Fetch-Site`, [Fetch Metadata](https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header).
    SecFetchSite,
    /// `Upgrade`, [RFC 9110 §7.8](https://www.rfc-editor.org/rfc/rfc9110#section-7.8).
    Upgrade,
}

/// Read access to the header fields of a request, whatever type they have in its framework.
pub trait Fields {
    /// The values of all lines of `field`, in the order in which they were received.
    fn values(&self, field: Field) -> impl Iterator<Item = &[u8]>;
}

impl Fields for [(Field, &[u8])] {
    fn values(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter(move |(name, _)| *name == field)
            .map(|(_, value)| *value)
    }
}

impl<F: Fields + ?Sized> Fields for &F {
    fn values(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        (**self).values(field)
    }
}

/// The field that a token was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// `Authorization: Bearer …`
    Authorization,
    /// `X-API-Key: …`
    ApiKey,
}

/// What a request presents, before anybody asks what kind of credential it is.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Presented<'a> {
    /// No field that counts here.
    Nothing,
    /// `Authorization` only with schemes other than `Bearer`.
    Foreign,
    /// A field that counts, and nothing well formed in it.
    Malformed(Source),
    /// Several `X-API-Key` lines: no rule says which of them counts.
    Ambiguous,
    /// A token in token68 characters, not empty. There is no second try with another one.
    Token {
        /// Where it was found.
        source: Source,
        /// The token without scheme and surrounding white space.
        bytes: &'a [u8],
    },
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Foreign => f.write_str("Foreign"),
            Self::Malformed(source) => f.debug_tuple("Malformed").field(source).finish(),
            Self::Ambiguous => f.write_str("Ambiguous"),
            Self::Token { source, .. } => f
                .debug_struct("Token")
                .field("source", source)
                .finish_non_exhaustive(),
        }
    }
}

/// Finds the one token that this request is judged by.
///
/// With `read_api_key`, a present `X-API-Key` decides, even a malformed one; `Authorization` is then not
/// consulted. Of several `Authorization` lines the first well-formed bearer counts
/// ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1), with the scheme in any case, RFC 9110
/// §11.1). Values joined by commas are not split: such a line is malformed.
pub fn presented<F: Fields + ?Sized>(fields: &F, read_api_key: bool) -> Presented<'_> {
    if read_api_key {
        let mut lines = fields.values(Field::ApiKey);
        if let Some(line) = lines.next() {
            if lines.next().is_some() {
                return Presented::Ambiguous;
            }
            return match token68(trim(line)) {
                Some(bytes) => Presented::Token {
                    source: Source::ApiKey,
                    bytes,
                },
                None => Presented::Malformed(Source::ApiKey),
            };
        }
    }

    let mut outcome = Presented::Nothing;
    for line in fields.values(Field::Authorization) {
        match authorization(line) {
            Line::Bearer(bytes) => {
                return Presented::Token {
                    source: Source::Authorization,
                    bytes,
                };
            }
            Line::Malformed => outcome = Presented::Malformed(Source::Authorization),
            Line::Foreign => {
                if matches!(outcome, Presented::Nothing) {
                    outcome = Presented::Foreign;
                }
            }
        }
    }
    outcome
}

/// What [`presented`] finds where a request has one line for it, before the characters are looked at: those of every
/// [format](super::Formats) are characters of token68, so whoever reads it as a credential need not look twice.
#[inline]
pub(crate) fn candidate<F: Fields + ?Sized>(fields: &F, read_api_key: bool) -> Option<&[u8]> {
    if read_api_key {
        let mut lines = fields.values(Field::ApiKey);
        if let Some(line) = lines.next() {
            return lines.next().is_none().then(|| trim(line));
        }
    }
    let line = fields.values(Field::Authorization).next()?;
    bearer(line).ok()
}

/// Whether a URL's query (without the `?`) has an `access_token` parameter.
///
/// Tokens in a URL end up in logs and histories; [RFC 6750 §2.3](https://www.rfc-editor.org/rfc/rfc6750#section-2.3)
/// discourages them and such a request is refused. The name is compared after percent-decoding, so that
/// `access%5Ftoken=` doesn't slip through; a value isn't needed.
#[must_use]
pub fn query_has_token(query: &str) -> bool {
    query
        .split('&')
        .any(|parameter| is_named(parameter.as_bytes(), b"access_token"))
}

enum Line<'a> {
    Bearer(&'a [u8]),
    Malformed,
    Foreign,
}

/// `credentials = auth-scheme [ 1*SP ( token68 / … ) ]`, RFC 9110 §11.4.
fn authorization(line: &[u8]) -> Line<'_> {
    match bearer(line) {
        Ok(token) => token68(token).map_or(Line::Malformed, Line::Bearer),
        Err(other) => other,
    }
}

/// What stands after the scheme `Bearer`, whatever its characters.
#[inline]
fn bearer(line: &[u8]) -> Result<&[u8], Line<'_>> {
    const BEARER: &[u8] = b"bearer";

    let line = trim(line);
    // As nearly all write it. What follows says the same of it.
    if let Some(rest) = line.strip_prefix(b"Bearer ") {
        return Ok(trim_spaces(rest));
    }
    let Some((scheme, rest)) = line.split_at_checked(BEARER.len()) else {
        // Too short for a bearer. An empty line names no scheme at all.
        return Err(match line.first() {
            Some(first) if is_tchar(*first) => Line::Foreign,
            _ => Line::Malformed,
        });
    };
    if !scheme.eq_ignore_ascii_case(BEARER) || rest.first().is_some_and(|next| is_tchar(*next)) {
        return Err(match line.first() {
            Some(first) if is_tchar(*first) => Line::Foreign,
            _ => Line::Malformed,
        });
    }
    let token = trim_spaces(rest);
    // At least one space must stand between scheme and token.
    if token.len() == rest.len() {
        return Err(Line::Malformed);
    }
    Ok(token)
}

/// Whether [`presented`] takes this as a token.
pub(crate) fn is_token68(value: &[u8]) -> bool {
    token68(value).is_some()
}

/// `token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, RFC 9110 §11.2.
///
/// A value above the longest credential is refused before it is looked at.
fn token68(value: &[u8]) -> Option<&[u8]> {
    if value.len() > super::MAX_JWT_LENGTH {
        return None;
    }
    if charset::is_all(value, charset::token68) {
        return (!value.is_empty()).then_some(value);
    }
    let mut body = value;
    while let [characters @ .., b'='] = body {
        body = characters;
    }
    (!body.is_empty() && charset::is_all(body, charset::token68)).then_some(value)
}

/// Optional white space around a field value isn't part of it, RFC 9110 §5.5.
#[inline]
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[inline]
fn trim_spaces(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = value {
        value = rest;
    }
    value
}

/// Whether the name of `parameter`, which ends before its first `=`, is `plain` after percent-decoding. `plain` has none
/// of the characters that separate.
fn is_named(parameter: &[u8], plain: &[u8]) -> bool {
    let mut rest = parameter;
    for expected in plain {
        let byte = match rest {
            [b'%', high, low, after @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    (high << 4) | low
                }
                _ => return false,
            },
            [byte, after @ ..] => {
                rest = after;
                *byte
            }
            [] => return false,
        };
        if byte != *expected {
            return false;
        }
    }
    matches!(rest, [] | [b'=', ..])
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::credential::{Formats, ImportedAlphabet, Malformed, SecretFormat, SecretKind};

    fn formats() -> [Formats; 2] {
        let keys = SecretFormat::imported_catch_all(
            SecretKind::ApiKey,
            ImportedAlphabet::UrlSafe,
            33..=60,
        );
        let imported = Formats::builder().jwt().secret(keys).build().unwrap();
        [Formats::standard(), imported]
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let scheme = prop_oneof![
            Just(""),
            Just("Bearer "),
            Just("bearer   "),
            Just("Basic "),
            Just("Bearer")
        ];
        let token = prop_oneof![
            Just("eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln".as_bytes().to_vec()),
            "[A-Za-z0-9._~+/=-]{0,48}".prop_map(String::into_bytes),
            "tnx_[a-z0-9]{8}_[A-Za-z0-9]{26,40}[ ,=]?".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..40),
        ];
        (scheme, token).prop_map(|(scheme, token)| [scheme.as_bytes(), &token].concat())
    }

    proptest! {
        /// The short way finds what the whole rules find.
        #[test]
        fn a_candidate_that_is_a_credential_is_what_is_presented(
            lines in prop::collection::vec((any::<bool>(), line()), 0..4),
            read_api_key: bool,
        ) {
            let fields: Vec<(Field, &[u8])> = lines
                .iter()
                .map(|(key, line)| (if *key { Field::ApiKey } else { Field::Authorization }, line.as_slice()))
                .collect();
            if let Some(token) = candidate(&fields[..], read_api_key) {
                let whole = presented(&fields[..], read_api_key);
                let is_presented = matches!(whole, Presented::Token { bytes, .. } if bytes == token);
                prop_assert_eq!(is_token68(token), is_presented);
                for formats in formats() {
                    match formats.classify(token).err() {
                        None | Some(Malformed::Checksum) => prop_assert!(is_presented),
                        Some(_) => {}
                    }
                }
            }
        }
    }
}
