//! What keys and personal access tokens have in common on the wire: how long they live, how they are rotated.

use gatewright_core::error::ErrorCode;
use gatewright_core::time::Timestamp;
use gatewright_issuer::RotationGrace;
use serde::Deserialize;
use serde_json::{Number, Value, json};

use crate::web::{Failure, whole};

const SECS_A_DAY: u64 = 86_400;

/// The body of a rotation; none means the default grace.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RotateBody {
    /// For how long the replaced secret is still honoured.
    #[serde(alias = "graceSeconds")]
    grace_seconds: Option<Number>,
}

/// What a login refuses with.
pub(super) fn login_refusals() -> [ErrorCode; 3] {
    [
        ErrorCode::InvalidCredentials,
        ErrorCode::ForbiddenOrigin,
        ErrorCode::RateLimited,
    ]
}

impl RotateBody {
    /// Its schema: one of the two spellings.
    pub(super) fn described() -> Value {
        let grace = json!({
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": RotationGrace::MAX_SECS,
            "description": "For how many seconds the replaced secret is still honoured; 3,600 unless said.",
        });
        json!({
            "type": "object",
            "properties": {"grace_seconds": grace, "graceSeconds": grace},
            "not": {"required": ["grace_seconds", "graceSeconds"]},
        })
    }

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
