//! The claims of a verified token.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::error::{ClaimName, JwtError};
use super::json::{Json, Number, read_members};
use crate::time::Timestamp;

/// Above this a float can't hold every integer (RFC 7493 §2.2), so no time above it means one moment.
const MAX_TIME: u64 = 1 << 53;

/// What a token says, after its signature and the verifier's rules held. Only [`Verifier`](super::Verifier) makes it.
///
/// Registered claims that are present have their one right type; other members are found by [`Claims::other`].
#[derive(Clone)]
pub struct Claims {
    /// The payload, and after it the strings that are spelt with escapes there.
    text: String,
    issuer: Span,
    expires_at: Timestamp,
    found: Found,
}

/// The `scope` claim. Issuers write it as text (RFC 8693 §4.2) or as a list; anything else is malformed, which is not
/// the same as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeClaim {
    /// There is none.
    #[default]
    Absent,
    /// Neither a string nor an array of strings.
    Malformed,
    /// One string of scopes.
    Text(String),
    /// An array of strings.
    List(Vec<String>),
}

/// Part of the text.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

/// Most tokens have one, which needs no list.
#[derive(Clone, Default)]
struct Audiences {
    first: Option<Span>,
    others: Vec<Span>,
}

impl Claims {
    /// `iss`, equal to the verifier's.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.text_at(self.issuer)
    }

    /// `sub`
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.found.subject.map(|span| self.text_at(span))
    }

    /// `aud`, in order; one of them is the verifier's.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        let spans = self.found.audiences.iter().flat_map(Audiences::iter);
        spans.map(|span| self.text_at(*span))
    }

    /// `exp`, the first second in which the token is no longer valid; fractions are dropped.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// `nbf`; fractions are dropped.
    #[must_use]
    pub fn not_before(&self) -> Option<Timestamp> {
        self.found.not_before
    }

    /// `iat`; fractions are dropped.
    #[must_use]
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.found.issued_at
    }

    /// `jti`
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.found.id.map(|span| self.text_at(span))
    }

    /// `client_id` (RFC 8693 §4.3)
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.found.client_id.map(|span| self.text_at(span))
    }

    /// `sid`, the session.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.found.session_id.map(|span| self.text_at(span))
    }

    /// `tenant`, read by a verifier with [`private_claims`](super::VerifierBuilder::private_claims) only.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.found.tenant.map(|span| self.text_at(span))
    }

    /// `epoch`, the revocation epoch of the user or client when the token was issued; read by a verifier with
    /// [`private_claims`](super::VerifierBuilder::private_claims) only.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.found.epoch
    }

    /// `scope`
    #[must_use]
    pub fn scope(&self) -> &ScopeClaim {
        &self.found.scope
    }

    /// Any member that has no accessor here.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&Value> {
        self.found
            .others
            .iter()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Any member by its name, whether it has an accessor or not. A registered one whose type is wrong is `null`.
    pub(crate) fn member(&self, name: &str) -> Option<Cow<'_, Value>> {
        let text = |span: Option<Span>| span.map(|span| Value::from(self.text_at(span)));
        let registered = match name {
            "iss" => text(Some(self.issuer)),
            "sub" => text(self.found.subject),
            "aud" => Some(self.audiences().collect()),
            "exp" => Some(Value::from(self.expires_at)),
            "nbf" => self.found.not_before.map(Value::from),
            "iat" => self.found.issued_at.map(Value::from),
            "jti" => text(self.found.id),
            "client_id" => text(self.found.client_id),
            "sid" => text(self.found.session_id),
            "scope" => match &self.found.scope {
                ScopeClaim::Absent => None,
                ScopeClaim::Malformed => Some(Value::Null),
                ScopeClaim::Text(text) => Some(Value::from(text.as_str())),
                ScopeClaim::List(list) => Some(Value::from(list.as_slice())),
            },
            "tenant" if self.found.tenant.is_some() => text(self.found.tenant),
            "epoch" if self.found.epoch.is_some() => self.found.epoch.map(Value::from),
            _ => return self.other(name).map(Cow::Borrowed),
        };
        registered.map(Cow::Owned)
    }

    /// Reads a payload. Private claims are typed only where the verifier says that they are ours: in a token of somebody
    /// else's those names may mean anything.
    pub(super) fn read(payload: String, private: bool) -> Result<Self, JwtError> {
        Self::read_of(payload, private, None)
    }

    /// Reads what an issuer says of a token (RFC 7662 §2.2), where `iss` and `exp` are optional: whoever was asked is the
    /// issuer, and a token whose end is not told has none.
    pub(super) fn read_answer(answer: String, asked: &str) -> Result<Self, JwtError> {
        Self::read_of(answer, false, Some(asked))
    }

    fn read_of(payload: String, private: bool, asked: Option<&str>) -> Result<Self, JwtError> {
        let mut draft = Draft::default();
        read_members(&payload, &mut draft, |draft, name, value| {
            if draft.malformed.is_none() {
                draft.malformed = draft.take(&payload, private, name, value).err();
            }
        })
        .map_err(|error| error.in_token(JwtError::Payload))?;
        let Draft {
            unescaped,
            found,
            malformed,
        } = draft;
        if let Some(error) = malformed {
            return Err(error);
        }
        let mut text = payload;
        text.push_str(&unescaped);
        let missing = JwtError::MissingClaim;
        let issuer = match (found.issuer, asked) {
            (Some(issuer), _) => issuer,
            (None, Some(asked)) => {
                let start = text.len();
                text.push_str(asked);
                Span::new(start, asked.len(), ClaimName::Issuer)?
            }
            (None, None) => return Err(missing(ClaimName::Issuer)),
        };
        if found.audiences.is_none() {
            return Err(missing(ClaimName::Audience));
        }
        let endless = asked.map(|_| Timestamp::MAX);
        let expires_at = found
            .expires_at
            .or(endless)
            .ok_or(missing(ClaimName::ExpiresAt))?;
        Ok(Self {
            text,
            issuer,
            expires_at,
            found,
        })
    }

    /// That a claim is there and says something: an empty string or `null` names nobody.
    pub(super) fn require(&self, name: &str) -> Result<(), JwtError> {
        let span = match name {
            "iss" | "aud" | "exp" => return Ok(()),
            "nbf" => return present(self.found.not_before.is_some(), ClaimName::NotBefore),
            "iat" => return present(self.found.issued_at.is_some(), ClaimName::IssuedAt),
            "epoch" if self.found.epoch.is_some() => return Ok(()),
            "scope" => {
                return match self.found.scope {
                    ScopeClaim::Absent => Err(JwtError::MissingClaim(ClaimName::Other)),
                    ScopeClaim::Malformed => Err(JwtError::MalformedClaim(ClaimName::Other)),
                    _ => Ok(()),
                };
            }
            "sub" => self.found.subject,
            "jti" => self.found.id,
            "client_id" => self.found.client_id,
            "sid" => self.found.session_id,
            "tenant" if self.found.tenant.is_some() => self.found.tenant,
            _ => {
                let is_there = self.other(name).is_some_and(|value| !value.is_null());
                return present(is_there, ClaimName::named(name));
            }
        };
        let claim = ClaimName::named(name);
        let span = span.ok_or(JwtError::MissingClaim(claim))?;
        if self.text_at(span).is_empty() {
            return Err(JwtError::MalformedClaim(claim));
        }
        Ok(())
    }

    fn text_at(&self, span: Span) -> &str {
        let range = span.start as usize..span.end as usize;
        self.text.get(range).unwrap_or_default()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl ScopeClaim {
    fn read(value: Json<'_>) -> Self {
        match value {
            Json::String(text) => Self::Text(text.into_owned()),
            Json::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Json::String(text) => Some(text.into_owned()),
                    _ => None,
                })
                .collect::<Option<_>>()
                .map_or(Self::Malformed, Self::List),
            _ => Self::Malformed,
        }
    }
}

