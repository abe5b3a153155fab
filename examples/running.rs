//! A quickstart as a program of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// The running program. It ends when this is dropped.
pub(crate) struct Running {
    child: Child,
    /// What it printed at its start.
    pub(crate) printed: Vec<String>,
}

impl Running {
    /// Starts a program on a free port, and reads until it has printed as many lines that hold `mark`.
    pub(crate) fn start(program: &str, mark: &str, lines: usize) -> Self {
        let mut child = Command::new(program)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self {
            child,
            printed: Vec::new(),
        };
        let mut marked = 0;
        for line in output.lines() {
            let line = line.unwrap();
            marked += usize::from(line.contains(mark));
            running.printed.push(line);
            if marked == lines {
                return running;
            }
        }
        panic!("it ended too early: {:#?}", running.printed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A quickstart is read in one go.
pub(crate) fn assert_short(source: &str) {
    let lines = source.lines().count();
    assert!(lines < 60, "{lines} lines");
}
