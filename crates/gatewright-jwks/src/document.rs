//! JSON documents of a peer.

use serde::de::DeserializeOwned;

/// Reads a JSON object in UTF-8 (RFC 8259 §4, §8.1). Members that `T` names are there once; `None` for anything else.
pub(crate) fn read_object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    // From bytes, a member that nobody reads would be let through with whatever it holds.
    let text = std::str::from_utf8(bytes).ok()?;
    // Else an array of the members' values would do.
    if !text
        .trim_start_matches([' ', '\t', '\r', '\n'])
        .starts_with('{')
    {
        return None;
    }
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Document {
        active: bool,
    }

    #[test]
    fn nothing_but_an_object_that_names_a_member_once() {
        let table: [(&[u8], Option<bool>); 12] = [
            (b"{\"active\":true}", Some(true)),
            (b" \r\n\t{\"other\":[{}],\"active\":false} ", Some(false)),
            (b"", None),
            (b"{}", None),
            (b"[true]", None),
            (b"true", None),
            (b"{\"active\":\"true\"}", None),
            (b"{\"active\":1}", None),
            (b"{\"active\":null}", None),
            (b"{\"active\":true,\"active\":false}", None),
            (b"{\"active\":true}{}", None),
            (b"{\"active\":true,\"x\":\"\xff\"}", None),
        ];
        for (bytes, expected) in table {
            let read = read_object::<Document>(bytes).map(|document| document.active);
            assert_eq!(read, expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