/// What the members of a payload have said so far.
#[derive(Default)]
struct Draft {
    unescaped: String,
    found: Found,
    /// The first claim that is not what it has to be.
    malformed: Option<JwtError>,
}

#[derive(Clone, Default)]
struct Found {
    issuer: Option<Span>,
    subject: Option<Span>,
    audiences: Option<Audiences>,
    expires_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    id: Option<Span>,
    client_id: Option<Span>,
    session_id: Option<Span>,
    tenant: Option<Span>,
    epoch: Option<u64>,
    scope: ScopeClaim,
    others: Vec<(String, Value)>,
}

impl Draft {
    #[inline]
    fn take(
        &mut self,
        payload: &str,
        private: bool,
        name: Cow<'_, str>,
        value: Json<'_>,
    ) -> Result<(), JwtError> {
        let Self {
            unescaped, found, ..
        } = self;
        let mut text = |value: &Json<'_>, claim: ClaimName| text(payload, unescaped, value, claim);
        match &*name {
            "iss" => found.issuer = Some(text(&value, ClaimName::Issuer)?),
            "sub" => found.subject = Some(text(&value, ClaimName::Subject)?),
            "aud" => found.audiences = Some(audiences(&value, text)?),
            "exp" => found.expires_at = Some(time(&value, ClaimName::ExpiresAt)?),
            "nbf" => found.not_before = Some(time(&value, ClaimName::NotBefore)?),
            "iat" => found.issued_at = Some(time(&value, ClaimName::IssuedAt)?),
            "jti" => found.id = Some(text(&value, ClaimName::Id)?),
            "client_id" => found.client_id = Some(text(&value, ClaimName::ClientId)?),
            "sid" => found.session_id = Some(text(&value, ClaimName::SessionId)?),
            "tenant" if private => found.tenant = Some(text(&value, ClaimName::Tenant)?),
            "epoch" if private => {
                let Json::Number(Number::Unsigned(number)) = value else {
                    return Err(JwtError::MalformedClaim(ClaimName::Epoch));
                };
                found.epoch = Some(number);
            }
            "scope" => found.scope = ScopeClaim::read(value),
            _ => found.others.push((name.into_owned(), value.into_value())),
        }
        Ok(())
    }
}

