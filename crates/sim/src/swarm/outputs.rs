//! Doing what a torrent wants done.

use std::time::Duration;

use metainfo::PieceIndex;
use torrent_proto::torrent::{DiskAnswer, DiskOrder, Event as Said, Input, Output, Resume, State, VerifyOutcome};

use super::{Event, Failure, Swarm};
use crate::node::{Leaving, Role, node_at};
use crate::scenario::Mutation;

/// A peer task pulls the list of Haves after this time at the latest: what a batch of reads takes. Arbitrary.
const HAVES_DELAY: Duration = Duration::from_millis(50);
/// How long an upload waits for the disk at most.
const READ_TIME: Duration = Duration::from_millis(15);
/// How long a user needs to mend a failed disk.
const MEND_TIME: Duration = Duration::from_secs(20);

/// How long a hole stays open for the other end: uTP's first packet is sent again every few seconds meanwhile.
const HOLE_TIME: Duration = Duration::from_secs(8);
/// When the second packet of a dial is sent, which finds the hole that the first did not.
const PUNCH_TIME: Duration = Duration::from_secs(1);

impl Swarm {
    /// Does all that a torrent wants done.
    pub(super) fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].torrent.as_mut().and_then(|torrent| torrent.poll_output()) {
            self.output(node, output);
        }
        self.set_timers(node);
    }

    fn output(&mut self, node: usize, output: Output) {
        let life = self.nodes[node].life;
        match output {
            Output::Dial { address, source, punch } => {
                self.say(node, format_args!("dials {address}, punching: {punch}"));
                let target = node_at(address).unwrap_or(node);
                let mut at = self.now + self.round_trip(node, target);
                if punch {
                    self.nodes[node].holes.insert(target, self.now + HOLE_TIME);
                    at = at + PUNCH_TIME;
                }
                self.queue.add(at, Event::Dialed { node, life, address, source, punch });
            }
            Output::Send { peer, messages } => messages.into_iter().for_each(|m| self.send(node, peer, m)),
            Output::Upload { peer, blocks } => {
                self.say(node, format_args!("uploads {} blocks to {}", blocks.len(), peer.0));
                let at = self.now + self.some(READ_TIME);
                self.queue.add(at, Event::Upload { node, key: peer, blocks });
            }
            Output::Have(piece) => {
                self.say(node, format_args!("has {piece:?}"));
                self.nodes[node].haves.push(piece);
                if !std::mem::replace(&mut self.nodes[node].haves_due, true) {
                    let at = self.now + self.some(HAVES_DELAY);
                    self.queue.add(at, Event::Haves(node));
                }
            }
            Output::Disconnect { peer, reason } => {
                self.say(node, format_args!("disconnects {}: {reason:?}", peer.0));
                self.hang_up(node, peer);
                self.queue.add(self.now, Event::Gone { node, life, key: peer });
            }
            Output::Disk(order) => {
                self.say_order(node, &order);
                let now = self.now;
                self.nodes[node].disk.order(now, order);
            }
            Output::DhtNode { .. } => {}
            Output::WantPeers => self.queue.add(self.now, Event::Announce { node, life, again: false }),
            Output::Persist(resume) => self.persist(node, resume),
            Output::Event(event) => self.said(node, event),
        }
    }

    fn say_order(&mut self, node: usize, order: &DiskOrder) {
        match order {
            DiskOrder::Open { .. } => self.say(node, format_args!("opens")),
            DiskOrder::Write { blocks } => {
                let first = blocks.first().map(|(block, _)| *block);
                self.say(node, format_args!("writes {} blocks from {first:?}", blocks.len()));
            }
            DiskOrder::Verify { piece, .. } => self.say(node, format_args!("verifies {piece:?}")),
            DiskOrder::Check { scope, .. } => self.say(node, format_args!("checks {scope:?}")),
            other => self.say(node, format_args!("orders {other:?}")),
        }
    }

    pub(super) fn disk_answered(&mut self, node: usize, answer: DiskAnswer) {
        match &answer {
            DiskAnswer::Verified { piece, outcome: VerifyOutcome::Bad { .. } } => {
                self.say(node, format_args!("{piece:?} is bad"));
                self.stats.bad_pieces += 1;
                if self.is_mutated(Mutation::KeepBadBlocks) {
                    return;
                }
            }
            DiskAnswer::Failed { error, .. } => {
                self.say(node, format_args!("the disk failed: {error:?}"));
                self.stats.disk_failures += 1;
            }
            DiskAnswer::Leaves { piece, .. } => self.say(node, format_args!("leaves of {piece:?}")),
            DiskAnswer::Wrote { blocks } => self.say(node, format_args!("wrote {} blocks", blocks.len())),
            other => self.say(node, format_args!("{other:?}")),
        }
        self.drive(node, Input::Disk(answer));
    }

    /// The database takes a resume: nothing in it may be missing from the disk, whatever happens next.
    fn persist(&mut self, node: usize, resume: Resume) {
        self.say(node, format_args!("persists {} pieces, clean: {}", resume.have.count(), resume.clean));
        let durable = self.nodes[node].disk.durable();
        let wrong = resume.have.iter().map(PieceIndex).find(|piece| !self.content.is_right(durable, *piece));
        if let Some(piece) = wrong {
            self.fail(Failure::FalseClaim { node, piece });
        }
        self.nodes[node].stored.resume = Some(resume);
    }

    fn said(&mut self, node: usize, event: Said) {
        match event {
            Said::Metadata(info) => {
                self.say(node, format_args!("has the metadata"));
                self.nodes[node].stored.info = Some(info);
            }
            Said::State(state) => {
                self.say(node, format_args!("is {state:?}"));
                let it = &mut self.nodes[node];
                it.state = Some(state);
                if !matches!(state, State::Paused | State::Failed) {
                    it.active_state = Some(state);
                }
            }
            Said::Complete => {
                self.say(node, format_args!("is complete"));
                self.check_complete(node);
            }
            Said::PieceLayers => self.say(node, format_args!("knows all piece layers")),
            Said::Settled => self.settled(node),
            Said::BadPiece { .. } => {}
            Said::Banned { address } => {
                self.say(node, format_args!("bans {address}"));
                self.stats.bans += 1;
                let banned = node_at(address).map(|other| self.nodes[other].role);
                if self.nodes[node].role != Role::Liar && banned != Some(Role::Liar) {
                    self.fail(Failure::InnocentBanned { node, address });
                }
            }
            Said::Failed(error) => {
                self.say(node, format_args!("fails: {}", error.message));
                if !error.full {
                    let life = self.nodes[node].life;
                    self.queue.add(self.now + MEND_TIME, Event::Mend { node, life });
                }
            }
        }
    }

    fn settled(&mut self, node: usize) {
        self.say(node, format_args!("has settled"));
        let it = &self.nodes[node];
        let Some(torrent) = &it.torrent else { return };
        let paused = torrent.status().state == State::Paused;
        let transferring = matches!(it.active_state, Some(State::Downloading | State::Seeding));
        if paused && transferring && it.role == Role::Leecher {
            let had = torrent.pieces().map(|pieces| pieces.have);
            // After a failed flush nothing is sure, and the next life checks.
            let stored = it.stored.resume.as_ref().filter(|resume| resume.clean);
            if stored.is_some_and(|resume| had.as_ref() != Some(&resume.have)) {
                self.fail(Failure::Lost { node });
            }
        }
        if paused && let Some(leaving) = self.nodes[node].leaving.take() {
            self.go(node, leaving == Leaving::ForGood);
        }
    }
}
