use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Scope, ScopeError};

/// A finite set of scopes: what a credential was granted, or what an operation requires.
///
/// It denotes the union of what its members denote. `==` and [`Hash`] go by the members as written, so
/// `links.* links.read` and `links.*` differ; [`is_equivalent_to`](ScopeSet::is_equivalent_to) compares
/// what they denote. Members are kept sorted and without repetition. Clones share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScopeSet(
    /// `None` where there are none.
    Option<Arc<[Scope]>>,
);

impl ScopeSet {
    /// The most members that are read from text or from a serialized array, repeated ones counted.
    pub const MAX_PARSED: usize = 1024;

    /// The set that allows nothing.
    #[must_use]
    pub const fn new() -> Self {
        ScopeSet(None)
    }

    /// Reads scopes separated by single spaces, as in the `scope` parameter of
    /// [RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3).
    ///
    /// The empty text, which that section does not have, is the empty set, so that what
    /// [`Display`](fmt::Display) writes is always read back. One malformed member refuses the whole; a
    /// caller that should skip what it does not know parses the members one by one.
    ///
    /// # Errors
    ///
    /// - [`ScopeSetError::Member`]: a member is not a scope. A leading, trailing or doubled space makes an
    ///   empty member.
    /// - [`ScopeSetError::TooMany`]: more than [`MAX_PARSED`](ScopeSet::MAX_PARSED) members.
    pub fn parse(text: &str) -> Result<Self, ScopeSetError> {
        if text.is_empty() {
            return Ok(ScopeSet::new());
        }
        let mut members = Vec::new();
        for (index, member) in text.split(' ').enumerate() {
            if index == Self::MAX_PARSED {
                return Err(ScopeSetError::TooMany);
            }
            let scope = member
                .parse()
                .map_err(|source| ScopeSetError::Member { index, source })?;
            members.push(scope);
        }
        Ok(members.into_iter().collect())
    }

    /// The members in the order of their text.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.members().iter()
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members().len()
    }

    /// Whether there are no members, so that nothing is allowed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn members(&self) -> &[Scope] {
        self.0.as_deref().unwrap_or(&[])
    }

    /// Of members that are sorted and differ.
    fn of_sorted(members: Vec<Scope>) -> Self {
        ScopeSet((!members.is_empty()).then(|| members.into()))
    }

    /// Whether the set holds all that `required` denotes. Allocates nothing.
    #[must_use]
    pub fn allows(&self, required: &Scope) -> bool {
        // One member is enough: scopes are nested or disjoint, and no finite number of smaller ones fills
        // a larger one.
        self.iter().any(|member| member.covers(required))
    }

    /// Whether the set holds all that every member of `required` denotes. Allocates nothing.
    #[must_use]
    pub fn allows_all(&self, required: &ScopeSet) -> bool {
        required.iter().all(|scope| self.allows(scope))
    }

    /// Whether `other` allows all of this set.
    #[must_use]
    pub fn is_subset_of(&self, other: &ScopeSet) -> bool {
        other.allows_all(self)
    }

    /// Whether both sets denote the same permissions, however they are written.
    #[must_use]
    pub fn is_equivalent_to(&self, other: &ScopeSet) -> bool {
        self.is_subset_of(other) && other.is_subset_of(self)
    }

    /// What both sets hold: the members of either that the other allows.
    #[must_use]
    pub fn intersection(&self, other: &ScopeSet) -> ScopeSet {
        let ours = self.iter().filter(|scope| other.allows(scope));
        let theirs = other.iter().filter(|scope| self.allows(scope));
        ours.chain(theirs).cloned().collect()
    }

    /// What either set holds: the members of both.
    #[must_use]
    pub fn union(&self, other: &ScopeSet) -> ScopeSet {
        self.iter().chain(other).cloned().collect()
    }

    /// The shortest set that is equivalent: no member is covered by another.
    #[must_use]
    pub fn normalized(&self) -> ScopeSet {
        self.outermost(|_| true)
    }

    /// The least set to ask for so that all of `required` is held: normalized, and what this set already
    /// allows left out.
    ///
    /// Least in that any set whose union with this one allows `required` allows what is missing. A wildcard
    /// of which a part is held is missing as a whole, since no set denotes the rest of it.
    #[must_use]
    pub fn missing(&self, required: &ScopeSet) -> ScopeSet {
        required.outermost(|scope| !self.allows(scope))
    }

    /// The chosen members that no other chosen member covers.
    fn outermost(&self, chosen: impl Fn(&Scope) -> bool) -> ScopeSet {
        let chosen: Vec<&Scope> = self.iter().filter(|scope| chosen(scope)).collect();
        // Members differ, so of two that are nested only one covers the other.
        let covered = |scope: &Scope| {
            chosen
                .iter()
                .any(|other| *other != scope && other.covers(scope))
        };
        let kept = chosen.iter().filter(|scope| !covered(scope));
        ScopeSet::of_sorted(kept.map(|scope| (*scope).clone()).collect())
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut members: Vec<Scope> = scopes.into_iter().collect();
        members.sort_unstable();
        members.dedup();
        ScopeSet::of_sorted(members)
    }
}

