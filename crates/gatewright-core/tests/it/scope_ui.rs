//! What `scopes!` promises at compile time.

#[test]
fn markers() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/scope/well_formed.rs");
    cases.compile_fail("tests/ui/scope/malformed_unused.rs");
}
