//! The claims of a verified token.

use std::fmt;

use serde_json::Value;

use super::error::{ClaimName, JwtError};
use super::json::{Json, Number, Object};
use crate::time::Timestamp;

/// Above this a float can't hold every integer (RFC 7493 §2.2), so no time above it means one moment.
const MAX_TIME: u64 = 1 << 53;

/// What a token says, after its signature and the verifier's rules held. Only [`Verifier`](super::Verifier) makes it.
///
/// Registered claims that are present have their one right type; other members are found by [`Claims::other`].
#[derive(Clone)]
pub struct Claims {
    /// All the strings, one after the other: one allocation for most tokens.
    text: String,
    issuer: Span,
    subject: Option<Span>,
    audiences: Vec<Span>,
    expires_at: Timestamp,
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

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
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
        self.subject.map(|span| self.text_at(span))
    }

    /// `aud`, in order; one of them is the verifier's.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.audiences.iter().map(|span| self.text_at(*span))
    }

    /// `exp`, the first second in which the token is no longer valid; fractions are dropped.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// `nbf`; fractions are dropped.
    #[must_use]
    pub fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// `iat`; fractions are dropped.
    #[must_use]
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.issued_at
    }

    /// `jti`
    #[must_use]
    pub fn jti(&self) -> Option<&str> {
        self.id.map(|span| self.text_at(span))
    }

    /// `client_id` (RFC 8693 §4.3)
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.map(|span| self.text_at(span))
    }

    /// `sid`, the session.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.map(|span| self.text_at(span))
    }

    /// `tenant`, read by a verifier with [`private_claims`](super::VerifierBuilder::private_claims) only.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.map(|span| self.text_at(span))
    }

    /// `epoch`, the revocation epoch of the user or client when the token was issued; read by a verifier with
    /// [`private_claims`](super::VerifierBuilder::private_claims) only.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// `scope`
    #[must_use]
    pub fn scope(&self) -> &ScopeClaim {
        &self.scope
    }

    /// Any member that has no accessor here.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&Value> {
        self.others
            .iter()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Reads the members of a payload. Private claims are typed only where the verifier says that they are ours: in a
    /// token of somebody else's those names may mean anything.
    pub(super) fn read(payload: Object<'_>, bytes: usize, private: bool) -> Result<Self, JwtError> {
        let mut text = Text(String::with_capacity(bytes));
        let mut issuer = None;
        let mut expires_at = None;
        let mut audiences = None;
        let (mut not_before, mut issued_at) = (None, None);
        let (mut subject, mut id, mut client_id, mut session_id, mut tenant) =
            (None, None, None, None, None);
        let mut epoch = None;
        let mut scope = ScopeClaim::Absent;
        let mut others = Vec::new();
        for (name, value) in payload.into_members() {
            match &*name {
                "iss" => issuer = Some(text.take(&value, ClaimName::Issuer)?),
                "sub" => subject = Some(text.take(&value, ClaimName::Subject)?),
                "aud" => audiences = Some(text.take_audiences(&value)?),
                "exp" => expires_at = Some(time(&value, ClaimName::ExpiresAt)?),
                "nbf" => not_before = Some(time(&value, ClaimName::NotBefore)?),
                "iat" => issued_at = Some(time(&value, ClaimName::IssuedAt)?),
                "jti" => id = Some(text.take(&value, ClaimName::Id)?),
                "client_id" => client_id = Some(text.take(&value, ClaimName::ClientId)?),
                "sid" => session_id = Some(text.take(&value, ClaimName::SessionId)?),
                "tenant" if private => tenant = Some(text.take(&value, ClaimName::Tenant)?),
                "epoch" if private => {
                    let Json::Number(Number::Unsigned(number)) = value else {
                        return Err(JwtError::MalformedClaim(ClaimName::Epoch));
                    };
                    epoch = Some(number);
                }
                "scope" => scope = ScopeClaim::read(value),
                _ => others.push((name.into_owned(), value.into_value())),
            }
        }
        Ok(Self {
            text: text.0,
            issuer: issuer.ok_or(JwtError::MissingClaim(ClaimName::Issuer))?,
            subject,
            audiences: audiences.ok_or(JwtError::MissingClaim(ClaimName::Audience))?,
            expires_at: expires_at.ok_or(JwtError::MissingClaim(ClaimName::ExpiresAt))?,
            not_before,
            issued_at,
            id,
            client_id,
            session_id,
            tenant,
            epoch,
            scope,
            others,
        })
    }

    /// That a claim is there and says something: an empty string or `null` names nobody.
    pub(super) fn require(&self, name: &str) -> Result<(), JwtError> {
        let span = match name {
            "iss" | "aud" | "exp" => return Ok(()),
            "nbf" => return present(self.not_before.is_some(), ClaimName::NotBefore),
            "iat" => return present(self.issued_at.is_some(), ClaimName::IssuedAt),
            "epoch" if self.epoch.is_some() => return Ok(()),
            "scope" => {
                return match self.scope {
                    ScopeClaim::Absent => Err(JwtError::MissingClaim(ClaimName::Other)),
                    ScopeClaim::Malformed => Err(JwtError::MalformedClaim(ClaimName::Other)),
                    _ => Ok(()),
                };
            }
            "sub" => self.subject,
            "jti" => self.id,
            "client_id" => self.client_id,
            "sid" => self.session_id,
            "tenant" if self.tenant.is_some() => self.tenant,
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
        self.text.get(span.start..span.end).unwrap_or_default()
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

struct Text(String);

impl Text {
    fn push(&mut self, text: &str) -> Span {
        let start = self.0.len();
        self.0.push_str(text);
        Span {
            start,
            end: self.0.len(),
        }
    }

    fn take(&mut self, value: &Json<'_>, claim: ClaimName) -> Result<Span, JwtError> {
        match value {
            Json::String(text) => Ok(self.push(text)),
            _ => Err(JwtError::MalformedClaim(claim)),
        }
    }

    /// RFC 7519 §4.1.3: an array of strings, or one string.
    fn take_audiences(&mut self, value: &Json<'_>) -> Result<Vec<Span>, JwtError> {
        match value {
            Json::Array(items) => items
                .iter()
                .map(|item| self.take(item, ClaimName::Audience))
                .collect(),
            one => Ok(vec![self.take(one, ClaimName::Audience)?]),
        }
    }
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
        let object = Object::parse(json.as_bytes()).unwrap();
        Claims::read(object, json.len(), true)
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
    fn strings_keep_apart() {
        let claims = read(
            r#"{"jti":"j","iss":"i\u0041","aud":["a","","b"],"exp":1,"sub":"s","scope":["x"],"tenant":"t","epoch":7,"n":{"m":[1]}}"#,
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
