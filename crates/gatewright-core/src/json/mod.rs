//! Strict JSON: borrowed where possible, bounded in depth, and aware of repeated members.
//!
//! Verdicts do not depend on the features that another crate of the program enables in serde_json: numbers are read
//! in either form in which it hands them over, and text that could be mistaken for its private form is refused.
//!
//! - [`parse`], [`JsonError`]: one JSON text (RFC 8259) in which no object names a member twice.

mod flat;
mod names;
mod visit;

use std::borrow::Cow;

use serde::de::DeserializeSeed;
use serde_json::Value;

use visit::{Members, ROOT, Read};

/// How deep arrays and objects may nest.
const MAX_DEPTH: u8 = 32;

/// serde_json names its own structures so; with `arbitrary_precision` a number arrives as a map with such a key.
const RESERVED: &str = "$serde_json::private::";
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

/// Why a text was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON, not UTF-8, nested deeper than 32 arrays and objects, or a number out of range.
    #[error("the text is not JSON that can be read")]
    Malformed,
    /// An object names a member twice, after escapes are resolved.
    #[error("an object of the text names a member twice")]
    Repeated,
}

/// Reads one JSON text in which no object, at any depth, names a member twice.
///
/// Readers differ in which of two members of one name they take (RFC 8259 §4). What this one reads is therefore what every
/// other reader of the same bytes finds, and a decision made from it holds for them too.
///
/// # Errors
/// [`JsonError`], by variant.
///
/// ```
/// use gatewright_core::json::{JsonError, parse};
///
/// assert_eq!(parse(br#"{"name":"a"}"#)?["name"], "a");
/// assert_eq!(parse(br#"{"name":"a","n\u0061me":"b"}"#), Err(JsonError::Repeated));
/// # Ok::<_, JsonError>(())
/// ```
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let json = Json::parse(bytes)?;
    if json.repeats() {
        return Err(JsonError::Repeated);
    }
    Ok(json.into_value())
}

#[derive(Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Object<'a>),
}

/// Each value has one form: `Negative` is below zero, `Float` neither a `u64` nor minus zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Unsigned(u64),
    Negative(i64),
    Float(f64),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    repeated: bool,
}

impl<'a> Json<'a> {
    /// Reads one JSON text. Repeated members are kept: ask [`Json::repeats`].
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Malformed)?;
        read_with(text, ROOT)
    }

    /// Whether an object in here, at any depth, names a member twice.
    pub(crate) fn repeats(&self) -> bool {
        match self {
            Self::Array(items) => items.iter().any(Json::repeats),
            Self::Object(object) => {
                object.repeated || object.members.iter().any(|(_, value)| value.repeats())
            }
            _ => false,
        }
    }

    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(bool) => Value::Bool(bool),
            Self::Number(Number::Unsigned(number)) => Value::from(number),
            Self::Number(Number::Negative(number)) => Value::from(number),
            Self::Number(Number::Float(number)) => Value::from(number),
            Self::String(text) => Value::String(text.into_owned()),
            Self::Array(items) => items.into_iter().map(Json::into_value).collect(),
            Self::Object(object) => object
                .members
                .into_iter()
                .map(|(name, value)| (name.into_owned(), value.into_value()))
                .collect(),
        }
    }
}

/// Gives each member of a JSON object to `take`, in order and without building the object. What was there of `taken` is replaced;
/// what is there afterwards counts only if the whole text turned out to be JSON that repeats no member at any depth: an
/// error says that it is not.
///
/// A text may be read twice, from the beginning, which is why what is taken is not the closure's own.
#[inline]
pub(crate) fn read_members<'a, T: Default>(
    text: &'a str,
    taken: &mut T,
    take: impl Fn(&mut T, Cow<'a, str>, Json<'a>),
) -> Result<(), JsonError> {
    *taken = T::default();
    if !has_dollar(text)
        && flat::read_members(text, |name, value| take(taken, name, value)).is_some()
    {
        return Ok(());
    }
    *taken = T::default();
    read_any_members(text, |name, value| take(taken, name, value))
}

#[cold]
fn read_any_members<'a>(
    text: &'a str,
    take: impl FnMut(Cow<'a, str>, Json<'a>),
) -> Result<(), JsonError> {
    match read_with(text, Members(take))? {
        Read::Members { repeated: false } => Ok(()),
        Read::Other(json) if !json.repeats() => Err(JsonError::Malformed),
        _ => Err(JsonError::Repeated),
    }
}

