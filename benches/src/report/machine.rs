//! Where a run was made, and with what.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// The machine and the compiler.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many of its threads a program may use.
    pub cores: usize,
    /// The kernel.
    pub kernel: String,
    /// The compiler.
    pub compiler: String,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn here() -> Self {
        Self {
            processor: fs::read_to_string("/proc/cpuinfo")
                .ok()
                .and_then(|text| processor(&text))
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: says("uname", "-sr"),
            compiler: says("rustc", "--version"),
        }
    }
}

/// The versions of what a lock file holds, by name: the newest, where there are several.
#[derive(Clone, Debug)]
pub struct Versions(BTreeMap<String, String>);

impl Versions {
    /// Out of the text of a `Cargo.lock`.
    #[must_use]
    pub fn of(lock: &str) -> Self {
        let mut versions: BTreeMap<String, String> = BTreeMap::new();
        let mut name = None;
        for line in lock.lines() {
            if let Some(value) = value(line, "name = ") {
                name = Some(value);
            } else if let (Some(value), Some(name)) = (value(line, "version = "), name) {
                let kept = versions.entry(name.to_owned()).or_default();
                if parts(value) > parts(kept) {
                    value.clone_into(kept);
                }
            }
        }
        Self(versions)
    }

    /// The version of this package.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.strip_prefix('"')?.strip_suffix('"')
}

/// Enough of semver for the lock file of this folder: numbers before numbers.
fn parts(version: &str) -> Vec<u64> {
    version
        .split(['.', '-', '+'])
        .map_while(|part| part.parse().ok())
        .collect()
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn says(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok()
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_a_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"axum\"\nversion = \"0.8.9\"\n\n\
            [[package]]\nname = \"axum\"\nversion = \"0.7.12\"\n\n[[package]]\nname = \"x\"\nversion = \"1.0.0\"\n";
        let versions = Versions::of(lock);
        assert_eq!(versions.get("axum"), Some("0.8.9"));
        assert_eq!(versions.get("x"), Some("1.0.0"));
        assert_eq!(versions.get("y"), None);
        assert!(parts("10.0") > parts("9.9"));
    }

    #[test]
    fn a_processor_has_a_name() {
        let text = "processor\t: 0\nmodel name\t: Some Chip @ 2 GHz\nprocessor\t: 1\n";
        assert_eq!(processor(text).as_deref(), Some("Some Chip @ 2 GHz"));
        assert_eq!(processor(""), None);
    }
}
