//! The algebra of scopes beside a model of it that is too slow and too plain to be wrong.
//!
//! The model denotes a scope by the permissions it holds, found segment by segment in a universe of all
//! permissions of up to four segments. The scopes under test have up to three segments and never use the
//! segment `z`, so the universe always has a witness where one denotation is not within another.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use gatewright_core::scope::{Scope, ScopeCatalog, ScopeSet};
use proptest::prelude::*;
use proptest::sample::select;

/// A permission as its segments, each after the separator before it.
type Permission = Vec<(char, &'static str)>;
/// Which permissions of the universe are meant, by position.
type Denotation = BTreeSet<usize>;

fn permissions(segments: &[&'static str], most: usize) -> Vec<Permission> {
    let mut all: Vec<Permission> = segments.iter().map(|first| vec![(' ', *first)]).collect();
    let mut longest = all.clone();
    for _ in 1..most {
        let longer = longest.iter().flat_map(|shorter| {
            let next = ['.', ':']
                .into_iter()
                .flat_map(|sep| segments.iter().map(move |s| (sep, *s)));
            next.map(|last| [shorter.clone(), vec![last]].concat())
        });
        longest = longer.collect();
        all.extend(longest.iter().cloned());
    }
    all
}

fn text(permission: &Permission) -> String {
    let joined: String = permission
        .iter()
        .map(|(sep, segment)| format!("{sep}{segment}"))
        .collect();
    joined.trim_start().to_owned()
}

static UNIVERSE: LazyLock<Vec<Permission>> = LazyLock::new(|| permissions(&["a", "b", "z"], 4));

/// Every scope of up to three segments of `a` and `b`, wildcards among them, and what each denotes.
static SCOPES: LazyLock<Vec<(Scope, Denotation)>> = LazyLock::new(|| {
    let begins =
        |whole: &Permission, with: &Permission| whole.len() > with.len() && whole.starts_with(with);
    let meaning = |holds: &dyn Fn(&Permission) -> bool| -> Denotation {
        (0..UNIVERSE.len())
            .filter(|at| holds(&UNIVERSE[*at]))
            .collect()
    };
    let mut scopes = vec![("*".to_owned(), meaning(&|_| true))];
    for p in permissions(&["a", "b"], 3) {
        let then = |q: &Permission, separator| begins(q, &p) && q[p.len()].0 == separator;
        scopes.push((text(&p), meaning(&|q| *q == p || then(q, ':'))));
        if p.len() < 3 {
            scopes.push((format!("{}.*", text(&p)), meaning(&|q| then(q, '.'))));
            scopes.push((format!("{}:*", text(&p)), meaning(&|q| then(q, ':'))));
        }
    }
    scopes
        .into_iter()
        .map(|(text, meaning)| (text.parse().unwrap(), meaning))
        .collect()
});

fn denotation(set: &ScopeSet) -> Denotation {
    let of = |scope: &Scope| &SCOPES.iter().find(|(known, _)| known == scope).unwrap().1;
    set.iter().flat_map(of).copied().collect()
}

fn scopes() -> impl Strategy<Value = Scope> {
    select(
        SCOPES
            .iter()
            .map(|(scope, _)| scope.clone())
            .collect::<Vec<_>>(),
    )
}

fn sets() -> impl Strategy<Value = ScopeSet> {
    prop::collection::vec(scopes(), 0..8).prop_map(|members| members.into_iter().collect())
}

fn without(set: &ScopeSet, dropped: &Scope) -> ScopeSet {
    set.iter()
        .filter(|scope| *scope != dropped)
        .cloned()
        .collect()
}

#[test]
fn the_model_is_as_large_as_it_should_be() {
    assert_eq!(UNIVERSE.len(), 3 + 3 * 6 + 3 * 36 + 3 * 216);
    assert_eq!(SCOPES.len(), 1 + (2 + 8 + 32) + 2 * (2 + 8));
}

#[test]
fn covering_is_inclusion() {
    for (a, means_a) in &*SCOPES {
        for (b, means_b) in &*SCOPES {
            assert_eq!(a.covers(b), means_b.is_subset(means_a), "{a} covers {b}");
        }
    }
}

#[test]
fn covering_is_a_partial_order() {
    for (a, means_a) in &*SCOPES {
        assert!(a.covers(a), "{a}");
        for (b, means_b) in &*SCOPES {
            assert_eq!(a.covers(b) && b.covers(a), a == b, "{a}, {b}");
            assert_eq!(means_a == means_b, a == b, "{a}, {b}");
            for (c, _) in SCOPES.iter().filter(|(c, _)| a.covers(b) && b.covers(c)) {
                assert!(a.covers(c), "{a}, {b}, {c}");
            }
        }
    }
}

#[test]
fn two_scopes_are_nested_or_disjoint() {
    for (a, means_a) in &*SCOPES {
        for (b, means_b) in &*SCOPES {
            assert!(
                a.covers(b) || b.covers(a) || means_a.is_disjoint(means_b),
                "{a}, {b}"
            );
        }
    }
}

#[test]
fn a_permission_is_held_by_what_covers_it() {
    for (a, means_a) in &*SCOPES {
        for (at, permission) in UNIVERSE.iter().enumerate() {
            let permission: Scope = text(permission).parse().unwrap();
            assert!(permission.is_permission());
            assert_eq!(
                a.covers(&permission),
                means_a.contains(&at),
                "{a}, {permission}"
            );
        }
    }
}

proptest! {
    #[test]
    fn a_set_allows_what_it_denotes(held in sets(), required in sets()) {
        let (holds, requires) = (denotation(&held), denotation(&required));
        prop_assert_eq!(held.allows_all(&required), requires.is_subset(&holds));
        prop_assert_eq!(required.is_subset_of(&held), requires.is_subset(&holds));
        prop_assert_eq!(held.is_equivalent_to(&required), requires == holds);
        for (scope, means) in &*SCOPES {
            prop_assert_eq!(held.allows(scope), means.is_subset(&holds), "{}", scope);
        }
    }

    #[test]
    fn intersection_is_the_greatest_lower_bound(a in sets(), b in sets()) {
        let both = a.intersection(&b);
        let expected: Denotation = denotation(&a).intersection(&denotation(&b)).copied().collect();
        prop_assert_eq!(denotation(&both), expected);
        prop_assert!(both.is_equivalent_to(&b.intersection(&a)));
        for (scope, _) in &*SCOPES {
            prop_assert_eq!(both.allows(scope), a.allows(scope) && b.allows(scope), "{}", scope);
        }
    }

    #[test]
    fn union_is_the_least_upper_bound(a in sets(), b in sets(), above in sets()) {
        let either = a.union(&b);
        let expected: Denotation = denotation(&a).union(&denotation(&b)).copied().collect();
        prop_assert_eq!(denotation(&either), expected);
        prop_assert_eq!(either.is_subset_of(&above), a.is_subset_of(&above) && b.is_subset_of(&above));
    }

    #[test]
    fn normalized_is_equivalent_and_nothing_can_be_left_out(set in sets()) {
        let normal = set.normalized();
        prop_assert_eq!(denotation(&normal), denotation(&set));
        prop_assert_eq!(&normal.normalized(), &normal);
        for member in &normal {
            prop_assert!(denotation(&without(&normal, member)) != denotation(&set), "{}", member);
        }
    }

    #[test]
    fn equivalent_sets_have_one_normal_form(a in sets(), b in sets()) {
        // Equivalent by making, since sets seldom are by chance.
        let more = a.union(&a.intersection(&b));
        prop_assert_eq!(more.normalized(), a.normalized());
        prop_assert_eq!(a.normalized() == b.normalized(), denotation(&a) == denotation(&b));
    }

    #[test]
    fn missing_is_the_least_to_ask_for(held in sets(), required in sets(), other in sets()) {
        let missing = held.missing(&required);
        prop_assert!(held.union(&missing).allows_all(&required));
        prop_assert_eq!(&missing.normalized(), &missing);
        // Whatever else would do holds all of it,
        if held.union(&other).allows_all(&required) {
            prop_assert!(missing.is_subset_of(&other));
        }
        for member in &missing {
            // and nothing of it can be left out, or be narrower.
            let rest = without(&missing, member);
            prop_assert!(!held.union(&rest).allows_all(&required));
            for (narrower, _) in SCOPES.iter().filter(|(s, _)| s != member && member.covers(s)) {
                let narrowed = rest.union(&narrower.clone().into());
                prop_assert!(!held.union(&narrowed).allows_all(&required), "{} for {}", narrower, member);
            }
        }
    }

    #[test]
    fn closure_is_the_least_set_closed_under_the_edges(
        edges in prop::collection::btree_set((scopes(), scopes()), 0..6),
        a in sets(),
        b in sets(),
    ) {
        let mut catalog = ScopeCatalog::builder();
        for (scope, _) in &*SCOPES {
            catalog = catalog.declare(scope.as_str(), "");
        }
        for (source, target) in &edges {
            catalog = catalog.implies(source.as_str(), target.as_str());
        }
        let catalog = catalog.build().unwrap();

        let closed = catalog.closure(&a);
        let mut expected = denotation(&a);
        for _ in 0..=edges.len() {
            for (source, target) in &edges {
                if denotation(&source.clone().into()).is_subset(&expected) {
                    expected.extend(denotation(&target.clone().into()));
                }
            }
        }
        prop_assert_eq!(denotation(&closed), expected);
        prop_assert!(a.is_subset_of(&closed));
        prop_assert_eq!(&catalog.closure(&closed), &closed);
        prop_assert!(closed.is_subset_of(&catalog.closure(&a.union(&b))));
        prop_assert!(catalog.closure(&a.intersection(&b)).is_subset_of(&closed));
    }

    #[test]
    fn a_set_survives_writing_and_reading(set in sets()) {
        prop_assert_eq!(&ScopeSet::parse(&set.to_string()).unwrap(), &set);
        let json = serde_json::to_string(&set).unwrap();
        prop_assert_eq!(&serde_json::from_str::<ScopeSet>(&json).unwrap(), &set);
        let spaced = serde_json::to_string(&set.to_string()).unwrap();
        prop_assert_eq!(&serde_json::from_str::<ScopeSet>(&spaced).unwrap(), &set);
    }

    #[test]
    fn the_parser_takes_the_grammar_and_gives_back_the_text(text in "[A-Za-z0-9_-]{1,9}([.:][A-Za-z0-9_-]{1,9}){0,9}([.:][*])?") {
        let scope: Scope = text.parse().unwrap();
        prop_assert_eq!(scope.as_str(), &text);
        prop_assert_eq!(scope.to_string(), text.as_str());
        prop_assert_eq!(scope.is_permission(), !text.contains('*'));
        prop_assert_eq!(Scope::try_from(text), Ok(scope));
    }

    #[test]
    fn the_parser_decides_every_text_by_the_grammar(
        text in prop_oneof![
            4 => "[ab.:]{1,4}",
            4 => "[ab.:* ]{0,5}",
            1 => any::<String>(),
            1 => prop::collection::vec(any::<u8>(), 0..300)
                .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            1 => "a{250,252}[.:][a*]{1,6}",
        ]
    ) {
        prop_assert_eq!(text.parse::<Scope>().is_ok(), well_formed(&text), "{:?}", text);
        let set_is_good = text.is_empty() || text.split(' ').all(well_formed);
        prop_assert_eq!(ScopeSet::parse(&text).is_ok(), set_is_good, "{:?}", text);
    }
}

/// The grammar, said another way than the parser does.
fn well_formed(text: &str) -> bool {
    let plain = |segment: &str| {
        !segment.is_empty()
            && segment
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    let segments: Vec<&str> = text.split(['.', ':']).collect();
    let (last, before) = segments.split_last().unwrap();
    text.len() <= 256 && before.iter().all(|s| plain(s)) && (*last == "*" || plain(last))
}

#[test]
fn a_check_allocates_nothing() {
    let held: ScopeSet = SCOPES
        .iter()
        .skip(1)
        .step_by(4)
        .map(|(scope, _)| scope.clone())
        .collect();
    let required = ScopeSet::from([Scope::from_static("a:b"), Scope::from_static("never.held")]);
    assert!(held.len() > 14);
    let counted = allocation_counter::measure(|| {
        assert!(!held.allows_all(&required));
        assert!(!required.is_subset_of(&held));
        assert!(!held.is_equivalent_to(&required));
    });
    assert_eq!(counted.count_total, 0);
}
