//! Scopes ready for checking.

use std::sync::{Mutex, PoisonError};

use crate::scope::{Scope, ScopeSet};

/// Every distinct scope that some policy of one gate requires; its place in the list is its number.
#[derive(Debug, Default)]
pub(crate) struct Requirements(Mutex<Vec<Scope>>);

impl Requirements {
    /// The number of a scope that is not in the list: of it, the set of the credential itself is asked.
    pub(super) const UNKNOWN: u32 = u32::MAX;

    /// The number of `scope`, given now if it has none.
    pub(super) fn number(&self, scope: &Scope) -> u32 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known
            .iter()
            .position(|other| other == scope)
            .unwrap_or_else(|| {
                known.push(scope.clone());
                known.len() - 1
            });
        u32::try_from(place).unwrap_or(Self::UNKNOWN)
    }
}

/// What a set of scopes answers to the requirements that were known when the credential was loaded.
///
/// Kept beside each credential in memory, so it holds no copy of the set and allocates nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    /// Bit `n` says whether requirement `n` is allowed.
    bits: [u64; WORDS],
    /// How many requirements `bits` answers. For those past its end, and those of policies compiled later, the set itself is
    /// asked.
    known: u8,
}

const WORDS: usize = 2;

impl Grants {
    pub(crate) fn new(set: &ScopeSet, requirements: &Requirements) -> Self {
        let known = requirements
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut grants = Self::default();
        for (number, scope) in known.iter().enumerate().take(WORDS * 64) {
            if set.allows(scope)
                && let Some(word) = grants.bits.get_mut(number / 64)
            {
                *word |= 1 << (number % 64);
            }
            grants.known += 1;
        }
        grants
    }

    /// Whether `set`, which this was made of, allows `scope`, the requirement of this number.
    #[inline]
    pub(super) fn allows(&self, number: u32, scope: &Scope, set: &ScopeSet) -> bool {
        if number < u32::from(self.known) {
            self.bits
                .get(number as usize / 64)
                .is_some_and(|word| word >> (number % 64) & 1 == 1)
        } else {
            set.allows(scope)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_answer_as_the_set_does_for_requirements_before_and_after() {
        let requirements = Requirements::default();
        let scopes: Vec<Scope> = (0..150)
            .map(|n| format!("area{n}.read").parse().unwrap())
            .collect();
        let numbers: Vec<u32> = scopes
            .iter()
            .take(140)
            .map(|scope| requirements.number(scope))
            .collect();
        let set =
            ScopeSet::parse("area3.* area64.read area99.read area129.read area145.read").unwrap();
        let grants = Grants::new(&set, &requirements);
        let later: Vec<u32> = scopes
            .iter()
            .skip(140)
            .map(|scope| requirements.number(scope))
            .collect();
        for (scope, number) in scopes.iter().zip(numbers.into_iter().chain(later)) {
            assert_eq!(
                grants.allows(number, scope, &set),
                set.allows(scope),
                "{scope}"
            );
        }
    }

    #[test]
    fn a_scope_has_one_number() {
        let requirements = Requirements::default();
        let scope: Scope = "a.b".parse().unwrap();
        assert_eq!(requirements.number(&scope), requirements.number(&scope));
    }
}
