//! What a reader waits for: all bandwidth goes there, each peer in its measure.
//!
//! Ordinary queues hold what a peer brings within a second and more, and it would be answered before what a reader that
//! comes now waits for. So those requests are withdrawn (BEP 3, `cancel`; with BEP 6 each is still answered, by its block
//! or a reject), the blocks of the pieces with a deadline are dealt out in turns, as many to each peer as it brings
//! in the same time, and queues stay short while somebody reads. What a peer owes too long is asked of another, too.

use std::time::Duration;

use base::Instant;
use metainfo::{Block, PieceIndex};

use super::peer::Outstanding;
use super::{PeerKey, Torrent};
use crate::wire::Message;

/// Into how many turns the time that a queue holds is cut: a fiftieth of a second each. Arbitrary: a piece of 1 MiB from
/// twenty peers is a few blocks each.
pub(super) const TURNS: usize = 10;

/// How long queues stay short after the last reader moved or went: who seeks closes and opens again. Arbitrary.
const LINGER: Duration = Duration::from_secs(10);

/// A block of a piece with a deadline that a peer has owed for so long is asked of one more. Arbitrary: twice what a queue
/// holds, since libtorrent fills its send buffer for half a second ahead, which no `cancel` reaches.
const LATE: Duration = Duration::from_secs(1);

/// How many late blocks are asked of a peer at a time (arbitrary: each may come in vain).
const LATE_BATCH: usize = 4;

impl Torrent {
    /// Tells whether somebody reads, or did a moment ago.
    pub(super) fn is_read(&self) -> bool {
        self.read_until.is_some_and(|until| until > self.now.mono)
    }

    /// Readers need these pieces, in this order, as soon as possible.
    pub(super) fn set_deadlines(&mut self, pieces: Vec<PieceIndex>) {
        let Some(transfer) = &mut self.transfer else { return };
        if !(pieces.is_empty() && transfer.picker.deadlines().is_empty()) {
            self.read_until = Some(self.now.mono + LINGER);
        }
        transfer.picker.set_deadlines(pieces);
        if self.may_download() && self.transfer.as_ref().is_some_and(|t| t.picker.is_reader_waiting()) {
            self.make_way();
            self.deal_out();
        } else {
            self.request_from_all();
        }
    }

    /// Withdraws requests that no reader needs from those who have what one waits for.
    fn make_way(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        let mut cancels = Vec::new();
        for (key, peer) in &mut self.peers {
            let helps = peer.has().is_some_and(|has| transfer.picker.deadlines().iter().any(|piece| has.get(piece.0)));
            if peer.requests.is_empty() || !helps || peer.suspicions > 0 {
                continue;
            }
            let (kept, withdrawn): (Vec<Outstanding>, Vec<Outstanding>) =
                peer.requests.drain(..).partition(|request| transfer.picker.deadlines().contains(&request.block.piece));
            peer.requests.extend(kept);
            for request in &withdrawn {
                transfer.picker.abandon(*key, request.block);
                peer.withdrew(request.block);
            }
            if !withdrawn.is_empty() {
                transfer.picker.release(*key);
                cancels.push((*key, withdrawn.into_iter().map(|r| Message::Cancel(r.block)).collect()));
            }
        }
        cancels.into_iter().for_each(|(key, messages)| self.send(key, messages));
    }

    /// Deals out what is to be asked for, turn by turn, the fastest first.
    fn deal_out(&mut self) {
        let mut keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        keys.sort_by_key(|key| std::cmp::Reverse(self.peers[key].down.rate_bytes_per_s()));
        for turn in 1..=TURNS {
            for &key in &keys {
                let Some(peer) = self.peers.get(&key) else { continue };
                let room = peer.share_of_turn(turn).saturating_sub(peer.requests.len());
                self.request_up_to(key, room.min(peer.room_for_requests(true)));
            }
        }
        keys.into_iter().for_each(|key| self.request_more(key));
    }

    /// Takes up to `count` blocks of pieces with a deadline that others have owed for long, for this peer.
    pub(super) fn pick_late(&mut self, key: PeerKey, count: usize, blocks: &mut Vec<Block>) {
        let (Some(peer), Some(transfer)) = (self.peers.get(&key), &mut self.transfer) else { return };
        let (Some(has), false) = (peer.has(), peer.peer_choking || peer.suspicions > 0) else { return };
        let overdue = |at: Instant| self.now.mono - at >= LATE;
        let mut late = Vec::new();
        for (block, holder) in transfer.picker.owed_for_readers() {
            if late.len() == count.min(LATE_BATCH) {
                break;
            }
            let owes = |r: &Outstanding| r.block == block && overdue(r.sent);
            let is_late = || self.peers.get(&holder).is_some_and(|peer| peer.requests.iter().any(owes));
            if holder != key && has.get(block.piece.0) && is_late() {
                late.push(block);
            }
        }
        for block in late {
            transfer.picker.ask_also(key, block);
            blocks.push(block);
        }
    }
}
