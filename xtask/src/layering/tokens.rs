//! Rust text cut into the tokens that a path is made of; comments and literals fall out.

/// A piece of the text, and the line it stands on, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) line: usize,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// An identifier, a keyword or a number; `r#x` is `x`.
    Word(&'a str),
    /// `::`
    Separator,
    /// Any other character that is not white space.
    Mark(char),
}

/// Cuts the text. `$crate` comes out as `crate`, which it means in our own macros.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let (length, kind) = piece(rest, first);
        let (piece, after) = rest.split_at(length);
        if let Some(kind) = kind {
            found.push(Token { kind, line });
        }
        line += piece.matches('\n').count();
        rest = after;
    }
    found
}

/// The length in bytes of what the text begins with, and the token that it makes, if any.
fn piece(text: &str, first: char) -> (usize, Option<Kind<'_>>) {
    if text.starts_with("//") {
        return (text.find('\n').unwrap_or(text.len()), None);
    }
    if text.starts_with("/*") {
        return (block_comment(text), None);
    }
    if text.starts_with("::") {
        return (2, Some(Kind::Separator));
    }
    match first {
        '"' => (quoted(text), None),
        '\'' => (character_or_lifetime(text), None),
        '$' => (1, None),
        _ if is_word(first) => {
            let length = word(text);
            let (name, after) = text.split_at(length);
            if matches!(name, "r" | "br" | "cr") && after.starts_with(['"', '#']) {
                raw(length, after)
            } else {
                (length, Some(Kind::Word(name)))
            }
        }
        _ if first.is_whitespace() => (first.len_utf8(), None),
        _ => (first.len_utf8(), Some(Kind::Mark(first))),
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn word(text: &str) -> usize {
    text.find(|c| !is_word(c)).unwrap_or(text.len())
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(offset) = text[at..].find(['/', '*']) {
        at += offset;
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn character_or_lifetime(text: &str) -> usize {
    let inside = &text[1..];
    let Some(first) = inside.chars().next() else {
        return 1;
    };
    if first == '\\' {
        // The quote that closes comes after the escaped character, which may be a quote itself.
        let escaped = inside.chars().nth(1).map_or(0, char::len_utf8);
        let after = 2 + escaped;
        return text[after..]
            .find('\'')
            .map_or(text.len(), |at| after + at + 1);
    }
    if inside[first.len_utf8()..].starts_with('\'') {
        return first.len_utf8() + 2;
    }
    1 + word(inside)
}

/// What follows `r`, `br` or `cr`: a raw string, or the name of a raw identifier.
fn raw(prefix: usize, after: &str) -> (usize, Option<Kind<'_>>) {
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = &after[hashes..];
    if let Some(inside) = body.strip_prefix('"') {
        let close = format!("\"{}", "#".repeat(hashes));
        let length = match inside.find(&close) {
            Some(at) => 1 + at + close.len(),
            None => body.len(),
        };
        return (prefix + hashes + length, None);
    }
    let length = word(body);
    let name = &body[..length];
    (prefix + hashes + length, Some(Kind::Word(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text)
            .into_iter()
            .filter_map(|token| match token.kind {
                Kind::Word(word) => Some(word),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn comments_and_literals_fall_out() {
        for text in [
            "a // crate::x\nb",
            "a /* x /* y */ crate::z */ b",
            "a \"crate::x \\\" y\" b",
            "a r\"x \\\" b",
            "a r#\"x \" y\"# b",
            "a '\\'' b",
            "a '\"' b",
            "a 'é' b",
            "a '\\u{e9}' b",
            "a 'lifetime b",
            "/// crate::x\na b",
        ] {
            assert_eq!(words(text), ["a", "b"], "{text}");
        }
    }

    #[test]
    fn names_stay() {
        assert_eq!(
            words("r#type $crate naïve r"),
            ["type", "crate", "naïve", "r"]
        );
        assert_eq!(
            tokens("a::b").iter().map(|t| t.kind).collect::<Vec<_>>(),
            [Kind::Word("a"), Kind::Separator, Kind::Word("b")]
        );
    }

    #[test]
    fn lines_are_counted_through_literals() {
        let text = "\"one\ntwo\" /* \n */ here";
        assert_eq!(tokens(text)[0].line, 3);
    }

    #[test]
    fn text_that_ends_early_ends() {
        for text in ["/* x", "\"x", "'", "'\\", "r#\"x", "r#", "a::"] {
            let _ = tokens(text);
        }
    }
}
