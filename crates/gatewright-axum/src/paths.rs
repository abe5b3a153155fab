//! Which paths axum can serve: it panics on the others, so they are found before it sees them.

use std::collections::BTreeSet;

use gatewright_core::policy::PolicyError;
use matchit::Router;

/// The paths of one service so far, as axum will match them.
#[derive(Default)]
pub(crate) struct Paths {
    routes: Router<()>,
    fallbacks: Router<()>,
    seen: BTreeSet<String>,
}

impl Paths {
    /// Adds a route: `path` as it was declared, `whole` with the prefixes that it is nested under. The same path may come
    /// again with other methods.
    pub(crate) fn route(&mut self, path: &str, whole: &str) -> Result<(), PolicyError> {
        check(path)?;
        if self.seen.insert(whole.to_owned()) {
            self.routes.insert(whole, ()).map_err(invalid)?;
        }
        Ok(())
    }

    /// Adds a prefix under which another router answers, unknown paths included.
    pub(crate) fn nest(&mut self, prefix: &str, whole: &str) -> Result<(), PolicyError> {
        check(prefix)?;
        if prefix == "/" {
            return Err(invalid("a router cannot be nested at the root; merge it"));
        }
        if prefix.split('/').any(|segment| segment.starts_with("{*")) {
            return Err(invalid("a prefix cannot hold a wildcard"));
        }
        let rest = format!("{}/{{*rest}}", whole.trim_end_matches('/'));
        self.fallbacks.insert(whole, ()).map_err(invalid)?;
        self.fallbacks.insert(rest, ()).map_err(invalid)
    }
}

fn check(path: &str) -> Result<(), PolicyError> {
    if !path.starts_with('/') {
        return Err(invalid("it must begin with `/`"));
    }
    if path.split('/').any(|part| part.starts_with([':', '*'])) {
        return Err(invalid("parameters are `{name}`, wildcards `{*name}`"));
    }
    Ok(())
}

fn invalid(why: impl ToString) -> PolicyError {
    PolicyError::InvalidPath(why.to_string().into())
}
