//! Changes that may have been committed without anybody having heard.

use gatewright_core::store::{ChangeKey, Changes};

/// Raises a change unless told that it was published.
pub(crate) struct TellOnDrop<'a> {
    changes: &'a Changes,
    key: Option<ChangeKey>,
}

impl<'a> TellOnDrop<'a> {
    pub(crate) const fn new(changes: &'a Changes, key: ChangeKey) -> Self {
        Self {
            changes,
            key: Some(key),
        }
    }

    pub(crate) fn done(mut self) {
        self.key = None;
    }
}

impl Drop for TellOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.changes.raise(key);
        }
    }
}
