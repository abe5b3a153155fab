//! Which module of `gatewright-core` may use which, and that only the gate vouches for a caller.

use std::collections::BTreeMap;

use super::imports::{self, Place};

/// A module and those it may use. A row names only modules of the rows above it, so that there is
/// no way round.
const TABLE: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("stripe", &[]),
    ("tchar", &[]),
    ("keyed", &[]),
    ("origin", &[]),
    ("cors", &["origin", "tchar"]),
    ("source", &["tchar"]),
    ("json", &[]),
    ("error", &["time"]),
    ("credential", &["tchar", "time"]),
    ("cookie", &["credential", "error", "origin", "tchar"]),
    ("scope", &["time"]),
    ("hash", &["time"]),
    ("jwt", &["json", "keyed", "time"]),
    ("limit", &["time"]),
    ("role", &["scope", "time"]),
    (
        "principal",
        &["credential", "role", "scope", "stripe", "time"],
    ),
    (
        "session",
        &["cookie", "credential", "principal", "scope", "time"],
    ),
    (
        "store",
        &[
            "credential",
            "hash",
            "jwt",
            "principal",
            "role",
            "scope",
            "session",
            "time",
        ],
    ),
    (
        "federation",
        &["credential", "jwt", "principal", "scope", "store", "time"],
    ),
    ("dialect", &["error", "scope", "time"]),
    (
        "policy",
        &[
            "cors",
            "credential",
            "dialect",
            "error",
            "federation",
            "jwt",
            "limit",
            "principal",
            "role",
            "scope",
            "session",
            "stripe",
            "time",
        ],
    ),
    (
        "document",
        &[
            "cookie",
            "dialect",
            "error",
            "policy",
            "principal",
            "session",
        ],
    ),
    ("audit", &["error", "principal", "time"]),
    (
        "gate",
        &[
            "audit",
            "cookie",
            "credential",
            "dialect",
            "error",
            "federation",
            "hash",
            "jwt",
            "keyed",
            "limit",
            "policy",
            "principal",
            "role",
            "scope",
            "session",
            "store",
            "stripe",
            "time",
        ],
    ),
];

/// The module that proves callers. What it has proven is `Verified`, whose one constructor, `vouch`,
/// is open to the crate because the language has no word for "to this module alone".
const GATE: &str = "gate";

/// Holds the files of the crate, by path from the folder of `lib.rs`, against the table.
pub(super) fn check(sources: &BTreeMap<String, String>) -> Vec<String> {
    let found = imports::read(sources);
    let mut violations: Vec<String> = found
        .blind
        .iter()
        .map(|(place, why)| format!("{}: {why}", show(place)))
        .collect();

    for module in &found.modules {
        if allowed(module).is_none() {
            violations.push(format!("module {module} has no row in the table"));
        }
    }
    for (module, _) in TABLE {
        if !found.modules.iter().any(|known| known == module) {
            violations.push(format!(
                "the table has a row for {module}, which is no module"
            ));
        }
    }

    for import in &found.imports {
        let place = show(&import.place);
        let (module, name) = (&import.module, &import.name);
        let target = found.macros.get(name).unwrap_or(name);
        if !found.modules.contains(target) {
            violations.push(format!(
                "{place}: crate::{name} is no module; name the module that owns it"
            ));
        } else if target != module && !allowed(module).unwrap_or(&[]).contains(&target.as_str()) {
            violations.push(format!("{place}: {module} must not use {target}"));
        }
    }
    if found.vouch.len() != 1 {
        let count = found.vouch.len();
        violations.push(format!(
            "`fn vouch` must be defined once, not {count} times"
        ));
    }
    for (module, place) in &found.vouches {
        if module != GATE {
            let place = show(place);
            violations.push(format!("{place}: only {GATE} may vouch for a caller"));
        }
    }
    violations.sort();
    violations
}

fn allowed(module: &str) -> Option<&'static [&'static str]> {
    TABLE
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, may)| *may)
}

