//! What serde hands over, as values of ours.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::names::{Names, PAIRWISE, repeats};
use super::{Json, MAX_DEPTH, NUMBER_TOKEN, Number, Object, RESERVED};

pub(super) const ROOT: Node = Node { depth: 0 };

#[derive(Clone, Copy)]
pub(super) struct Node {
    depth: u8,
}

impl Node {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("nested too deep"));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(bool))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(Number::Unsigned(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(Number::from_signed(number)))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Json<'de>, E> {
        Number::from_float(number)
            .map(Json::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let inner = self.inner()?;
        let mut members = Vec::with_capacity(if self.depth == 0 { PAIRWISE } else { 0 });
        while let Some(name) = map.next_key_seed(Name)? {
            match name {
                Key::Text(name) => members.push((name, map.next_value_seed(inner)?)),
                Key::Number if members.is_empty() => {
                    return map.next_value_seed(NumberText).map(Json::Number);
                }
                Key::Number => return Err(A::Error::custom("reserved member")),
            }
        }
        let repeated = repeats(&members);
        Ok(Json::Object(Object { members, repeated }))
    }
}

/// Reads a text whose members are wanted one by one.
pub(super) struct Members<F>(pub(super) F);

/// What [`Members`] found.
pub(super) enum Read<'de> {
    Members {
        repeated: bool,
    },
    /// No object.
    Other(Json<'de>),
}

impl<'de, F: FnMut(Cow<'de, str>, Json<'de>)> DeserializeSeed<'de> for Members<F> {
    type Value = Read<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Cow<'de, str>, Json<'de>)> Visitor<'de> for Members<F> {
    type Value = Read<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Read<'de>, E> {
        ROOT.visit_unit().map(Read::Other)
    }

    fn visit_bool<E: serde::de::Error>(self, bool: bool) -> Result<Read<'de>, E> {
        ROOT.visit_bool(bool).map(Read::Other)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Read<'de>, E> {
        ROOT.visit_u64(number).map(Read::Other)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Read<'de>, E> {
        ROOT.visit_i64(number).map(Read::Other)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Read<'de>, E> {
        ROOT.visit_f64(number).map(Read::Other)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Read<'de>, E> {
        ROOT.visit_str(text).map(Read::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Read<'de>, A::Error> {
        ROOT.visit_seq(seq).map(Read::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read<'de>, A::Error> {
        let Self(mut take) = self;
        let inner = ROOT.inner()?;
        let mut names = Names::default();
        let mut repeated = false;
        while let Some(name) = map.next_key_seed(Name)? {
            match name {
                Key::Text(name) => {
                    let value = map.next_value_seed(inner)?;
                    repeated |= names.repeats(name.clone()) || value.repeats();
                    take(name, value);
                }
                Key::Number if names.is_empty() => {
                    let number = map.next_value_seed(NumberText)?;
                    return Ok(Read::Other(Json::Number(number)));
                }
                Key::Number => return Err(A::Error::custom("reserved member")),
            }
        }
        Ok(Read::Members { repeated })
    }
}

enum Key<'de> {
    Text(Cow<'de, str>),
    /// Not from the text, which can't spell it: serde_json says that a number follows.
    Number,
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Key<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key<'de>, E> {
        Ok(if name == NUMBER_TOKEN {
            Key::Number
        } else {
            Key::Text(Cow::Borrowed(name))
        })
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Key<'de>, E> {
        // Spelt with escapes, so that the search over the text could not see it.
        if name.starts_with(RESERVED) {
            return Err(E::custom("reserved member"));
        }
        Ok(Key::Text(Cow::Owned(name.to_owned())))
    }
}

struct NumberText;

impl<'de> DeserializeSeed<'de> for NumberText {
    type Value = Number;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NumberText {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of a number")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
        Number::from_text(text).ok_or_else(|| E::custom("number out of range"))
    }
}
