//! Which bytes of a request are the credential.

/// A header field that may carry a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `Authorization`, [RFC 9110 §11.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2).
    Authorization,
    /// `X-API-Key`.
    ApiKey,
    /// `Cookie`, [RFC 6265 §5.4](https://www.rfc-editor.org/rfc/rfc6265#section-5.4).
    Cookie,
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

/// Whether a URL's query (without the `?`) has an `access_token` parameter.
///
/// Tokens in a URL end up in logs and histories; [RFC 6750 §2.3](https://www.rfc-editor.org/rfc/rfc6750#section-2.3)
/// discourages them and such a request is refused. The name is compared after percent-decoding, so that
/// `access%5Ftoken=` doesn't slip through; a value isn't needed.
#[must_use]
pub fn query_has_token(query: &str) -> bool {
    query.split('&').any(|parameter| {
        let name = parameter
            .split_once('=')
            .map_or(parameter, |(name, _)| name);
        percent_decoded_equals(name.as_bytes(), b"access_token")
    })
}

enum Line<'a> {
    Bearer(&'a [u8]),
    Malformed,
    Foreign,
}

/// `credentials = auth-scheme [ 1*SP ( token68 / … ) ]`, RFC 9110 §11.4.
fn authorization(line: &[u8]) -> Line<'_> {
    const BEARER: &[u8] = b"bearer";

    let line = trim(line);
    let Some((scheme, rest)) = line.split_at_checked(BEARER.len()) else {
        // Too short for a bearer. An empty line names no scheme at all.
        return match line.first() {
            Some(first) if is_tchar(*first) => Line::Foreign,
            _ => Line::Malformed,
        };
    };
    if !scheme.eq_ignore_ascii_case(BEARER) || rest.first().is_some_and(|next| is_tchar(*next)) {
        return match line.first() {
            Some(first) if is_tchar(*first) => Line::Foreign,
            _ => Line::Malformed,
        };
    }
    let token = trim_spaces(rest);
    // At least one space must stand between scheme and token.
    if token.len() == rest.len() {
        return Line::Malformed;
    }
    token68(token).map_or(Line::Malformed, Line::Bearer)
}

/// `token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, RFC 9110 §11.2.
///
/// A value above the longest credential is refused before it is looked at.
fn token68(value: &[u8]) -> Option<&[u8]> {
    if value.len() > super::MAX_JWT_LENGTH {
        return None;
    }
    let body = value
        .iter()
        .position(|byte| !is_token68_char(*byte))
        .unwrap_or(value.len());
    let (characters, padding) = value.split_at_checked(body)?;
    let well_formed = !characters.is_empty() && padding.iter().all(|byte| *byte == b'=');
    well_formed.then_some(value)
}

const fn is_token68_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
}

/// `tchar`, RFC 9110 §5.6.2.
const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Optional white space around a field value isn't part of it, RFC 9110 §5.5.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn trim_spaces(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = value {
        value = rest;
    }
    value
}

fn percent_decoded_equals(mut encoded: &[u8], plain: &[u8]) -> bool {
    for expected in plain {
        let (byte, rest) = match encoded {
            [b'%', high, low, rest @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => ((high << 4) | low, rest),
                _ => return false,
            },
            [byte, rest @ ..] => (*byte, rest),
            [] => return false,
        };
        if byte != *expected {
            return false;
        }
        encoded = rest;
    }
    encoded.is_empty()
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
