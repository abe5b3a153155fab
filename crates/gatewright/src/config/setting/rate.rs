//! Rates.

use super::{Bounds, Fields, Setting, compare, wrong_type};
use crate::config::mistake::Notes;
use crate::config::tree::{Node, Value};
use crate::config::{MistakeKind, Path};
use crate::limit::Rate;

/// `60/min`, or a table of `max`, `per_secs` and perhaps `burst`.
impl Setting for Rate {
    #[cfg(test)]
    fn type_name() -> String {
        "rate".to_owned()
    }

    fn read(node: Node, _: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        let numbers = match &node.value {
            Value::Text(text) => match read_rate(text) {
                Some((max, per_secs)) => (max, per_secs, max),
                None => {
                    let expected = "a rate such as 60/min, 30/s, 1000/h, 5/day or 10/90s";
                    return wrong_type(expected, &node, at, notes);
                }
            },
            Value::Table(_) => {
                let mut fields = Fields::open(node, at, notes)?;
                let max = fields.take("max", true, Bounds::NONE, notes);
                let per_secs = fields.take("per_secs", true, Bounds::NONE, notes);
                let burst: Option<u32> = fields.take("burst", false, Bounds::NONE, notes);
                fields.close(notes);
                let max = max?;
                (max, per_secs?, burst.unwrap_or(max))
            }
            _ => {
                let expected = "a rate such as 60/min, or a table of max and per_secs";
                return wrong_type(expected, &node, at, notes);
            }
        };
        let (max, per_secs, burst) = numbers;
        match Self::new(max, per_secs, burst) {
            Ok(rate) => Some(rate),
            Err(error) => {
                notes.wrong(at, MistakeKind::Refused(error.to_string()));
                None
            }
        }
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        compare(self, other, at, found);
    }
}

/// The calls and the seconds of `60/min`.
fn read_rate(text: &str) -> Option<(u32, u32)> {
    let (max, window) = text.split_once('/')?;
    let number = |digits: &str| {
        // `parse` would also take a sign.
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u32>().ok()).flatten()
    };
    let letters = window.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = window.split_at_checked(letters)?;
    let secs: u32 = match unit {
        "s" | "sec" | "second" => 1,
        "min" | "minute" => 60,
        "h" | "hour" => 3_600,
        "d" | "day" => 86_400,
        _ => return None,
    };
    let count = if count.is_empty() { 1 } else { number(count)? };
    Some((number(max)?, secs.checked_mul(count)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_calls_in_a_window() {
        for (text, expected) in [
            ("60/min", Some((60, 60))),
            ("30/s", Some((30, 1))),
            ("1000/hour", Some((1_000, 3_600))),
            ("5/day", Some((5, 86_400))),
            ("10/90s", Some((10, 90))),
            ("+1/s", None),
            ("-1/s", None),
            ("1/", None),
            ("/s", None),
            ("1/fortnight", None),
            ("4294967296/s", None),
            ("1/4294967295min", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(read_rate(text), expected, "{text}");
        }
    }
}
