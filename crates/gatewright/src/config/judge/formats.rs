//! The secrets that are accepted.

use std::ops::RangeInclusive;

use crate::config::mistake::Notes;
use crate::config::{FormatConfig, FormatLayout, LengthsConfig, Path};
use crate::credential::{FormatError, Formats, SecretFormat};

pub(in crate::config) fn formats(
    configured: &[FormatConfig],
    jwt: bool,
    at: &Path,
    notes: &mut Notes,
) -> Formats {
    let start = || {
        let builder = Formats::builder();
        if jwt { builder.jwt() } else { builder }
    };
    let mut all = start();
    // Where each brand stands; a format without one has an empty one.
    let mut brands = Vec::new();
    for (index, configured) in configured.iter().enumerate() {
        let at = at.element(index);
        let Some(format) = configured.to_format(&at, notes) else {
            continue;
        };
        // Alone first, since the errors name a brand, which two of them may share.
        if let Err(errors) = start().secret(format.clone()).build() {
            for error in errors.iter() {
                let field = configured.field_of(error);
                notes.judge(&field.map_or(at.clone(), |field| at.field(field)), error);
            }
        }
        brands.push((
            format.brand().to_owned(),
            at.field(configured.layout.prefix_field()),
        ));
        all = all.secret(format);
    }
    match all.build() {
        Ok(formats) => return formats,
        Err(errors) => {
            for error in errors.iter() {
                let last = |brand: &str| {
                    let place = brands.iter().rfind(|(other, _)| other == brand);
                    place.map_or(at, |(_, at)| at)
                };
                match error {
                    FormatError::Overlap(_, second) => notes.judge(last(second), error),
                    FormatError::SecondCatchAll => notes.judge(last(""), error),
                    FormatError::Empty => notes.refuse(at, error),
                    // Found above.
                    _ => {}
                }
            }
        }
    }
    Formats::standard()
}

impl FormatLayout {
    const fn is_imported(self) -> bool {
        matches!(self, Self::Imported | Self::ImportedCatchAll)
    }

    /// The field that says what its secrets begin with.
    const fn prefix_field(self) -> &'static str {
        match self {
            Self::Imported => "prefix",
            Self::ImportedCatchAll => "layout",
            _ => "brand",
        }
    }
}

impl FormatConfig {
    /// The format, if all that its layout needs is there.
    fn to_format(&self, at: &Path, notes: &mut Notes) -> Option<SecretFormat> {
        self.check_fields(at, notes);
        let kind = self.kind.into();
        let brand = || self.brand.as_deref();
        let mut format = match self.layout {
            FormatLayout::Separated => SecretFormat::separated(kind, brand()?),
            FormatLayout::Dotted => SecretFormat::dotted(kind, brand()?),
            FormatLayout::Joined => SecretFormat::joined(kind, brand()?),
            FormatLayout::Unnamed => SecretFormat::unnamed(kind, brand()?),
            FormatLayout::Imported | FormatLayout::ImportedCatchAll => {
                let (alphabet, lengths) = (self.alphabet?, self.lengths.as_ref()?);
                let lengths = lengths.range(&at.field("lengths"), notes)?;
                if self.layout == FormatLayout::Imported {
                    SecretFormat::imported(kind, self.prefix.as_deref()?, alphabet, lengths)
                } else {
                    SecretFormat::imported_catch_all(kind, alphabet, lengths)
                }
            }
        };
        if let Some(length) = self.id_length {
            format = format.with_id_length(size(length));
        }
        if self.layout.is_imported() {
            return Some(format);
        }
        if let Some(alphabet) = self.id_alphabet {
            format = format.with_id_alphabet(alphabet);
        }
        if let Some(length) = self.random_length {
            format = format.with_random_length(size(length));
        }
        if let Some(unchecked) = &self.unchecked
            && let Some(lengths) = unchecked.range(&at.field("unchecked"), notes)
        {
            format = format.accept_unchecked(lengths);
        }
        Some(format)
    }

    /// Notes what the layout needs and is not there, and what is there and goes with other layouts only.
    fn check_fields(&self, at: &Path, notes: &mut Notes) {
        if notes.is_wrong(&at.field("layout")) {
            return;
        }
        let imported = self.layout.is_imported();
        let minted = !imported;
        let with_prefix = self.layout == FormatLayout::Imported;
        for (field, is_given, is_needed, is_allowed) in [
            ("brand", self.brand.is_some(), minted, minted),
            ("id_alphabet", self.id_alphabet.is_some(), false, minted),
            ("random_length", self.random_length.is_some(), false, minted),
            ("unchecked", self.unchecked.is_some(), false, minted),
            ("prefix", self.prefix.is_some(), with_prefix, with_prefix),
            ("alphabet", self.alphabet.is_some(), imported, imported),
            ("lengths", self.lengths.is_some(), imported, imported),
        ] {
            let at = at.field(field);
            if is_given && !is_allowed {
                notes.refuse(&at, "does not go with this layout");
            } else if is_needed && !is_given {
                notes.missing(&at);
            }
        }
    }

    /// The field that a mistake of the format alone is about.
    fn field_of(&self, error: &FormatError) -> Option<&'static str> {
        Some(match error {
            FormatError::Brand(_) | FormatError::Prefix(_) | FormatError::BeginsAsJwt(_) => {
                self.layout.prefix_field()
            }
            FormatError::IdLength(_) => "id_length",
            FormatError::TooGuessable(_)
            | FormatError::TooLong(_)
            | FormatError::ImportedLengths(_)
                if self.layout.is_imported() =>
            {
                "lengths"
            }
            FormatError::TooGuessable(_) => "random_length",
            FormatError::Unchecked(_) => "unchecked",
            _ => return None,
        })
    }
}

impl LengthsConfig {
    fn range(&self, at: &Path, notes: &mut Notes) -> Option<RangeInclusive<usize>> {
        if self.most < self.least {
            notes.refuse(&at.field("most"), "must be at least `least`");
            return None;
        }
        Some(size(self.least)..=size(self.most))
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
