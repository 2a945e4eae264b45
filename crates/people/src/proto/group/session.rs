//! What one stream between two members knows of the other end, so that each change crosses it once.
//!
//! Both ends say what they have: their heads, and a sample of the past that gets thinner the older it is. Of what is
//! known of that, the whole past is at the other end too; everything else is sent, each change after all that it names.
//! Later changes follow as they come. What still misses something asks for it by name. The sample finds a common past
//! within a factor of two of where both parted, so that few changes travel twice, and none is needed to be right: what
//! comes twice is known.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{Instant, PersonId};

use super::change::ChangeId;
use super::log::{Log, Places};
use super::message::{BATCH_BYTES, MAX_BATCH, MAX_HAVE, Message};

/// How many of the latest changes are always named.
const LATEST: usize = 24;

/// How many changes may wait for others that they name, of a stream or of gossip. What comes from one side is in order;
/// only what two sides send at once can overtake, and what is lost is caught up by a stream. Arbitrary.
const MAX_WAITING: usize = 64;

/// How many refused or foreign changes end a session: none comes from a sane program.
pub const MAX_BAD: u32 = 4;

/// One stream to a member.
#[derive(Debug)]
pub(super) struct Session {
    /// Who is behind the other end.
    pub person: PersonId,
    /// What the other end has, as far as we know.
    theirs: Places,
    /// Whether the other end said what it has: nothing is sent before.
    told: bool,
    /// Changes that came before something that they name.
    waiting: Waiting,
    /// Bad changes that came.
    pub bad: u32,
    /// Of which epochs the other end, a node of our own, has the secret.
    pub given: BTreeSet<ChangeId>,
    /// Until when a person who is no member, as far as is known, has to show the contrary; `None` for a member.
    pub outside_until: Option<Instant>,
}

impl Session {
    pub fn new(person: PersonId, outside_until: Option<Instant>) -> Session {
        let (theirs, waiting, given) = Default::default();
        Session { person, theirs, told: false, waiting, bad: 0, given, outside_until }
    }

    /// Says what we have.
    pub fn have(log: &Log) -> Message {
        let mut ids: Vec<ChangeId> = log.heads().take(MAX_HAVE / 2).collect();
        let order: Vec<usize> = log.order().collect();
        let (mut back, mut step) = (1, 1);
        while back <= order.len() && ids.len() < MAX_HAVE {
            let id = log.at(order[order.len() - back]).id;
            if !ids.contains(&id) {
                ids.push(id);
            }
            // One by one at first, then twice as far each time.
            step = if back < LATEST { 1 } else { step * 2 };
            back += step;
        }
        Message::Have(ids)
    }

    /// Whether the other end said what it has.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// Takes in what the other end has.
    pub fn told(&mut self, log: &Log, ids: &[ChangeId]) {
        self.told = true;
        self.theirs.join(&log.closure(ids));
    }

    /// Notes that the other end has a change.
    pub fn has(&mut self, place: usize) {
        self.theirs.add(place);
    }

    /// Forgets that the other end has these changes, so that they are sent again.
    pub fn wants(&mut self, log: &Log, ids: &[ChangeId]) -> Vec<Message> {
        let places: Vec<usize> = ids.iter().filter_map(|id| log.place(id)).collect();
        batches(places.into_iter().map(|place| &log.at(place).bytes))
    }

    /// Returns what the other end lacks, and takes it as sent. Nothing here is copied.
    pub fn missing(&mut self, log: &Log) -> Vec<Message> {
        if !self.told {
            return Vec::new();
        }
        self.missing_of(log, |_| true)
    }

    /// The same of some of the changes, and though the other end may not have said what it has.
    pub fn missing_of(&mut self, log: &Log, of: impl Fn(usize) -> bool) -> Vec<Message> {
        let places: Vec<usize> = log.order().filter(|place| !self.theirs.has(*place) && of(*place)).collect();
        places.iter().for_each(|place| self.theirs.add(*place));
        batches(places.into_iter().map(|place| &log.at(place).bytes))
    }

    /// Keeps a change until what it misses is there; `false` if too many wait.
    pub fn wait(&mut self, misses: ChangeId, bytes: Arc<[u8]>) -> bool {
        self.waiting.add(misses, bytes)
    }

    /// Takes out the changes that waited for something that is there now.
    pub fn ready(&mut self, log: &Log) -> Vec<Arc<[u8]>> {
        self.waiting.ready(log)
    }
}

/// Changes that came before something that they name, each with one such name: it is tried again when that is there, so
/// that nobody makes us verify it over and over.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<(ChangeId, Arc<[u8]>)>);

impl Waiting {
    /// Keeps a change that misses another; `false` if too many wait.
    pub fn add(&mut self, misses: ChangeId, bytes: Arc<[u8]>) -> bool {
        let waits = self.0.iter().any(|(_, other)| *other == bytes);
        let room = waits || self.0.len() < MAX_WAITING;
        if room && !waits {
            self.0.push((misses, bytes));
        }
        room
    }

    /// Takes out the changes that waited for something that is there now.
    pub fn ready(&mut self, log: &Log) -> Vec<Arc<[u8]>> {
        let ready = self.0.extract_if(.., |(misses, _)| log.place(misses).is_some());
        ready.map(|(_, bytes)| bytes).collect()
    }

    /// Returns how many wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

fn batches<'a>(changes: impl Iterator<Item = &'a Arc<[u8]>>) -> Vec<Message> {
    let (mut messages, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
    for change in changes {
        if bytes + change.len() > BATCH_BYTES && !batch.is_empty() || batch.len() == MAX_BATCH {
            messages.push(Message::Changes(std::mem::take(&mut batch)));
            bytes = 0;
        }
        bytes += change.len();
        batch.push(change.clone());
    }
    if !batch.is_empty() {
        messages.push(Message::Changes(batch));
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::super::change::Kind;
    use super::super::tests::World;
    use super::*;

    #[test]
    fn what_waits_is_ready_when_what_it_misses_is_there_and_not_before() {
        let world = World::new(Kind::Open);
        let mut log = Log::new(world.group);
        let mut waiting = Waiting::default();
        let later: Arc<[u8]> = vec![7; 10].into();
        assert!(waiting.add(world.first, later.clone()));
        assert!(waiting.add(world.first, later.clone()), "it waits already");
        assert!(waiting.ready(&log).is_empty());
        log.insert(&world.bytes()[0]);
        assert_eq!(waiting.ready(&log), [later]);
        assert!(waiting.ready(&log).is_empty(), "once");
    }

    #[test]
    fn few_wait() {
        let mut waiting = Waiting::default();
        for n in 0..MAX_WAITING as u8 {
            assert!(waiting.add(ChangeId([9; 32]), vec![n].into()));
        }
        assert!(!waiting.add(ChangeId([9; 32]), vec![255].into()));
    }
}
