//! The limiter of one process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::remembered::{Known, Name, Remembered};
use super::table::{Held, Key, Keys, Table};
use super::{Allowance, BucketKind, Charge, Charged, LimitRefusal, LimitState, Limiter};
use crate::time::Moment;

/// So many buckets in one charge need no allocation.
const FEW: usize = 6;
/// Numbers of tables in one limiter: those of kinds, which have eight bits, and the last one for quotas.
const TABLES: u64 = 1 << 9;

/// Counts calls in the memory of this process.
///
/// Charging a bucket that is known takes no lock and allocates nothing, and where the caller keeps a [`Remembered`] it looks
/// nothing up: the only memory written that other cores may read is that of the buckets charged. Memory is bounded per
/// [`BucketKind`]; while as many buckets as fit are in debt, new ones of that kind share a fixed number
/// of buckets, so a flood makes newcomers wait for one another but forgets nobody's debt.
///
/// What was counted is lost with the process. For rates that is a moment's worth. A monthly [`Quota`](super::Quota) starts
/// anew: it bounds what a tenant can use up, but bills nobody; where the count must be exact, or several processes share it, a
/// limiter outside of the process has to keep it. A quota that was used is a debt until the month ends, so give room for
/// as many tenants as call in a month: those beyond share quotas, and are held to less than theirs.
pub struct LocalLimiter {
    id: u64,
    keys: Keys,
    rates: Box<[Table<Name>]>,
    quotas: Table<Name>,
}

/// Where a charge is counted, and the state it left there.
struct Account<'a> {
    held: Held<'a, Name>,
    taken: u64,
}

impl Account<'_> {
    const NEW: Self = Account {
        held: Held::Nowhere,
        taken: 0,
    };
}

