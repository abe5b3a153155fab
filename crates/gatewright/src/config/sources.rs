//! From what was told, a document and the environment over it, to a configuration that was read and judged.

use std::ffi::OsString;
use std::fmt;

use serde::de::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::mistake::Notes;
use super::setting::{Bounds, Setting};
use super::tree::{Node, Value};
use super::{ConfigErrors, GateConfig, MistakeKind, Origin, Path};

/// More than any field lies deep, a member of a JWK in the environment included; every level is a step of a recursion.
const MAX_LEVELS: usize = 16;

/// What was told about a gate, not yet read: a document of any serde format, and environment variables over it.
///
/// It deserializes from anything that has tables, so it can be a field of a service's own configuration. Nothing is
/// judged before [`read`](Self::read): a value that is wrong in the document may still be overlaid by a variable.
pub struct ConfigSources {
    root: Node,
    notes: Notes,
}

impl ConfigSources {
    /// Nothing was told.
    #[must_use]
    pub fn new() -> Self {
        Self {
            root: Node::empty_table(),
            notes: Notes::default(),
        }
    }

    /// Lays variables over what was told so far. `APP__REALMS__LINKS__DIALECT`, with the prefix `APP`, is
    /// `realms.links.dialect`: two underscores part the levels, a number is an element of a list (from 0; the next free
    /// number adds one). Names are compared without regard to case, and `-` in the name of a realm or a plan is written
    /// `_`. A variable whose name ends in `_FILE` names a file; its content, without the white space around it, is the
    /// value. Variables that do not begin with the prefix and two underscores are not looked at.
    ///
    /// A value that a variable gives takes the place of what the document gave in either way, itself or by `…_file`. A
    /// table or a list of the document is overlaid field by field only: one value in its place is a mistake.
    #[must_use]
    pub fn overlay_env<K, V>(
        mut self,
        prefix: &str,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let start = format!("{prefix}__");
        let mut ours = Vec::new();
        for (name, value) in variables {
            // A name that is not UTF-8 does not begin as ours do, or goes on as no field of ours.
            let name = name.into().to_string_lossy().into_owned();
            if let Some(rest) = name.strip_prefix(&start) {
                let steps: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
                ours.push((steps, name, value.into()));
            }
        }
        // Elements of a list are added in order, so 2 comes before 10.
        ours.sort_by_cached_key(|(steps, ..)| {
            let number = |step: &String| step.parse::<usize>().unwrap_or(usize::MAX);
            let steps: Vec<_> = steps
                .iter()
                .map(|step| (number(step), step.clone()))
                .collect();
            steps
        });
        let mut before = Vec::new();
        for (steps, name, value) in ours {
            let again = steps == before;
            before.clone_from(&steps);
            let origin = Origin::Variable(name.into());
            let shown = steps.iter().take(MAX_LEVELS);
            let path = shown.fold(Path::ROOT, |path, step| path.field(step));
            let mistake = match value.into_string() {
                _ if steps.len() > MAX_LEVELS => Some("the variable names too many levels"),
                // Which of the two would count is the environment's whim.
                Ok(_) if again => Some("another variable has the same name but for its case"),
                Ok(text) => put(&mut self.root, &steps, text, &origin).err(),
                Err(_) => Some("the variable is not UTF-8"),
            };
            if let Some(mistake) = mistake {
                self.notes
                    .note(path, MistakeKind::Variable(mistake), origin);
            }
        }
        self
    }

    /// Reads all of it and judges it as [`GateConfig::build`] would, so that a configuration that is returned builds
    /// unless the system fails. Files that are named are read here.
    ///
    /// # Errors
    ///
    /// Every mistake at once.
    pub fn read(self) -> Result<GateConfig, ConfigErrors> {
        let mut notes = self.notes;
        let config = GateConfig::read(self.root, Bounds::NONE, &Path::ROOT, &mut notes);
        if let Some(config) = &config {
            config.judge(&mut notes);
        }
        notes.settle(config)
    }
}

impl Default for ConfigSources {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ConfigSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSources").finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for ConfigSources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            root: Node::deserialize(deserializer)?,
            notes: Notes::default(),
        })
    }
}

/// Puts a text at the end of these steps, and makes the tables on the way.
fn put(
    node: &mut Node,
    steps: &[String],
    text: String,
    origin: &Origin,
) -> Result<(), &'static str> {
    let Some((step, rest)) = steps.split_first() else {
        return Err("the variable names no field");
    };
    if step.is_empty() {
        return Err("the variable has an empty name between two underscores and two more");
    }
    let fields = table(node).ok_or("another value stands where the variable needs a table")?;
    let at = find(fields, step);
    if rest.is_empty() {
        let taken = at.and_then(|at| fields.get(at)).map(|(_, node)| node);
        if taken.is_some_and(|node| matches!(node.value, Value::List(_) | Value::Table(_))) {
            return Err("the variable gives one value where a table or a list stands");
        }
        // The document's other way to say the same; a variable's stays, and is a mistake.
        let other = match step.strip_suffix("_file") {
            Some(value) => value.to_owned(),
            None => format!("{step}_file"),
        };
        let name = at
            .and_then(|at| fields.get(at))
            .map_or_else(|| step.clone(), |(name, _)| name.clone());
        fields.retain(|(field, node)| {
            let overlaid = *field == name
                || (*field == other
                    && node.origin == Origin::Document
                    && !matches!(node.value, Value::List(_) | Value::Table(_)));
            !overlaid
        });
        let value = Value::Text(Zeroizing::new(text));
        let origin = origin.clone();
        fields.push((name, Node { value, origin }));
        return Ok(());
    }
    let at = at.unwrap_or_else(|| {
        fields.push((step.clone(), Node::empty_table()));
        fields.len() - 1
    });
    match fields.get_mut(at) {
        Some((_, node)) => put(node, rest, text, origin),
        None => Ok(()),
    }
}

/// The fields of a table; a list becomes a table of numbers, which is read as a list again.
fn table(node: &mut Node) -> Option<&mut Vec<(String, Node)>> {
    if let Value::List(elements) = &mut node.value {
        let numbered = std::mem::take(elements).into_iter().enumerate();
        let fields = numbered.map(|(index, element)| (index.to_string(), element));
        node.value = Value::Table(fields.collect());
    }
    match &mut node.value {
        Value::Table(fields) => Some(fields),
        _ => None,
    }
}

fn find(fields: &[(String, Node)], step: &str) -> Option<usize> {
    let exact = fields.iter().position(|(name, _)| name == step);
    exact.or_else(|| {
        fields
            .iter()
            .position(|(name, _)| name.to_ascii_lowercase().replace('-', "_") == step)
    })
}
