//! What somebody shows of a group that is not here.
//!
//! Whoever says that we belong to a group has to show it, by changes that only the group can have: among them our own
//! request to come in. Until then the answers are those that somebody hears who is no member of a group that is here, so
//! that nobody, contacts included, learns which groups are.

use std::sync::Arc;

use base::{GroupId, PersonId};

use super::log::{Insert, Log};
use super::roster::Roster;

/// The changes that somebody shows.
#[derive(Debug)]
pub struct Shown {
    log: Log,
}

impl Shown {
    /// Begins with nothing.
    pub fn new(group: GroupId) -> Shown {
        Shown { log: Log::new(group) }
    }

    /// Takes in changes, and returns how many of them count against whoever sent them: as many as would where the group is
    /// and the sender no member of it ([`super::Replica`]).
    pub fn take_in(&mut self, changes: &[Arc<[u8]>]) -> usize {
        let is_bad = |inserted: &Insert| matches!(inserted, Insert::Missing(_) | Insert::Refused(_) | Insert::Foreign);
        changes.iter().map(|bytes| self.log.insert(bytes)).filter(is_bad).count()
    }

    /// Whether what was shown so far makes members of both.
    pub fn has_both(&self, one: &PersonId, other: &PersonId) -> bool {
        Roster::of(&self.log).is_some_and(|roster| roster.has(one) && roster.has(other))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ALICE, BOB, CAROL, MALLORY, World, id};
    use super::*;

    #[test]
    fn members_are_shown_by_the_groups_own_changes_and_by_nothing_else() {
        let (world, _) = World::with(&[], &[BOB]);
        let mut shown = Shown::new(world.group);
        assert!(!shown.has_both(&id(ALICE), &id(BOB)));
        assert_eq!(shown.take_in(world.bytes()), 0);
        assert!(shown.has_both(&id(ALICE), &id(BOB)));
        assert!(!shown.has_both(&id(ALICE), &id(CAROL)) && !shown.has_both(&id(MALLORY), &id(BOB)));

        let mut other = Shown::new(GroupId([9; 32]));
        let count = world.bytes().len();
        assert_eq!(other.take_in(world.bytes()), count, "changes of another group show nothing");
        assert!(!other.has_both(&id(ALICE), &id(BOB)));
        assert_eq!(Shown::new(world.group).take_in(&world.bytes()[count - 1..]), 1, "nor does what rests on nothing");
    }
}
