//! What tokens of a provider must say and what they may do: a table by rule, and laws.

use gatewright_core::federation::{
    ClaimPolicy, ClaimPolicyBuilder, ClaimPolicyError, ClaimRefusal,
};
use gatewright_core::jwt::{Algorithm, Claims, Verifier};
use gatewright_core::scope::ScopeSet;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::set;
use crate::jwt_forge::{AUDIENCE, CLAIMS, Forge, ISSUER, NOW};

/// The claims of a token that has these besides what every token has.
fn claims(forge: &Forge, more: &Value) -> Claims {
    let mut all: Value = serde_json::from_str(CLAIMS).unwrap();
    for name in ["client_id", "jti"] {
        all.as_object_mut().unwrap().remove(name);
    }
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    let token = forge.with_claims(&all.to_string());
    let verifier = Verifier::builder(ISSUER, AUDIENCE).algorithms([Algorithm::EdDsa]);
    let verifier = verifier.build().unwrap();
    verifier.verify(&token, &forge.keys, NOW).unwrap()
}

fn policy() -> ClaimPolicyBuilder {
    ClaimPolicy::builder()
}

#[test]
fn each_rule_alone() {
    use ClaimRefusal::{Bound, Client, Required, Scopes};

    let forge = Forge::new();
    let granted = |scopes: &str| Ok(set(scopes));
    let agent = || policy().client("agent").client("other");
    let group = || policy().require("groups", ["a b", "users"]);
    let nested = || policy().require("org.unit", ["sales"]);
    let scopes = || {
        policy()
            .scopes_at("scope")
            .scopes_at("scp")
            .default_scopes(set("d"))
    };
    let roles = || {
        policy()
            .scopes_at("realm_access.roles")
            .role("admin", set("x.*"))
            .role("idle", ScopeSet::new())
    };
    let url = || policy().scopes_at("https://acme.example/roles");
    let escaped = || policy().scopes_at(r"resource_access.my\.app.roles");
    let table = [
        ("no rule", policy(), json!({}), granted("")),
        (
            "no rule reads no scope",
            policy(),
            json!({"scope": "a"}),
            granted(""),
        ),
        (
            "cnf, RFC 7800 §3.1",
            policy(),
            json!({"cnf": {"jwk": {}}}),
            Err(Bound),
        ),
        (
            "cnf that is null",
            policy(),
            json!({"cnf": null}),
            Err(Bound),
        ),
        // RFC 9068 §2.2: client_id. OpenID Connect Core §2: azp.
        (
            "client_id",
            agent(),
            json!({"client_id": "agent"}),
            granted(""),
        ),
        (
            "another client_id",
            agent(),
            json!({"client_id": "x"}),
            Err(Client),
        ),
        ("azp", agent(), json!({"azp": "other"}), granted("")),
        (
            "client_id counts before azp",
            agent(),
            json!({"client_id": "x", "azp": "agent"}),
            Err(Client),
        ),
        (
            "client_id alone is right",
            agent(),
            json!({"client_id": "agent", "azp": "x"}),
            granted(""),
        ),
        (
            "azp that is a list",
            agent(),
            json!({"azp": ["agent"]}),
            Err(Client),
        ),
        ("no client", agent(), json!({}), Err(Client)),
        (
            "empty client_id",
            agent(),
            json!({"client_id": "", "azp": "agent"}),
            Err(Client),
        ),
        (
            "a group of a list",
            group(),
            json!({"groups": ["x", "users"]}),
            granted(""),
        ),
        (
            "a group that is a string",
            group(),
            json!({"groups": "users"}),
            granted(""),
        ),
        (
            "a value with a space",
            group(),
            json!({"groups": "a b"}),
            granted(""),
        ),
        (
            "words are not values",
            group(),
            json!({"groups": "users x"}),
            Err(Required),
        ),
        (
            "no such group",
            group(),
            json!({"groups": ["x"]}),
            Err(Required),
        ),
        (
            "no group at all",
            group(),
            json!({"groups": []}),
            Err(Required),
        ),
        ("no groups", group(), json!({}), Err(Required)),
        (
            "a name and not a value",
            group(),
            json!({"groups": {"users": true}}),
            Err(Required),
        ),
        (
            "a number",
            policy().require("n", ["1"]),
            json!({"n": 1}),
            Err(Required),
        ),
        (
            "a nested claim",
            nested(),
            json!({"org": {"unit": "sales"}}),
            granted(""),
        ),
        (
            "a nested claim by its path as a name",
            nested(),
            json!({"org.unit": "sales"}),
            Err(Required),
        ),
        (
            "a nested claim in a string",
            nested(),
            json!({"org": "unit"}),
            Err(Required),
        ),
        (
            "a registered claim",
            policy().require("sub", ["u"]),
            json!({}),
            granted(""),
        ),
        (
            "an audience",
            policy().require("aud", ["https://api.example"]),
            json!({}),
            granted(""),
        ),
        (
            "two rules",
            group().require("hd", ["x"]),
            json!({"groups": "users", "hd": "x"}),
            granted(""),
        ),
        (
            "one of two rules",
            group().require("hd", ["x"]),
            json!({"groups": "users"}),
            Err(Required),
        ),
        // RFC 6749 §3.3 and RFC 8693 §4.2: words. Elsewhere a list.
        (
            "words",
            scopes(),
            json!({"scope": "a b:c"}),
            granted("a b:c"),
        ),
        (
            "a list",
            scopes(),
            json!({"scp": ["a", "b:c"]}),
            granted("a b:c"),
        ),
        (
            "two claims",
            scopes(),
            json!({"scope": "a", "scp": "b"}),
            granted("a b"),
        ),
        (
            "what is none of ours",
            scopes(),
            json!({"scope": "a x..y https://x.example/s? é"}),
            granted("a"),
        ),
        (
            "none of ours at all",
            scopes(),
            json!({"scope": "x..y"}),
            granted(""),
        ),
        (
            "an empty claim",
            scopes(),
            json!({"scope": ""}),
            granted(""),
        ),
        ("an empty list", scopes(), json!({"scp": []}), granted("")),
        ("silence", scopes(), json!({}), granted("d")),
        (
            "a number for scopes",
            scopes(),
            json!({"scope": 1}),
            Err(Scopes),
        ),
        (
            "null for scopes",
            scopes(),
            json!({"scp": null}),
            Err(Scopes),
        ),
        (
            "a list with a null",
            scopes(),
            json!({"scp": ["a", null]}),
            Err(Scopes),
        ),
        (
            "one right, one malformed",
            scopes(),
            json!({"scope": "a", "scp": {}}),
            Err(Scopes),
        ),
        (
            "more than anybody grants",
            scopes(),
            json!({"scope": "a ".repeat(1025)}),
            Err(Scopes),
        ),
        (
            "roles",
            roles(),
            json!({"realm_access": {"roles": ["admin", "c"]}}),
            granted("x.* c"),
        ),
        (
            "a role of nothing",
            roles(),
            json!({"realm_access": {"roles": ["idle"]}}),
            granted(""),
        ),
        (
            "roles that are not there",
            roles(),
            json!({"realm_access": {}}),
            granted(""),
        ),
        (
            "roles in a string",
            roles(),
            json!({"realm_access": "roles"}),
            Err(Scopes),
        ),
        (
            "roles that are an object",
            roles(),
            json!({"realm_access": {"roles": {"admin": 1}}}),
            Err(Scopes),
        ),
        (
            "a claim with a URL for a name",
            url(),
            json!({"https://acme.example/roles": ["a"]}),
            granted("a"),
        ),
        (
            "a dot in a name",
            escaped(),
            json!({"resource_access": {"my.app": {"roles": ["a"]}}}),
            granted("a"),
        ),
        (
            "within a registered claim",
            policy().scopes_at("sub.x"),
            json!({}),
            Err(Scopes),
        ),
    ];
    for (what, policy, more, wanted) in table {
        let policy = policy.build().unwrap();
        assert_eq!(policy.judge(&claims(&forge, &more)), wanted, "{what}");
    }
}

