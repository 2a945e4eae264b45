//! Who knows what of whom: the truth spreads slowly, and each node has its own part of it.

use std::collections::{BTreeMap, BTreeSet};

use base::Instant;

/// Something that becomes true and spreads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rumour {
    /// A node speaks for a person.
    Node { person: usize, node: usize },
    /// Two people are contacts.
    Contact { one: usize, other: usize },
    /// Somebody is a member of a group, or no longer. A later version counts.
    Member { group: usize, person: usize, version: u32, is: bool },
    /// Somebody blocks somebody; only the blocker's nodes hear.
    Block { by: usize, whom: usize },
}

/// When a rumour became true, and when the last node heard it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub rumour: Rumour,
    pub begun: Instant,
    pub settled: Instant,
}

/// What one node takes for true.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    nodes: BTreeMap<usize, BTreeSet<usize>>,
    contacts: BTreeSet<(usize, usize)>,
    members: BTreeMap<(usize, usize), (u32, bool)>,
    pub blocked: BTreeSet<usize>,
}

impl View {
    /// Takes a rumour; true when something is other than before.
    pub(super) fn learn(&mut self, rumour: Rumour) -> bool {
        match rumour {
            Rumour::Node { person, node } => self.nodes.entry(person).or_default().insert(node),
            Rumour::Contact { one, other } => self.contacts.insert((one.min(other), one.max(other))),
            Rumour::Member { group, person, version, is } => {
                let known = self.members.entry((group, person)).or_insert((0, false));
                let before = known.1;
                if version > known.0 {
                    *known = (version, is);
                }
                known.1 != before
            }
            Rumour::Block { whom, .. } => self.blocked.insert(whom),
        }
    }

    pub(super) fn nodes_of(&self, person: usize) -> BTreeSet<usize> {
        self.nodes.get(&person).cloned().unwrap_or_default()
    }

    pub(super) fn is_contact(&self, one: usize, other: usize) -> bool {
        one == other || self.contacts.contains(&(one.min(other), one.max(other)))
    }

    pub(super) fn is_member(&self, group: usize, person: usize) -> bool {
        self.members.get(&(group, person)).is_some_and(|(_, is)| *is)
    }

    /// Returns the present members of a group.
    pub(super) fn members(&self, group: usize) -> BTreeSet<usize> {
        let of = self.members.range((group, 0)..(group + 1, 0));
        of.filter(|(_, (_, is))| *is).map(|((_, person), _)| *person).collect()
    }

    /// Returns the groups that somebody is a member of.
    pub(super) fn groups_of(&self, person: usize) -> Vec<usize> {
        self.members.iter().filter(|((_, who), (_, is))| *who == person && *is).map(|((group, _), _)| *group).collect()
    }

    /// Returns whom somebody has to do with: themselves, contacts, fellow members.
    pub(super) fn acquainted(&self, me: usize) -> BTreeSet<usize> {
        let mut all = BTreeSet::from([me]);
        for (one, other) in &self.contacts {
            match (*one == me, *other == me) {
                (true, _) => all.insert(*other),
                (_, true) => all.insert(*one),
                _ => false,
            };
        }
        for group in self.groups_of(me) {
            all.extend(self.members(group));
        }
        all
    }

    /// Whether a node of `me` admits a node of `person`.
    pub(super) fn admits(&self, me: usize, person: usize, node: usize) -> bool {
        !self.blocked.contains(&person)
            && self.nodes.get(&person).is_some_and(|nodes| nodes.contains(&node))
            && self.has_to_do_with(me, person)
    }

    /// Whether [`View::acquainted`] names them.
    fn has_to_do_with(&self, me: usize, person: usize) -> bool {
        let mut groups = self.members.iter().filter(|((_, who), (_, is))| *who == person && *is);
        self.is_contact(me, person) || groups.any(|((group, _), _)| self.is_member(*group, me))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_rumour_does_not_undo_a_newer_one() {
        let mut view = View::default();
        let member = |version, is| Rumour::Member { group: 0, person: 1, version, is };
        assert!(view.learn(member(3, true)));
        assert!(!view.learn(member(2, false)));
        assert!(view.is_member(0, 1) && !view.is_member(0, 2) && !view.is_member(1, 1));
        assert!(view.learn(member(4, false)));
        assert!(view.groups_of(1).is_empty());
    }

    #[test]
    fn fellow_members_and_contacts_are_acquainted() {
        let mut view = View::default();
        view.learn(Rumour::Contact { one: 4, other: 1 });
        for person in [1, 2] {
            view.learn(Rumour::Member { group: 0, person, version: 1, is: true });
        }
        view.learn(Rumour::Member { group: 1, person: 3, version: 1, is: true });
        assert_eq!(view.acquainted(1), BTreeSet::from([1, 2, 4]));
        assert_eq!(view.acquainted(2), BTreeSet::from([1, 2]));
        for (me, person) in (0..5).flat_map(|me| (0..5).map(move |person| (me, person))) {
            assert_eq!(view.has_to_do_with(me, person), view.acquainted(me).contains(&person), "{me} and {person}");
        }
        view.learn(Rumour::Node { person: 4, node: 8 });
        assert!(view.admits(1, 4, 8) && !view.admits(1, 4, 9) && !view.admits(2, 4, 8));
        view.learn(Rumour::Block { by: 1, whom: 4 });
        assert!(!view.admits(1, 4, 8));
    }
}
