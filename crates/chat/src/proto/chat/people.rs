//! Who the people are, and who may what in which conversation.

use std::collections::{BTreeMap, BTreeSet};

use base::{GroupId, NodeId, PersonId};

use super::super::id::{Conversation, Mark, Pen};
use super::super::io::{ChatError, Known};

/// What of [`Known`] is asked for again and again, by what it is asked for.
#[derive(Debug)]
pub(super) struct People {
    me: PersonId,
    node: NodeId,
    nodes: BTreeMap<PersonId, BTreeSet<NodeId>>,
    contacts: BTreeSet<PersonId>,
    person_of: BTreeMap<NodeId, PersonId>,
    groups: BTreeMap<GroupId, BTreeSet<PersonId>>,
    blocked: BTreeSet<PersonId>,
    /// The nodes of those who are blocked.
    silenced: BTreeSet<NodeId>,
    marks: BTreeMap<Mark, PersonId>,
}

impl People {
    pub(super) fn new(me: PersonId, node: NodeId, known: Known) -> People {
        let mut people = People {
            me,
            node,
            nodes: BTreeMap::new(),
            contacts: BTreeSet::new(),
            person_of: BTreeMap::new(),
            groups: known.groups.into_iter().map(|group| (group.group, group.members)).collect(),
            blocked: known.blocked,
            silenced: BTreeSet::new(),
            marks: BTreeMap::new(),
        };
        people.blocked.remove(&me);
        for acquaintance in known.people {
            let person = acquaintance.person;
            if people.blocked.contains(&person) {
                people.silenced.extend(acquaintance.nodes);
                continue;
            }
            if acquaintance.is_contact && person != me {
                people.contacts.insert(person);
            }
            let nodes = people.nodes.entry(person).or_default();
            for other in acquaintance.nodes.into_iter().filter(|other| *other != node) {
                // A node that two people name speaks for the first.
                if *people.person_of.entry(other).or_insert(person) == person {
                    nodes.insert(other);
                }
            }
        }
        let members = people.groups.values().flatten();
        let all = people.nodes.keys().chain(members).chain(&people.blocked).chain([&me]);
        people.marks = all.map(|person| (Pen::mark_of(*person), *person)).collect();
        people
    }

    /// Returns this node.
    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    /// Whether a node speaks for anybody, though they may be blocked.
    pub(super) fn was_named(&self, node: NodeId) -> bool {
        self.person_of.contains_key(&node) || self.silenced.contains(&node)
    }

    /// Returns whose node it is.
    pub(super) fn person_of(&self, node: NodeId) -> Option<PersonId> {
        self.person_of.get(&node).copied()
    }

    /// Returns whose pen it is, as far as they are known.
    pub(super) fn holder_of(&self, pen: Pen) -> Option<PersonId> {
        self.marks.get(&pen.mark()).copied()
    }

    /// Returns the nodes of a person, without this one.
    pub(super) fn nodes_of(&self, person: PersonId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.get(&person).into_iter().flatten().copied()
    }

    /// Returns the nodes of all people that are spoken to, without this one.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (NodeId, PersonId)> + '_ {
        self.person_of.iter().map(|(node, person)| (*node, *person))
    }

    /// Whether they are anybody that this node has to do with.
    pub(super) fn knows(&self, person: PersonId) -> bool {
        person == self.me || self.nodes.contains_key(&person)
    }

    pub(super) fn is_contact(&self, person: PersonId) -> bool {
        person == self.me || self.contacts.contains(&person)
    }

    pub(super) fn is_blocked(&self, person: PersonId) -> bool {
        self.blocked.contains(&person)
    }

    /// Whether somebody who was here before is not here any more, in a conversation or altogether.
    pub(super) fn lacks_some_of(&self, before: &People) -> bool {
        let remains = |(group, members): (&GroupId, &BTreeSet<PersonId>)| {
            self.groups.get(group).is_some_and(|now| members.is_subset(now))
        };
        !self.blocked.is_subset(&before.blocked)
            || !before.nodes.keys().all(|person| self.nodes.contains_key(person))
            || !before.groups.iter().all(remains)
    }

    /// Whether other people are blocked than before.
    pub(super) fn blocks_others_than(&self, before: &People) -> bool {
        self.blocked != before.blocked
    }

    /// Whether the person takes part in the conversation now, and we do.
    pub(super) fn takes_part(&self, person: PersonId, conversation: &Conversation) -> bool {
        match conversation {
            Conversation::Direct(one, other) => {
                let both = [*one, *other];
                both.contains(&self.me) && both.contains(&person) && self.knows(person)
            }
            Conversation::Room(group, _) => {
                self.groups.get(group).is_some_and(|members| members.contains(&self.me) && members.contains(&person))
            }
        }
    }

    /// Returns who gets what this node's person writes there.
    pub(super) fn audience(&self, conversation: &Conversation) -> Result<BTreeSet<PersonId>, ChatError> {
        match conversation {
            Conversation::Direct(..) => {
                let partner = conversation.partner(self.me).ok_or(ChatError::NotIn)?;
                if self.is_blocked(partner) {
                    return Err(ChatError::Blocked);
                }
                if !self.knows(partner) {
                    return Err(ChatError::Unknown);
                }
                Ok([partner].into_iter().filter(|partner| *partner != self.me).collect())
            }
            Conversation::Room(group, _) => {
                let members = self.groups.get(group).filter(|members| members.contains(&self.me));
                let others = members.ok_or(ChatError::NotIn)?.iter().copied();
                Ok(others.filter(|member| *member != self.me && !self.is_blocked(*member)).collect())
            }
        }
    }

    /// Whether `asker` may hear the card of a node from us: of their own, of ours, and of fellow members of theirs. Of
    /// others they would hear whom we know.
    pub(super) fn may_hear_of(&self, asker: PersonId, node: NodeId) -> bool {
        let Some(person) = self.person_of(node).or((node == self.node).then_some(self.me)) else { return false };
        let fellows = |members: &BTreeSet<PersonId>| members.contains(&asker) && members.contains(&person);
        person == asker || person == self.me || self.groups.values().any(fellows)
    }
}
