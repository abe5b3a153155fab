//! The mark that only the gate sets.

use std::ops::Deref;

/// A value that the gate has proven.
///
/// There is no public constructor, no `map`, no mutable access and no deserialization: outside the gate nothing
/// turns an assertion into a `Verified` one.
///
/// ```compile_fail
/// use gatewright_core::principal::Verified;
/// let forged = Verified("somebody");
/// ```
#[derive(Clone, Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Called by the gate alone, after proof; `cargo xtask layering` holds the crate to that.
    #[inline]
    pub(crate) const fn vouch(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