/// The place of a string in `payload`, or in what is `unescaped`, which follows it.
fn text(
    payload: &str,
    unescaped: &mut String,
    value: &Json<'_>,
    claim: ClaimName,
) -> Result<Span, JwtError> {
    let Json::String(text) = value else {
        return Err(JwtError::MalformedClaim(claim));
    };
    let start = place_within(payload, text).unwrap_or_else(|| {
        unescaped.push_str(text);
        payload.len() + unescaped.len() - text.len()
    });
    Span::new(start, text.len(), claim)
}

/// RFC 7519 §4.1.3: an array of strings, or one string.
fn audiences(
    value: &Json<'_>,
    mut text: impl FnMut(&Json<'_>, ClaimName) -> Result<Span, JwtError>,
) -> Result<Audiences, JwtError> {
    let items = match value {
        Json::Array(items) => items,
        one => std::slice::from_ref(one),
    };
    let mut spans = items.iter().map(|item| text(item, ClaimName::Audience));
    Ok(Audiences {
        first: spans.next().transpose()?,
        others: spans.collect::<Result<_, _>>()?,
    })
}

impl Span {
    fn new(start: usize, length: usize, claim: ClaimName) -> Result<Self, JwtError> {
        // No token is that long.
        let too_far = |_| JwtError::MalformedClaim(claim);
        Ok(Self {
            start: start.try_into().map_err(too_far)?,
            end: (start + length).try_into().map_err(too_far)?,
        })
    }
}

impl Audiences {
    fn iter(&self) -> impl Iterator<Item = &Span> {
        self.first.iter().chain(&self.others)
    }
}

/// Where in `whole` this very text lies; `None` for one that is kept elsewhere, as what is spelt with escapes is.
fn place_within(whole: &str, part: &str) -> Option<usize> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    (start.checked_add(part.len())? <= whole.len()).then_some(start)
}

/// RFC 7519 §2, NumericDate: seconds since the epoch, fractions allowed. Times before it are refused.
fn time(value: &Json<'_>, claim: ClaimName) -> Result<Timestamp, JwtError> {
    let malformed = JwtError::MalformedClaim(claim);
    let Json::Number(number) = value else {
        return Err(malformed);
    };
    let seconds = match *number {
        Number::Unsigned(seconds) => seconds,
        // In range, so the cast only drops the fraction.
        Number::Float(seconds) if (0.0..=MAX_TIME as f64).contains(&seconds) => seconds as u64,
        _ => return Err(malformed),
    };
    if seconds > MAX_TIME {
        Err(malformed)
    } else {
        Ok(seconds)
    }
}