impl LocalLimiter {
    /// A limiter for 100,000 buckets of each kind; each that is used takes about 200 bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(100_000)
    }

    /// A limiter for so many buckets of each kind.
    #[must_use]
    pub fn with_capacity(buckets: usize) -> Self {
        // Tells limiters apart; nothing is decided by the order.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let table = |_| Table::new(buckets);
        Self {
            id: NEXT.fetch_add(TABLES, Ordering::Relaxed),
            keys: Keys::new(),
            rates: BucketKind::ALL.iter().map(table).collect(),
            quotas: Table::new(buckets),
        }
    }

    /// Charges one call to all of these buckets, or to none of them. Returns the state of the tightest
    /// one, or `None` for no charges. What the caller keeps between charges makes them fast, and decides nothing.
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
        remembered: Option<&Remembered>,
        now: Moment,
    ) -> Result<Option<LimitState>, LimitRefusal> {
        let known = remembered.map(Remembered::read);
        if let Some(known) = &known
            && let Some(tightest) = self.charge_known(charges, known, now)
        {
            return Ok(Some(tightest));
        }
        self.charge_found(charges, remembered, known.as_ref(), now)
    }

    /// The state of the bucket that this would be charged to, which stays as it is.
    #[must_use]
    pub fn peek(&self, charge: Charge<'_>, now: Moment) -> LimitState {
        let allowance = charge.allowance;
        let state = self
            .table(&charge)
            .state(self.key(&charge), &allowance, now);
        allowance.standing(charge.bucket.kind(), state, now)
    }

    /// The buckets held, without the shared ones.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rates.iter().map(Table::len).sum::<usize>() + self.quotas.len()
    }

    /// Whether no bucket is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Charges buckets that are all known and all have room: nothing is looked up. Otherwise nothing is charged.
    fn charge_known(
        &self,
        charges: &[Charge<'_>],
        known: &Known,
        now: Moment,
    ) -> Option<LimitState> {
        let mut steps = [const { None }; FEW];
        let steps = steps.get_mut(..charges.len())?;
        for (charge, step) in charges.iter().zip(&mut *steps) {
            let cell = known.find(self.number(charge), charge.bucket.parts())?;
            let before = cell.state()?;
            let after = charge.allowance.take(before, now).ok()?;
            *step = Some((charge, cell, before, after));
        }
        let mut tightest: Option<(u32, &Charge<'_>, u64)> = None;
        for index in 0..steps.len() {
            let (done, rest) = steps.split_at_mut(index);
            let Some(Some(step)) = rest.first_mut() else {
                break;
            };
            let (charge, cell, before, after) = *step;
            let allowance = &charge.allowance;
            let Some(taken) = cell.take(before, after, allowance, now) else {
                for (charge, cell, _, taken) in done.iter().flatten() {
                    Table::give_back(&Held::Known(*cell), &charge.allowance, *taken);
                }
                return None;
            };
            step.3 = taken;
            let left = allowance.remaining(taken, now);
            let is_tighter = tightest.is_none_or(|(least, other, state)| {
                left < least || left == least && is_full_later(charge, taken, other, state, now)
            });
            if is_tighter {
                tightest = Some((left, charge, taken));
            }
        }
        tightest.map(|(_, charge, taken)| standing(charge, taken, now))
    }

    /// Charges any buckets, and has those remembered that were found.
    fn charge_found(
        &self,
        charges: &[Charge<'_>],
        remembered: Option<&Remembered>,
        known: Option<&Known>,
        now: Moment,
    ) -> Result<Option<LimitState>, LimitRefusal> {
        let mut few = [Account::NEW; FEW];
        let mut many = Vec::new();
        let accounts = match few.get_mut(..charges.len()) {
            Some(few) => few,
            None => {
                many.resize_with(charges.len(), || Account::NEW);
                many.as_mut_slice()
            }
        };
        let result = self.settle(charges, accounts, known, now);
        if let Some(remembered) = remembered {
            for (charge, account) in charges.iter().zip(accounts) {
                if let Held::Found(cell) = &account.held {
                    let settled = charge.allowance.settled(now);
                    remembered.add(self.number(charge), Arc::clone(cell), settled);
                }
            }
        }
        result
    }

    fn settle<'a>(
        &'a self,
        charges: &[Charge<'_>],
        accounts: &mut [Account<'a>],
        known: Option<&'a Known>,
        now: Moment,
    ) -> Result<Option<LimitState>, LimitRefusal> {
        // Asking all of them first lets a refused call touch nothing, save in a race.
        let mut refusal: Option<LimitRefusal> = None;
        for (charge, account) in charges.iter().zip(&mut *accounts) {
            let state = self.look(charge, account, known, now);
            if let Err(wait) = charge.allowance.take(state, now) {
                let longer = LimitRefusal::new(standing(charge, state, now), wait);
                if refusal.is_none_or(|other| longer.is_longer_than(&other)) {
                    refusal = Some(longer);
                }
            }
        }
        refusal.map_or(Ok(()), Err)?;
        let mut tightest: Option<LimitState> = None;
        for (index, charge) in charges.iter().enumerate() {
            let (taken, rest) = accounts.split_at_mut(index);
            let Some(account) = rest.first_mut() else {
                break;
            };
            match self.take(charge, account, now) {
                Ok(state) => {
                    let is_tighter = |other| state.is_tighter_than(&other);
                    if tightest.is_none_or(is_tighter) {
                        tightest = Some(state);
                    }
                }
                Err(wait) => {
                    for (charge, account) in charges.iter().zip(taken) {
                        Table::give_back(&account.held, &charge.allowance, account.taken);
                    }
                    return Err(LimitRefusal::new(self.peek(*charge, now), wait));
                }
            }
        }
        Ok(tightest)
    }

    /// The state of the bucket, and where it is, if it is anywhere.
    fn look<'a>(
        &'a self,
        charge: &Charge<'_>,
        account: &mut Account<'a>,
        known: Option<&'a Known>,
        now: Moment,
    ) -> u64 {
        let table = self.table(charge);
        if let Some(cell) =
            known.and_then(|known| known.find(self.number(charge), charge.bucket.parts()))
            && let Some(state) = cell.state()
        {
            account.held = Held::Known(cell);
            return state;
        }
        let key = self.key(charge);
        if let Some(cell) = table.find(key)
            && let Some(state) = cell.state()
        {
            account.held = Held::Found(cell);
            return state;
        }
        table.state(key, &charge.allowance, now)
    }

    fn take<'a>(
        &'a self,
        charge: &Charge<'_>,
        account: &mut Account<'a>,
        now: Moment,
    ) -> Result<LimitState, u64> {
        let table = self.table(charge);
        let name = || Name::new(charge.bucket.parts());
        let allowance = &charge.allowance;
        let held = &mut account.held;
        account.taken = table.take(held, || self.key(charge), name, allowance, now)?;
        Ok(standing(charge, account.taken, now))
    }

    fn table(&self, charge: &Charge<'_>) -> &Table<Name> {
        match charge.allowance {
            Allowance::Rate(_) => &self.rates[charge.bucket.kind() as usize],
            Allowance::Monthly(_) => &self.quotas,
        }
    }

    /// The number of that table, which no table of another limiter has.
    const fn number(&self, charge: &Charge<'_>) -> u64 {
        self.id
            + match charge.allowance {
                Allowance::Rate(_) => charge.bucket.kind() as u64,
                Allowance::Monthly(_) => TABLES - 1,
            }
    }

    fn key(&self, charge: &Charge<'_>) -> Key {
        self.keys.key(charge.bucket.parts())
    }
}

const fn standing(charge: &Charge<'_>, state: u64, now: Moment) -> LimitState {
    charge.allowance.standing(charge.bucket.kind(), state, now)
}

/// Whether the first of two buckets with as many calls left is the tighter.
fn is_full_later(
    charge: &Charge<'_>,
    taken: u64,
    other: &Charge<'_>,
    state: u64,
    now: Moment,
) -> bool {
    // States of rates are times, which need not be counted in seconds to see which is not the later.
    let both = (charge.allowance, other.allowance);
    if matches!(both, (Allowance::Rate(_), Allowance::Rate(_))) && taken <= state {
        return false;
    }
    standing(charge, taken, now).is_full_later_than(&standing(other, state, now))
}

impl Default for LocalLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl Limiter for LocalLimiter {
    fn charge(
        &self,
        charges: &[Charge<'_>],
        remembered: Option<&Remembered>,
        now: Moment,
    ) -> Charged {
        Charged::Ready(Self::charge(self, charges, remembered, now).map_err(Into::into))
    }
}

impl fmt::Debug for LocalLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalLimiter")
            .field("buckets", &self.len())
            .finish_non_exhaustive()
    }
}
