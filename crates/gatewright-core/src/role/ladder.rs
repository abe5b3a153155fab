use std::fmt;
use std::sync::Arc;

use super::{Role, RoleError};
use crate::scope::ScopeSet;

/// An ordered ladder of roles, from the lowest to the highest. Cheap to clone.
///
/// A name that is not on the ladder has no rank, and is at least nothing: unknown roles get nothing.
#[derive(Clone, Debug)]
pub struct Roles(Arc<[Rung]>);

#[derive(Debug)]
struct Rung {
    rank: RoleRank,
    role: Role,
    /// All that the role carries, that of the rungs below included.
    permissions: ScopeSet,
}

static NOTHING: ScopeSet = ScopeSet::new();

impl Roles {
    /// The most roles a ladder may have.
    pub const MAX_ROLES: usize = 64;

    /// The ladder without roles, for a service that has none.
    #[must_use]
    pub fn none() -> Self {
        Roles(Arc::new([]))
    }

    /// Starts a ladder.
    pub fn builder() -> RolesBuilder {
        RolesBuilder::default()
    }

    /// The rank of the role of this name; `None` if there is no such role.
    #[must_use]
    #[inline]
    pub fn rank(&self, name: &str) -> Option<RoleRank> {
        let rung = self.0.iter().find(|rung| rung.role.as_str() == name)?;
        Some(rung.rank)
    }

    /// Whether the role held is the role required or a higher one; `false` if either is unknown.
    #[must_use]
    pub fn at_least(&self, held: &str, required: &str) -> bool {
        match (self.rank(held), self.rank(required)) {
            (Some(held), Some(required)) => held >= required,
            _ => false,
        }
    }

    /// All that the role of this rank carries, that of lower roles included. Nothing for a rank of another
    /// ladder that is higher than this one.
    #[must_use]
    pub fn permissions(&self, rank: RoleRank) -> &ScopeSet {
        self.rung(rank).map_or(&NOTHING, |rung| &rung.permissions)
    }

    /// The role of this rank. `None` for a rank of another ladder that is higher than this one.
    #[must_use]
    pub fn role(&self, rank: RoleRank) -> Option<&Role> {
        self.rung(rank).map(|rung| &rung.role)
    }

    /// The ranks, the roles and all that each carries, the lowest role first.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = (RoleRank, &Role, &ScopeSet)> + ExactSizeIterator {
        self.0
            .iter()
            .map(|rung| (rung.rank, &rung.role, &rung.permissions))
    }

    /// The rank of the highest role; `None` for the ladder without roles.
    #[must_use]
    pub fn highest(&self) -> Option<RoleRank> {
        self.0.last().map(|rung| rung.rank)
    }

    /// How many roles there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no roles.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn rung(&self, rank: RoleRank) -> Option<&Rung> {
        self.0.get(usize::from(rank.0))
    }
}

/// How high a role stands. Ranks of one ladder compare as its roles do; those of different ladders say
/// nothing about each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleRank(u8);

/// Gathers the roles of a ladder, the lowest first.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RolesBuilder(Vec<(String, ScopeSet)>);

impl RolesBuilder {
    /// Adds a role above those added so far. It carries `permissions` and all that theirs do.
    pub fn role(mut self, name: impl Into<String>, permissions: ScopeSet) -> Self {
        self.0.push((name.into(), permissions));
        self
    }

    /// Makes the ladder.
    ///
    /// # Errors
    ///
    /// Every [`RoleMistake`] that was made. A ladder that is meant to have no roles is [`Roles::none`].
    pub fn build(self) -> Result<Roles, RolesError> {
        let mut rungs: Vec<Rung> = Vec::with_capacity(self.0.len());
        let mut mistakes = Vec::new();
        if self.0.is_empty() {
            mistakes.push(RoleMistake::Empty);
        }
        if self.0.len() > Roles::MAX_ROLES {
            mistakes.push(RoleMistake::TooMany {
                count: self.0.len(),
            });
        }
        // The ranks run out only after `TooMany` was noted, and then no ladder is made.
        for ((name, own), rank) in self.0.into_iter().zip((0..=u8::MAX).map(RoleRank)) {
            let role: Role = match name.parse() {
                Ok(role) => role,
                Err(source) => {
                    mistakes.push(RoleMistake::BadName { name, source });
                    continue;
                }
            };
            if rungs.iter().any(|rung| rung.role == role) {
                mistakes.push(RoleMistake::Duplicate { role });
                continue;
            }
            let below = rungs.last().map_or(&NOTHING, |rung| &rung.permissions);
            let permissions = below.union(&own);
            rungs.push(Rung {
                rank,
                role,
                permissions,
            });
        }
        if mistakes.is_empty() {
            Ok(Roles(rungs.into()))
        } else {
            Err(RolesError(mistakes))
        }
    }
}

/// One thing wrong with a ladder. The names are the configuration's own and are repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleMistake {
    /// There are no roles.
    #[error("there are no roles")]
    Empty,
    /// There are more than [`Roles::MAX_ROLES`] roles.
    #[error("{count} roles are more than {}", Roles::MAX_ROLES)]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A name is not one a role can have.
    #[error("{name:?} cannot be a role: {source}")]
    BadName {
        /// What was written.
        name: String,
        /// What is wrong with it.
        source: RoleError,
    },
    /// A role is on the ladder more than once.
    #[error("{role} is on the ladder twice")]
    Duplicate {
        /// The role.
        role: Role,
    },
}

/// Everything wrong with a ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolesError(Vec<RoleMistake>);

impl RolesError {
    /// The mistakes; at least one.
    #[must_use]
    pub fn mistakes(&self) -> &[RoleMistake] {
        &self.0
    }
}

impl fmt::Display for RolesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ladder of roles is wrong")?;
        for (index, mistake) in self.0.iter().enumerate() {
            write!(f, "{} {mistake}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for RolesError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        text.parse().unwrap()
    }

    #[test]
    fn reports_every_mistake_at_once() {
        let error = Roles::builder()
            .role("member", set(""))
            .role("", set("a"))
            .role("ad min", set("b"))
            .role("member", set("c"))
            .build()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the ladder of roles is wrong: \"\" cannot be a role: a role's name is empty; \
             \"ad min\" cannot be a role: a role's name has a character other than A-Z a-z 0-9 _ - (byte 2); \
             member is on the ladder twice"
        );
        assert_eq!(
            Roles::builder().build().unwrap_err().mistakes(),
            [RoleMistake::Empty]
        );
    }

    #[test]
    fn has_at_most_64_roles() {
        let ladder = |count: usize| {
            (0..count).fold(Roles::builder(), |roles, at| {
                roles.role(format!("r{at}"), set(""))
            })
        };
        let highest = ladder(64).build().unwrap();
        assert_eq!(highest.rank("r63"), highest.highest());
        for count in [65, 300] {
            let error = ladder(count).build().unwrap_err();
            assert_eq!(error.mistakes(), [RoleMistake::TooMany { count }]);
        }
    }

    #[test]
    fn the_ladder_without_roles_grants_nothing() {
        let none = Roles::none();
        assert!(none.is_empty() && none.highest().is_none() && none.iter().next().is_none());
        assert!(!none.at_least("", "") && !none.at_least("admin", "admin"));
        let foreign = Roles::builder().role("admin", set("*")).build().unwrap();
        assert!(none.permissions(foreign.highest().unwrap()).is_empty());
        assert!(none.role(foreign.highest().unwrap()).is_none());
    }
}
