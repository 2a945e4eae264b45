//! Requesting blocks, taking them, and what their hashes say about those who sent them.

use std::time::Duration;

use bytes::Bytes;
use metainfo::{Block, PieceIndex};

use super::messages::Batch;
use super::peer::Outstanding;
use super::transfer::BadPiece;
use super::{DiskOrder, Event, Output, PeerKey, PeerKind, Reason, Torrent, VerifyOutcome};
use crate::hashes::bad_blocks;
use crate::picker::{Ask, Received, Share};
use crate::wire::Message;

/// A peer that owes blocks and sends none for this long is snubbing: what it owes is asked of others. libtorrent waits
/// as long for a piece.
const SNUB_AFTER: Duration = Duration::from_secs(20);
/// A peer that would finish a piece within this time gets pieces to itself (arbitrary: contiguous writes and one
/// culprit, without a piece waiting long for one peer).
const WHOLE_PIECE_TIME: u64 = 15;
/// In the end game a peer is asked for blocks that others owe only when it owes no more than this itself: what it would
/// bring late is waste (arbitrary).
const END_GAME_QUEUE: usize = 2;
/// How many blocks that others owe all peers together are asked for at a time, no peer for less than two. Measured: 500 peers
/// that were asked for 16 each brought 6 % of 32,768 blocks in vain, for two each 1 %, and were done sooner.
const END_GAME_BLOCKS: usize = 32;
/// How long proven leaf hashes are waited for after a bad v2 piece, before everybody who contributed is suspected.
const LEAVES_TIME: Duration = Duration::from_secs(10);

impl Torrent {
    pub(super) fn may_download(&self) -> bool {
        self.is_running() && self.transfer.as_ref().is_some_and(|t| t.is_ready() && !t.picker.is_complete())
    }

    /// Takes a block: to the disk if it is of use.
    pub(super) fn block(&mut self, key: PeerKey, piece: PieceIndex, offset: u32, data: Bytes, batch: &mut Batch) {
        let block = Block { piece, offset, length: data.len() as u32 };
        let bytes = u64::from(block.length);
        self.down.add(bytes);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.down.add(bytes);
        peer.answers_withdrawn(block);
        let outstanding = peer.take_request(block, self.now.mono);
        batch.refill = true;
        let ready = self.may_download();
        let Some(transfer) = &mut self.transfer else { return };
        let outcome = match (ready, outstanding) {
            (true, true) => transfer.picker.received(key, block),
            (true, false) if transfer.info.layout().check(block).is_ok() => transfer.picker.received_late(key, block),
            (false, true) => {
                transfer.picker.abandon(key, block);
                Received::Unwanted
            }
            (_, false) => Received::Unwanted,
        };
        match outcome {
            Received::Unwanted => self.wasted += bytes,
            Received::Accepted { others, piece_complete } => {
                batch.writes.push((block, data));
                if piece_complete {
                    batch.complete.push(piece);
                }
                others.into_iter().for_each(|other| self.cancel(other, block));
            }
        }
    }

