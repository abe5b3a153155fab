//! Challenges, read as strictly as they have to be written.

use std::fmt;

/// One challenge of a `WWW-Authenticate` field (RFC 9110 §11.6.1).
///
/// ```
/// use gatewright_testing::Challenge;
///
/// let field = r#"Bearer realm="api", scope="links.read links.write", Basic realm="api""#;
/// let challenges = Challenge::parse(field).unwrap();
/// assert_eq!(challenges.len(), 2);
/// assert_eq!(challenges[0].param("Realm"), Some("api"));
/// assert_eq!(challenges[0].scopes(), ["links.read", "links.write"]);
/// assert!(challenges[1].is("basic"));
///
/// assert!(Challenge::parse(r#"Bearer realm="api" scope="a""#).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    params: Vec<(String, Param)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Param {
    value: String,
    quoted: bool,
}

/// What is wrong with a challenge, and at which byte of the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeError {
    at: usize,
    rule: &'static str,
}

impl Challenge {
    /// Reads the value of one `WWW-Authenticate` field.
    ///
    /// It takes what a sender may write, which is less than what a recipient should understand: no empty elements, no
    /// white space around `=`, no parameter twice, a quoted `realm`; and of `Bearer` also what RFC 6750 §3 asks for.
    ///
    /// # Errors
    ///
    /// [`ChallengeError`] for the first rule that is broken.
    pub fn parse(field: &str) -> Result<Vec<Self>, ChallengeError> {
        let mut reader = Reader { field, at: 0 };
        let mut challenges = Vec::new();
        loop {
            let start = reader.at;
            let challenge = reader.challenge()?;
            challenge
                .check()
                .map_err(|rule| ChallengeError { at: start, rule })?;
            challenges.push(challenge);
            if reader.is_at_end() {
                return Ok(challenges);
            }
            reader.comma()?;
        }
    }

    /// The scheme, as it is written.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether it is of this scheme; case does not matter (RFC 9110 §11.1).
    #[must_use]
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The value of a parameter, without its quotes; the case of the name does not matter (RFC 9110 §11.2).
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.find(name).map(|param| &*param.value)
    }

    /// The parameters in order, with their names as they are written.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params
            .iter()
            .map(|(name, param)| (&**name, &*param.value))
    }

    /// What stands in place of parameters (RFC 9110 §11.2).
    #[must_use]
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// The scopes of the parameter `scope`; none if there is no such parameter.
    #[must_use]
    pub fn scopes(&self) -> Vec<&str> {
        let scopes = self.param("scope").into_iter();
        scopes.flat_map(|scopes| scopes.split(' ')).collect()
    }

    fn find(&self, name: &str) -> Option<&Param> {
        let mut params = self.params.iter();
        let found = params.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, param)| param)
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.find("realm").is_some_and(|realm| !realm.quoted) {
            return Err("RFC 9110 §11.5: a realm is a quoted string");
        }
        if !self.is("Bearer") {
            return Ok(());
        }
        if self.params.is_empty() {
            return Err("RFC 6750 §3: Bearer is followed by one parameter or more");
        }
        if let Some(scope) = self.param("scope") {
            let is_token = |token: &str| {
                !token.is_empty() && token.bytes().all(|b| b != b' ' && is_description(b))
            };
            if !scope.split(' ').all(is_token) {
                return Err("RFC 6749 §3.3: scopes are parted by one space");
            }
        }
        if self.param("error").is_some_and(str::is_empty) {
            return Err("RFC 6749 appendix A.7: an error code is not empty");
        }
        let mut words = ["error", "error_description"].into_iter();
        if words.any(|name| {
            self.param(name)
                .is_some_and(|value| !value.bytes().all(is_description))
        }) {
            return Err("RFC 6750 §3: an error holds visible ASCII without quote and backslash");
        }
        Ok(())
    }
}

impl fmt::Display for ChallengeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.rule)
    }
}

impl std::error::Error for ChallengeError {}

struct Reader<'f> {
    field: &'f str,
    at: usize,
}

