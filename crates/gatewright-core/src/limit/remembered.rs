//! Buckets that a caller was charged to before.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

use super::table::Cell;

/// As many buckets as one caller's calls are charged to.
const PLACES: usize = 6;
/// Of one table. A token is used from two addresses, or in two tenants, more often than from more.
const OF_ONE_TABLE: usize = 2;

/// What a limiter remembers of a caller: where the buckets are that its calls are charged to, so that they need not be looked
/// up by name.
///
/// Keep one beside each cached credential, and give it to every charge of that credential. It is a hint and no more: a
/// limiter uses what it finds here only if it put it there itself, for the very bucket that is being charged. Reading it writes
/// no memory that other cores read.
#[derive(Default)]
pub struct Remembered(ArcSwapOption<Places>);

type Places = [Option<Place>; PLACES];

/// A bucket, and the number of the table that it is or was in.
#[derive(Clone)]
struct Place {
    table: u64,
    cell: Arc<Cell<Name>>,
}

impl Remembered {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn read(&self) -> Known {
        Known(self.0.load())
    }

    /// Adds a bucket of a table in which states up to `settled` say nothing. Where there is no place it takes that of a bucket
    /// which is gone, or that owes nothing; not that of a debtor, or two buckets in turn would have a list written each time.
    pub(super) fn add(&self, table: u64, cell: Arc<Cell<Name>>, settled: u64) {
        if !cell.name().is_kept() {
            return;
        }
        let known = self.0.load_full();
        let mut places = known.as_deref().cloned().unwrap_or_default();
        let of_table = |place: &Option<Place>| place.as_ref().is_some_and(|p| p.table == table);
        let same = places.iter().filter(|place| of_table(place)).count();
        let free = |place: &Option<Place>| place.as_ref().is_none_or(|p| p.cell.is_gone());
        let index = (same < OF_ONE_TABLE)
            .then(|| places.iter().position(free))
            .flatten()
            .or_else(|| {
                places.iter().position(|place| {
                    let place = place.as_ref().filter(|place| place.table == table);
                    place.is_some_and(|place| place.cell.owes_nothing(settled))
                })
            });
        if let Some(place) = index.and_then(|index| places.get_mut(index)) {
            *place = Some(Place { table, cell });
            // Of two that add at once one is forgotten, and added by a later call.
            self.0.store(Some(Arc::new(places)));
        }
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered")
    }
}

/// What was remembered when it was read.
pub(super) struct Known(Guard<Option<Arc<Places>>>);

impl Known {
    /// The bucket of this table and name.
    pub(super) fn find(&self, table: u64, parts: &[&[u8]]) -> Option<&Cell<Name>> {
        let places = self.0.as_deref()?;
        let mut cells = places.iter().flatten().filter(|place| place.table == table);
        let place = cells.find(|place| place.cell.name().is(parts))?;
        Some(&place.cell)
    }
}

/// The parts that name a bucket, each after its length. Names that are longer are not kept, and their buckets not
/// remembered.
pub(super) struct Name {
    len: u8,
    bytes: [u8; Self::LONGEST],
}

impl Name {
    const LONGEST: usize = 71;
    const NOT_KEPT: u8 = u8::MAX;

    pub(super) fn new(parts: &[&[u8]]) -> Self {
        let mut name = Self {
            len: Self::NOT_KEPT,
            bytes: [0; Self::LONGEST],
        };
        let mut end = 0;
        for part in parts {
            let rest = name.bytes.get_mut(end..).and_then(<[u8]>::split_first_mut);
            let Some((len, rest)) = rest else { return name };
            let (Some(bytes), Ok(part_len)) = (rest.get_mut(..part.len()), part.len().try_into())
            else {
                return name;
            };
            *len = part_len;
            bytes.copy_from_slice(part);
            end += 1 + part.len();
        }
        // At most LONGEST.
        name.len = end as u8;
        name
    }

    fn is_kept(&self) -> bool {
        self.len != Self::NOT_KEPT
    }

    /// Whether these are the parts.
    fn is(&self, parts: &[&[u8]]) -> bool {
        let Some(mut rest) = self.bytes.get(..usize::from(self.len)) else {
            return false;
        };
        for part in parts {
            let Some((len, tail)) = rest.split_first() else {
                return false;
            };
            let Some(tail) = tail.strip_prefix(*part) else {
                return false;
            };
            if usize::from(*len) != part.len() {
                return false;
            }
            rest = tail;
        }
        rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Names are the same exactly if their parts are.
        #[test]
        fn a_name_is_its_parts(
            ours in prop::collection::vec(prop::collection::vec(0u8..3, 0..4), 0..4),
            theirs in prop::collection::vec(prop::collection::vec(0u8..3, 0..4), 0..4),
        ) {
            let a: Vec<&[u8]> = ours.iter().map(Vec::as_slice).collect();
            let b: Vec<&[u8]> = theirs.iter().map(Vec::as_slice).collect();
            prop_assert!(Name::new(&a).is(&a));
            prop_assert_eq!(Name::new(&a).is(&b), ours == theirs);
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_nobodys() {
        let long = [7; 300];
        for (len, kept) in [
            (0, true),
            (70, true),
            (71, false),
            (256, false),
            (300, false),
        ] {
            let name = Name::new(&[&long[..len]]);
            assert_eq!(name.is_kept(), kept, "{len}");
            assert_eq!(name.is(&[&long[..len]]), kept, "{len}");
            assert!(!name.is(&[]) && !name.is(&[b""]) || len == 0);
        }
        assert!(Name::new(&[]).is(&[]) && !Name::new(&[]).is(&[b""]));
    }

    #[test]
    fn debtors_keep_their_places() {
        let remembered = Remembered::new();
        let cell = |name: &[u8], state| Arc::new(Cell::new(Name::new(&[name]), state));
        let knows = |table, name: &[u8]| remembered.read().find(table, &[name]).is_some();
        remembered.add(1, cell(b"a", 10), 5);
        remembered.add(1, cell(b"b", 3), 2);
        remembered.add(1, cell(b"c", 10), 2);
        assert!(knows(1, b"a") && knows(1, b"b") && !knows(1, b"c"));
        assert!(!knows(2, b"a"));
        // Now `b` owes nothing.
        remembered.add(1, cell(b"c", 10), 5);
        assert!(knows(1, b"a") && !knows(1, b"b") && knows(1, b"c"));
        for table in 2..20 {
            remembered.add(table, cell(b"a", 10), 5);
        }
        assert!(knows(1, b"a") && knows(5, b"a") && !knows(6, b"a"));
    }
}
