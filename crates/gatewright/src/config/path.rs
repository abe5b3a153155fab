//! Where in a configuration something stands.

use std::fmt;

/// The way from the root of a configuration to one of its values, such as `realms.links.trust[0].audiences`.
///
/// Paths are ordered as a sorted configuration is read: by name, and within a list by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Field(Box<str>),
    Element(usize),
}

impl Path {
    /// The configuration itself.
    pub(super) const ROOT: Self = Self(Vec::new());

    pub(super) fn field(&self, name: &str) -> Self {
        self.then(Step::Field(name.into()))
    }

    pub(super) fn element(&self, index: usize) -> Self {
        self.then(Step::Element(index))
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(step);
        Self(steps)
    }

    /// Whether this is `other` or stands somewhere beneath it.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The path of what holds this; `None` for the configuration itself.
    pub(super) fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        };
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Element(number) => write!(f, "[{number}]")?,
                Step::Field(name) => {
                    if index > 0 {
                        f.write_str(".")?;
                    }
                    if plain(name) {
                        f.write_str(name)?;
                    } else {
                        write!(f, "{name:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_the_configuration_would_be_indexed() {
        let realms = Path::ROOT.field("realms");
        let trust = realms.field("links").field("trust").element(0);
        assert_eq!(
            trust.field("audiences").element(10).to_string(),
            "realms.links.trust[0].audiences[10]"
        );
        assert_eq!(realms.field("a.b\n").to_string(), r#"realms."a.b\n""#);
        assert!(trust.is_within(&realms) && trust.is_within(&trust) && !realms.is_within(&trust));
        assert!(trust.element(9) < trust.element(10));
    }
}
