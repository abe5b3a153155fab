//! Numbers, truth and text.

use super::{Bounds, Setting, compare, wrong_type};
use crate::config::mistake::Notes;
use crate::config::tree::{Node, Value};
use crate::config::{MistakeKind, Path};

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl Setting for $type {
            #[cfg(test)]
            fn type_name() -> String {
                "integer".to_owned()
            }

            #[cfg(test)]
            fn shown(&self) -> String {
                format!("`{self}`")
            }

            fn read(node: Node, bounds: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
                let number = match &node.value {
                    Value::Integer(number) => Some(*number),
                    Value::Text(text) if node.is_only_text() => text.trim().parse().ok(),
                    _ => None,
                };
                let Some(number) = number else {
                    return wrong_type("an integer", &node, at, notes);
                };
                let Bounds { least, most } = bounds.within(u64::try_from(Self::MAX).unwrap_or(u64::MAX));
                if (i128::from(least)..=i128::from(most)).contains(&number) {
                    return Self::try_from(number).ok();
                }
                notes.note(at.clone(), MistakeKind::OutOfRange { least, most }, node.origin);
                None
            }

            fn check_range(&self, bounds: Bounds, at: &Path, notes: &mut Notes) {
                let Bounds { least, most } = bounds;
                let fits = u64::try_from(*self).is_ok_and(|number| (least..=most).contains(&number));
                if !fits {
                    notes.out_of_range(at, least, most);
                }
            }

            fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
                compare(self, other, at, found);
            }
        }
    )+};
}

numbers!(u32, u64, usize);

impl Setting for bool {
    #[cfg(test)]
    fn type_name() -> String {
        "boolean".to_owned()
    }

    #[cfg(test)]
    fn shown(&self) -> String {
        format!("`{self}`")
    }

    fn read(node: Node, _: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        match &node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if node.is_only_text() && text.as_str() == "true" => Some(true),
            Value::Text(text) if node.is_only_text() && text.as_str() == "false" => Some(false),
            _ => wrong_type("true or false", &node, at, notes),
        }
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        compare(self, other, at, found);
    }
}

impl Setting for String {
    #[cfg(test)]
    fn type_name() -> String {
        "text".to_owned()
    }

    fn read(node: Node, _: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(text.as_str().to_owned()),
            _ => wrong_type("text", &node, at, notes),
        }
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        compare(self, other, at, found);
    }
}
