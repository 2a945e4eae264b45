//! For whom messages are: who asks for others asks in vain.

use std::collections::BTreeMap;

use base::{Instant, NodeId};

use super::super::id::{Audience, MessageId, Pen};
use super::{Course, FactOf, Hand};

/// How many audiences are remembered of each pen: what was said before members came and went more often than that is given
/// to nobody any more. Arbitrary.
const MAX_AUDIENCES: usize = 32;

/// How many are remembered that are nothing to wait for, in case they come. Arbitrary.
const MAX_PASSED: usize = 1000;

/// Of how many pens it is remembered what was given up, should their holders be members after all. Arbitrary.
const MAX_STRANGE: usize = 256;

impl Course {
    /// Notes for whom one is that is shown now; for nobody: it is not known, or is no room.
    pub(super) fn note_audience(&mut self, id: MessageId, audience: Audience) {
        let is_known = self.audiences.get(&id.pen).is_some_and(|parts| parts.range(..=id.number).next().is_some());
        if audience.is_empty() && !is_known {
            return;
        }
        let parts = self.audiences.entry(id.pen).or_default();
        let before = parts.range(..=id.number).next_back().map(|(_, audience)| audience);
        if before == Some(&audience) || before.is_none() && parts.len() >= MAX_AUDIENCES {
            return;
        }
        let is_late = self.hands.get(&id.pen).is_some_and(|hand| hand.shown.last() > id.number);
        let next = id.number.saturating_add(1);
        if let Some(before) = before.cloned().filter(|_| is_late) {
            parts.entry(next).or_insert(before);
        }
        if parts.get(&next) == Some(&audience) {
            parts.remove(&next);
        }
        parts.insert(id.number, audience);
        while parts.len() > MAX_AUDIENCES {
            parts.pop_first();
        }
        self.changed.insert(FactOf::Audience(id.pen));
    }

    /// Returns for whom one is that was shown here, in a room; `None`: that is not known, or not any more.
    pub fn audience(&self, id: MessageId) -> Option<&Audience> {
        let parts = self.audiences.get(&id.pen).filter(|_| self.is_shown(id))?;
        parts.range(..=id.number).next_back().map(|(_, audience)| audience).filter(|audience| !audience.is_empty())
    }

    /// Another node of ours became known: what is here now is nothing that it waits for.
    pub fn begins(&mut self, node: NodeId) {
        let last = |(pen, hand): (&Pen, &Hand)| (*pen, hand.shown.last());
        let before: BTreeMap<_, _> = self.hands.iter().map(last).filter(|(_, last)| *last > 0).collect();
        if !before.is_empty() {
            self.before.insert(node, before);
            self.changed.insert(FactOf::Before(node));
        }
    }

    /// That node wants all that is here, or is none of ours any more.
    pub fn wants_all(&mut self, node: NodeId) {
        if self.before.remove(&node).is_some() {
            self.changed.insert(FactOf::Before(node));
        }
    }

    /// Another node of ours says that this is nothing to wait for: what precedes it is not either, should it come.
    pub fn pass_over(&mut self, id: MessageId) {
        if self.passed.len() < MAX_PASSED {
            self.passed.insert(id);
        }
    }

    /// Whether this was passed over. It was not any more after that.
    pub fn take_passed(&mut self, id: MessageId) -> bool {
        self.passed.remove(&id)
    }

    /// Whoever wrote this seems to be no member: it is given up until they are.
    pub fn note_strange(&mut self, id: MessageId) {
        if self.strange.len() < MAX_STRANGE || self.strange.contains_key(&id.pen) {
            self.strange.entry(id.pen).or_default().insert(id.number);
            self.changed.insert(FactOf::Strange(id.pen));
        }
    }

    /// Returns of which pens anything was given up for that reason.
    pub fn strange(&self) -> impl Iterator<Item = Pen> {
        self.strange.keys().copied()
    }

    /// The holder of a pen is a member, as is known now: what was given up is waited for again, and asked for at `ask_at`.
    pub fn welcome(&mut self, pen: Pen, ask_at: Instant) {
        let Some(given_up) = self.strange.remove(&pen) else { return };
        if let Some(hand) = self.hands.get_mut(&pen) {
            given_up.spans().flat_map(|(first, last)| first..=last).for_each(|number| hand.void.remove(number));
        }
        self.changed.extend([FactOf::Strange(pen), FactOf::Hand(pen)]);
        self.hold_all(ask_at);
    }

    /// Whether this was here when another node of ours became known, which did not ask for it since.
    pub fn is_before(&self, node: NodeId, id: MessageId) -> bool {
        let last = self.before.get(&node).and_then(|before| before.get(&id.pen));
        last.is_some_and(|last| id.number <= *last)
    }
}
