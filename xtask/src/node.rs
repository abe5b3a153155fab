//! The packages for Node.js that tests run around the built server.

use std::fs;
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::suite::{self, succeeds};
use crate::workspace;

/// What is installed: all of it by version and digest, relative to the root.
const LISTED: &str = "examples/server/tests/node";

/// The lock file as it was installed, in the folder of the packages. Written last, so that an installation that was cut off
/// is made again.
const INSTALLED: &str = "installed.json";

/// Fills the folder `target/node` with exactly what the lock file names, unless it is there already.
pub(crate) fn packages() -> Result<(), Failure> {
    let listed = workspace::root().join(LISTED);
    let home = workspace::root().join("target/node");
    let read = |name: &str| {
        let path = listed.join(name);
        fs::read(&path).map_err(|source| Failure::Read { path, source })
    };
    let write = |name: &str, contents: &[u8]| {
        let path = home.join(name);
        fs::write(&path, contents).map_err(|source| Failure::Write { path, source })
    };
    let (package, lock) = (read("package.json")?, read("package-lock.json")?);
    let fits = fits() || (suite::install(&["nodejs", "npm"]) && self::fits());
    if !fits {
        return Err(Failure::Missing {
            what: "Node.js 20.18.1 or newer (https://nodejs.org where the system's is older) with npm, for the identity \
                provider and the clients that the server is tested with,",
            install: "apt-get install nodejs npm",
        });
    }
    if fs::read(home.join(INSTALLED)).is_ok_and(|have| have == lock) {
        return Ok(());
    }
    fs::create_dir_all(&home).map_err(|source| Failure::Write {
        path: home.clone(),
        source,
    })?;
    write("package.json", &package)?;
    write("package-lock.json", &lock)?;
    workspace::show(
        Command::new("npm")
            // Nothing that is installed is run by it, and nothing is told to anybody.
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            // A package may ask for a newer Node.js than it needs; the tests tell.
            .args([
                "--no-update-notifier",
                "--loglevel=error",
                "--engine-strict=false",
            ])
            .current_dir(&home)
            .stdin(Stdio::null()),
    )?;
    write(INSTALLED, &lock)
}

/// Whether what is listed runs here: modules are found by hooks (20.6), and the HTTP client asks for 20.18.1.
fn fits() -> bool {
    const FIT: &str = "const [major, minor, patch] = process.versions.node.split('.').map(Number); \
        process.exit((major - 20 || minor - 18 || patch - 1) < 0 ? 1 : 0)";
    succeeds("node", &["-e", FIT]) && succeeds("npm", &["--version"])
}
