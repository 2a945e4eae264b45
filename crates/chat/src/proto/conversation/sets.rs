//! Many messages at once: which are here, which were read, which have to be asked for.

use std::time::Duration;

use base::Instant;

use super::super::id::{MessageId, Pen};
use super::super::ids::{Ids, Ranges};
use super::{Course, FactOf, Hand, Held};

/// By how much a timer is late when the node slept, rather than was busy. Arbitrary.
const OVERSLEPT: Duration = Duration::from_secs(60);

/// How much of what a request may not have is asked for when it is accepted; the rest is missed by what follows it. As many
/// as one question asks for.
const MAX_BEYOND: usize = 256;

impl Course {
    /// Nothing is void any more: somebody who wrote more than they might then may write now. What waits for something
    /// else waits for what was void, too, which is asked for at `ask_at`.
    pub fn hope_again(&mut self, ask_at: Instant) {
        for (pen, hand) in self.hands.iter_mut().filter(|(_, hand)| !hand.void.is_empty()) {
            hand.void = Ranges::default();
            self.changed.insert(FactOf::Hand(*pen));
        }
        self.hold_all(ask_at);
    }

    /// The partner wrote this beyond what a request may have.
    pub fn note_beyond(&mut self, id: MessageId) {
        if self.beyond.iter().count() < MAX_BEYOND {
            self.beyond.insert(id);
            self.changed.insert(FactOf::Beyond);
        }
    }

    /// Takes out what the partner wrote beyond what a request may have.
    pub fn take_beyond(&mut self) -> Ids {
        if !self.beyond.is_empty() {
            self.changed.insert(FactOf::Beyond);
        }
        std::mem::take(&mut self.beyond)
    }

    /// All that waits does so for whatever is not settled, though it was when that came.
    pub(super) fn hold_all(&mut self, ask_at: Instant) {
        for id in self.held.keys().copied().collect::<Vec<_>>() {
            let held = self.let_go(id);
            held.into_iter().for_each(|held| self.hold(held, ask_at));
        }
    }

    /// Returns all that was shown.
    pub fn shown(&self) -> Ids {
        let spans = |(pen, hand): (&Pen, &Hand)| {
            let pen = *pen;
            hand.shown.spans().map(move |(first, last)| (pen, first, last)).collect::<Vec<_>>()
        };
        self.hands.iter().flat_map(spans).collect()
    }

    /// Returns what of these is not here.
    pub fn lacking(&self, ids: &Ids) -> Ids {
        let lacks = |(pen, first, last): (Pen, u32, u32)| {
            let spans =
                self.hands.get(&pen).map_or_else(|| vec![(first, last)], |hand| hand.shown.missing(first, last));
            spans.into_iter().map(move |(first, last)| (pen, first, last))
        };
        let mut lacking: Ids = ids.spans().flat_map(lacks).collect();
        self.held.keys().for_each(|id| lacking.remove(*id));
        lacking
    }

    /// Counts as read what of these was shown and was not read before, and returns it.
    pub fn read(&mut self, ids: &Ids) -> Ids {
        let mut new = Ids::default();
        for (pen, first, last) in ids.spans() {
            let Some(hand) = self.hands.get_mut(&pen) else { continue };
            // By ranges: a remote end can name four billion in a few bytes.
            for (first, last) in hand.read.missing(first, last) {
                for (start, end) in hand.shown.within(first, last) {
                    new.insert_range(pen, start, end);
                }
            }
            new.spans_of(pen).for_each(|(start, end)| hand.read.insert_range(start, end));
            self.changed.insert(FactOf::Hand(pen));
        }
        new
    }

    /// Returns what of these was shown.
    pub fn shown_of(&self, ids: &Ids) -> Ids {
        let within = |(pen, first, last): (Pen, u32, u32)| {
            let spans = self.hands.get(&pen).map(|hand| hand.shown.within(first, last)).unwrap_or_default();
            spans.into_iter().map(move |(first, last)| (pen, first, last))
        };
        ids.spans().flat_map(within).collect()
    }

    /// Returns the causes that something waits for.
    pub fn missing(&self) -> impl Iterator<Item = MessageId> {
        self.missing.keys().copied()
    }

    /// Returns those that wait for this cause: who wrote them, and which node brought them.
    pub fn children(&self, cause: MessageId) -> impl Iterator<Item = &Held> {
        let children = self.missing.get(&cause).into_iter().flat_map(|missing| &missing.children);
        children.filter_map(|child| self.held.get(child))
    }

    /// Returns when the next missing cause has to be asked for.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Returns the causes that have to be asked for by now, each with how often it was. [`Course::asked`] has to follow.
    pub fn due(&self, now: Instant) -> Vec<(MessageId, u32)> {
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, id)| (*id, self.missing.get(id).map_or(0, |missing| missing.rounds))).collect()
    }

    /// Whether a missing cause had to be asked for long before: this node slept.
    pub fn is_overslept(&self, id: MessageId, now: Instant) -> bool {
        self.missing.get(&id).is_some_and(|missing| now - missing.due > OVERSLEPT)
    }

    /// A missing cause was asked for, and has to be again at that time.
    pub fn asked(&mut self, id: MessageId, again_at: Instant) {
        if let Some(missing) = self.missing.get_mut(&id) {
            self.due.remove(&(missing.due, id));
            missing.rounds += 1;
            missing.due = again_at;
            self.due.insert((again_at, id));
        }
    }

    /// A missing cause has to be asked for at that time already, if it was not before.
    pub fn hurry(&mut self, id: MessageId, at: Instant) {
        if let Some(missing) = self.missing.get_mut(&id).filter(|missing| missing.rounds == 0 && at < missing.due) {
            self.due.remove(&(missing.due, id));
            missing.due = at;
            self.due.insert((at, id));
        }
    }
}
