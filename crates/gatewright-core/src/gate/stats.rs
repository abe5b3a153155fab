//! What the gate has done so far, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Cause;
use crate::hash::HashStats;
use crate::stripe::Striped;

/// Counters of refusals. Admissions are counted by whoever serves the request: a counter that every core writes on every
/// warm call would cost more than the call. Refusals are counted by every few threads apart.
pub(super) struct Counters {
    refusals: Striped<Box<[AtomicU64]>>,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            refusals: Striped::new(|| Cause::ALL.iter().map(|_| AtomicU64::new(0)).collect()),
        }
    }

    pub(super) fn refused(&self, cause: Cause) {
        if let Some(counter) = self.refusals.mine().get(cause as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn refusals(&self) -> Vec<(Cause, u64)> {
        Cause::ALL
            .iter()
            .map(|cause| {
                let counters = self.refusals.all().filter_map(|of| of.get(*cause as usize));
                let sum = counters
                    .map(|counter| counter.load(Ordering::Relaxed))
                    .sum();
                (*cause, sum)
            })
            .collect()
    }
}

/// A snapshot of a gate's counters.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GateStats {
    /// Refusals by cause, since the gate was built.
    pub refusals: Vec<(Cause, u64)>,
    /// The hashing pool: how often argon2 ran, what waits.
    pub hashing: HashStats,
    /// Credential records in memory.
    pub cached_records: usize,
    /// Verified tokens in memory, those of tenants' own providers among them.
    pub cached_tokens: usize,
    /// Memberships in memory.
    pub cached_memberships: usize,
}
