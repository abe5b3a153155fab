//! `cargo xtask features`: each library alone, with each of its features alone.
//!
//! In a build of the workspace a crate has the features that any member asks for, and its dependencies theirs: a crate
//! that forgot to ask for one compiles there and nowhere else.

use serde_json::Value;

use crate::failure::Failure;
use crate::workspace;

/// Lints the library of every crate under `crates/` in each of its builds; stops at the first that fails.
pub(crate) fn run() -> Result<(), Failure> {
    for build in builds(&workspace::metadata()?) {
        println!("features: {}", build.join(" "));
        workspace::show(
            workspace::cargo()
                .args(["clippy", "--locked", "--quiet", "--lib"])
                .args(&build)
                .args(["--", "-D", "warnings"]),
        )?;
    }
    Ok(())
}

/// The arguments that choose each build: without features, with each one (`default` is a name for others), with all.
fn builds(metadata: &Value) -> Vec<Vec<String>> {
    let mut builds = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        let Some(name) = package["name"].as_str().filter(|_| is_library(manifest)) else {
            continue;
        };
        let features: Vec<&str> = package["features"]
            .as_object()
            .into_iter()
            .flat_map(|features| features.keys())
            .map(String::as_str)
            .filter(|feature| *feature != "default")
            .collect();
        let mut build = |choice: &[&str]| {
            let words = ["--package", name]
                .into_iter()
                .chain(choice.iter().copied());
            builds.push(words.map(str::to_owned).collect());
        };
        build(&["--no-default-features"]);
        for feature in &features {
            build(&["--no-default-features", "--features", feature]);
        }
        if features.len() > 1 {
            build(&["--all-features"]);
        }
    }
    builds
}

/// Whether a manifest is of a crate that others build on.
fn is_library(manifest: &str) -> bool {
    let mut folders = manifest.rsplit(['/', '\\']).skip(2);
    folders.next() == Some("crates")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(manifest: &str, features: Value) -> Vec<String> {
        let package = serde_json::json!({
            "name": "a",
            "manifest_path": manifest,
            "features": features,
        });
        builds(&serde_json::json!({ "packages": [package] }))
            .into_iter()
            .map(|build| build.join(" "))
            .collect()
    }

    #[test]
    fn every_feature_is_built_alone() {
        let features = serde_json::json!({ "default": ["x"], "x": [], "y": ["x"] });
        assert_eq!(
            of("/w/crates/a/Cargo.toml", features),
            [
                "--package a --no-default-features",
                "--package a --no-default-features --features x",
                "--package a --no-default-features --features y",
                "--package a --all-features",
            ]
        );
    }

    #[test]
    fn no_build_is_made_twice() {
        let one = serde_json::json!({ "default": [], "x": [] });
        assert_eq!(of("/w/crates/a/Cargo.toml", one).len(), 2);
        assert_eq!(
            of("/w/crates/a/Cargo.toml", serde_json::json!({})),
            ["--package a --no-default-features"]
        );
    }

    #[test]
    fn what_nobody_builds_on_is_left_out() {
        for manifest in [
            "/w/xtask/Cargo.toml",
            "/w/examples/crates-io/Cargo.toml",
            "",
        ] {
            assert_eq!(of(manifest, serde_json::json!({})), [""; 0], "{manifest}");
        }
        assert_eq!(
            of("C:\\w\\crates\\a\\Cargo.toml", serde_json::json!({})).len(),
            1
        );
    }
}
