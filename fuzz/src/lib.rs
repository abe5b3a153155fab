//! What several targets need in order to judge JSON by serde_json, which is looser than what they test.

use serde_json::{Value, json};

/// How serde_json names what is its own.
const RESERVED: &str = "$serde_json::private::";

/// A text as serde_json reads it, and what it doesn't tell of it.
pub struct Text {
    /// `None` for what is no JSON.
    pub value: Option<Value>,
    /// Whether an object names a member twice.
    pub repeats: bool,
    /// Whether it is nested more deeply than is read.
    pub is_deep: bool,
    /// Whether it holds what serde_json calls its own: anywhere as it stands, or at the beginning of a name that is spelt with
    /// escapes.
    pub is_reserved: bool,
}

impl Text {
    /// Reads a text.
    pub fn new(text: &[u8]) -> Self {
        let value = serde_json::from_slice::<Value>(text).ok();
        let (members, depth) = shape(text);
        Self {
            repeats: value.as_ref().is_some_and(|value| count(value) < members),
            is_deep: depth > 32,
            is_reserved: text
                .windows(RESERVED.len())
                .any(|part| part == RESERVED.as_bytes())
                || names(text).iter().any(|name| name.starts_with(RESERVED)),
            value,
        }
    }

    /// Whether the text is read at all, repetitions or not.
    pub fn is_readable(&self) -> bool {
        self.value.is_some() && !self.is_deep && !self.is_reserved
    }
}

/// Minus zero is an integer or a float by the features of serde_json, and 0 here.
pub fn without_minus_zero(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.as_f64() == Some(0.0) => json!(0),
        Value::Array(items) => items.iter().map(without_minus_zero).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), without_minus_zero(value)))
            .collect(),
        other => other.clone(),
    }
}

/// The members of all objects, each name once.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.len() + members.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Of a JSON text: the colons outside of strings, one for each member, and the deepest nesting.
fn shape(text: &[u8]) -> (usize, usize) {
    let (mut members, mut depth, mut deepest) = (0, 0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b':' => members += 1,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    (members, deepest)
}

/// The names of all members of a JSON text, those too that are repeated.
fn names(text: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut start = None;
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match (byte, start) {
            _ if escaped => escaped = false,
            (b'\\', Some(_)) => escaped = true,
            (b'"', None) => start = Some(at),
            (b'"', Some(first)) => {
                if text[at + 1..].trim_ascii_start().starts_with(b":") {
                    names.extend(serde_json::from_slice::<String>(&text[first..=at]).ok());
                }
                start = None;
            }
            _ => {}
        }
    }
    names
}
