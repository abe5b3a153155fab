//! The JSON that issuers write, read without serde.
//!
//! A token that was not seen before is mostly this: an object without white space, of strings without escapes, whole
//! numbers, and lists or objects of them. Such a text is read here, in a third of the time. Whatever else a text may be is
//! left to serde_json: escapes, signs, fractions, exponents, white space, deep nesting, a name twice, and all that is not
//! JSON at all. So there is one judge of what is wrong with a text, and this reader can differ from it in one way only, by
//! taking what it must not take; the tests hold the two against each other.

use std::borrow::Cow;

use super::names::{Names, repeats};
use super::{Json, Number, Object};

/// Deeper arrays and objects are left to serde_json.
const MAX_DEPTH: u8 = 8;
/// Every number of so many digits fits.
const MAX_DIGITS: usize = 19;

/// Gives each member of the object that is all of `text` to `take`, in order. `None` if the text is left to serde_json; what was
/// given by then counts for nothing.
///
/// `text` has no `$`, so that none of its names is one of serde_json's own.
pub(super) fn read_members<'a>(
    text: &'a str,
    mut take: impl FnMut(Cow<'a, str>, Json<'a>),
) -> Option<()> {
    let mut reader = Reader { text, at: 0 };
    let mut names = Names::default();
    reader.members(|reader, name| {
        let name = Cow::Borrowed(name);
        let value = reader.value(MAX_DEPTH)?;
        if names.repeats(name.clone()) {
            return None;
        }
        take(name, value);
        Some(())
    })?;
    (reader.at == text.len()).then_some(())
}

