//! Reads the Bearer challenge of an answer (RFC 9110 §11.6.1, RFC 6750 §3).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Longer challenges are not read, nor more scopes than this.
const MAX_LENGTH: usize = 8 * 1024;
const MAX_SCOPES: usize = 64;

/// What the first Bearer challenge with an `error` or a `scope` says.
#[derive(Default)]
pub(super) struct BearerChallenge {
    pub(super) error: Option<String>,
    pub(super) scopes: Vec<String>,
}

impl BearerChallenge {
    /// Reads what is well formed and skips the rest: a server's mistake elsewhere in the list hides nothing.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        let mut left = MAX_LENGTH;
        for line in headers.get_all(WWW_AUTHENTICATE) {
            let Some(rest) = left.checked_sub(line.len()) else {
                break;
            };
            left = rest;
            found.read_line(line.as_bytes());
            if found.error.is_some() || !found.scopes.is_empty() {
                break;
            }
        }
        found
    }

    fn read_line(&mut self, line: &[u8]) {
        let mut is_bearer = false;
        for item in items(line) {
            let (name, rest) = token(item);
            let mut param = rest.trim_ascii_start();
            let mut name = name;
            if !param.starts_with(b"=") && !name.is_empty() {
                // A name that no `=` follows starts the next challenge, and its first parameter may stand here.
                if self.error.is_some() || !self.scopes.is_empty() {
                    return;
                }
                is_bearer = name.eq_ignore_ascii_case(b"bearer");
                (name, param) = token(param);
                param = param.trim_ascii_start();
            }
            if let Some(value) = param.strip_prefix(b"=")
                && is_bearer
            {
                self.read_param(name, value.trim_ascii());
            }
        }
    }

    fn read_param(&mut self, name: &[u8], value: &[u8]) {
        let Some(value) = unquoted(value) else {
            return;
        };
        if name.eq_ignore_ascii_case(b"error") && self.error.is_none() {
            self.error = Some(value);
        } else if name.eq_ignore_ascii_case(b"scope") && self.scopes.is_empty() {
            let scopes = value.split(' ').filter(|scope| is_scope_token(scope));
            self.scopes = scopes.take(MAX_SCOPES).map(str::to_owned).collect();
        }
    }
}

/// The parts between commas that stand outside quotes.
fn items(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |b| {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' => return !quoted,
            _ => {}
        }
        false
    })
    .map(<[u8]>::trim_ascii)
}

/// The token (RFC 9110 §5.6.2) at the start, and the rest.
fn token(text: &[u8]) -> (&[u8], &[u8]) {
    let is_tchar = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let end = text.iter().position(|b| !is_tchar(b));
    text.split_at(end.unwrap_or(text.len()))
}

/// The text of a token or a quoted-string (RFC 9110 §5.6.4); `None` if it is neither, or not ASCII.
fn unquoted(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value)
        .ok()
        .filter(|_| value.is_ascii())?;
    let Some(inner) = text.strip_prefix('"') else {
        let (name, rest) = token(value);
        return (!name.is_empty() && rest.is_empty()).then(|| text.to_owned());
    };
    let mut plain = String::new();
    let mut characters = inner.chars();
    loop {
        match characters.next()? {
            '"' => return characters.as_str().is_empty().then_some(plain),
            '\\' => plain.push(characters.next()?),
            other => plain.push(other),
        }
    }
}

/// 1*( %x21 / %x23-5B / %x5D-7E ) (RFC 6749 §3.3)
fn is_scope_token(text: &str) -> bool {
    let known = |b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(lines: &[&str]) -> (Option<String>, String) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap());
        }
        let challenge = BearerChallenge::read(&headers);
        (challenge.error, challenge.scopes.join(" "))
    }

    #[test]
    fn challenges_as_servers_write_them() {
        for (lines, error, scopes) in [
            (
                &[r#"Bearer realm="api", error="insufficient_scope", scope="links.read mcp:call""#]
                    [..],
                Some("insufficient_scope"),
                "links.read mcp:call",
            ),
            (
                &[r#"bearer error=invalid_token"#],
                Some("invalid_token"),
                "",
            ),
            (
                &[r#"Bearer error = "invalid_token""#],
                Some("invalid_token"),
                "",
            ),
            (
                &[r#"Basic realm="a, Bearer error=x", Bearer error="e""#],
                Some("e"),
                "",
            ),
            (&[r#"Negotiate abc==, Bearer, error="e""#], Some("e"), ""),
            (
                &[r#"Bearer realm="a\", error=\"x", error="e""#],
                Some("e"),
                "",
            ),
            (&[r#"Basic realm="b""#, r#"Bearer scope="a""#], None, "a"),
            (
                &[r#"Bearer error="first", Bearer error="second""#],
                Some("first"),
                "",
            ),
            (&[r#"Bearer error="a", Digest scope="b""#], Some("a"), ""),
            (&[r#"Bearer error="a", Bearer scope="b""#], Some("a"), ""),
            (
                &[r#"Bearer , , error="e",, scope="a  b""#],
                Some("e"),
                "a b",
            ),
            (&[r#"Bearer scope="a b\"c d""#], None, "a d"),
            // Not a challenge for bearers, or not well formed.
            (&[r#"Digest error="e", scope="a""#], None, ""),
            (&[r#"error="e""#], None, ""),
            (&[r#"Bearer error="unclosed"#], None, ""),
            (&[r#"Bearer error="a"b"#], None, ""),
            (&[r#"Bearer error="#], None, ""),
            (&[""], None, ""),
            (&[], None, ""),
        ] {
            assert_eq!(
                read(lines),
                (error.map(str::to_owned), scopes.to_owned()),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn neither_length_nor_number_is_without_bound() {
        let long = format!("Bearer realm=\"{}\", error=\"e\"", "a".repeat(MAX_LENGTH));
        assert_eq!(read(&[&long]).0, None);
        let many = format!("Bearer scope=\"{}\"", "a ".repeat(1000));
        assert_eq!(read(&[&many]).1.split(' ').count(), MAX_SCOPES);
    }
}