#[test]
fn mistakes_are_named() {
    let mistake = |builder: ClaimPolicyBuilder| builder.build().unwrap_err();
    for path in ["", "a..b", ".a", "a.", "a\\"] {
        let wanted = ClaimPolicyError::Path(path.into());
        assert_eq!(mistake(policy().scopes_at(path)), wanted);
        assert_eq!(mistake(policy().require(path, ["x"])), wanted);
    }
    let none = mistake(policy().require("groups", []));
    assert_eq!(none, ClaimPolicyError::NoValue("groups".into()));
    for empty in [
        policy().client(""),
        policy().role("", set("a")),
        policy().require("groups", ["x", ""]),
    ] {
        assert_eq!(mistake(empty), ClaimPolicyError::Empty);
    }
    let twice = policy().role("r", set("a")).role("r", set("b"));
    assert_eq!(mistake(twice), ClaimPolicyError::RoleTwice("r".into()));
}

fn value() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        "[a-c]",
        "[a-c]:[x-z]",
        "admin",
        "[.é?]{1,3}",
        Just("*".to_owned())
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        name.clone().prop_map(Value::from),
        prop::collection::vec(name.clone(), 0..4).prop_map(|words| Value::from(words.join(" "))),
        prop::collection::vec(name, 0..4).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("roles|x", inner, 0..3).prop_map(|members| members
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

fn token() -> impl Strategy<Value = Value> {
    let names = "scope|scp|realm_access|groups|azp|cnf|other";
    prop::collection::btree_map(names, value(), 0..6).prop_map(|members| {
        members
            .into_iter()
            .collect::<serde_json::Map<_, _>>()
            .into()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// To ask for more never lets more in, nor does it grant more.
    #[test]
    fn a_rule_more_only_narrows(more in token()) {
        let claims = claims(&Forge::new(), &more);
        let loose = || policy().scopes_at("scope").default_scopes(set("d"));
        let base = loose().build().unwrap().judge(&claims);
        for strict in [
            loose().client("a"),
            loose().require("groups", ["a", "b"]),
            loose().require("realm_access.roles", ["admin"]),
        ] {
            match strict.build().unwrap().judge(&claims) {
                Ok(granted) => prop_assert_eq!(Ok(granted), base.clone()),
                Err(refusal) => prop_assert!(matches!(
                    refusal,
                    ClaimRefusal::Bound | ClaimRefusal::Client | ClaimRefusal::Required | ClaimRefusal::Scopes
                )),
            }
        }
    }

    /// Scopes come from what the token says where scopes are said to stand, each claim by itself, in any order.
    #[test]
    fn claims_add_up(more in token()) {
        let claims = claims(&Forge::new(), &more);
        let read = |paths: &[&str]| {
            let all = paths.iter().fold(policy(), |policy, path| policy.scopes_at(path));
            all.role("admin", set("x.*")).build().unwrap().judge(&claims)
        };
        let (first, second) = (read(&["scope"]), read(&["realm_access.roles"]));
        let both = read(&["scope", "realm_access.roles"]);
        prop_assert_eq!(&both, &read(&["realm_access.roles", "scope"]));
        match (first, second) {
            (Ok(first), Ok(second)) => {
                let union = first.union(&second);
                prop_assert_eq!(both, Ok(union));
            }
            _ => prop_assert!(both.is_err()),
        }
    }

    /// What a token is granted under a ceiling is never more than the ceiling, nor more than it was granted without.
    #[test]
    fn a_ceiling_is_one(more in token(), ceiling in prop::collection::vec("[a-c]|[a-c]:[x-z]|[a-c]:[*]|x[.]y", 0..4)) {
        let claims = claims(&Forge::new(), &more);
        let rules = policy().scopes_at("scope").scopes_at("scp").role("admin", set("x.*"));
        let ceiling = set(&ceiling.join(" "));
        if let Ok(granted) = rules.build().unwrap().judge(&claims) {
            let cut = granted.intersection(&ceiling);
            prop_assert!(cut.is_subset_of(&ceiling) && cut.is_subset_of(&granted));
        }
    }
}
