//! Times on the wire.

use gatewright_core::time::Timestamp;
use jiff::Timestamp as Moment;

/// A time in the form of RFC 3339, in UTC. One that no calendar has is the last that ours has.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    i64::try_from(at)
        .ok()
        .and_then(|secs| Moment::from_second(secs).ok())
        .unwrap_or(Moment::MAX)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn is_whole_seconds_in_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_700_000_000), "2023-11-14T22:13:20Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-12-30"));
    }
}
