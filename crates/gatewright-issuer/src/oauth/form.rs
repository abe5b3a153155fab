//! Parameters in a form body (RFC 6749 §3.2 and appendix B).

use std::fmt;

use gatewright_core::error::{AuthError, ErrorCode};
use zeroize::Zeroizing;

use super::OAuthRequest;

/// More parameters than any request of OAuth has.
const MAX_PARAMETERS: usize = 64;
/// The one parameter that may repeat (RFC 8707 §2).
const RESOURCE: &str = "resource";
/// What must not stand in a URL, where logs and histories would keep it (RFC 6749 §2.3.1).
const NEVER_IN_QUERY: [&str; 6] = [
    "client_id",
    "client_secret",
    "client_assertion",
    "grant_type",
    "token",
    "access_token",
];

/// The parameters of a request. Values are cleared from memory afterwards, since some are secrets.
pub(super) struct Form(Vec<(Zeroizing<String>, Zeroizing<String>)>);

impl Form {
    /// Reads the body.
    ///
    /// # Errors
    /// `method_not_allowed` for another method than `POST`, `payload_too_large` above [`OAuthRequest::MAX_BODY`],
    /// `invalid_request` for a body that is no form, for a repeated parameter (RFC 6749 §3.2), and for credentials in the
    /// query (RFC 6749 §2.3.1).
    pub(super) fn read(request: &OAuthRequest<'_>) -> Result<Self, AuthError> {
        if request.method != "POST" {
            return Err(AuthError::new(ErrorCode::MethodNotAllowed).with_field("allow", "POST"));
        }
        if request.query.is_some_and(has_credentials) {
            return Err(invalid_request("Parameters are not read from the query"));
        }
        if !request.content_type.is_some_and(is_form) {
            return Err(invalid_request(
                "The body is not application/x-www-form-urlencoded",
            ));
        }
        if request.body.len() > OAuthRequest::MAX_BODY {
            return Err(AuthError::new(ErrorCode::PayloadTooLarge));
        }
        Self::parse(request.body)
    }

    fn parse(body: &[u8]) -> Result<Self, AuthError> {
        let mut parameters: Vec<(Zeroizing<String>, Zeroizing<String>)> = Vec::new();
        for pair in body.split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            let (name, value) = split_once(pair, b'=').unwrap_or((pair, b""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(invalid_request("The body is not a well-formed form"));
            };
            if *name != RESOURCE && parameters.iter().any(|(other, _)| *other == name) {
                return Err(invalid_request("A parameter is repeated"));
            }
            if parameters.len() == MAX_PARAMETERS {
                return Err(invalid_request("There are too many parameters"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// The parameter's value. One without a value counts as omitted (RFC 6749 §3.2).
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The parameter's value.
    ///
    /// # Errors
    /// `invalid_request` where it is omitted.
    pub(super) fn required(&self, name: &str) -> Result<&str, AuthError> {
        self.one(name)
            .ok_or_else(|| invalid_request("A required parameter is missing"))
    }

    /// The indicators of the resources that a token is asked for.
    pub(super) fn resources(&self) -> impl Iterator<Item = &str> {
        self.all(RESOURCE)
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(own, value)| **own == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Form(redacted)")
    }
}

/// Decodes a name or a value: `+` is a space, `%XX` a byte. `None` for a broken escape and for what is not UTF-8.
pub(super) fn decode(text: &[u8]) -> Option<Zeroizing<String>> {
    // Room for all at once: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let [high, low, after @ ..] = rest else {
                    return None;
                };
                rest = after;
                hex(*high)? << 4 | hex(*low)?
            }
            byte => *byte,
        });
    }
    std::str::from_utf8(&bytes).ok()?;
    let text = String::from_utf8(std::mem::take(&mut *bytes)).ok()?;
    Some(Zeroizing::new(text))
}

pub(super) fn invalid_request(message: &'static str) -> AuthError {
    AuthError::new(ErrorCode::InvalidRequest).with_message(message)
}

pub(super) fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    let (before, after) = bytes.split_at_checked(at)?;
    Some((before, after.get(1..)?))
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn has_credentials(query: &str) -> bool {
    query.as_bytes().split(|byte| *byte == b'&').any(|pair| {
        let name = split_once(pair, b'=').map_or(pair, |(name, _)| name);
        decode(name).is_some_and(|name| NEVER_IN_QUERY.contains(&name.as_str()))
    })
}

/// Whether the media type is that of a form, whatever its parameters (RFC 9110 §8.3.1).
fn is_form(content_type: &[u8]) -> bool {
    let essence = split_once(content_type, b';').map_or(content_type, |(essence, _)| essence);
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &[u8]) -> Result<Form, AuthError> {
        let form: &[u8] = b"application/x-www-form-urlencoded";
        Form::read(&OAuthRequest::post(body).content_type(Some(form)))
    }

    #[test]
    fn escapes_are_decoded_or_refused() {
        let decoded = |text: &str| decode(text.as_bytes()).map(|text| text.to_string());
        // RFC 6749 appendix B
        assert_eq!(
            decoded("+%25%26%2B%C2%A3%E2%82%AC").as_deref(),
            Some(" %&+£€")
        );
        for broken in ["%", "%4", "%zz", "a%2", "%-1", "%ff", "%C2"] {
            assert_eq!(decoded(broken), None, "{broken}");
        }
    }

    #[test]
    fn media_types_of_a_form() {
        for form in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
            "application/x-www-form-urlencoded ;x",
        ] {
            assert!(is_form(form.as_bytes()), "{form}");
        }
        for other in [
            "",
            "application/json",
            "application/x-www-form-urlencoded2",
            "multipart/form-data",
        ] {
            assert!(!is_form(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn what_may_repeat_and_what_counts_as_omitted() {
        let form = read(b"&a=1&b=&c&resource=x&resource=&resource=y&").unwrap();
        assert_eq!(form.one("a"), Some("1"));
        for omitted in ["b", "c", "d"] {
            assert_eq!(form.one(omitted), None);
        }
        assert_eq!(form.resources().collect::<Vec<_>>(), ["x", "y"]);
        for repeated in [&b"a=1&a=1"[..], b"a=1&%61=2", b"a=&a=1", b"a&a"] {
            let refusal = read(repeated).unwrap_err();
            assert_eq!(refusal.code(), ErrorCode::InvalidRequest);
        }
        assert!(!format!("{form:?}").contains('1'));
    }

    #[test]
    fn bodies_are_bounded() {
        let long = vec![b'a'; OAuthRequest::MAX_BODY + 1];
        assert_eq!(read(&long).unwrap_err().code(), ErrorCode::PayloadTooLarge);
        assert!(read(&long[1..]).is_ok());
        let many = "resource=x&".repeat(MAX_PARAMETERS + 1);
        assert!(read(many.as_bytes()).is_err());
        assert!(read(&many.as_bytes()["resource=x&".len()..]).is_ok());
    }

    proptest! {
        /// `form_urlencoded` writes what is read here.
        #[test]
        fn what_another_writes_is_read(values in prop::collection::btree_map("[a-z_ é%&=+]{1,9}", any::<String>(), 0..9)) {
            let mut body = form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(&values);
            let form = read(body.finish().as_bytes()).unwrap();
            for (name, value) in &values {
                let expected = Some(value.as_str()).filter(|value| !value.is_empty());
                prop_assert_eq!(form.one(name), expected);
            }
        }

        #[test]
        fn any_bytes_are_a_form_or_not(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&body);
        }
    }
}
