//! Laws of the ladder of roles, for ladders of any height.

use gatewright_core::role::Roles;
use gatewright_core::scope::ScopeSet;
use proptest::prelude::*;
use proptest::sample::subsequence;

const NAMES: [&str; 6] = [
    "member",
    "creator",
    "operator",
    "manager",
    "owner",
    "platform-admin",
];
const SCOPES: [&str; 6] = ["a", "a:b", "a.*", "b.c", "b:*", "c"];

/// Names in some order, each with scopes of its own.
fn ladders() -> impl Strategy<Value = Vec<(&'static str, ScopeSet)>> {
    let names = subsequence(NAMES.to_vec(), 1..=NAMES.len()).prop_shuffle();
    let scopes = prop::collection::vec(subsequence(SCOPES.to_vec(), 0..=3), NAMES.len());
    (names, scopes).prop_map(|(names, scopes)| {
        let sets = scopes
            .into_iter()
            .map(|scopes| scopes.join(" ").parse().unwrap());
        names.into_iter().zip(sets).collect()
    })
}

fn build(rungs: &[(&'static str, ScopeSet)]) -> Roles {
    let add = |roles: gatewright_core::role::RolesBuilder,
               (name, scopes): &(&'static str, ScopeSet)| {
        roles.role(*name, scopes.clone())
    };
    rungs.iter().fold(Roles::builder(), add).build().unwrap()
}

proptest! {
    #[test]
    fn ranks_follow_the_order_of_building(rungs in ladders()) {
        let roles = build(&rungs);
        prop_assert_eq!(roles.len(), rungs.len());
        prop_assert_eq!(roles.rank(rungs.last().unwrap().0), roles.highest());
        let listed: Vec<&str> = roles.iter().map(|(_, role, _)| role.as_str()).collect();
        prop_assert_eq!(listed, rungs.iter().map(|rung| rung.0).collect::<Vec<_>>());
        for (low, (lower, _)) in rungs.iter().enumerate() {
            prop_assert_eq!(roles.role(roles.rank(lower).unwrap()).unwrap().as_str(), *lower);
            for (high, (higher, _)) in rungs.iter().enumerate() {
                prop_assert_eq!(roles.at_least(higher, lower), high >= low);
                prop_assert_eq!(roles.rank(higher) >= roles.rank(lower), high >= low);
            }
        }
    }

    #[test]
    fn a_role_carries_its_own_and_all_below_and_nothing_else(rungs in ladders()) {
        let roles = build(&rungs);
        for (at, (name, _)) in rungs.iter().enumerate() {
            let own_and_below: ScopeSet =
                rungs[..=at].iter().flat_map(|(_, scopes)| scopes).cloned().collect();
            prop_assert_eq!(roles.permissions(roles.rank(name).unwrap()), &own_and_below);
        }
    }

    #[test]
    fn an_unknown_name_is_at_least_nothing(rungs in ladders(), name in "[ a-zA-Z-]{0,8}") {
        let roles = build(&rungs);
        prop_assume!(!rungs.iter().any(|rung| rung.0 == name));
        prop_assert_eq!(roles.rank(&name), None);
        prop_assert!(!roles.at_least(&name, &name));
        for (known, _) in &rungs {
            prop_assert!(!roles.at_least(&name, known) && !roles.at_least(known, &name));
        }
    }
}
