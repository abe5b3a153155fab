//! `cargo xtask bench`: Gatewright beside its peers, and what it costs.
//!
//! `benches/` is a workspace of its own, with its own lock file and target folder. Programs run one after the other: what
//! measures time shares the machine with nothing of ours.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::suite::{self, succeeds};
use crate::workspace;

/// What is run, in this order.
const PROGRAMS: &[Program] = &[
    Program::timed("gate"),
    Program::timed("peers"),
    Program::timed("limits"),
    Program::timed("adapters"),
    Program::counted("instructions"),
    Program::plain("counts").counting_allocations(),
    Program::plain("web_allocations").counting_allocations(),
    Program::plain("memory"),
    Program::plain("contention"),
    Program::plain("million"),
    Program::plain("loopback"),
    Program::plain("flood"),
    Program::plain("answers"),
];

/// The library that counts instructions, whose program has to be of the same version.
const COUNTER: &str = "gungraun-runner";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Program {
    name: &'static str,
    kind: Kind,
    /// With an allocator that counts, which nothing that measures time is to have.
    counts_allocations: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A benchmark by criterion.
    Timed,
    /// A benchmark under valgrind.
    Counted,
    /// A program that writes figures down.
    Plain,
}

impl Program {
    const fn timed(name: &'static str) -> Self {
        Self::of(name, Kind::Timed)
    }

    const fn counted(name: &'static str) -> Self {
        Self::of(name, Kind::Counted)
    }

    const fn plain(name: &'static str) -> Self {
        Self::of(name, Kind::Plain)
    }

    const fn of(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            counts_allocations: false,
        }
    }

    const fn counting_allocations(self) -> Self {
        Self {
            counts_allocations: true,
            ..self
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Job {
    /// Runs these, then the report.
    Run(Vec<Program>),
    /// The report alone, of what was measured before.
    Report,
    /// Builds everything, and runs each benchmark's body once.
    Check,
}

/// Does what `[--report-only | --check] [names…]` asks for.
pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    match parse(args)? {
        Job::Report => report(),
        Job::Check => check(),
        Job::Run(programs) => {
            for program in programs {
                println!("bench: {}", program.name);
                measure(program)?;
            }
            report()
        }
    }
}

fn parse(args: &[&str]) -> Result<Job, Failure> {
    match args {
        [] => Ok(Job::Run(PROGRAMS.to_vec())),
        ["--report-only"] => Ok(Job::Report),
        ["--check"] => Ok(Job::Check),
        names => names
            .iter()
            .map(|name| PROGRAMS.iter().find(|program| program.name == *name))
            .map(|program| program.copied().ok_or(Failure::Usage))
            .collect::<Result<_, _>>()
            .map(Job::Run),
    }
}

fn measure(program: Program) -> Result<(), Failure> {
    match program.name {
        "million" => pinned()?,
        "flood" => server()?,
        _ => {}
    }
    let mut command = match program.kind {
        Kind::Timed => cargo(&["bench", "--bench", program.name]),
        Kind::Counted => {
            let mut command = cargo(&["bench", "--bench", program.name]);
            command
                .env("GUNGRAUN_RUNNER", counter()?)
                .args(["--", "--save-summary=json"]);
            command
        }
        Kind::Plain => cargo(&["run", "--quiet", "--release", "--bin", program.name]),
    };
    if program.counts_allocations {
        command.args(["--features", "count-allocations"]);
    }
    workspace::show(&mut command)
}

/// Prints the budgets and writes the page and the plot.
fn report() -> Result<(), Failure> {
    workspace::show(&mut cargo(&[
        "run",
        "--quiet",
        "--release",
        "--bin",
        "report",
    ]))
}

/// Everything is built and tested; what criterion would repeat runs once.
fn check() -> Result<(), Failure> {
    let all = ["--features", "count-allocations"];
    workspace::show(cargo(&["build", "--release", "--bins", "--benches"]).args(all))?;
    workspace::show(&mut cargo(&["test", "--release", "--lib", "--bins"]))?;
    for program in PROGRAMS {
        if program.kind == Kind::Timed {
            workspace::show(cargo(&["bench", "--bench", program.name]).args(["--", "--test"]))?;
        }
    }
    Ok(())
}

/// The cargo of the benches' own workspace.
fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = workspace::cargo();
    let (command, rest) = arguments.split_at(1);
    cargo
        .current_dir(home())
        // Wherever the workspace is built to: results are looked for here.
        .env("CARGO_TARGET_DIR", home().join("target"))
        .args(command)
        .arg("--locked")
        .args(rest);
    cargo
}

