//! Many messages at once: which are here, which were read, which have to be asked for.

use std::time::Duration;

use base::Instant;

use super::super::id::{MessageId, Pen};
use super::super::ids::Ids;
use super::{Course, FactOf, Hand};

/// By how much a timer is late when the node slept, rather than was busy. Arbitrary.
const OVERSLEPT: Duration = Duration::from_secs(60);

impl Course {
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
