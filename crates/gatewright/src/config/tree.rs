//! A configuration as it was told, before anything is known about its meaning.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use zeroize::Zeroizing;

use super::Origin;

/// One value and where it came from. Any of them may be a secret, so none is ever shown.
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Zeroizing<String>),
    List(Vec<Node>),
    /// In the order of the document, which may name a field twice.
    Table(Vec<(String, Node)>),
}

impl Node {
    pub(super) const fn empty_table() -> Self {
        Self {
            value: Value::Table(Vec::new()),
            origin: Origin::Document,
        }
    }

    /// Whether the value is written as text although it need not be one: variables and files know nothing else.
    pub(super) fn is_only_text(&self) -> bool {
        self.origin != Origin::Document
    }

    /// The origin of this value, or of the first one in it that did not come from the document.
    pub(super) fn first_origin(&self) -> Origin {
        if self.origin != Origin::Document {
            return self.origin.clone();
        }
        let inner = |nodes: &mut dyn Iterator<Item = &Node>| {
            nodes
                .map(Node::first_origin)
                .find(|origin| *origin != Origin::Document)
                .unwrap_or_default()
        };
        match &self.value {
            Value::List(nodes) => inner(&mut nodes.iter()),
            Value::Table(fields) => inner(&mut fields.iter().map(|(_, node)| node)),
            _ => Origin::Document,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(AnyValue)?;
        Ok(Self {
            value,
            origin: Origin::Document,
        })
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a configuration")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(Zeroizing::new(value)))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut table = Vec::new();
        while let Some(field) = fields.next_entry()? {
            table.push(field);
        }
        Ok(Value::Table(table))
    }
}

/// For what is JSON inside a configuration, such as a JWK Set. A field that is named twice stays so.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => serializer.serialize_i128(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(value) => serializer.serialize_str(value),
            Value::List(nodes) => serializer.collect_seq(nodes),
            Value::Table(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, node) in fields {
                    map.serialize_entry(name, node)?;
                }
                map.end()
            }
        }
    }
}
