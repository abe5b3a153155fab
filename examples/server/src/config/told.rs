//! What was said, where, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

/// The name of a setting, and what its flag says.
pub(super) type Named<'a> = (&'static str, &'a Option<String>);

/// The values as they were told, each with where it stands. A later one takes the place of an earlier one.
#[derive(Default)]
pub(super) struct Told {
    pub(super) values: BTreeMap<&'static str, (Zeroizing<String>, String)>,
    pub(super) mistakes: Vec<String>,
}

impl Told {
    pub(super) fn put(&mut self, name: &'static str, text: String, origin: String) {
        self.values.insert(name, (Zeroizing::new(text), origin));
    }

    /// What a file says; it knows the settings of these names.
    pub(super) fn read_file(&mut self, path: &Path, origin: &str, names: &[&'static str]) {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.mistakes
                    .push(format!("{origin}: {shown} cannot be read: {error}"));
                return;
            }
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            // The message, without the excerpt of the file that the error also has.
            Err(error) => {
                let message = error.message();
                self.mistakes
                    .push(format!("{shown} is not TOML: {message}"));
                return;
            }
        };
        for (key, value) in table {
            let known = names.iter().find(|name| **name == key);
            match (known, value) {
                (Some(name), toml::Value::String(text)) => {
                    self.put(name, text, format!("`{key}` in {shown}"));
                }
                (Some(_), _) => self
                    .mistakes
                    .push(format!("`{key}` in {shown}: must be a string")),
                (None, _) => self
                    .mistakes
                    .push(format!("`{key}` in {shown}: no such setting")),
            }
        }
    }

    /// The setting, if it was told and is valid; it is noted if it is not.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (text, origin) = self.values.get(name)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(mistake) => {
                self.mistakes.push(format!("{origin}: {mistake}"));
                None
            }
        }
    }
}
