//! A scope against its grammar and against what it denotes.
//!
//! The texts before and after a line break are read as scopes.

#![no_main]

use gatewright_core::scope::Scope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (first, second) = text.split_once('\n').unwrap_or((text, text));
    let (first, second) = (read(first), read(second));
    if let (Some(first), Some(second)) = (&first, &second) {
        compare(first, second);
        compare(second, first);
        assert_eq!(
            first.covers(second) && second.covers(first),
            first == second,
            "covering is antisymmetric"
        );
        assert!(Scope::ALL.covers(first));
    }
});

fn read(text: &str) -> Option<Scope> {
    let scope = text.parse::<Scope>().ok();
    assert_eq!(scope.is_some(), is_scope(text), "{text:?}");
    if let Some(scope) = &scope {
        assert_eq!(scope.as_str(), text);
        assert_eq!(scope.is_permission(), !text.contains('*'));
    }
    scope
}

/// Segments joined by separators, the last of them perhaps a star.
fn is_scope(text: &str) -> bool {
    let segments: Vec<&str> = text.split(['.', ':']).collect();
    let plain = |segment: &&str| {
        !segment.is_empty()
            && segment
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let (last, before) = segments.split_last().unwrap();
    text.len() <= 256 && before.iter().all(plain) && (*last == "*" || plain(last))
}

/// `a` covers `b` if it denotes all that `b` denotes. Of the permissions of `b` these few are enough: `a` can't name a
/// segment that is longer than any scope.
fn compare(a: &Scope, b: &Scope) {
    let fresh = "x".repeat(300);
    let stem = b.as_str().strip_suffix('*').unwrap_or(b.as_str());
    let witnesses = if b.is_permission() {
        vec![stem.to_owned(), format!("{stem}:{fresh}")]
    } else {
        vec![
            format!("{stem}{fresh}"),
            format!("{stem}{fresh}.{fresh}"),
            format!("{stem}{fresh}:{fresh}"),
        ]
    };
    assert!(
        witnesses
            .iter()
            .all(|permission| denotes(b.as_str(), permission))
    );
    let all = witnesses
        .iter()
        .all(|permission| denotes(a.as_str(), permission));
    assert_eq!(a.covers(b), all, "{a} {b}");
}

/// The table of the module's documentation, by segments.
fn denotes(scope: &str, permission: &str) -> bool {
    if scope == "*" {
        return true;
    }
    let (scope, permission) = (tokens(scope), tokens(permission));
    match scope.split_last() {
        Some((&"*", stem)) => permission.len() > stem.len() && permission.starts_with(stem),
        _ => {
            permission == scope
                || (permission.starts_with(&scope) && permission.get(scope.len()) == Some(&":"))
        }
    }
}

/// Segments and separators, each for itself.
fn tokens(text: &str) -> Vec<&str> {
    text.split_inclusive(['.', ':'])
        .flat_map(|piece| match piece.strip_suffix(['.', ':']) {
            Some(segment) => vec![segment, &piece[segment.len()..]],
            None => vec![piece],
        })
        .collect()
}