impl<'f> Reader<'f> {
    fn challenge(&mut self) -> Result<Challenge, ChallengeError> {
        let scheme = self.token()?.to_owned();
        let mut challenge = Challenge {
            scheme,
            token68: None,
            params: Vec::new(),
        };
        if self.ends_element() {
            return Ok(challenge);
        }
        if !self.skip(b" ") {
            return Err(self.error("RFC 9110 §11.6.1: a space follows the scheme"));
        }
        while self.skip(b" ") {}
        challenge.token68 = self.token68();
        if challenge.token68.is_some() {
            return Ok(challenge);
        }
        loop {
            let start = self.at;
            let (name, param) = self.param()?;
            if challenge.find(&name).is_some() {
                self.at = start;
                return Err(self.error("RFC 9110 §11.2: a parameter occurs once"));
            }
            challenge.params.push((name, param));
            let end = self.at;
            if self.is_at_end() {
                return Ok(challenge);
            }
            self.comma()?;
            if !self.begins_param() {
                self.at = end;
                return Ok(challenge);
            }
        }
    }

    fn param(&mut self) -> Result<(String, Param), ChallengeError> {
        let name = self.token()?.to_owned();
        if !self.skip(b"=") {
            return Err(self.error("RFC 9110 §11.2: `=` follows the name of a parameter"));
        }
        let quoted = self.skip(b"\"");
        let value = if quoted {
            self.quoted()?
        } else {
            self.token()?.to_owned()
        };
        Ok((name, Param { value, quoted }))
    }

    /// After the opening quote (RFC 9110 §5.6.4), in ASCII alone.
    fn quoted(&mut self) -> Result<String, ChallengeError> {
        let mut value = String::new();
        loop {
            let byte = match self.next() {
                Some(b'"') => return Ok(value),
                Some(b'\\') => self.next(),
                byte => byte,
            };
            match byte {
                Some(byte @ (b'\t' | b' '..=b'~')) => value.push(char::from(byte)),
                _ => return Err(self.error("RFC 9110 §5.6.4: a quoted string is visible and ends")),
            }
        }
    }

