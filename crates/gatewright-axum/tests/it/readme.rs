//! The README shows a part of the crate's example, which runs as a doc test.

#[test]
fn the_readme_shows_what_is_compiled() {
    let readme = include_str!("../../../../README.md");
    let shown = readme.split("```rust,ignore\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    let compiled: String = include_str!("../../src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect();
    let mut parts = 0;
    for part in shown.split("\n\n") {
        assert!(
            compiled.contains(part.trim_end()),
            "not in the example:\n{part}"
        );
        parts += 1;
    }
    assert_eq!(parts, 2, "a handler, and its router");
}
