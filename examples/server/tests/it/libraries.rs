//! Libraries in Python that verify tokens, as others use them.

use serde_json::Value;

use crate::companion::python;
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
    let mut command = python("verify.py");
    command.args([library, jwks_url, issuer, audience]);
    let output = finish(command, token);
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(&output))))
    } else {
        Err(told(&output))
    }
}
