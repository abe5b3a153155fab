//! Libraries in Python that verify tokens, as others use them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::node::{finish, told};

pub(crate) const LIBRARIES: [&str; 2] = ["pyjwt", "authlib"];

/// Gives a token to the library, which knows where the keys are and what to expect. The claims, or why it refused.
pub(crate) fn verify(
    library: &str,
    jwks_url: &str,
    issuer: &str,
    audience: &str,
    token: &str,
) -> Result<Value, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../../target/python/bin/python");
    let there = python.exists();
    assert!(
        there,
        "{python:?} is missing: `cargo xtask python` installs it"
    );
    let mut command = Command::new(python);
    command
        .arg(here.join("tests/verify.py"))
        .args([library, jwks_url, issuer, audience])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*");
    let output = finish(command, token);
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output))))
    } else {
        Err(told(&output))
    }
}
