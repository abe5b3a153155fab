//! Lines for a shell, run by a shell with the real `curl`.

use std::path::Path;
use std::process::Command;

/// What a line with one `curl` in it came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Runs the line as it is, with these variables, in this directory. `curl` is told by its own settings, not by the line,
/// to say the status after the body.
pub(crate) fn curl(line: &str, variables: &[(&str, &str)], directory: &Path) -> Ran {
    let settings = tempfile::tempdir().unwrap();
    std::fs::write(
        settings.path().join(".curlrc"),
        "write-out = \"\\n%{http_code}\"\nnoproxy = \"*\"\nmax-time = 30\n",
    )
    .unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .current_dir(directory)
        .env("CURL_HOME", settings.path())
        .envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}\n{text}\n{told}");
    let (body, status) = text.rsplit_once('\n').unwrap();
    Ran {
        status: status.parse().unwrap(),
        body: body.to_owned(),
    }
}

impl Ran {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }
}
