//! What must not compile.

#[test]
fn unguarded_code_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