fn present(is_there: bool, claim: ClaimName) -> Result<(), JwtError> {
    if is_there {
        Ok(())
    } else {
        Err(JwtError::MissingClaim(claim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Claims, JwtError> {
        Claims::read(json.to_owned(), true)
    }

    #[test]
    fn times_are_whole_seconds_from_any_number_that_is_one() {
        for (text, seconds) in [
            ("0", 0),
            ("1.9", 1),
            ("1e3", 1000),
            ("9007199254740992", MAX_TIME),
            ("-0.0", 0),
        ] {
            let claims = read(&format!(r#"{{"iss":"i","aud":"a","exp":{text}}}"#)).unwrap();
            assert_eq!(claims.expires_at(), seconds, "{text}");
        }
        for text in [
            "-1",
            "-0.5",
            "9007199254740993",
            "9.1e15",
            "1e300",
            "\"1\"",
            "null",
            "true",
            "[1]",
            "{}",
        ] {
            let error = read(&format!(r#"{{"iss":"i","aud":"a","exp":{text}}}"#)).unwrap_err();
            assert_eq!(
                error,
                JwtError::MalformedClaim(ClaimName::ExpiresAt),
                "{text}"
            );
        }
    }

    #[test]
    fn the_first_claim_of_a_wrong_type_is_the_one_that_is_told() {
        for text in [
            r#"{"iss":"i","aud":"a","sub":1,"jti":2,"exp":1}"#,
            // Read twice, for the white space.
            r#"{"iss":"i","aud":"a","sub":1,"jti":2,"exp":1 }"#,
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error, JwtError::MalformedClaim(ClaimName::Subject));
        }
    }

    #[test]
    fn a_text_is_within_another_or_kept_elsewhere() {
        let text = "abcdef";
        let whole = &text[1..4];
        assert_eq!(place_within(whole, &text[1..4]), Some(0));
        assert_eq!(place_within(whole, &text[3..4]), Some(2));
        assert_eq!(place_within(whole, &text[4..4]), Some(3));
        for elsewhere in [&text[..1], &text[..3], &text[3..5], &text[5..]] {
            assert_eq!(place_within(whole, elsewhere), None, "{elsewhere}");
        }
    }

    /// Whatever was taken before an escape counts for nothing: all of it is taken once more.
    #[test]
    fn what_is_read_twice_counts_once() {
        let plain = r#"{"scope":"s","x":1,"aud":["a","b"],"iss":"i","exp":1}"#;
        let escaped = r#"{"scope":"s","x":1,"aud":["a","b"],"iss":"\u0069","exp":1}"#;
        let [plain, escaped] = [plain, escaped].map(|text| read(text).unwrap());
        for name in ["scope", "x", "aud", "iss", "exp"] {
            assert_eq!(plain.member(name), escaped.member(name), "{name}");
        }
        assert_eq!(escaped.found.others.len(), 1);
    }

    #[test]
    fn strings_keep_apart() {
        let claims = read(
            r#"{"jti":"j","iss":"i\u0041","aud":["a","","\u0062"],"exp":1,"sub":"s","scope":["x"],"tenant":"t","epoch":7,"n":{"m":[1]}}"#,
        )
        .unwrap();
        assert_eq!(claims.issuer(), "iA");
        assert_eq!(claims.subject(), Some("s"));
        assert_eq!(claims.jti(), Some("j"));
        assert_eq!(claims.audiences().collect::<Vec<_>>(), ["a", "", "b"]);
        assert_eq!(claims.scope(), &ScopeClaim::List(vec!["x".to_owned()]));
        assert_eq!((claims.tenant(), claims.epoch()), (Some("t"), Some(7)));
        assert_eq!(claims.other("n"), Some(&serde_json::json!({"m": [1]})));
        assert_eq!(claims.other("iss"), None);
        assert_eq!(claims.session_id(), None);
    }
}
