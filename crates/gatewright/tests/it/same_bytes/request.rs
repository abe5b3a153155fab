//! The table of requests, as `requests.txt` writes it.
//!
//! `# …` is a comment and `= …` begins a row with its title; after a `|` stand the circumstances. The request follows:
//! its line, then its fields. In both, `{name}` stands for a credential, `{x*9}` for nine times `x`, and `\t`, `\s`
//! (a space) and `\xff` for bytes that could not be seen.

use super::world::World;

pub(crate) struct Row {
    pub(crate) title: String,
    /// The request as the file writes it.
    pub(crate) written: String,
    /// The store is out of reach meanwhile.
    pub(crate) outage: bool,
    /// Not sent over HTTP/2.
    pub(crate) only_http1: bool,
    /// So many seconds pass before.
    pub(crate) wait: u64,
    /// So often it is sent; the last answer counts.
    pub(crate) times: usize,
}

/// A request with everything in place.
pub(crate) struct Wire {
    pub(crate) method: String,
    pub(crate) target: Vec<u8>,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

pub(crate) fn rows(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("= ") {
            let (title, circumstances) = head.split_once(" | ").unwrap_or((head, ""));
            let mut row = Row {
                title: title.to_owned(),
                written: String::new(),
                outage: false,
                only_http1: false,
                wait: 0,
                times: 1,
            };
            for circumstance in circumstances.split(", ").filter(|text| !text.is_empty()) {
                match circumstance.split_once(' ') {
                    Some(("store", "out")) => row.outage = true,
                    Some(("http/1.1", "only")) => row.only_http1 = true,
                    Some(("after", secs)) => row.wait = secs.parse().unwrap(),
                    Some((times, "times")) => row.times = times.parse().unwrap(),
                    _ => panic!("{title}: what is `{circumstance}`?"),
                }
            }
            assert!(
                rows.iter().all(|row| row.title != title),
                "{title} stands twice"
            );
            rows.push(row);
        } else if !line.is_empty() && !line.starts_with('#') {
            let row = rows.last_mut().unwrap();
            row.written.push_str(line);
            row.written.push('\n');
        }
    }
    rows
}

impl Row {
    pub(crate) fn wire(&self, world: &World) -> Wire {
        let mut lines = self.written.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            let value = value.strip_prefix(' ').unwrap_or(value);
            (name.to_owned(), filled(value, world))
        });
        Wire {
            method: method.to_owned(),
            target: filled(target, world),
            fields: fields.collect(),
        }
    }
}

fn filled(text: &str, world: &World) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '{' => {
                let (name, after) = rest.split_once('}').unwrap();
                match name.split_once('*') {
                    Some((text, times)) => {
                        bytes.extend(text.repeat(times.parse().unwrap()).bytes())
                    }
                    None => bytes.extend(world.credential(name).bytes()),
                }
                rest = after;
            }
            '\\' => {
                let (byte, length) = match &rest[..1] {
                    "t" => (b'\t', 1),
                    "s" => (b' ', 1),
                    "x" => (u8::from_str_radix(&rest[1..3], 16).unwrap(), 3),
                    other => panic!("what is `\\{other}`?"),
                };
                bytes.push(byte);
                rest = &rest[length..];
            }
            other => bytes.extend(other.to_string().bytes()),
        }
    }
    bytes
}
