//! What commands print.

use std::io::Write as _;

/// Prints to standard output. Whoever stopped reading it, `head` for one, is no reason to fail or to panic.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _reader_may_be_gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The same to standard error.
pub(crate) fn print_aside(text: &str) {
    let _reader_may_be_gone = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The time in UTC, as RFC 3339 writes it.
pub(crate) fn time(at: u64) -> String {
    i64::try_from(at)
        .ok()
        .and_then(|at| jiff::Timestamp::from_second(at).ok())
        .map_or_else(|| at.to_string(), |at| at.to_string())
}