struct Reader<'a> {
    text: &'a str,
    /// Always at the beginning of a character.
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads an object of which `member` reads each value.
    #[inline]
    fn members(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.skip(b'{')?;
        if self.skip(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.skip(b':')?;
            member(self, name)?;
            if self.ends(b'}')? {
                return Some(());
            }
        }
    }

    #[inline]
    fn value(&mut self, depth: u8) -> Option<Json<'a>> {
        match self.peek()? {
            b'"' => self.string().map(|text| Json::String(Cow::Borrowed(text))),
            b'0'..=b'9' => self
                .number()
                .map(|number| Json::Number(Number::Unsigned(number))),
            b'[' => self.array(depth.checked_sub(1)?),
            b'{' => self.object(depth.checked_sub(1)?),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => None,
        }
    }

    fn array(&mut self, depth: u8) -> Option<Json<'a>> {
        self.skip(b'[')?;
        let mut items = Vec::new();
        if self.skip(b']').is_some() {
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.ends(b']')? {
                return Some(Json::Array(items));
            }
        }
    }

    fn object(&mut self, depth: u8) -> Option<Json<'a>> {
        let mut members = Vec::new();
        self.members(|reader, name| {
            members.push((Cow::Borrowed(name), reader.value(depth)?));
            Some(())
        })?;
        (!repeats(&members)).then_some(Json::Object(Object {
            members,
            repeated: false,
        }))
    }

    /// A string that stands for itself.
    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        self.skip(b'"')?;
        let rest = self.text.as_bytes().get(self.at..)?;
        let length = plain_length(rest);
        if rest.get(length) != Some(&b'"') {
            return None;
        }
        let text = self.text.get(self.at..self.at + length)?;
        self.at += length + 1;
        Some(text)
    }

    /// An integer; what follows it shows whether it is the whole number.
    #[inline]
    fn number(&mut self) -> Option<u64> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = number
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - start;
        let leads_with_zero = self.text.as_bytes().get(start) == Some(&b'0');
        let is_one = (1..=MAX_DIGITS).contains(&digits) && (digits == 1 || !leads_with_zero);
        is_one.then_some(number)
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Option<Json<'a>> {
        self.text.get(self.at..)?.strip_prefix(word)?;
        self.at += word.len();
        Some(value)
    }

    /// Whether a list ends here; `None` if it neither does nor goes on.
    #[inline]
    fn ends(&mut self, end: u8) -> Option<bool> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Some(false),
            _ => (byte == end).then_some(true),
        }
    }

    #[inline]
    fn skip(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// How many bytes there are before the first that may not stand in a string for itself: a quotation mark, a backslash or a
/// control character (RFC 8259 §7).
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return place * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    words.len() * 8 + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The top bit of each byte that may not stand for itself. A borrow may also mark one that may, but only above one that
/// may not: the lowest mark is always right.
#[inline]
const fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    let is_quote = quotes.wrapping_sub(ONES) & !quotes;
    let is_backslash = backslashes.wrapping_sub(ONES) & !backslashes;
    let is_control = word.wrapping_sub(ONES * b' ' as u64) & !word;
    (is_quote | is_backslash | is_control) & TOPS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Members<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

    fn flat(text: &str) -> Option<Members<'_>> {
        let mut members = Vec::new();
        read_members(text, |name, value| members.push((name, value))).map(|()| members)
    }

    /// What is read here is read by serde_json, and as the same.
    fn agrees(text: &str) {
        if let Some(members) = flat(text) {
            let theirs = Object::parse(text.as_bytes()).map(|object| object.members);
            assert_eq!(theirs, Ok(members), "{text}");
        }
    }

    #[test]
    fn what_issuers_write_is_read_here() {
        for text in [
            "{}",
            r#"{"iss":"https://i.example","aud":["a","b"],"exp":1790000000,"email_verified":true,"act":null,"x":false}"#,
            r#"{"realm_access":{"roles":["a","b"]},"resource_access":{"account":{"roles":[]}},"name":"Zoë 😀","a":{}}"#,
            "{\"a\":0,\"b\":9999999999999999999,\"\":\"\",\"k\":[[[{\"a\":[]}]]],\"/\":\"/'\u{7f}\"}",
        ] {
            assert!(flat(text).is_some(), "{text}");
            agrees(text);
        }
    }

    #[test]
    fn the_rest_is_left_to_serde_json() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(9), "]".repeat(9));
        for text in [
            "",
            "{",
            "}",
            "[]",
            "1",
            "null",
            "\"a\"",
            " {}",
            "{} ",
            "{}}",
            "{ }",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1 }"#,
            r#"{"a":1"b":2}"#,
            r#"{"a":1]"#,
            r#"{"a":[1}}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[,1]}"#,
            r#"{"a":01}"#,
            r#"{"a":00}"#,
            r#"{"a":-0}"#,
            r#"{"a":-1}"#,
            r#"{"a":+1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":1.}"#,
            r#"{"a":1e3}"#,
            r#"{"a":0x1}"#,
            r#"{"a":10000000000000000000}"#,
            r#"{"a":18446744073709551616}"#,
            r#"{"a":truely}"#,
            r#"{"a":tru}"#,
            r#"{"a":True}"#,
            r#"{"a":nul}"#,
            r#"{"a":"\n"}"#,
            "{\"a\":\"\n\"}",
            "{\"a\":\"\0\"}",
            "{\"a\":\"\u{1f}\"}",
            "{\"a\":\"b\n}",
            "{\"a\n:1}",
            r#"{"a":"b\}"#,
            r#"{"a\:1}"#,
            r#"{"a"_1}"#,
            r#"{"\u0061":1}"#,
            r#"{"a\":1}"#,
            r#"{a:1}"#,
            r#"{1:1}"#,
            r#"{'a':1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            r#"{"x":[{"a":1,"a":1}]}"#,
            "{\"a\":\"",
            "{\"a\":\"a",
            &deep,
        ] {
            assert_eq!(flat(text), None, "{text}");
        }
    }

    #[test]
    fn every_byte_counts_at_every_place_of_a_string() {
        for length in 1..=24 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = byte;
                    let stops = byte < b' ' || byte == b'"' || byte == b'\\';
                    let expected = if stops { place } else { length };
                    assert_eq!(plain_length(&bytes), expected, "{byte} at {place}");
                }
            }
        }
    }

    /// Pieces of which JSON and what is almost JSON are made.
    fn piece() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            " ",
            "\n",
            "-",
            ".",
            "e",
            "0",
            "1",
            "7",
            "\"a\"",
            "\"b\"",
            "\"\\u0061\"",
            "\"a\":",
            "\"b\":",
            "\"\":",
            ",\"a\":1",
            ",\"c\":[]",
            "1e3",
            "1.0",
            "-0",
            "01",
            "9999999999999999999",
            "18446744073709551615",
            "18446744073709551616",
            "true",
            "false",
            "null",
            "nul",
            "\u{0}",
            "\u{1f}",
            "\u{7f}",
            "é",
            "😀",
            "{}",
            "[1,\"a\"]",
            "{\"a\":1,\"b\":{\"a\":2}}",
            "{\"a\":1,\"a\":2}",
        ])
    }

    const CLAIMS: &str = r#"{"iss":"https://i.example","sub":"u","aud":["a","b"],"exp":1790000000,"realm":{"roles":["x",{"y":[]}],"n":null},"name":"Zoë","ok":true}"#;

    proptest! {
        #[test]
        fn what_is_almost_json_is_read_alike(pieces in prop::collection::vec(piece(), 0..12)) {
            agrees(&pieces.concat());
            agrees(&format!("{{{}}}", pieces.concat()));
            agrees(&format!("{{\"a\":{}}}", pieces.concat()));
        }

        #[test]
        fn changed_claims_are_read_alike(
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize, piece()), 0..4),
        ) {
            let mut text = CLAIMS.to_owned();
            for (place, removed, piece) in changes {
                let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
                let at = place.index(places.len());
                let end = places.get(at + removed).copied().unwrap_or(text.len());
                text.replace_range(places[at]..end, piece);
            }
            agrees(&text);
        }

        #[test]
        fn strings_end_where_they_end(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let stops = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
            let expected = bytes.iter().position(stops).unwrap_or(bytes.len());
            prop_assert_eq!(plain_length(&bytes), expected);
        }
    }
}
