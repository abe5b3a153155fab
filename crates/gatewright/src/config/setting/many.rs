//! Values that may not be there, lists, and values by name.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bounds, Fields, Setting, wrong_type};
use crate::config::mistake::Notes;
use crate::config::tree::{Node, Value};
use crate::config::{MistakeKind, Origin, Path};

impl<T: Setting> Setting for Option<T> {
    #[cfg(test)]
    fn type_name() -> String {
        T::type_name()
    }

    #[cfg(test)]
    fn describe(at: &str, into: &mut Vec<String>) {
        T::describe(at, into);
    }

    fn read(node: Node, bounds: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        T::read(node, bounds, at, notes).map(Some)
    }

    fn check_range(&self, bounds: Bounds, at: &Path, notes: &mut Notes) {
        if let Some(value) = self {
            value.check_range(bounds, at, notes);
        }
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        match (self, other) {
            (Some(ours), Some(other)) => ours.differences(other, at, found),
            (None, None) => {}
            _ => found.push(at.clone()),
        }
    }
}

impl<T: Setting> Setting for Vec<T> {
    #[cfg(test)]
    fn type_name() -> String {
        format!("list of {}s", T::type_name())
    }

    #[cfg(test)]
    fn shown(&self) -> String {
        let elements: Vec<_> = self.iter().map(T::shown).collect();
        match elements.as_slice() {
            [] => "empty".to_owned(),
            [first, ..] if first == "–" => "standard".to_owned(),
            elements => elements.join(", "),
        }
    }

    #[cfg(test)]
    fn describe(at: &str, into: &mut Vec<String>) {
        T::describe(&format!("{at}[n]"), into);
    }

    fn read(node: Node, bounds: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        let Node { value, origin } = node;
        let elements = match value {
            Value::List(elements) => elements,
            Value::Table(fields) => match numbered(fields) {
                Ok(elements) => elements,
                Err(origin) => {
                    let kind = MistakeKind::WrongType("a list, numbered from 0 without a gap");
                    notes.note(at.clone(), kind, origin);
                    return None;
                }
            },
            value => return wrong_type("a list", &Node { value, origin }, at, notes),
        };
        let elements = elements
            .into_iter()
            .enumerate()
            .filter_map(|(index, node)| {
                let at = at.element(index);
                notes.came_from(&at, &node.origin);
                T::read(node, bounds, &at, notes)
            });
        Some(elements.collect())
    }

    fn check_range(&self, bounds: Bounds, at: &Path, notes: &mut Notes) {
        for (index, element) in self.iter().enumerate() {
            element.check_range(bounds, &at.element(index), notes);
        }
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        for index in 0..self.len().max(other.len()) {
            let at = at.element(index);
            match (self.get(index), other.get(index)) {
                (Some(ours), Some(other)) => ours.differences(other, &at, found),
                _ => found.push(at),
            }
        }
    }
}

/// The elements of a list that variables gave; fails with the origin of what is no element of it.
fn numbered(fields: Vec<(String, Node)>) -> Result<Vec<Node>, Origin> {
    let mut elements = BTreeMap::new();
    let mut last = Origin::Document;
    for (name, node) in fields {
        let origin = node.first_origin();
        let number = name.parse::<usize>().ok();
        // `01` is no other way to write 1.
        let Some(number) = number.filter(|number| number.to_string() == name) else {
            return Err(origin);
        };
        elements.insert(number, node);
        last = origin;
    }
    if elements.keys().copied().eq(0..elements.len()) && !elements.is_empty() {
        Ok(elements.into_values().collect())
    } else {
        Err(last)
    }
}

impl<T: Setting> Setting for BTreeMap<String, T> {
    #[cfg(test)]
    fn type_name() -> String {
        format!("{}s by name", T::type_name())
    }

    #[cfg(test)]
    fn shown(&self) -> String {
        "empty".to_owned()
    }

    #[cfg(test)]
    fn describe(at: &str, into: &mut Vec<String>) {
        T::describe(&format!("{at}.<name>"), into);
    }

    fn read(node: Node, bounds: Bounds, at: &Path, notes: &mut Notes) -> Option<Self> {
        let fields = Fields::open(node, at, notes)?;
        let mut map = Self::new();
        let mut seen = BTreeSet::new();
        for (name, node) in fields.into_entries() {
            let at = at.field(&name);
            if !seen.insert(name.clone()) {
                notes.note(at, MistakeKind::Repeated, node.origin);
                continue;
            }
            if let Some(value) = T::read(node, bounds, &at, notes) {
                map.insert(name, value);
            }
        }
        Some(map)
    }

    fn check_range(&self, bounds: Bounds, at: &Path, notes: &mut Notes) {
        for (name, value) in self {
            value.check_range(bounds, &at.field(name), notes);
        }
    }

    fn differences(&self, other: &Self, at: &Path, found: &mut Vec<Path>) {
        for (name, ours) in self {
            match other.get(name) {
                Some(other) => ours.differences(other, &at.field(name), found),
                None => found.push(at.field(name)),
            }
        }
        let added = other.keys().filter(|name| !self.contains_key(*name));
        found.extend(added.map(|name| at.field(name)));
    }
}
