//! Chance, so that many clients don't act at once.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// A time from nothing up to `range`.
pub(super) fn jitter(range: Duration) -> Duration {
    // Each hasher is seeded anew. Nothing here must be hard to guess.
    let chance = RandomState::new().hash_one(());
    let nanos = u64::try_from(range.as_nanos()).unwrap_or(u64::MAX);
    let drawn = (u128::from(nanos) * u128::from(chance)) >> 64;
    Duration::from_nanos(u64::try_from(drawn).unwrap_or(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_over_the_range() {
        let range = Duration::from_secs(1);
        let draws: Vec<_> = (0..200).map(|_| jitter(range)).collect();
        assert!(draws.iter().all(|drawn| *drawn < range));
        assert!(draws.iter().any(|drawn| *drawn < range / 4));
        assert!(draws.iter().any(|drawn| *drawn > range * 3 / 4));
        assert_eq!(jitter(Duration::ZERO), Duration::ZERO);
        assert!(jitter(Duration::MAX) <= Duration::from_nanos(u64::MAX));
    }
}
