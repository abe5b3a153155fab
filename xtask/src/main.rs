//! The chores of the workspace, run as `cargo xtask <command>`.

mod bench;
mod failure;
mod features;
mod figures;
mod fuzz;
mod layering;
mod node;
mod python;
mod sources;
mod suite;
mod workspace;

use std::process::ExitCode;

use failure::Failure;

const USAGE: &str = "\
usage: cargo xtask <command>

  test                      run the whole test suite: unit, integration, examples, doc tests
  python                    install the tools in Python that tests run, into target/python
  node                      install the packages for Node.js that tests run, into target/node
  layering                  fail on an import against the arrow, between crates and inside core
  features                  lint each library alone: without features, with each of them, with all
  figures [--write]         count dependencies and lines; fail where README.md says otherwise, or write it
  bench [names]             measure Gatewright beside its peers, all of it or some programs; write docs/performance.*
  bench --report-only       write them again from the last run
  bench --check             build the benches and run each once, so that they stay whole
  fuzz [target] [seconds]   run one fuzz target, or every one, for so many seconds each (60)
  fuzz --check              build the fuzz targets and give each its seeds, so that they stay whole
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage) => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<(), Failure> {
    match args {
        ["test"] => suite::run(),
        ["layering"] => layering::run(),
        ["features"] => features::run(),
        ["figures"] => figures::check(),
        ["figures", "--write"] => figures::write(),
        ["python"] => python::programs().map(drop),
        ["node"] => node::packages(),
        ["bench", rest @ ..] => bench::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => Err(Failure::Usage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_command_is_a_usage_error() {
        for args in [
            &[][..],
            &["tset"],
            &["test", "extra"],
            &["layering", "x"],
            &["figures", "x"],
            &["bench", "x"],
        ] {
            assert!(matches!(run(args), Err(Failure::Usage)), "{args:?}");
        }
    }
}