/// Builds the server that is flooded, to where the flood looks for it.
fn server() -> Result<(), Failure> {
    workspace::show(
        workspace::cargo()
            .env("CARGO_TARGET_DIR", workspace::root().join("target"))
            .args(["build", "--quiet", "--release", "--locked"])
            .args(["--package", "gatewright-server"]),
    )
}

/// What holds a program to one core; installs it where it is missing.
fn pinned() -> Result<(), Failure> {
    let taskset = || succeeds("taskset", &["--version"]);
    if taskset() || (suite::install(&["util-linux"]) && taskset()) {
        return Ok(());
    }
    Err(Failure::Missing {
        what: "taskset, which holds a program to one core,",
        install: "apt-get install util-linux",
    })
}

/// Where the program is that runs benchmarks under valgrind; installs both where they are missing.
fn counter() -> Result<PathBuf, Failure> {
    let valgrind = || succeeds("valgrind", &["--version"]);
    if !(valgrind() || (suite::install(&["valgrind"]) && valgrind())) {
        return Err(Failure::Missing {
            what: "valgrind, which counts instructions,",
            install: "apt-get install valgrind",
        });
    }
    let lock = home().join("Cargo.lock");
    let text = std::fs::read_to_string(&lock).map_err(|source| Failure::Read {
        path: lock.clone(),
        source,
    })?;
    let version = locked(&text, COUNTER).ok_or(Failure::NotLocked { name: COUNTER })?;
    let tools = home().join("target/tools");
    // Cargo sees for itself that this version is there already.
    workspace::show(
        workspace::cargo()
            .args([
                "install",
                "--locked",
                "--quiet",
                COUNTER,
                "--version",
                version,
            ])
            .arg("--root")
            .arg(&tools),
    )?;
    Ok(tools.join("bin").join(COUNTER))
}

/// The version of a package in the text of a lock file.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let named = format!("name = \"{name}\"");
    let mut lines = lock.lines().skip_while(|line| *line != named).skip(1);
    let version = lines.next()?.strip_prefix("version = \"")?;
    version.strip_suffix('"')
}

fn home() -> PathBuf {
    workspace::root().join("benches")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_everything_is_run_in_order() {
        let all = parse(&[]).unwrap();
        assert_eq!(all, Job::Run(PROGRAMS.to_vec()));
        let some = parse(&["limits", "gate"]).unwrap();
        let want = vec![Program::timed("limits"), Program::timed("gate")];
        assert_eq!(some, Job::Run(want));
        assert_eq!(parse(&["--report-only"]).unwrap(), Job::Report);
        assert_eq!(parse(&["--check"]).unwrap(), Job::Check);
    }

    #[test]
    fn what_is_no_program_is_a_usage_error() {
        for args in [
            &["gat"][..],
            &["gate", "--check"],
            &["--report-only", "gate"],
            &["report"],
        ] {
            assert!(matches!(parse(args), Err(Failure::Usage)), "{args:?}");
        }
    }

    #[test]
    fn programs_are_files_of_the_benches() {
        for Program { name, kind, .. } in PROGRAMS {
            let folder = home().join(match kind {
                Kind::Plain => "src/bin",
                Kind::Timed | Kind::Counted => "benches",
            });
            let places = [format!("{name}.rs"), format!("{name}/main.rs")];
            let is_there = places.iter().any(|place| folder.join(place).is_file());
            assert!(is_there, "{name}");
        }
    }

    #[test]
    fn a_version_is_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.0.0\"\n";
        assert_eq!(locked(lock, "a"), Some("2.0.0"));
        assert_eq!(locked(lock, "b"), None);
        let own = std::fs::read_to_string(home().join("Cargo.lock")).unwrap();
        assert!(locked(&own, COUNTER).is_some());
    }
}
