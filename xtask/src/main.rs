//! The chores of the workspace, run as `cargo xtask <command>`.

mod failure;
mod fuzz;
mod layering;
mod suite;
mod workspace;

use std::process::ExitCode;

use failure::Failure;

const USAGE: &str = "\
usage: cargo xtask <command>

  test                      run the whole test suite: unit, integration, examples, doc tests
  layering                  fail on an import against the arrow, between crates and inside core
  fuzz [target] [seconds]   run one fuzz target, or every one, for so many seconds each (60)
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
        for args in [&[][..], &["tset"], &["test", "extra"], &["layering", "x"]] {
            assert!(matches!(run(args), Err(Failure::Usage)), "{args:?}");
        }
    }
}