    /// Withdraws a request that another peer has answered.
    fn cancel(&mut self, key: PeerKey, block: Block) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.requests.retain(|r| r.block != block);
        self.send(key, vec![Message::Cancel(block)]);
    }

    /// Hands on what a batch added up to: one write, the verifications behind it, new requests, uploads.
    pub(super) fn finish_batch(&mut self, key: PeerKey, batch: Batch) {
        if !batch.writes.is_empty()
            && let Some(transfer) = &mut self.transfer
        {
            let blocks = batch.writes.len();
            transfer.writes += 1;
            self.out.push_back(Output::Disk(DiskOrder::Write { blocks: batch.writes }));
            self.no_longer_clean();
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.grow_request_queue(blocks);
            }
        }
        for piece in batch.complete {
            self.verify(piece);
        }
        if batch.refill {
            self.request_more(key);
        }
        if batch.serve {
            self.pump_uploads(key);
        }
    }

    fn verify(&mut self, piece: PieceIndex) {
        let Some(transfer) = &mut self.transfer else { return };
        match transfer.expected(piece) {
            Some(expected) => {
                transfer.verifications += 1;
                self.out.push_back(Output::Disk(DiskOrder::Verify { piece, expected }));
            }
            None => {
                transfer.unverifiable.insert(piece);
            }
        }
    }

    /// Hashes of pieces became known: pieces that waited for theirs can be verified.
    pub(super) fn verify_what_waited(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        std::mem::take(&mut transfer.unverifiable).into_iter().for_each(|piece| self.verify(piece));
    }

    /// Has each of those who fetch the same begin other pieces first, where one of some people has it and sends each piece
    /// over a line of their own. Elsewhere nobody knows all others, and seeds are there to be asked.
    pub(super) fn take_turns(&mut self) {
        if let (true, Some(transfer)) = (self.config.confined, &mut self.transfer) {
            let fetches =
                |peer: &&super::peer::Peer| peer.kind == PeerKind::Wire && !peer.upload_only && !peer.is_seed();
            let others = self.peers.values().filter(fetches).map(|peer| peer.id);
            transfer.picker.take_turns(&self.config.peer_id, others);
        }
    }

    pub(super) fn request_from_all(&mut self) {
        if self.may_download() {
            let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
            keys.into_iter().for_each(|key| self.request_more(key));
        }
    }

    /// Fills the request queue of a peer.
    pub(super) fn request_more(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(&key) else { return };
        let count = peer.room_for_requests(self.is_read());
        // Small refills would make every read a message and every message a syscall.
        if count >= peer.requests.len() / 8 || peer.snubbed {
            self.request_up_to(key, count);
        }
    }

    /// Asks a peer for so many more blocks at most.
    pub(super) fn request_up_to(&mut self, key: PeerKey, count: usize) {
        if count == 0 || !self.may_download() {
            return;
        }
        let (Some(peer), Some(transfer)) = (self.peers.get(&key), &self.transfer) else { return };
        let mut count = count;
        if transfer.picker.end_game() {
            if peer.requests.len() >= END_GAME_QUEUE {
                return;
            }
            count = count.min((END_GAME_BLOCKS / self.peers.len()).max(2));
        }
        let allowed: Vec<PieceIndex> = peer.allowed_fast.iter().copied().collect();
        if !peer.am_interested || (peer.peer_choking && allowed.is_empty()) || peer.has().is_none() {
            return;
        }
        let mut blocks = Vec::with_capacity(count);
        if self.is_read() {
            self.pick_late(key, count, &mut blocks);
        }
        let (Some(peer), Some(transfer)) = (self.peers.get_mut(&key), &mut self.transfer) else { return };
        let Some(has) = peer.has() else { return };
        let piece_length = u64::from(transfer.info.layout().piece_length());
        let share = match peer.down.rate_bytes_per_s() {
            _ if peer.suspicions > 0 => Share::Alone,
            rate if rate.saturating_mul(WHOLE_PIECE_TIME) >= piece_length => Share::Whole,
            _ => Share::Shared,
        };
        let mut ask = Ask { peer: key, has, allowed: peer.peer_choking.then_some(&allowed[..]), count, share };
        ask.count -= blocks.len();
        transfer.picker.pick(ask, &mut self.rng, &mut blocks);
        if blocks.is_empty() && share == Share::Alone && peer.requests.is_empty() {
            // Nothing is left that it could have for itself: better shared than never.
            ask.share = Share::Shared;
            transfer.picker.pick(ask, &mut self.rng, &mut blocks);
        }
        if blocks.is_empty() {
            return;
        }
        if peer.requests.is_empty() {
            peer.last_block = self.now.mono;
        }
        let sent = self.now.mono;
        peer.requests.extend(blocks.iter().map(|&block| Outstanding { block, sent }));
        let messages = blocks.into_iter().map(Message::Request).collect();
        self.send(key, messages);
    }

    /// All requests of a peer are void: others may be asked.
    pub(super) fn abandon_requests(&mut self, key: PeerKey, tell: bool) {
        let (Some(peer), Some(transfer)) = (self.peers.get_mut(&key), &mut self.transfer) else { return };
        let requests = std::mem::take(&mut peer.requests);
        for request in &requests {
            transfer.picker.abandon(key, request.block);
        }
        transfer.picker.release(key);
        if tell {
            self.send(key, requests.into_iter().map(|r| Message::Cancel(r.block)).collect());
        }
    }

    pub(super) fn choked(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.peer_choking = true;
        // With the fast extension each request is rejected by name (BEP 6); without it a choke voids them all.
        if !peer.fast {
            self.abandon_requests(key, false);
        }
    }

    pub(super) fn rejected(&mut self, key: PeerKey, block: Block) {
        let (Some(peer), Some(transfer)) = (self.peers.get_mut(&key), &mut self.transfer) else { return };
        if peer.answers_withdrawn(block) {
            return;
        }
        if peer.take_request(block, self.now.mono) {
            transfer.picker.abandon(key, block);
            if peer.allowed_fast.remove(&block.piece) && !peer.peer_choking {
                return;
            }
            if peer.kind == PeerKind::WebSeed || !peer.peer_choking {
                // It is unchoked and will not send this: asking again at once would be a loop.
                peer.snubbed = true;
            }
        }
    }

    pub(super) fn release_snubbed(&mut self) {
        let now = self.now.mono;
        let owing = |p: &super::Peer| !p.requests.is_empty() && now - p.last_block >= SNUB_AFTER;
        let keys: Vec<PeerKey> = self.peers.iter().filter(|(_, p)| owing(p)).map(|(key, _)| *key).collect();
        for key in keys {
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.snubbed = true;
                peer.last_block = now;
            }
            self.abandon_requests(key, true);
        }
    }

    pub(super) fn become_interested(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !peer.am_interested && peer.kind == PeerKind::Wire {
            peer.am_interested = true;
            self.send(key, vec![Message::Interested]);
        }
    }

    /// Recomputes whom we want something of: pieces came, priorities changed.
    pub(super) fn refresh_interest(&mut self) {
        let Some(transfer) = &self.transfer else { return };
        let mut changes = Vec::new();
        for (key, peer) in self.peers.iter_mut().filter(|(_, p)| p.kind == PeerKind::Wire) {
            let Some(has) = peer.has() else { continue };
            let interested = transfer.picker.wants_from(has);
            if interested != peer.am_interested {
                peer.am_interested = interested;
                changes.push((*key, if interested { Message::Interested } else { Message::NotInterested }));
            }
        }
        changes.into_iter().for_each(|(key, message)| self.send(key, vec![message]));
    }

    pub(super) fn verified(&mut self, piece: PieceIndex, outcome: VerifyOutcome) {
        let Some(transfer) = &mut self.transfer else { return };
        transfer.verifications = transfer.verifications.saturating_sub(1);
        match outcome {
            VerifyOutcome::Good => self.piece_is_good(piece),
            VerifyOutcome::Bad { leaves: Some(leaves) } if transfer.hashes.piece_hash(piece).is_some() => {
                self.out.push_back(Output::Event(Event::BadPiece { piece }));
                let known = transfer.hashes.want_leaves(piece);
                transfer.bad.insert(piece, BadPiece { leaves, until: self.now.mono + LEAVES_TIME });
                match known {
                    Some(proven) => self.leaves_proven(piece, &proven),
                    None => self.request_hashes(),
                }
            }
            VerifyOutcome::Bad { .. } => {
                self.out.push_back(Output::Event(Event::BadPiece { piece }));
                self.suspect_contributors(piece);
            }
        }
        self.settle();
    }

    /// A piece is here: told to peers, counted, made durable soon.
    pub(super) fn piece_is_good(&mut self, piece: PieceIndex) {
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.picker.have().get(piece.0) {
            return;
        }
        let honest = transfer.picker.sole_sender(piece);
        let late = transfer.gain(piece);
        if let Some(peer) = honest.and_then(|key| self.peers.get_mut(&key))
            && std::mem::take(&mut peer.suspicions) > 0
        {
            self.list.clear_suspicion(peer.address.ip());
        }
        transfer.durability.dirty_since.get_or_insert(self.now.mono);
        if self.peers.values().any(|p| p.kind == PeerKind::Wire) {
            self.out.push_back(Output::Have(piece));
        }
        late.into_iter().for_each(|(peer, block)| self.cancel(peer, block));
        self.finish_if_complete();
    }

    /// Nobody knows which block was bad: everything is fetched again, and whoever sent it alone is the liar.
    fn suspect_contributors(&mut self, piece: PieceIndex) {
        let Some(transfer) = &mut self.transfer else { return };
        let contributors = transfer.picker.failed(piece, None);
        self.wasted += contributors.iter().flat_map(|(_, blocks)| blocks).map(|b| u64::from(b.length)).sum::<u64>();
        if let [(liar, _)] = contributors[..] {
            self.punish(liar);
        } else {
            for (key, _) in contributors {
                if let Some(peer) = self.peers.get_mut(&key) {
                    peer.suspicions += 1;
                    let ip = peer.address.ip();
                    self.list.suspect(ip);
                }
            }
        }
        self.request_from_all();
    }

    /// It is proven that this peer sent bad data.
    fn punish(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(&key) else { return };
        match peer.kind {
            PeerKind::Wire => self.ban(peer.address.ip()),
            PeerKind::WebSeed => self.drop_peer(key, Reason::BadData),
        }
    }

    /// The true leaves of a bad piece are known: only the blocks that differ are fetched again, and their senders are
    /// liars beyond doubt.
    pub(super) fn leaves_proven(&mut self, piece: PieceIndex, proven: &[[u8; 32]]) {
        let Some(transfer) = &mut self.transfer else { return };
        let Some(bad) = transfer.bad.remove(&piece) else { return };
        let numbers = bad_blocks(&bad.leaves, proven);
        if numbers.is_empty() {
            // The v2 data is right, so it is the v1 hash that the torrent's maker got wrong: nobody here is to blame.
            transfer.picker.failed(piece, None);
            return;
        }
        let liars = transfer.picker.failed(piece, Some(&numbers));
        self.wasted += liars.iter().flat_map(|(_, blocks)| blocks).map(|b| u64::from(b.length)).sum::<u64>();
        liars.into_iter().for_each(|(key, _)| self.punish(key));
        self.request_from_all();
    }

    pub(super) fn give_up_waiting_for_leaves(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        let now = self.now.mono;
        let late: Vec<PieceIndex> = transfer.bad.iter().filter(|(_, b)| b.until <= now).map(|(p, _)| *p).collect();
        for piece in late {
            if let Some(transfer) = &mut self.transfer {
                transfer.bad.remove(&piece);
                transfer.hashes.forget_leaves(piece);
            }
            self.suspect_contributors(piece);
        }
    }
}
