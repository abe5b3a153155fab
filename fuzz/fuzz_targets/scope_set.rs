//! A set of scopes is read as it was written, and its algebra keeps its laws.
//!
//! The lines of the input are three sets; what is missing counts as empty.

#![no_main]

use std::collections::BTreeSet;

use gatewright_core::scope::{Scope, ScopeSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(3, '\n').map(read);
    let mut next = || lines.next().unwrap_or_else(|| Some(ScopeSet::new()));
    if let (Some(a), Some(b), Some(c)) = (next(), next(), next()) {
        laws(&a, &b, &c);
    }
});

fn read(text: &str) -> Option<ScopeSet> {
    let set = ScopeSet::parse(text).ok();
    let members: Option<BTreeSet<Scope>> = match text {
        "" => Some(BTreeSet::new()),
        _ if text.split(' ').count() > ScopeSet::MAX_PARSED => None,
        _ => text.split(' ').map(|member| member.parse().ok()).collect(),
    };
    let found = set.as_ref().map(|set| set.iter().cloned().collect());
    assert_eq!(found, members, "{text:?}");
    let set = set?;
    assert_eq!(set.to_string().parse().as_ref(), Ok(&set), "as text");
    let json = serde_json::to_string(&set).unwrap();
    assert_eq!(serde_json::from_str::<ScopeSet>(&json).unwrap(), set);
    let text = serde_json::to_string(text).unwrap();
    assert_eq!(serde_json::from_str::<ScopeSet>(&text).unwrap(), set);
    Some(set)
}

fn laws(a: &ScopeSet, b: &ScopeSet, c: &ScopeSet) {
    // Pairs are compared below: long sets are for the parser alone.
    if a.len() + b.len() + c.len() > 64 {
        return;
    }
    let (both, either) = (a.intersection(b), a.union(b));
    assert!(both.is_subset_of(a) && both.is_subset_of(b));
    assert!(a.is_subset_of(&either) && b.is_subset_of(&either));
    assert!(both.is_equivalent_to(&b.intersection(a)));
    assert_eq!(a.union(b), b.union(a));
    // The intersection is the greatest below both, the union the least above both.
    assert_eq!(
        c.is_subset_of(a) && c.is_subset_of(b),
        c.is_subset_of(&both)
    );
    assert_eq!(
        a.is_subset_of(c) && b.is_subset_of(c),
        either.is_subset_of(c)
    );
    assert!(
        a.intersection(&b.union(c))
            .is_equivalent_to(&both.union(&a.intersection(c)))
    );
    assert!(!(a.is_subset_of(b) && b.is_subset_of(c)) || a.is_subset_of(c));
    for scope in c {
        assert_eq!(both.allows(scope), a.allows(scope) && b.allows(scope));
        assert_eq!(either.allows(scope), a.allows(scope) || b.allows(scope));
    }

    let shortest = a.normalized();
    assert!(shortest.is_equivalent_to(a) && shortest.len() <= a.len());
    assert!(
        shortest
            .iter()
            .all(|one| shortest.iter().filter(|other| other.covers(one)).count() == 1)
    );
    let missing = a.missing(b);
    assert!(a.union(&missing).allows_all(b));
    assert!(missing.is_subset_of(b));
    assert!(missing.iter().all(|scope| !a.allows(scope)));
    assert_eq!(missing.is_empty(), b.is_subset_of(a));
    if a.union(c).allows_all(b) {
        assert!(missing.is_subset_of(c), "nothing less would do");
    }
}
