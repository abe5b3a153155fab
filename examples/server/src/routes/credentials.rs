//! What keys and personal access tokens have in common on the wire: how long they live, how they are rotated.

use gatewright_core::time::Timestamp;
use gatewright_issuer::RotationGrace;
use serde::Deserialize;
use serde_json::Number;

use crate::web::{Failure, whole};

const SECS_A_DAY: u64 = 86_400;

/// The body of a rotation; none means the default grace.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RotateBody {
    /// For how long the replaced secret is still honoured.
    #[serde(alias = "graceSeconds")]
    grace_seconds: Option<Number>,
}

impl RotateBody {
    /// # Errors
    /// `validation_error` outside 0 to 86,400.
    pub(super) fn grace(&self) -> Result<RotationGrace, Failure> {
        let Some(secs) = &self.grace_seconds else {
            return Ok(RotationGrace::default());
        };
        let secs = whole("grace_seconds", secs, 0..=RotationGrace::MAX_SECS)?;
        RotationGrace::from_secs(secs)
            .ok_or_else(|| Failure::out_of_range("grace_seconds", "is more than a day"))
    }
}

/// When something ends that lives for so many days.
///
/// # Errors
/// `validation_error` outside 1 to `most` days.
pub(super) fn expiry(
    field: &str,
    days: &Number,
    most: u64,
    now: Timestamp,
) -> Result<Timestamp, Failure> {
    let days = whole(field, days, 1..=most)?;
    Ok(now.saturating_add(days.saturating_mul(SECS_A_DAY)))
}