    /// A token (RFC 9110 §5.6.2).
    fn token(&mut self) -> Result<&'f str, ChallengeError> {
        let token = self.run(is_token_byte);
        if token.is_empty() {
            return Err(self.error("RFC 9110 §5.6.2: a token is expected"));
        }
        Ok(token)
    }

    fn token68(&mut self) -> Option<String> {
        let start = self.at;
        let body = self.run(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b));
        while self.skip(b"=") {}
        if body.is_empty() || !self.ends_element() {
            self.at = start;
            return None;
        }
        self.field.get(start..self.at).map(str::to_owned)
    }

    fn begins_param(&mut self) -> bool {
        let start = self.at;
        let is_param = !self.run(is_token_byte).is_empty() && self.skip(b"=");
        self.at = start;
        is_param
    }

    /// Whether a comma or the end comes next.
    fn ends_element(&mut self) -> bool {
        let start = self.at;
        let ends = self.is_at_end() || self.comma().is_ok();
        self.at = start;
        ends
    }

    /// A comma with white space around it, and something after it (RFC 9110 §5.6.1.1).
    fn comma(&mut self) -> Result<(), ChallengeError> {
        self.run(is_white);
        if !self.skip(b",") {
            return Err(self.error("RFC 9110 §5.6.1: a comma is expected"));
        }
        self.run(is_white);
        Ok(())
    }

    fn run(&mut self, accepts: impl Fn(u8) -> bool) -> &'f str {
        let rest = self.field.get(self.at..).unwrap_or_default();
        let length = rest.bytes().take_while(|byte| accepts(*byte)).count();
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn skip(&mut self, byte: &[u8; 1]) -> bool {
        let found = self.field.as_bytes().get(self.at) == Some(&byte[0]);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.field.as_bytes().get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn is_at_end(&self) -> bool {
        self.at == self.field.len()
    }

    fn error(&self, rule: &'static str) -> ChallengeError {
        ChallengeError { at: self.at, rule }
    }
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What RFC 6750 §3 allows in the values of its parameters.
fn is_description(byte: u8) -> bool {
    matches!(byte, b' '..=b'!' | b'#'..=b'[' | b']'..=b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read<'a> = Vec<(&'a str, Option<&'a str>, Vec<(&'a str, &'a str)>)>;

    fn read(challenges: &[Challenge]) -> Read<'_> {
        challenges
            .iter()
            .map(|c| (c.scheme(), c.token68(), c.params().collect()))
            .collect()
    }

    #[test]
    fn well_formed_fields_are_read_whole() {
        let table: [(&str, Read<'_>); 8] = [
            // RFC 9110 §11.6.1, its example.
            (
                r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#,
                vec![
                    ("Basic", None, vec![("realm", "simple")]),
                    (
                        "Newauth",
                        None,
                        vec![
                            ("realm", "apps"),
                            ("type", "1"),
                            ("title", "Login to \"apps\""),
                        ],
                    ),
                ],
            ),
            // RFC 6750 §3, its examples.
            (
                r#"Bearer realm="example""#,
                vec![("Bearer", None, vec![("realm", "example")])],
            ),
            (
                "Bearer realm=\"example\",\terror=\"invalid_token\"",
                vec![(
                    "Bearer",
                    None,
                    vec![("realm", "example"), ("error", "invalid_token")],
                )],
            ),
            ("Negotiate", vec![("Negotiate", None, vec![])]),
            (
                "Negotiate, Basic realm=\"\"",
                vec![
                    ("Negotiate", None, vec![]),
                    ("Basic", None, vec![("realm", "")]),
                ],
            ),
            (
                "Negotiate YII+/==",
                vec![("Negotiate", Some("YII+/=="), vec![])],
            ),
            (
                "Negotiate abc , Other x=y",
                vec![
                    ("Negotiate", Some("abc"), vec![]),
                    ("Other", None, vec![("x", "y")]),
                ],
            ),
            (
                r#"Other a="b, c=d", e="f\\g""#,
                vec![("Other", None, vec![("a", "b, c=d"), ("e", "f\\g")])],
            ),
        ];
        for (field, expected) in table {
            assert_eq!(read(&Challenge::parse(field).unwrap()), expected, "{field}");
        }
    }

    #[test]
    fn malformed_fields_are_refused() {
        let table = [
            ("", "§5.6.2"),
            (" Basic", "§5.6.2"),
            ("Basic ", "§5.6.2"),
            ("Basic,", "§5.6.2"),
            (",Basic", "§5.6.2"),
            ("Basic realm=\"a\",", "§5.6.2"),
            ("Basic realm=\"a\", , x=y", "§5.6.2"),
            ("Basic, realm=\"a\"", "§11.6.1"),
            ("Basic\trealm=\"a\"", "§11.6.1"),
            ("Basic=\"a\"", "§11.6.1"),
            ("Basic realm =\"a\"", "§11.2"),
            ("Basic realm= \"a\"", "§5.6.2"),
            ("Basic realm=a", "§11.5"),
            ("Basic realm=\"a", "§5.6.4"),
            ("Basic realm=\"a\\", "§5.6.4"),
            ("Basic realm=\"a\nb\"", "§5.6.4"),
            ("Basic realm=\"é\"", "§5.6.4"),
            ("Basic realm=\"a\" x=y", "§5.6.1"),
            ("Basic realm=\"a\"; x=y", "§5.6.1"),
            ("Basic realm=\"a\", Realm=\"b\"", "§11.2"),
            ("Bearer", "RFC 6750 §3"),
            ("Bearer abc", "RFC 6750 §3"),
            ("Bearer scope=\"a  b\"", "RFC 6749 §3.3"),
            ("Bearer scope=\"\"", "RFC 6749 §3.3"),
            ("Bearer scope=\"a\\\"b\"", "RFC 6749 §3.3"),
            ("Bearer error=\"\"", "appendix A.7"),
            ("Bearer error_description=\"a \\\\ b\"", "RFC 6750 §3"),
        ];
        for (field, rule) in table {
            let error = Challenge::parse(field).unwrap_err();
            assert!(error.to_string().contains(rule), "{field:?}: {error}");
        }
    }
}
