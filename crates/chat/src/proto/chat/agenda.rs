//! What has to be done when.

use std::collections::{BTreeMap, BTreeSet};

use base::{Instant, NodeId, PersonId};

use super::super::id::Conversation;

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Something with a node.
    Peer(NodeId, Timer),
    /// Ask for missing causes.
    Asks(Conversation),
    /// Drop what waits too long for its author to become a member.
    Doubted,
    /// Tell the own other nodes what came.
    Announce,
    /// A page that an own node was asked for did not come.
    Page(NodeId),
    /// Ask who is there for missing cards.
    WantCards,
    /// Something with a mailbox of ours.
    Pickup(NodeId),
    /// Somebody writes no longer.
    Typing(Conversation, PersonId),
}

/// What has to be done with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Acknowledge what came.
    Ack,
    /// Send again what was not acknowledged.
    Resend,
    /// Dial again.
    Redial,
    /// Try its mailboxes again.
    Deposit,
    /// Deposit again what lies there unacknowledged.
    Redeposit,
}

/// The due times, each once. See the module.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    at: BTreeMap<Due, Instant>,
    order: BTreeSet<(Instant, Due)>,
}

impl Agenda {
    /// Sets when something is due, in place of what was set before.
    pub(super) fn set(&mut self, due: Due, at: Instant) {
        if let Some(before) = self.at.insert(due.clone(), at) {
            if before == at {
                return;
            }
            let entry = (before, due);
            self.order.remove(&entry);
            self.order.insert((at, entry.1));
        } else {
            self.order.insert((at, due));
        }
    }

    /// Sets it, unless it is due earlier already.
    pub(super) fn set_by(&mut self, due: Due, at: Instant) {
        if self.at.get(&due).is_none_or(|before| *before > at) {
            self.set(due, at);
        }
    }

    /// Takes it out.
    pub(super) fn clear(&mut self, due: &Due) {
        if let Some(at) = self.at.remove(due) {
            self.order.remove(&(at, due.clone()));
        }
    }

    /// Whether it is set.
    pub(super) fn has(&self, due: &Due) -> bool {
        self.at.contains_key(due)
    }

    /// Returns when the first is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes out what is due first, if it is by now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Due> {
        if self.next()? > now {
            return None;
        }
        let (_, due) = self.order.pop_first()?;
        self.at.remove(&due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_is_due_once_and_the_first_comes_first() {
        let at = |seconds| Instant::START + Duration::from_secs(seconds);
        let mut agenda = Agenda::default();
        agenda.set(Due::Announce, at(5));
        agenda.set(Due::WantCards, at(4));
        agenda.set(Due::Announce, at(3));
        agenda.set_by(Due::WantCards, at(9));
        assert_eq!((agenda.next(), agenda.pop(at(2))), (Some(at(3)), None));
        assert_eq!(
            (agenda.pop(at(9)), agenda.pop(at(9)), agenda.pop(at(9))),
            (Some(Due::Announce), Some(Due::WantCards), None)
        );
        agenda.set(Due::Announce, at(5));
        agenda.clear(&Due::Announce);
        assert!(!agenda.has(&Due::Announce) && agenda.next().is_none());
    }
}
