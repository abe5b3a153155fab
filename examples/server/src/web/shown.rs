//! A secret on its one way out.

use gatewright_core::credential::Secret;
use serde::{Serialize, Serializer};

/// A secret that an answer shows, this once. Its `Debug` is that of the secret: redacted.
#[derive(Debug)]
pub(crate) struct Shown(pub(crate) Secret);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}
