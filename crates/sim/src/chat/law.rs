//! For whom each message is, by what really was so and by what its author's node knew.

use std::collections::{BTreeMap, BTreeSet};

use base::Instant;

use super::network::Said;
use super::view::{Rumour, Spread};

/// Whether a message has to be with somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// On all of their nodes.
    Owed,
    /// It may be there or not: they were expelled or blocked while it was under way, or came at that time.
    Open,
    /// It was not for them.
    Forbidden,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Law {
    contacts: BTreeSet<(usize, usize)>,
    /// By group and person.
    members: BTreeMap<(usize, usize), Vec<Spread>>,
    /// By who blocks and whom.
    blocks: BTreeMap<(usize, usize), Spread>,
    /// The nodes that came later.
    late: BTreeMap<usize, Spread>,
}

impl Law {
    pub(super) fn new(spreads: &[Spread]) -> Law {
        let mut law = Law::default();
        for spread in spreads {
            match spread.rumour {
                Rumour::Node { node, .. } if spread.begun > Instant::START => _ = law.late.insert(node, *spread),
                Rumour::Node { .. } => {}
                Rumour::Contact { one, other } => _ = law.contacts.insert((one.min(other), one.max(other))),
                Rumour::Member { group, person, .. } => law.members.entry((group, person)).or_default().push(*spread),
                Rumour::Block { by, whom } => _ = law.blocks.insert((by, whom), *spread),
            }
        }
        law
    }

    /// Says whether a message has to be with somebody.
    pub(super) fn due(&self, said: &Said, person: usize) -> Due {
        if !said.audience.contains(&person) {
            return Due::Forbidden;
        }
        if let Some(spread) = self.blocks.get(&(person, said.author)) {
            return if said.at > spread.settled { Due::Forbidden } else { Due::Open };
        }
        if self.blocks.contains_key(&(said.author, person)) {
            return Due::Open;
        }
        let stays = match said.group {
            None => person == said.author || self.is_acquainted(said.author, person),
            Some(group) => [said.author, person].into_iter().all(|who| self.stays(group, who, said.at)),
        };
        if stays { Due::Owed } else { Due::Open }
    }

    /// Whether somebody blocks somebody.
    pub(super) fn blocks(&self, by: usize, whom: usize) -> bool {
        self.blocks.contains_key(&(by, whom))
    }

    /// Whether somebody really was a member then.
    fn is_in(&self, group: usize, person: usize, at: Instant) -> bool {
        let so_far = self.members.get(&(group, person)).into_iter().flatten().filter(|spread| spread.begun <= at);
        let last = so_far.max_by_key(|spread| spread.begun);
        last.is_some_and(|spread| matches!(spread.rumour, Rumour::Member { is: true, .. }))
    }

    /// Whether somebody is a member from a time on to the end, and was before without doubt or came for the first time.
    fn stays(&self, group: usize, person: usize, at: Instant) -> bool {
        let mut spreads = self.members.get(&(group, person)).into_iter().flatten();
        // An author may not know yet who was expelled.
        self.is_in(group, person, at)
            && spreads.all(|spread| match spread.rumour {
                Rumour::Member { is: false, .. } => spread.begun < at,
                // Whoever comes back is in for good when all know of it.
                Rumour::Member { version, .. } => version == 1 || spread.settled < at,
                _ => true,
            })
    }

    /// Whether two people know each other for all the time: as contacts, or fellow members from the first to the last.
    fn is_acquainted(&self, one: usize, other: usize) -> bool {
        let always = |spreads: &Vec<Spread>| matches!(spreads[..], [first] if first.settled == Instant::START);
        let groups = self.members.keys().map(|(group, _)| *group).collect::<BTreeSet<_>>();
        self.contacts.contains(&(one.min(other), one.max(other)))
            || groups.into_iter().any(|group| {
                [one, other].into_iter().all(|person| self.members.get(&(group, person)).is_some_and(always))
            })
    }

    /// Says whether a message has to be on a node of somebody, of whom it is known whether it has to be with them.
    pub(super) fn due_on(&self, said: &Said, due: Due, node: usize, asked_history: bool) -> Due {
        // What was written before all knew of a new node may go to the others alone, unless it asks for the history.
        let is_late = !asked_history && self.late.get(&node).is_some_and(|spread| said.at < spread.settled);
        if due == Due::Owed && is_late { Due::Open } else { due }
    }
}
