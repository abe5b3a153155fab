//! Which crate of the workspace may depend on which.

use serde_json::Value;

/// What one crate may depend on among ours, as a part of it and for its tests alone.
struct Row {
    name: &'static str,
    may: &'static [&'static str],
    may_in_tests: &'static [&'static str],
}

/// A crate without a row is a violation: whoever adds one says here where it stands.
const TABLE: &[Row] = &[
    Row {
        name: "gatewright-core",
        may: &[],
        may_in_tests: &["gatewright-testing"],
    },
    Row {
        name: "gatewright-testing",
        may: &["gatewright-core"],
        may_in_tests: &[],
    },
    Row {
        name: "gatewright-issuer",
        may: &["gatewright-core"],
        may_in_tests: &["gatewright-testing"],
    },
    Row {
        name: "gatewright-jwks",
        may: &["gatewright-core"],
        may_in_tests: &["gatewright-testing"],
    },
    Row {
        name: "gatewright-sqlx",
        may: &["gatewright-core"],
        may_in_tests: &["gatewright-testing"],
    },
    Row {
        name: "gatewright-tower",
        may: &["gatewright-core"],
        may_in_tests: &["gatewright-testing"],
    },
    Row {
        name: "gatewright-axum",
        may: &["gatewright-core", "gatewright-tower"],
        may_in_tests: &["gatewright-testing"],
    },
    Row {
        name: "gatewright-actix",
        may: &["gatewright-core"],
        may_in_tests: &["gatewright-testing"],
    },
    // Shows all of them under one name.
    Row {
        name: "gatewright",
        may: &[
            "gatewright-core",
            "gatewright-actix",
            "gatewright-axum",
            "gatewright-issuer",
            "gatewright-jwks",
            "gatewright-sqlx",
            "gatewright-testing",
            "gatewright-tower",
        ],
        may_in_tests: &[],
    },
    Row {
        name: "quickstart-actix-web",
        may: &["gatewright"],
        may_in_tests: &[],
    },
    Row {
        name: "quickstart-axum",
        may: &["gatewright"],
        may_in_tests: &[],
    },
    Row {
        name: "quickstart-hyper",
        may: &["gatewright"],
        may_in_tests: &[],
    },
    Row {
        name: "quickstart-tonic",
        may: &["gatewright"],
        may_in_tests: &[],
    },
    Row {
        name: "gatewright",
        may: &[
            "gatewright-core",
            "gatewright-issuer",
            "gatewright-jwks",
            "gatewright-sqlx",
            "gatewright-tower",
            "gatewright-axum",
            "gatewright-actix",
            "gatewright-testing",
        ],
        // Its tests need features of its own that are off by default.
        may_in_tests: &["gatewright"],
    },
    Row {
        name: "gatewright-server",
        may: &[
            "gatewright-core",
            "gatewright-issuer",
            "gatewright-jwks",
            "gatewright-sqlx",
            "gatewright-tower",
            "gatewright-axum",
        ],
        may_in_tests: &["gatewright-testing"],
    },
    Row {
        name: "xtask",
        may: &[],
        may_in_tests: &[],
    },
];

/// Holds the answer of `cargo metadata --no-deps` against the table.
pub(super) fn check(metadata: &Value) -> Vec<String> {
    let packages: Vec<&Value> = members(&metadata["packages"]).collect();
    if packages.is_empty() {
        return vec!["cargo metadata names no package".to_owned()];
    }
    let names: Vec<&str> = packages.iter().map(|package| text(package)).collect();
    let mut violations = Vec::new();
    for package in packages {
        let name = text(package);
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            violations.push(format!("{name} has no row in the table of crates"));
            continue;
        };
        for dependency in members(&package["dependencies"]) {
            let on = text(dependency);
            let in_tests = dependency["kind"] == "dev";
            let allowed = row.may.contains(&on) || (in_tests && row.may_in_tests.contains(&on));
            if names.contains(&on) && !allowed {
                let tests = if in_tests { " in its tests" } else { "" };
                violations.push(format!("{name} must not depend on {on}{tests}"));
            }
        }
    }
    violations
}

fn members(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(package: &Value) -> &str {
    package["name"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A workspace of every crate of the table, in which `of` depends on `on`.
    fn workspace(of: &str, on: &str, kind: Option<&str>) -> Value {
        let packages: Vec<Value> = TABLE
            .iter()
            .map(|row| {
                let dependencies = if row.name == of {
                    json!([{ "name": on, "kind": kind }])
                } else {
                    json!([])
                };
                json!({ "name": row.name, "dependencies": dependencies })
            })
            .collect();
        json!({ "packages": packages })
    }

    #[test]
    fn with_the_arrow() {
        for (of, on, kind) in [
            ("gatewright-axum", "gatewright-tower", None),
            ("gatewright-server", "gatewright-sqlx", None),
            ("gatewright-testing", "gatewright-core", None),
            ("gatewright", "gatewright-actix", None),
            ("quickstart-hyper", "gatewright", None),
            ("gatewright-core", "gatewright-testing", Some("dev")),
            ("gatewright-core", "serde", None),
        ] {
            let found = check(&workspace(of, on, kind));
            assert_eq!(found, Vec::<String>::new(), "{of} on {on}");
        }
    }

    #[test]
    fn against_the_arrow() {
        for (of, on, kind) in [
            ("gatewright-core", "gatewright-issuer", None),
            ("gatewright-core", "gatewright-testing", None),
            ("gatewright-core", "gatewright-testing", Some("build")),
            ("gatewright-core", "gatewright-sqlx", Some("dev")),
            ("gatewright-tower", "gatewright-axum", None),
            ("gatewright-tower", "gatewright-sqlx", None),
            ("gatewright-axum", "gatewright-sqlx", Some("dev")),
            ("gatewright-axum", "gatewright-issuer", None),
            ("gatewright-sqlx", "gatewright-issuer", None),
            ("gatewright-testing", "gatewright-sqlx", None),
            ("gatewright-core", "gatewright", Some("dev")),
            ("gatewright-actix", "gatewright-tower", None),
            ("quickstart-axum", "gatewright-axum", None),
            ("xtask", "gatewright-core", None),
        ] {
            let found = check(&workspace(of, on, kind));
            assert_eq!(found.len(), 1, "{of} on {on}: {found:?}");
            assert!(found[0].starts_with(&format!("{of} must not depend on {on}")));
        }
    }

    #[test]
    fn a_crate_nobody_placed_is_a_violation() {
        let metadata = json!({ "packages": [{ "name": "gatewright-new", "dependencies": [] }] });
        assert_eq!(
            check(&metadata),
            ["gatewright-new has no row in the table of crates"]
        );
    }

    #[test]
    fn an_answer_without_packages_does_not_pass() {
        assert_eq!(check(&json!({})).len(), 1);
    }
}
