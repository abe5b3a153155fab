//! `cargo xtask fuzz`: each fuzz target for a while.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::workspace;

const SECONDS: u64 = 60;

/// Runs the named target, or every one, for the given number of seconds each; with `--check` every one on its seeds alone.
pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    if args == ["--check"] {
        return check();
    }
    let (target, seconds) = parse(args)?;
    let known = targets()?;
    if known.is_empty() {
        return Err(Failure::NoTarget);
    }
    let chosen = match target {
        Some(name) if known.iter().any(|known| known == name) => vec![name.to_owned()],
        Some(name) => {
            let name = name.to_owned();
            return Err(Failure::UnknownTarget { name, known });
        }
        None => known,
    };
    if !installed() {
        return Err(Failure::Missing {
            what: "cargo-fuzz",
            install: "cargo install --locked cargo-fuzz",
        });
    }
    for target in chosen {
        let (corpus, seeds) = corpora(&target)?;
        // libFuzzer's instrumentation asks for unstable flags; this lets the stable compiler of the
        // workspace take them, so that what is fuzzed is what is shipped.
        let mut fuzz = workspace::cargo();
        fuzz.env("RUSTC_BOOTSTRAP", "1")
            .args(["fuzz", "run", &target])
            .arg(corpus)
            .args(seeds)
            .arg("--")
            .arg(format!("-max_total_time={seconds}"));
        workspace::show(&mut fuzz)?;
    }
    Ok(())
}

/// Builds the targets as programs without instrumentation, and gives each its seeds once. It needs no `cargo-fuzz`.
fn check() -> Result<(), Failure> {
    let cargo = |job: &str| {
        let mut cargo = workspace::cargo();
        cargo.args([
            job,
            "--quiet",
            "--locked",
            "--manifest-path=fuzz/Cargo.toml",
        ]);
        cargo
    };
    workspace::show(cargo("build").arg("--bins"))?;
    for target in targets()? {
        let seeds = files(&seeds(&target))?;
        // Given no file, a target would start to look for inputs.
        if !seeds.is_empty() {
            workspace::show(cargo("run").args(["--bin", &target, "--"]).args(seeds))?;
        }
    }
    Ok(())
}

/// `[target] [seconds]`, either of them left out: a name never begins with a digit.
fn parse<'a>(args: &[&'a str]) -> Result<(Option<&'a str>, u64), Failure> {
    match *args {
        [] => Ok((None, SECONDS)),
        [only] => match seconds(only) {
            Ok(seconds) => Ok((None, seconds)),
            Err(_) => Ok((Some(only), SECONDS)),
        },
        [target, time] => Ok((Some(target), seconds(time)?)),
        _ => Err(Failure::Usage),
    }
}

/// Zero would mean "for ever" to libFuzzer.
fn seconds(text: &str) -> Result<u64, Failure> {
    text.parse()
        .ok()
        .filter(|&seconds| seconds > 0)
        .ok_or(Failure::Usage)
}

/// The targets are the files of `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>, Failure> {
    let paths = files(&workspace::root().join("fuzz/fuzz_targets"))?;
    Ok(paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into()))
        .collect())
}

/// The inputs that a target starts from; some have none.
fn seeds(target: &str) -> PathBuf {
    workspace::root().join("fuzz/seeds").join(target)
}

/// What is in a folder, in order; nothing where there is none.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let read = |source| Failure::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(read)?;
    paths.sort();
    Ok(paths)
}

/// Where a target keeps what it finds, and the inputs it starts from, if there are any.
fn corpora(target: &str) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    let corpus = workspace::root().join("fuzz/corpus").join(target);
    std::fs::create_dir_all(&corpus).map_err(|source| Failure::Read {
        path: corpus.clone(),
        source,
    })?;
    let seeds = seeds(target);
    Ok((corpus, seeds.is_dir().then_some(seeds)))
}

fn installed() -> bool {
    Command::new("cargo-fuzz")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_and_time_may_each_be_left_out() {
        for (args, want) in [
            (&[][..], (None, 60)),
            (&["5"], (None, 5)),
            (&["scope"], (Some("scope"), 60)),
            (&["scope", "5"], (Some("scope"), 5)),
        ] {
            assert_eq!(parse(args).unwrap(), want, "{args:?}");
        }
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        for args in [&["scope", "0"][..], &["scope", "x"], &["a", "1", "b"]] {
            assert!(matches!(parse(args), Err(Failure::Usage)), "{args:?}");
        }
    }
}
