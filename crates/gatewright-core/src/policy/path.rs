//! Which paths routes can have, whatever framework serves them: it panics on others, or takes them for something else.

use std::collections::BTreeSet;

use super::PolicyError;

/// actix-web serves no more.
const MAX_PARAMETERS: usize = 16;

/// The paths of one service so far.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// By what distinguishes them, each as it was declared first.
    routes: Vec<(String, String)>,
    prefixes: Vec<(String, String)>,
}

impl Paths {
    /// Adds a route: `path` as it was declared, `whole` with the prefixes that it is nested under. The same path may come
    /// again with other methods.
    pub(super) fn route(&mut self, path: &str, whole: &str) -> Result<(), PolicyError> {
        check(path)?;
        check_parameters(whole)?;
        if self.routes.iter().any(|(_, known)| known == whole) {
            return Ok(());
        }
        insert(&mut self.routes, whole)
    }

    /// Adds a prefix under which other routes answer, unknown paths included.
    pub(super) fn nest(&mut self, prefix: &str, whole: &str) -> Result<(), PolicyError> {
        check(prefix)?;
        if prefix.trim_end_matches('/').is_empty() {
            return Err(invalid("routes cannot be nested at the root; merge them"));
        }
        if whole.starts_with("/{") {
            // axum can't tell the unknown paths below it from those of the whole service.
            return Err(invalid("a prefix must begin with a literal segment"));
        }
        if prefix.contains("/{*") {
            return Err(invalid("a prefix cannot hold a wildcard"));
        }
        check_parameters(whole)?;
        insert(&mut self.prefixes, whole)?;
        let below = format!("{}/{{*rest}}", whole.trim_end_matches('/'));
        insert(&mut self.prefixes, &below)
    }
}

/// The path of a route under a prefix: `/` is the prefix itself.
pub(super) fn joined(prefix: &str, path: &str) -> String {
    if prefix.ends_with('/') {
        format!("{prefix}{}", path.trim_start_matches('/'))
    } else if path == "/" && !prefix.is_empty() {
        prefix.to_owned()
    } else {
        format!("{prefix}{path}")
    }
}

/// The path without the names of its parameters: `/a/{x}` and `/a/{y}` are one route.
pub(super) fn shape(path: &str) -> String {
    let segments = path.split('/').map(|segment| match braced(segment) {
        Some(name) if name.starts_with('*') => "{*}",
        Some(_) => "{}",
        None => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The names of a path's parameters: `handle` of `/handles/{handle}`, `rest` of `/files/{*rest}`.
pub(super) fn parameters(path: &str) -> impl Iterator<Item = &str> {
    let names = path.split('/').filter_map(braced);
    names.map(|name| name.strip_prefix('*').unwrap_or(name))
}

fn braced(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn check(path: &str) -> Result<(), PolicyError> {
    let Some(path) = path.strip_prefix('/') else {
        return Err(invalid("it must begin with `/`"));
    };
    let mut ended = false;
    for segment in path.split('/') {
        if ended {
            return Err(invalid("a wildcard must be the last segment"));
        }
        match braced(segment) {
            Some(name) => {
                ended = name.starts_with('*');
                if !is_name(name.strip_prefix('*').unwrap_or(name)) {
                    return Err(invalid("parameters are named with letters, digits and `_`"));
                }
            }
            None if segment.starts_with([':', '*'])
                || segment.ends_with('*')
                || segment.contains(['{', '}', '%']) =>
            {
                return Err(invalid(
                    "parameters are `{name}`, wildcards `{*name}`, and no part of a segment; literals hold no escapes",
                ));
            }
            None => {}
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_parameters(whole: &str) -> Result<(), PolicyError> {
    let mut names = BTreeSet::new();
    if !parameters(whole).all(|name| names.insert(name)) {
        return Err(invalid("two parameters have the same name"));
    }
    if names.len() > MAX_PARAMETERS {
        return Err(invalid("it has more than 16 parameters"));
    }
    Ok(())
}

fn insert(known: &mut Vec<(String, String)>, path: &str) -> Result<(), PolicyError> {
    let shape = shape(path);
    if let Some((_, other)) = known.iter().find(|(other, _)| conflict(other, &shape)) {
        return Err(invalid(format!("it conflicts with `{other}`")));
    }
    known.push((shape, path.to_owned()));
    Ok(())
}

/// Whether axum refuses one beside the other: the same path, or a wildcard where the other has a parameter.
fn conflict(one: &str, other: &str) -> bool {
    let swallows = |wild: &str, path: &str| {
        let stem = wild.strip_suffix("{*}");
        stem.and_then(|stem| path.strip_prefix(stem))
            .is_some_and(|rest| rest.starts_with("{}"))
    };
    one == other || swallows(one, other) || swallows(other, one)
}

fn invalid(why: impl Into<Box<str>>) -> PolicyError {
    PolicyError::InvalidPath(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_as_axum_nests() {
        for (prefix, path, whole) in [
            ("", "/", "/"),
            ("", "/a", "/a"),
            ("/v2", "/", "/v2"),
            ("/v2", "/a/", "/v2/a/"),
            ("/v2/", "/a", "/v2/a"),
            ("/v2/", "/", "/v2/"),
        ] {
            assert_eq!(joined(prefix, path), whole, "{prefix:?} {path:?}");
        }
    }

    /// What `matchit` 0.8.4, axum's router, says of each pair.
    #[test]
    fn conflicts_as_axum_does() {
        for (one, other, conflicts) in [
            ("/{x}", "/{*y}", true),
            ("/a/{x}/c", "/a/{y}/d", false),
            ("/a/{x}", "/a/{*y}", true),
            ("/a/{*y}", "/a/{x}/c", true),
            ("/a/{*y}", "/a/b", false),
            ("/a/{*y}", "/a/", false),
            ("/{x}", "/{y}", true),
            ("/{x}/", "/{x}", false),
            ("/{x}/{y}", "/{*z}", true),
            ("/{*z}", "/{x}/{y}", true),
            ("/a/{x}/b", "/{*y}", false),
            ("/a/{x}", "/{y}/{z}", false),
            ("/{*x}", "/{*y}", true),
        ] {
            let mut paths = Paths::default();
            paths.route(one, one).unwrap();
            assert_eq!(
                paths.route(other, other).is_err(),
                conflicts,
                "{one} {other}"
            );
        }
    }
}
