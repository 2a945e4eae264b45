//! What happens to the swarm from outside.

use std::time::Duration;

use base::Bitfield;
use metainfo::{FileIndex, PieceIndex};
use torrent_proto::torrent::{Command, Input, PeerKey, Priority, Source};

use super::{Event, Swarm};
use crate::disk::Crash;
use crate::node::{Leaving, Role};
use crate::plan::Step;

/// A node that is not down yet when it should come back is looked at again after this time.
const TRY_AGAIN: Duration = Duration::from_secs(5);

impl Swarm {
    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Start(node) => self.start(node),
            Step::Leave { node, for_good } => self.leave(node, for_good),
            Step::Crash(node, crash) => self.crash(node, crash),
            Step::Pause(node) => self.tell(node, Command::Pause),
            Step::Resume(node) => {
                if self.nodes[node].leaving.is_none() {
                    self.tell(node, Command::Resume);
                }
            }
            Step::Reset(node) => self.reset(node),
            Step::Full(node, time) => {
                self.say(node, format_args!("has a full disk"));
                let until = self.now + time;
                self.nodes[node].disk.be_full(until);
            }
            Step::Fault(node) => self.nodes[node].disk.fail_next(),
            Step::Partition(sides) => self.part(sides),
            Step::Heal => self.partition = None,
            Step::Recheck(node) => self.tell(node, Command::Recheck),
            Step::Whim(node) => {
                let command = self.whim();
                self.tell(node, command);
            }
        }
    }

    fn tell(&mut self, node: usize, command: Command) {
        self.say(node, format_args!("is told {command:?}"));
        self.drive(node, Input::Command(command));
    }

    fn start(&mut self, node: usize) {
        if self.nodes[node].departed {
            return;
        }
        if self.nodes[node].is_up() {
            if self.nodes[node].leaving.is_some() {
                self.steps_left += 1;
                self.queue.add(self.now + TRY_AGAIN, Event::Step(Step::Start(node)));
            }
            return;
        }
        self.say(node, format_args!("starts"));
        let super_seed = self.scenario.super_seed && node == 0;
        let now = self.now();
        self.nodes[node].start(now, &self.content, self.scenario.seed, super_seed);
        self.drain(node);
        let life = self.nodes[node].life;
        let addresses = std::mem::take(&mut self.nodes[node].stored.addresses);
        if !addresses.is_empty() {
            self.queue.add(self.now, Event::Candidates { node, life, source: Source::Resume, addresses });
        }
        let at = self.now + self.some(Duration::from_secs(1));
        self.queue.add(at, Event::Announce { node, life, again: true });
        self.queue.add(self.now + super::network::KEEP_ALIVE, Event::KeepAlive { node, life });
    }

    fn leave(&mut self, node: usize, for_good: bool) {
        if for_good {
            self.nodes[node].departed = true;
        }
        if self.nodes[node].is_up() && self.nodes[node].leaving.is_none() {
            self.say(node, format_args!("leaves"));
            self.stats.leaves += 1;
            self.nodes[node].leaving = Some(if for_good { Leaving::ForGood } else { Leaving::ForNow });
            self.drive(node, Input::Command(Command::Pause));
        }
    }

    /// A node is down, its torrent settled before.
    pub(super) fn go(&mut self, node: usize, for_good: bool) {
        self.say(node, format_args!("is gone, for good: {for_good}"));
        self.nodes[node].store();
        self.nodes[node].torrent = None;
        self.nodes[node].disk.close();
        self.tracker.remove(&node);
        let keys: Vec<PeerKey> = self.nodes[node].ends.keys().copied().collect();
        keys.into_iter().for_each(|key| self.hang_up(node, key));
    }

    fn crash(&mut self, node: usize, crash: Crash) {
        if !self.nodes[node].is_up() {
            return;
        }
        self.say(node, format_args!("crashes: {crash:?}"));
        self.stats.crashes += 1;
        self.nodes[node].store();
        self.nodes[node].torrent = None;
        self.nodes[node].leaving = None;
        self.nodes[node].disk.crash(crash);
        let keys: Vec<PeerKey> = self.nodes[node].ends.keys().copied().collect();
        for key in keys {
            match crash {
                // The kernel closes what a dead program left open.
                Crash::Process => self.hang_up(node, key),
                Crash::Power => self.drop_end(node, key),
            }
        }
    }

    fn reset(&mut self, node: usize) {
        let keys: Vec<PeerKey> = self.nodes[node].ends.keys().copied().collect();
        if !keys.is_empty() {
            let key = keys[self.rng.usize(..keys.len())];
            self.break_link(node, key);
        }
    }

    fn break_link(&mut self, node: usize, key: PeerKey) {
        let Some(end) = self.nodes[node].ends.get(&key) else { return };
        let (other, theirs) = end.other;
        self.stats.resets += 1;
        self.broken(node, key);
        self.broken(other, theirs);
    }

    fn part(&mut self, sides: Vec<bool>) {
        self.say(0, format_args!("is in a partition: {sides:?}"));
        for node in 0..self.nodes.len() {
            let ends = self.nodes[node].ends.iter();
            let across: Vec<PeerKey> =
                ends.filter(|(_, end)| sides[end.other.0] != sides[node]).map(|(key, _)| *key).collect();
            across.into_iter().for_each(|key| self.break_link(node, key));
        }
        self.partition = Some(sides);
    }

    fn whim(&mut self) -> Command {
        let files = self.content.info.layout().files().len() as u32;
        let pieces = self.content.piece_count();
        match self.rng.u8(..6) {
            0 => Command::Sequential(self.rng.bool()),
            1 => Command::Deadlines((0..3).map(|_| PieceIndex(self.rng.u32(..pieces))).collect()),
            2 => Command::UploadSlots([None, Some(1), Some(8)][self.rng.usize(..3)]),
            3 => Command::MaxPeers(self.rng.u32(4..60)),
            _ => {
                let any = [Priority::Skip, Priority::Low, Priority::Normal, Priority::High];
                let change = |_| (FileIndex(self.rng.u32(..files)), any[self.rng.usize(..4)]);
                Command::Prioritise((0..3).map(change).collect())
            }
        }
    }

    /// Sends the seeds away once the others have a whole copy.
    pub(super) fn seeds_leave(&mut self) {
        if !self.scenario.seeds_leave || self.nodes[..self.scenario.seeds].iter().any(|seed| seed.departed) {
            return;
        }
        let mut copy = Bitfield::new(self.content.piece_count());
        for node in self.nodes.iter().filter(|node| node.role == Role::Leecher) {
            // What is durable survives whatever happens to the node next.
            let durable = node.stored.resume.iter().flat_map(|resume| resume.have.iter());
            durable.for_each(|piece| {
                copy.set(piece);
            });
        }
        if copy.is_all() {
            (0..self.scenario.seeds).for_each(|seed| self.leave(seed, true));
        }
    }
}
