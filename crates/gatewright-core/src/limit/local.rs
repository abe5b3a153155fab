//! The limiter of one process.

use std::fmt;

use super::table::{Key, Keys, Table};
use super::{Bucket, BucketKind, Charge, Charged, LimitRefusal, LimitState, Limiter, Rate};

/// Counts calls in the memory of this process.
///
/// Charging a bucket that is known takes no lock and allocates nothing. Memory is bounded per
/// [`BucketKind`]; while as many buckets as fit are in debt, new ones of that kind share a fixed number
/// of buckets, so a flood makes newcomers wait for one another but forgets nobody's debt.
pub struct LocalLimiter {
    keys: Keys,
    tables: Box<[Table]>,
}

impl LocalLimiter {
    /// A limiter for 100,000 buckets of each kind, about 10 MB where all are used.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(100_000)
    }

    /// A limiter for so many buckets of each kind.
    #[must_use]
    pub fn with_capacity(buckets: usize) -> Self {
        let table = |_| Table::new(buckets);
        Self {
            keys: Keys::new(),
            tables: BucketKind::ALL.iter().map(table).collect(),
        }
    }

    /// Charges one call to all of these buckets, or to none of them. Returns the state of the tightest
    /// one, or `None` for no charges.
    ///
    /// A call that loses a race for the last room of one bucket gives back what it took from the
    /// others; until then, some nanoseconds, another call may find less room there than there is.
    ///
    /// # Errors
    ///
    /// [`LimitRefusal`] if a bucket has no room.
    pub fn charge(
        &self,
        charges: &[Charge<'_>],
        now_nanos: u64,
    ) -> Result<Option<LimitState>, LimitRefusal> {
        // Asking all of them first lets a refused call touch nothing, save in a race.
        if charges.len() > 1 {
            self.refusal(charges, now_nanos).map_or(Ok(()), Err)?;
        }
        let mut tightest: Option<LimitState> = None;
        for (index, charge) in charges.iter().enumerate() {
            let (kind, rate) = (charge.bucket.kind(), charge.rate);
            let (table, key) = self.find(charge.bucket);
            match table.take(key, rate, now_nanos) {
                Ok(full_at) => {
                    let state = LimitState::new(kind, rate, full_at, now_nanos);
                    if tightest.is_none_or(|other| state.is_tighter_than(&other)) {
                        tightest = Some(state);
                    }
                }
                Err(wait) => {
                    for taken in charges.iter().take(index) {
                        let (table, key) = self.find(taken.bucket);
                        table.give_back(key, taken.rate);
                    }
                    let state = self.peek(charge.bucket, rate, now_nanos);
                    return Err(LimitRefusal::new(state, wait));
                }
            }
        }
        Ok(tightest)
    }

    /// The state of a bucket, which stays as it is.
    #[must_use]
    pub fn peek(&self, bucket: Bucket<'_>, rate: Rate, now_nanos: u64) -> LimitState {
        let (table, key) = self.find(bucket);
        LimitState::new(bucket.kind(), rate, table.full_at(key), now_nanos)
    }

    /// The buckets held, without the shared ones.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.iter().map(Table::len).sum()
    }

    /// Whether no bucket is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The refusal to wait for longest, if any bucket has no room.
    fn refusal(&self, charges: &[Charge<'_>], now_nanos: u64) -> Option<LimitRefusal> {
        let refusals = charges.iter().filter_map(|charge| {
            let (table, key) = self.find(charge.bucket);
            let full_at = table.full_at(key);
            let wait = charge.rate.take(full_at, now_nanos).err()?;
            let kind = charge.bucket.kind();
            let state = LimitState::new(kind, charge.rate, full_at, now_nanos);
            Some(LimitRefusal::new(state, wait))
        });
        refusals.max_by_key(LimitRefusal::retry_after_secs)
    }

    fn find(&self, bucket: Bucket<'_>) -> (&Table, Key) {
        let key = self.keys.key(bucket.parts());
        (&self.tables[bucket.kind() as usize], key)
    }
}

impl Default for LocalLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl Limiter for LocalLimiter {
    fn charge(&self, charges: &[Charge<'_>], now_nanos: u64) -> Charged {
        Charged::Ready(Self::charge(self, charges, now_nanos).map_err(Into::into))
    }
}

impl fmt::Debug for LocalLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalLimiter")
            .field("buckets", &self.len())
            .finish_non_exhaustive()
    }
}
