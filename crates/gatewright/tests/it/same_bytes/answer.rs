//! What came back, and the file of what must.

use std::fmt;

/// An answer without what the server itself adds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    status: u16,
    /// By name, and for each name in the order in which they came.
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Fields of the moment and of the connection (RFC 9110 §6.6.1, §7.6.1): they are the server's, not the answer's, and no
/// two servers manage connections alike.
const ASIDE: [&str; 4] = ["connection", "date", "keep-alive", "transfer-encoding"];

impl Answer {
    pub(crate) fn new(status: u16, mut fields: Vec<(String, String)>, body: Vec<u8>) -> Self {
        fields.retain(|(name, _)| !ASIDE.contains(&name.as_str()));
        if status == 204 {
            // None may be said (RFC 9110 §8.6). axum does, and over HTTP/2 nothing after it takes it away.
            fields.retain(|field| *field != ("content-length".to_owned(), "0".to_owned()));
        }
        for (name, value) in &mut fields {
            if name == "set-cookie" {
                mask(value);
            }
        }
        fields.sort_by(|(ours, _), (theirs, _)| ours.cmp(theirs));
        Self {
            status,
            fields,
            body,
        }
    }

    pub(crate) fn shows(&self, text: &str) -> bool {
        let body = String::from_utf8_lossy(&self.body);
        body.contains(text) || self.fields.iter().any(|(_, value)| value.contains(text))
    }
}

/// Puts the length of a visitor's cookie in the place of its value, which is random.
fn mask(line: &mut String) {
    if let Some(value) = line.strip_prefix("__Host-visitor=") {
        let (value, attributes) = value.split_once(';').unwrap_or((value, ""));
        *line = format!("__Host-visitor=({} bytes);{attributes}", value.len());
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.fields {
            writeln!(f, "{name}: {value}")?;
        }
        if !self.body.is_empty() {
            let body = match std::str::from_utf8(&self.body) {
                Ok(text) => text.replace('\n', "\\n"),
                Err(_) => self.body.escape_ascii().to_string(),
            };
            writeln!(f, "\n{body}")?;
        }
        Ok(())
    }
}
