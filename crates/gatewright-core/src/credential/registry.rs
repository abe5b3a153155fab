//! The formats that a service accepts, together.

use std::fmt;

use super::classify::begins_as_jwt;
use super::format::{FormatError, SecretFormat, SecretKind};

/// The formats that a service accepts. No two of them can be confused: what a token is follows from its prefix.
#[derive(Clone, Debug)]
pub struct Formats {
    pub(super) secrets: Box<[SecretFormat]>,
    /// Asked last, about what nothing else claims.
    pub(super) catch_all: Option<Box<SecretFormat>>,
    pub(super) jwt: bool,
}

impl Formats {
    /// Starts with nothing accepted.
    pub fn builder() -> FormatsBuilder {
        FormatsBuilder {
            secrets: Vec::new(),
            jwt: false,
        }
    }

    /// `tnx` API keys, `patv1` personal access tokens, `apx_live_sk` and `apx_test_sk` API keys, and JWTs.
    #[must_use]
    pub fn standard() -> Self {
        // Built directly: these four are known to be apart, and a test builds them the long way.
        Self {
            secrets: Box::new([
                SecretFormat::separated(SecretKind::ApiKey, "tnx"),
                SecretFormat::dotted(SecretKind::Pat, "patv1"),
                SecretFormat::joined(SecretKind::ApiKey, "apx_live_sk"),
                SecretFormat::joined(SecretKind::ApiKey, "apx_test_sk"),
            ]),
            catch_all: None,
            jwt: true,
        }
    }

    /// These formats and one more.
    ///
    /// # Errors
    ///
    /// As [`FormatsBuilder::build`].
    pub fn with(self, format: SecretFormat) -> Result<Self, FormatErrors> {
        let mut secrets = self.secrets.into_vec();
        secrets.extend(self.catch_all.map(|format| *format));
        secrets.push(format);
        let jwt = self.jwt;
        FormatsBuilder { secrets, jwt }.build()
    }

    /// The format of a brand (without underscore), for minting.
    #[must_use]
    pub fn format(&self, brand: &str) -> Option<&SecretFormat> {
        self.iter().find(|format| format.brand() == brand)
    }

    /// All formats of secrets, in the order in which they were added; one for
    /// [keys without a prefix](SecretFormat::imported_catch_all) comes last.
    pub fn iter(&self) -> impl Iterator<Item = &SecretFormat> {
        self.secrets.iter().chain(self.catch_all.as_deref())
    }

    /// Whether JWTs are accepted.
    #[must_use]
    pub fn accepts_jwt(&self) -> bool {
        self.jwt
    }
}

/// Collects formats; [`build`](Self::build) checks them against each other.
#[derive(Clone, Debug)]
#[must_use]
pub struct FormatsBuilder {
    secrets: Vec<SecretFormat>,
    jwt: bool,
}

impl FormatsBuilder {
    /// Accepts secrets of this format.
    pub fn secret(mut self, format: SecretFormat) -> Self {
        self.secrets.push(format);
        self
    }

    /// Accepts JWTs.
    pub fn jwt(mut self) -> Self {
        self.jwt = true;
        self
    }

    /// Checks every format alone and against the others.
    ///
    /// # Errors
    ///
    /// [`FormatErrors`] with every mistake that was found, not only the first.
    pub fn build(self) -> Result<Formats, FormatErrors> {
        let mut mistakes = Vec::new();
        if self.secrets.is_empty() && !self.jwt {
            mistakes.push(FormatError::Empty);
        }
        for (index, format) in self.secrets.iter().enumerate() {
            mistakes.extend(format.mistakes());
            // A prefix of one `e` would claim every JWT.
            if self.jwt && (begins_as_jwt(format.prefix.as_bytes()) || format.prefix == "e") {
                mistakes.push(FormatError::BeginsAsJwt(format.brand().to_owned()));
            }
            for other in self.secrets.iter().skip(index + 1) {
                let overlap = format.prefix.starts_with(&other.prefix)
                    || other.prefix.starts_with(&format.prefix);
                // One that is asked last is in nobody's way but another such one's.
                if format.is_catch_all() && other.is_catch_all() {
                    mistakes.push(FormatError::SecondCatchAll);
                } else if overlap && !format.is_catch_all() && !other.is_catch_all() {
                    mistakes.push(FormatError::Overlap(
                        format.brand().to_owned(),
                        other.brand().to_owned(),
                    ));
                }
            }
        }
        if mistakes.is_empty() {
            let (mut catch_all, secrets): (Vec<_>, Vec<_>) = self
                .secrets
                .into_iter()
                .partition(SecretFormat::is_catch_all);
            Ok(Formats {
                secrets: secrets.into_boxed_slice(),
                catch_all: catch_all.pop().map(Box::new),
                jwt: self.jwt,
            })
        } else {
            Err(FormatErrors(mistakes))
        }
    }
}

/// Every mistake that [`FormatsBuilder::build`] found; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatErrors(Vec<FormatError>);

impl FormatErrors {
    /// The mistakes, in the order of the formats.
    pub fn iter(&self) -> impl Iterator<Item = &FormatError> {
        self.0.iter()
    }
}

impl fmt::Display for FormatErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FormatErrors {}
