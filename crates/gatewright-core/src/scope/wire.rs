//! Serialized forms: a scope is a string; a set is written as an array and read from an array or from one
//! string with spaces, since RFC 6749 has the string and records of keys have the array.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Scope, ScopeSet, ScopeSetError};

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ScopeVisitor)
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScopeSetVisitor)
    }
}

// Visitors of our own, since serde's for `String` would have its errors quote the text.
struct ScopeVisitor;

impl Visitor<'_> for ScopeVisitor {
    type Value = Scope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scope")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scope, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Scope, E> {
        text.try_into().map_err(E::custom)
    }
}

struct ScopeSetVisitor;

impl<'de> Visitor<'de> for ScopeSetVisitor {
    type Value = ScopeSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of scopes, or scopes separated by spaces")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ScopeSet, E> {
        ScopeSet::parse(text).map_err(|error| match error {
            // serde keeps no source, so its text has to say both.
            ScopeSetError::Member { source, .. } => E::custom(format_args!("{error}: {source}")),
            ScopeSetError::TooMany => E::custom(error),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<ScopeSet, A::Error> {
        let mut members = Vec::new();
        while let Some(scope) = array.next_element::<Scope>()? {
            if members.len() == ScopeSet::MAX_PARSED {
                return Err(A::Error::custom(ScopeSetError::TooMany));
            }
            members.push(scope);
        }
        Ok(members.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms_and_writes_an_array() {
        for text in [r#"["b","a","b"]"#, r#""b a""#, r#""b \u0061""#] {
            let set: ScopeSet = serde_json::from_str(text).unwrap();
            assert_eq!(
                serde_json::to_string(&set).unwrap(),
                r#"["a","b"]"#,
                "{text}"
            );
        }
        assert!(serde_json::from_str::<ScopeSet>("[]").unwrap().is_empty());
        assert!(
            serde_json::from_str::<ScopeSet>(r#""""#)
                .unwrap()
                .is_empty()
        );
        let from_value: ScopeSet = serde_json::from_value(serde_json::json!(["a"])).unwrap();
        assert_eq!(from_value, ScopeSet::from(Scope::from_static("a")));
    }

    #[test]
    fn refuses_everything_else_without_quoting_it() {
        for text in [
            "null",
            "{}",
            "true",
            "[null]",
            r#"["a",["b"]]"#,
            r#"["hunter2 a"]"#,
            r#""hunter2  a""#,
        ] {
            let error = serde_json::from_str::<ScopeSet>(text)
                .unwrap_err()
                .to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let many = serde_json::to_string(&vec!["a"; ScopeSet::MAX_PARSED + 1]).unwrap();
        let error = serde_json::from_str::<ScopeSet>(&many)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("there are more than 1024 scopes"),
            "{error}"
        );
        let error = serde_json::from_str::<ScopeSet>(r#""a b..c""#)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("member 1 of the scopes is malformed: a scope has an empty"),
            "{error}"
        );
    }
}
