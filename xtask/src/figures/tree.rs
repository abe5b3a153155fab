//! How many crates of others a crate is built on.

use std::collections::BTreeSet;

/// The arguments that make cargo list what a crate is built on, as `layering` asks, but for one target: the figure is to
/// be the same wherever it is counted.
pub(super) fn arguments(name: &str) -> [&str; 8] {
    [
        "tree",
        "--locked",
        "--target=x86_64-unknown-linux-gnu",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
        "--package",
        name,
    ]
}

/// Counts such a list, each line `name vX.Y.Z …`: every version of a crate once, ours not. `None` where the list is of
/// something else.
pub(super) fn count(name: &str, tree: &str) -> Option<usize> {
    let mut packages = tree.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?))
    });
    let (root, _) = packages.next()?;
    let others: BTreeSet<_> = packages
        .filter(|(name, _)| !name.starts_with("gatewright"))
        .collect();
    (root == name).then_some(others.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_counts_once_and_ours_never() {
        let tree = "gatewright-axum v0.1.0 (/x)\n\
            syn v2.0.0\n\
            syn v3.0.0\n\
            gatewright-core v0.1.0 (/x)\n\
            serde_derive v1.0.0 (proc-macro)\n\
            syn v3.0.0 (*)\n\n";
        assert_eq!(count("gatewright-axum", tree), Some(3));
    }

    #[test]
    fn a_list_of_something_else_has_no_count() {
        assert_eq!(count("gatewright-axum", ""), None);
        assert_eq!(count("gatewright-axum", "other v0.1.0\nsyn v2.0.0\n"), None);
    }
}
