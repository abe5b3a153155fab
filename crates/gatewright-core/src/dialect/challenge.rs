//! The challenge of a refusal (RFC 9110 §11.6.1, RFC 6750 §3, RFC 7617 §2, RFC 9728 §5.1).

use super::{Dialect, RenderContext};
use crate::error::{AuthError, Cause, ErrorCode};

/// The value of `WWW-Authenticate`, where the answer has one.
pub(super) fn write(
    error: &AuthError,
    message: &str,
    context: &RenderContext<'_>,
) -> Option<String> {
    let code = error.code();
    let wanted = match code.status() {
        401 => true,
        403 => code == ErrorCode::InsufficientScope,
        400 => matches!(
            error.cause(),
            Some(Cause::TokenInQuery | Cause::AmbiguousField)
        ),
        _ => false,
    };
    if !wanted {
        return None;
    }
    if asks_for_client(code, context.dialect) {
        let mut challenge = Params::new("Basic");
        challenge.push("realm", context.realm);
        return Some(challenge.text);
    }

    let mut challenge = Params::new("Bearer");
    // Always there, so that the scheme never stands without a parameter.
    challenge.push("realm", context.realm);
    if let Some(name) = bearer_code(code) {
        challenge.push("error", name);
        challenge.push("error_description", &description(message));
    }
    let scopes = scope_list(context.missing(error));
    if !scopes.is_empty() {
        challenge.push("scope", &scopes);
    }
    if let Some(url) = context.resource_metadata.filter(|url| is_scope_token(url)) {
        challenge.push("resource_metadata", url);
    }
    Some(challenge.text)
}

fn asks_for_client(code: ErrorCode, dialect: Dialect) -> bool {
    match code {
        ErrorCode::InvalidClient => true,
        ErrorCode::MissingBearerToken | ErrorCode::InvalidCredentials => dialect == Dialect::OAuth,
        _ => false,
    }
}

/// The codes that RFC 6750 §3.1 knows. Where nothing was presented, or what was presented isn't a
/// bearer token, the challenge has none.
fn bearer_code(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::InvalidRequest => Some("invalid_request"),
        ErrorCode::InvalidToken
        | ErrorCode::InvalidTokenFormat
        | ErrorCode::TokenExpired
        | ErrorCode::TokenRevoked => Some("invalid_token"),
        ErrorCode::InsufficientScope => Some("insufficient_scope"),
        _ => None,
    }
}

/// One challenge under construction; whoever writes it pushes each name once.
struct Params {
    text: String,
    separator: &'static str,
}

impl Params {
    fn new(scheme: &str) -> Self {
        Self {
            text: scheme.to_owned(),
            separator: " ",
        }
    }

    /// Appends `name="value"`. The value becomes a quoted-string (RFC 9110 §5.6.4) of visible ASCII
    /// and spaces: quotes and backslashes are escaped, everything else is replaced.
    fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(self.separator);
        self.separator = ", ";
        self.text.push_str(name);
        self.text.push_str("=\"");
        for c in value.chars() {
            match c {
                '"' | '\\' => self.text.extend(['\\', c]),
                ' '..='~' => self.text.push(c),
                _ => self.text.push(replacement(c)),
            }
        }
        self.text.push('"');
    }
}

/// Text cut to what `error_description` may hold: %x20-21 / %x23-5B / %x5D-7E (RFC 6749 §5.2,
/// RFC 6750 §3).
pub(super) fn description(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => c,
            _ => replacement(c),
        })
        .collect()
}

fn replacement(c: char) -> char {
    if c.is_whitespace() || c.is_control() {
        ' '
    } else {
        '?'
    }
}

/// The names separated by single spaces, each once (RFC 6749 §3.3). A name that is no scope-token is
/// left out whole: a part of it would be another scope.
fn scope_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut list: Vec<&str> = Vec::new();
    for name in names.filter(|name| is_scope_token(name)) {
        if !list.contains(&name) {
            list.push(name);
        }
    }
    list.join(" ")
}

/// 1*( %x21 / %x23-5B / %x5D-7E )
fn is_scope_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_list_drops_what_is_no_scope_token() {
        let names = ["links.read", "a b", "x\"y", "", "links.read", "mcp:call"];
        assert_eq!(scope_list(names.into_iter()), "links.read mcp:call");
    }

    #[test]
    fn a_description_stays_in_its_character_set() {
        assert_eq!(description("a\"b\\c\r\nd é"), "a'b/c  d ?");
    }
}
