//! Whether a name was there before.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::Json;

/// Few objects have more members than this; comparing each pair is then faster than sorting.
pub(super) const PAIRWISE: usize = 16;

pub(super) fn repeats(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    if members.len() <= PAIRWISE {
        return members
            .iter()
            .enumerate()
            .any(|(at, (name, _))| members.iter().skip(at + 1).any(|(other, _)| other == name));
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair.first() == pair.last())
}

/// The names of one object so far.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// A bit for every name. Where a name's is not set, it is new.
    marks: u64,
    few: [&'a str; PAIRWISE],
    /// How many of `few` are names.
    count: usize,
    /// Those that `few` has no place for, and those spelt with escapes.
    more: BTreeSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    pub(super) const fn is_empty(&self) -> bool {
        self.marks == 0
    }

    /// Whether `name` was there before; from now on it is.
    pub(super) fn repeats(&mut self, name: Cow<'a, str>) -> bool {
        let text = name.as_bytes();
        let ends = text.first().zip(text.last());
        let (first, last) = ends.map_or((0, 0), |(first, last)| (*first, *last));
        // So chosen that the names of common claims differ.
        let mark = usize::from(first) * 4 + usize::from(last) * 7 + text.len();
        let mark = 1 << (mark % 64);
        let repeats = self.marks & mark != 0
            && (self.few.iter().take(self.count).any(|other| *other == name)
                || self.more.contains(&name));
        self.marks |= mark;
        match (self.few.get_mut(self.count), name) {
            (Some(place), Cow::Borrowed(name)) => {
                *place = name;
                self.count += 1;
            }
            (_, name) => {
                self.more.insert(name);
            }
        }
        repeats
    }
}
