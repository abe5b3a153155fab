//! What some crates may not be built on, however far down.

/// A crate, and the crates of others that may not be among its dependencies or theirs.
pub(super) struct Row {
    name: &'static str,
    never: &'static [&'static str],
}

pub(super) const TABLE: &[Row] = &[
    // The words and the decisions serve every framework and every runtime by knowing none.
    Row {
        name: "gatewright-core",
        never: &[
            "actix-http",
            "actix-web",
            "axum",
            "axum-core",
            "http",
            "hyper",
            "reqwest",
            "sqlx",
            "sqlx-core",
            "tokio",
            "tower",
        ],
    },
    Row {
        name: "gatewright-tower",
        never: &["actix-web", "axum", "reqwest", "sqlx", "sqlx-core"],
    },
    Row {
        name: "gatewright-axum",
        never: &["actix-web", "reqwest", "sqlx", "sqlx-core"],
    },
    Row {
        name: "gatewright-actix",
        never: &[
            "axum",
            "axum-core",
            "hyper",
            "reqwest",
            "sqlx",
            "sqlx-core",
            "tower",
        ],
    },
    // As it is without features.
    Row {
        name: "gatewright",
        never: &[
            "actix-http",
            "actix-web",
            "axum",
            "axum-core",
            "http",
            "hyper",
            "reqwest",
            "sqlx",
            "sqlx-core",
            "tokio",
            "tower",
        ],
    },
];

/// The arguments that make cargo list what a crate is built on.
///
/// `cargo tree` rather than `cargo metadata`: the latter switches on for each crate the features
/// that any member of the workspace asks for, the server's among them.
pub(super) fn tree_of(row: &Row) -> [&'static str; 8] {
    [
        "tree",
        "--locked",
        "--target=all",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
        "--package",
        row.name,
    ]
}

/// Holds the lines of such a list, each `name vX.Y.Z …`, against the row.
pub(super) fn check(row: &Row, tree: &str) -> Vec<String> {
    let mut found: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if found.first() != Some(&row.name) {
        return vec![format!("cargo tree does not know {}", row.name)];
    }
    found.sort_unstable();
    found.dedup();
    found.retain(|name| row.never.contains(name));
    let name = row.name;
    found
        .iter()
        .map(|on| format!("{name} must not be built on {on}; `cargo tree -p {name} -i {on}`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row = Row {
        name: "gatewright-core",
        never: &["http", "tokio"],
    };

    #[test]
    fn a_name_counts_whole() {
        let tree = "gatewright-core v0.1.0 (/x)\nhttp-body v1.0.0\ntokio-util v0.7.0 (*)\n";
        assert_eq!(check(&ROW, tree), Vec::<String>::new());
    }

    #[test]
    fn what_is_barred_is_found_once_at_any_depth() {
        let tree = "gatewright-core v0.1.0 (/x)\nserde v1.0.0\nhttp v1.5.0\nhttp v1.5.0 (*)\n";
        let found = check(&ROW, tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("must not be built on http;"));
    }

    #[test]
    fn a_list_of_something_else_does_not_pass() {
        assert_eq!(check(&ROW, "").len(), 1);
        assert_eq!(check(&ROW, "other v0.1.0\n").len(), 1);
    }
}