fn show(place: &Place) -> String {
    format!("crates/gatewright-core/src/{}:{}", place.file, place.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOUCH: &str = "impl Verified { pub(crate) fn vouch() {} }";

    /// A crate of every module of the table, one of which has this text.
    fn crate_where(module: &str, text: &str) -> BTreeMap<String, String> {
        let lib: String = TABLE
            .iter()
            .map(|(m, _)| format!("pub mod {m};\n"))
            .collect();
        let files = TABLE.iter().map(|(m, _)| {
            let vouch = if *m == "principal" { VOUCH } else { "" };
            let text = if *m == module { text } else { "" };
            (format!("{m}/mod.rs"), format!("{vouch}{text}"))
        });
        files.chain([("lib.rs".to_owned(), lib)]).collect()
    }

    #[test]
    fn a_row_names_only_rows_above_it() {
        for (at, (module, may)) in TABLE.iter().enumerate() {
            for used in *may {
                let above = TABLE[..at].iter().any(|(name, _)| name == used);
                assert!(above, "{module} uses {used}");
            }
        }
    }

    #[test]
    fn every_pair_is_judged_by_the_table() {
        for (module, may) in TABLE {
            for (target, _) in TABLE {
                let text = format!("\nuse crate::{target}::Thing;");
                let found = check(&crate_where(module, &text));
                if target == module || may.contains(target) {
                    assert_eq!(found, Vec::<String>::new());
                } else {
                    let file = format!("crates/gatewright-core/src/{module}/mod.rs:2");
                    assert_eq!(found, [format!("{file}: {module} must not use {target}")]);
                }
            }
        }
    }

    #[test]
    fn nothing_uses_the_gate() {
        for (module, may) in TABLE {
            assert!(!may.contains(&"gate"), "{module}");
        }
    }

    #[test]
    fn nothing_but_the_gate_vouches() {
        for (module, _) in TABLE {
            let found = check(&crate_where(module, "fn f() { Verified::vouch() }"));
            let file = format!("crates/gatewright-core/src/{module}/mod.rs:1");
            if *module == "gate" {
                assert_eq!(found, Vec::<String>::new());
            } else {
                assert_eq!(found, [format!("{file}: only gate may vouch for a caller")]);
            }
        }
    }

    #[test]
    fn a_constructor_of_another_name_does_not_pass_unseen() {
        let mut files = crate_where("time", "");
        files.insert("principal/mod.rs".to_owned(), String::new());
        assert_eq!(
            check(&files),
            ["`fn vouch` must be defined once, not 0 times"]
        );
    }

    #[test]
    fn a_module_nobody_placed_is_a_violation() {
        let mut files = crate_where("time", "");
        files.insert("lib.rs".to_owned(), format!("{}mod new;", files["lib.rs"]));
        files.insert("new.rs".to_owned(), String::new());
        assert_eq!(check(&files), ["module new has no row in the table"]);
    }

    #[test]
    fn a_row_that_nothing_stands_for_is_a_violation() {
        let mut files = crate_where("time", "");
        let lib = files["lib.rs"].replace("pub mod audit;", "");
        files.insert("lib.rs".to_owned(), lib);
        assert_eq!(check(&files).len(), 1);
    }

    #[test]
    fn the_root_is_no_way_round() {
        let found = check(&crate_where("scope", "use crate::Gate;"));
        assert_eq!(found.len(), 1);
        assert!(found[0].ends_with("crate::Gate is no module; name the module that owns it"));
    }

    #[test]
    fn a_macro_counts_as_its_module() {
        let mut files = crate_where("role", "fn f() { crate::scopes!() }");
        let text = "#[macro_export] macro_rules! scopes { () => {} }".to_owned();
        files.insert("scope/mod.rs".to_owned(), text.clone());
        assert_eq!(check(&files), Vec::<String>::new());

        files.insert("scope/mod.rs".to_owned(), String::new());
        files.insert("policy/mod.rs".to_owned(), text);
        assert_eq!(check(&files).len(), 1);
    }
}