fn read_with<'a, S: DeserializeSeed<'a>>(text: &'a str, seed: S) -> Result<S::Value, JsonError> {
    if has_dollar(text) && text.contains(RESERVED) {
        return Err(JsonError::Malformed);
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = seed
        .deserialize(&mut deserializer)
        .map_err(|_| JsonError::Malformed)?;
    deserializer.end().map_err(|_| JsonError::Malformed)?;
    Ok(value)
}

/// Every byte is looked at, sixteen at once: sooner done than a search that stops at the first.
#[inline]
fn has_dollar(text: &str) -> bool {
    text.bytes()
        .fold(false, |found, byte| found | (byte == b'$'))
}

impl<'a> Object<'a> {
    /// Reads a JSON object that repeats no member at any depth.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let json = Json::parse(bytes)?;
        if json.repeats() {
            return Err(JsonError::Repeated);
        }
        match json {
            Json::Object(object) => Ok(object),
            _ => Err(JsonError::Malformed),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.members
            .iter()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Whether this object itself, not one inside it, names a member twice.
    pub(crate) fn repeats_itself(&self) -> bool {
        self.repeated
    }
}

impl Number {
    fn from_float(number: f64) -> Option<Self> {
        // Minus zero is an integer to one configuration of serde_json and a float to the other.
        if number == 0.0 {
            return Some(Self::Unsigned(0));
        }
        number.is_finite().then_some(Self::Float(number))
    }

    fn from_signed(number: i64) -> Self {
        u64::try_from(number).map_or(Self::Negative(number), Self::Unsigned)
    }

    /// Reads the text of a number that serde_json has already found to be one.
    fn from_text(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Some(Self::Unsigned(number));
        }
        if let Ok(number) = text.parse() {
            return Some(Self::from_signed(number));
        }
        Self::from_float(text.parse().ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::Visitor as _;
    use serde::de::value::{BorrowedStrDeserializer, MapDeserializer};

    fn number(text: &str) -> Option<Number> {
        match Json::parse(text.as_bytes()) {
            Ok(Json::Number(number)) => Some(number),
            _ => None,
        }
    }

    #[test]
    fn repeats_are_seen_at_any_depth_and_through_escapes() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            r#"{"x":[[{"a":{},"b":2,"a":3}]]}"#,
        ] {
            assert_eq!(
                Object::parse(text.as_bytes()),
                Err(JsonError::Repeated),
                "{text}"
            );
        }
        assert!(Object::parse(br#"{"a":{"a":1},"A":1}"#).is_ok());
        let many: Vec<String> = (0..100).map(|n| format!("\"k{n}\":0")).collect();
        let once = format!("{{{}}}", many.join(","));
        assert!(Object::parse(once.as_bytes()).is_ok());
        let twice = format!("{{{},\"k7\":0}}", many.join(","));
        assert_eq!(Object::parse(twice.as_bytes()), Err(JsonError::Repeated));
    }

    #[test]
    fn what_is_not_json() {
        for bytes in [
            &b""[..],
            b"{",
            b"{}x",
            b"{} {}",
            b"{\"a\":1,}",
            b"{'a':1}",
            b"\xef\xbb\xbf{}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":01}",
            b"{\"a\":1e999}",
            b"{\"a\":NaN}",
            b"{\"a\":\"\n\"}",
            br#"{"a":"\ud800"}"#,
            b"[1]",
            b"null",
        ] {
            assert_eq!(Object::parse(bytes), Err(JsonError::Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(32).as_bytes()).is_ok());
        assert_eq!(
            Json::parse(nested(33).as_bytes()),
            Err(JsonError::Malformed)
        );
        assert_eq!(
            Json::parse("[".repeat(100_000).as_bytes()),
            Err(JsonError::Malformed)
        );
    }

    #[test]
    fn the_private_names_of_serde_json_are_refused() {
        for text in [
            r#"{"exp":{"$serde_json::private::Number":"5"}}"#,
            r#"{"exp":{"\u0024serde_json::private::Number":"5"}}"#,
            r#"{"$serde_json::private::RawValue":"{}"}"#,
        ] {
            assert_eq!(
                Json::parse(text.as_bytes()),
                Err(JsonError::Malformed),
                "{text}"
            );
        }
        assert!(Json::parse(br#"{"price":"$5"}"#).is_ok());
    }

    /// As serde_json hands a number over when `arbitrary_precision` is on.
    fn number_as_text(text: &'static str) -> Result<Json<'static>, serde::de::value::Error> {
        let token = BorrowedStrDeserializer::<serde::de::value::Error>::new(NUMBER_TOKEN);
        ROOT.visit_map(MapDeserializer::new([(token, text)].into_iter()))
    }

    #[test]
    fn both_forms_of_a_number_read_the_same() {
        for text in [
            "0",
            "-0",
            "-0.0",
            "1",
            "-1",
            "1.5",
            "1e3",
            "18446744073709551615",
            "18446744073709551616",
            "1e-400",
        ] {
            assert_eq!(
                number_as_text(text).ok(),
                number(text).map(Json::Number),
                "{text}"
            );
            assert!(number(text).is_some(), "{text}");
        }
        assert!(number_as_text("1e400").is_err());
        assert_eq!(number("1e400"), None);
    }

    /// The members as [`read_members`] gives them.
    fn members(text: &str) -> Result<Vec<(Cow<'_, str>, Json<'_>)>, JsonError> {
        let mut members = vec![("before".into(), Json::Null)];
        let push = |members: &mut Vec<_>, name, value| members.push((name, value));
        read_members(text, &mut members, push).map(|()| members)
    }

    fn reads_alike(text: &str) {
        let object = Object::parse(text.as_bytes());
        assert_eq!(members(text), object.map(|object| object.members), "{text}");
    }

    #[test]
    fn members_are_those_of_the_object() {
        let many: Vec<String> = (0..40).map(|n| format!("\"k{n}\":{n}")).collect();
        let many = many.join(",");
        for text in [
            "",
            "{",
            "{}",
            "{}x",
            "[]",
            "1",
            "-1",
            "1.5",
            "true",
            "null",
            "\"s\"",
            "\"\\n\"",
            "1e999",
            r#"[{"a":1,"a":1}]"#,
            r#"[{"a":1,"a":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"\u0061":1,"a":1}"#,
            r#"{"\u0061":1,"\u0061":1}"#,
            r#"{"a":1,"\u0062":1,"c":[1,{"d":null}],"e":"\n"}"#,
            r#"{"":1,"":1}"#,
            r#"{"":1,"a":1}"#,
            r#"{"x":[[{"a":{},"b":2,"a":3}]]}"#,
            r#"{"x":{"a":1,"a":1},"x":}"#,
            r#"{"$serde_json::private::Number":"5"}"#,
            r#"{"a":1,"\u0024serde_json::private::Number":"5"}"#,
        ] {
            reads_alike(text);
        }
        reads_alike(&format!("{{{many}}}"));
        for name in ["k0", "k15", "k16", "k39", "\\u006b0", "\\u006b39"] {
            reads_alike(&format!("{{{many},\"{name}\":0}}"));
            reads_alike(&format!("{{\"{name}\":0,{many}}}"));
        }
        for depth in [31, 32, 33] {
            reads_alike(&format!(
                "{{\"a\":{}{}}}",
                "[".repeat(depth),
                "]".repeat(depth)
            ));
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (i64::MIN..0).prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-z\\\\\"\n]{0,4}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_where_nothing_repeats(value in value()) {
            let text = value.to_string();
            let json = Json::parse(text.as_bytes());
            prop_assert!(json.is_ok());
            if let Ok(json) = json {
                prop_assert!(!json.repeats());
                prop_assert_eq!(json.into_value(), value);
            }
        }

        #[test]
        fn members_are_read_as_the_object_is(
            names in prop::collection::vec("[ab]{0,2}|k[0-9]{1,2}|[a-z]{3}|\\\\u006[1-3]", 0..40),
            tail in ".{0,3}|",
        ) {
            let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":[0]")).collect();
            reads_alike(&format!("{{{}}}{tail}", members.join(",")));
        }

        #[test]
        fn members_are_read_as_the_object_of_any_value(value in value(), cut: prop::sample::Index) {
            let text = value.to_string();
            reads_alike(&text);
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            reads_alike(&text[..places[cut.index(places.len())]]);
        }

        #[test]
        fn refuses_what_serde_json_refuses(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if serde_json::from_slice::<Value>(&bytes).is_err() {
                prop_assert!(Json::parse(&bytes).is_err());
            }
        }
    }
}
