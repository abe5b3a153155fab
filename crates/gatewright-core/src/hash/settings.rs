//! What a hash costs.

/// The cost of an argon2id hash, [RFC 9106 §3.1](https://www.rfc-editor.org/rfc/rfc9106#section-3.1).
///
/// The default is 19,456 KiB, 2 passes, 1 lane, the least that OWASP ASVS 5.0 (11.4) recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Settings {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Nothing above these is computed, wherever it comes from: a stored hash must not choose how much memory and
/// time a verification takes.
pub(super) const MAX_MEMORY_KIB: u32 = 128 * 1024;
pub(super) const MAX_PASSES: u32 = 10;
pub(super) const MAX_LANES: u32 = 4;

const OWASP_MEMORY_KIB: u32 = 19_456;
const OWASP_PASSES: u32 = 2;

impl Default for Argon2Settings {
    fn default() -> Self {
        Self {
            memory_kib: OWASP_MEMORY_KIB,
            passes: OWASP_PASSES,
            lanes: 1,
        }
    }
}

impl Argon2Settings {
    /// Settings of `memory_kib` KiB (19,456–131,072), `passes` (2–10) and `lanes` (1–4).
    ///
    /// # Errors
    ///
    /// [`SettingsError::TooWeak`] below the OWASP minimum, [`SettingsError::TooCostly`] above the caps,
    /// [`SettingsError::Lanes`] without a lane.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, SettingsError> {
        if memory_kib < OWASP_MEMORY_KIB || passes < OWASP_PASSES {
            return Err(SettingsError::TooWeak);
        }
        Self::bounded(memory_kib, passes, lanes)
    }

    /// 64 KiB, one pass: for tests that don't care what a hash costs. Never for a stored secret.
    #[must_use]
    pub const fn insecure_for_tests() -> Self {
        Self {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        }
    }

    /// Anything that can be computed within the caps; what a stored hash may have.
    pub(super) fn bounded(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, SettingsError> {
        if lanes == 0 {
            return Err(SettingsError::Lanes);
        }
        if memory_kib > MAX_MEMORY_KIB || passes > MAX_PASSES || lanes > MAX_LANES {
            return Err(SettingsError::TooCostly);
        }
        // Two blocks in each of four slices of a lane, RFC 9106 §3.1.
        if memory_kib < 8 * lanes || passes == 0 {
            return Err(SettingsError::TooWeak);
        }
        Ok(Self {
            memory_kib,
            passes,
            lanes,
        })
    }

    /// Memory, in KiB (`m`).
    #[must_use]
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory (`t`).
    #[must_use]
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes (`p`).
    #[must_use]
    pub const fn lanes(self) -> u32 {
        self.lanes
    }

    /// The blocks of 1 KiB that a hash works in.
    pub(super) const fn blocks(self) -> usize {
        // At most 128 Ki: fits any `usize`.
        self.memory_kib as usize
    }
}

/// Why settings can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Below 19,456 KiB or 2 passes; for a stored hash: below what argon2 can compute.
    #[error("the argon2 settings are too weak")]
    TooWeak,
    /// Above 128 MiB, 10 passes or 4 lanes.
    #[error("the argon2 settings are too costly")]
    TooCostly,
    /// No lane.
    #[error("argon2 needs at least one lane")]
    Lanes,
}