impl From<Scope> for ScopeSet {
    fn from(scope: Scope) -> Self {
        ScopeSet::of_sorted(vec![scope])
    }
}

impl<const N: usize> From<[Scope; N]> for ScopeSet {
    fn from(scopes: [Scope; N]) -> Self {
        scopes.into_iter().collect()
    }
}

impl IntoIterator for ScopeSet {
    type Item = Scope;
    type IntoIter = std::vec::IntoIter<Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.members().to_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromStr for ScopeSet {
    type Err = ScopeSetError;

    /// As [`ScopeSet::parse`].
    fn from_str(text: &str) -> Result<Self, ScopeSetError> {
        ScopeSet::parse(text)
    }
}

impl fmt::Display for ScopeSet {
    /// Writes the members with a space between them; nothing for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

/// Why a text is not a set of scopes. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeSetError {
    /// A member is not a scope.
    #[error("member {index} of the scopes is malformed")]
    Member {
        /// Which member, counted from 0.
        index: usize,
        /// What is wrong with it.
        source: ScopeError,
    },
    /// There are more than [`ScopeSet::MAX_PARSED`] members.
    #[error("there are more than {} scopes", ScopeSet::MAX_PARSED)]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        text.parse().unwrap()
    }

    #[test]
    fn parses_what_rfc_6749_section_3_3_allows() {
        assert_eq!(set("b a b").to_string(), "a b");
        assert_eq!(set("").len(), 0);
        for (text, index) in [
            (" a", 0),
            ("a ", 1),
            ("a  b", 1),
            (" ", 0),
            ("a\tb", 0),
            ("a b..c", 1),
        ] {
            let error = text.parse::<ScopeSet>().unwrap_err();
            assert!(
                matches!(error, ScopeSetError::Member { index: found, .. } if found == index),
                "{text:?}"
            );
        }
    }

    #[test]
    fn bounds_what_it_reads() {
        let most = vec!["a"; ScopeSet::MAX_PARSED].join(" ");
        assert_eq!(set(&most).len(), 1);
        assert_eq!(
            format!("{most} a").parse::<ScopeSet>(),
            Err(ScopeSetError::TooMany)
        );
    }

    #[test]
    fn equality_is_of_members_and_equivalence_of_meaning() {
        assert_ne!(set("a.* a.b"), set("a.*"));
        assert!(set("a.* a.b").is_equivalent_to(&set("a.*")));
        assert_eq!(set("a.* a.b").normalized(), set("a.*"));
        // No finite set of narrower scopes is as much as the wildcard.
        assert!(!set("a:b a:c a:d").is_equivalent_to(&set("a:*")));
        // `a` is `a:*` and itself, and nothing shorter says so.
        assert_eq!(set("a a:*").normalized(), set("a"));
    }

    #[test]
    fn missing_names_whole_wildcards_and_only_outermost_members() {
        let held = set("links.read mcp:call:one");
        assert_eq!(
            held.missing(&set("links.read links.* links.write")),
            set("links.*")
        );
        assert_eq!(held.missing(&set("mcp:call:one mcp:call")), set("mcp:call"));
        assert_eq!(held.missing(&set("links.read mcp:call:one:two")), set(""));
        assert_eq!(set("*").missing(&set("* a")), set(""));
    }
}
