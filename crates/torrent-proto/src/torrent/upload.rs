//! Serving blocks: whom, how much at once, in which order.

use metainfo::Block;

use super::connections::REQUEST_QUEUE;
use super::{DiskError, Output, PeerKey, PeerKind, Torrent};
use crate::allowed_fast::SET_SIZE;
use crate::choker::PeerStats;
use crate::wire::Message;

/// Bytes that may be read and not yet sent for one peer before its speed is known.
const FIRST_WINDOW: u64 = 256 << 10;
/// The same of a peer whose line is slow: two blocks, so that one waits while the other leaves. What waits here is sent for
/// nothing where the peer gets it from somebody else meanwhile: in a swarm of lines of 20 kB/s, six times as much with
/// [`FIRST_WINDOW`].
const MIN_WINDOW: u64 = 32 << 10;
/// The same at full speed: what two cores move in some milliseconds.
const MAX_WINDOW: u64 = 2 << 20;
/// The window of a peer whose speed is known holds what it takes in this many seconds: between two looks at the speed,
/// which are a second apart, it may double.
const WINDOW_S: u64 = 2;
/// Bytes in one order to read and send: one large read, one vectored write.
const UPLOAD_BATCH: u64 = 256 << 10;

/// Rejects in one order to send, at most: few orders for a peer that is choked, little memory for one that floods.
const REJECTS_AT_ONCE: usize = 64;

impl Torrent {
    /// A peer asks for a block. The error says what is wrong with the request.
    pub(super) fn requested(&mut self, key: PeerKey, block: Block) -> Result<(), &'static str> {
        let (Some(peer), Some(transfer)) = (self.peers.get_mut(&key), &self.transfer) else { return Ok(()) };
        if transfer.info.layout().check(block).is_err() {
            return Err("a request for bytes that no piece has");
        }
        let revealed = transfer.super_seed.as_ref().is_none_or(|s| s.is_revealed(key, block.piece));
        let here = transfer.picker.have().get(block.piece.0) && revealed;
        // BEP 6: meant for those who have nothing yet.
        let poor = peer.has().is_some_and(|has| has.count() as usize <= SET_SIZE);
        let choked = peer.am_choking && !(poor && peer.offered_fast.contains(&block.piece));
        if choked || !here || peer.wanted.len() >= REQUEST_QUEUE as usize {
            if peer.fast {
                self.reject(key, block);
            }
            return Ok(());
        }
        peer.wanted.push_back(block);
        Ok(())
    }

    pub(super) fn cancelled(&mut self, key: PeerKey, block: Block) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let before = peer.wanted.len();
        peer.wanted.retain(|b| *b != block);
        if peer.fast && peer.wanted.len() < before {
            self.reject(key, block);
        }
    }

    /// Rejects a request. A choke, or cancels of all that a peer waits for, lead to a thousand in one read: they share
    /// their orders, so that the peer's queue has room.
    fn reject(&mut self, key: PeerKey, block: Block) {
        let message = Message::RejectRequest(block);
        match self.out.back_mut() {
            Some(Output::Send { peer, messages }) if *peer == key && messages.len() < REJECTS_AT_ONCE => {
                messages.push(message);
            }
            _ => self.send(key, vec![message]),
        }
    }

    /// Orders as many uploads for a peer as its speed allows.
    pub(super) fn pump_uploads(&mut self, key: PeerKey) {
        if !self.is_running() {
            return;
        }
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let window = match peer.up.measured_bytes_per_s() {
            Some(rate) => (rate * WINDOW_S).clamp(MIN_WINDOW, MAX_WINDOW),
            None => FIRST_WINDOW,
        };
        while !peer.wanted.is_empty() && peer.uploading_bytes < window {
            let batch = UPLOAD_BATCH.min(window - peer.uploading_bytes);
            let mut blocks = Vec::new();
            let mut bytes = 0;
            while let Some(block) = peer.wanted.front()
                && bytes + u64::from(block.length) <= batch
            {
                bytes += u64::from(block.length);
                blocks.extend(peer.wanted.pop_front());
            }
            if blocks.is_empty() {
                // A request that is larger than what is left of the window.
                blocks.extend(peer.wanted.pop_front());
                bytes = blocks.iter().map(|b| u64::from(b.length)).sum();
            }
            peer.uploading_bytes += bytes;
            self.out.push_back(Output::Upload { peer: key, blocks });
        }
    }

    pub(super) fn uploaded(&mut self, key: PeerKey, blocks: &[Block]) {
        let bytes: u64 = blocks.iter().map(|b| u64::from(b.length)).sum();
        self.up.add(bytes);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.up.add(bytes);
        peer.uploading_bytes = peer.uploading_bytes.saturating_sub(bytes);
        self.pump_uploads(key);
    }

    /// What we said we have could not be read: a disk is gone or failing, which the user has to know.
    pub(super) fn upload_failed(&mut self, key: PeerKey, blocks: &[Block], error: DiskError) {
        if let Some(peer) = self.peers.get_mut(&key) {
            let bytes: u64 = blocks.iter().map(|b| u64::from(b.length)).sum();
            peer.uploading_bytes = peer.uploading_bytes.saturating_sub(bytes);
            if peer.fast {
                let messages = blocks.iter().map(|b| Message::RejectRequest(*b)).collect();
                self.send(key, messages);
            }
        }
        self.fail(error);
    }

    /// A peer became interested: it need not wait for the next round where a slot is free.
    pub(super) fn unchoke_if_free(&mut self, key: PeerKey) {
        let unchoked = self.peers.values().filter(|p| !p.am_choking && p.peer_interested).count() as u32;
        let Some(transfer) = &mut self.transfer else { return };
        let choked = self.peers.get(&key).is_some_and(|p| p.am_choking);
        if choked && transfer.choker.unchoke_now(self.now.mono, key, unchoked) {
            self.unchoke(key);
        }
    }

    pub(super) fn choke_round(&mut self) {
        let seeding = self.is_complete();
        let Some(transfer) = &mut self.transfer else { return };
        if self.now.mono < transfer.choker.next_round() {
            return;
        }
        let wire = self.peers.iter().filter(|(_, p)| p.kind == PeerKind::Wire);
        let stats: Vec<PeerStats> = wire
            .map(|(key, p)| PeerStats {
                peer: *key,
                interested: p.peer_interested,
                unchoked: !p.am_choking,
                snubbed: p.snubbed,
                upload_only: p.upload_only,
                down_rate: p.down.rate_bytes_per_s(),
                up_rate: p.up.rate_bytes_per_s(),
                connected: p.since,
            })
            .collect();
        let chosen = transfer.choker.round(self.now.mono, seeding, &stats, &mut self.rng);
        for stat in stats {
            match (chosen.contains(&stat.peer), stat.unchoked) {
                (true, false) => self.unchoke(stat.peer),
                (false, true) => self.choke(stat.peer),
                _ => {}
            }
        }
    }

    fn unchoke(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.am_choking = false;
        peer.unchoked_at = Some(self.now.mono);
        self.send(key, vec![Message::Unchoke]);
    }

    pub(super) fn choke(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.am_choking = true;
        let void = std::mem::take(&mut peer.wanted);
        let fast = peer.fast;
        let mut messages = vec![Message::Choke];
        if fast {
            messages.extend(void.into_iter().map(Message::RejectRequest));
        }
        self.send(key, messages);
    }

    pub(super) fn reveal_pieces(&mut self) {
        if self.transfer.as_ref().is_some_and(|t| t.super_seed.is_some()) {
            let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
            keys.into_iter().for_each(|key| self.reveal_to(key));
        }
    }

    /// Super-seeding: shows a peer one more piece, once it has passed on what it got.
    pub(super) fn reveal_to(&mut self, key: PeerKey) {
        let (Some(peer), Some(transfer)) = (self.peers.get(&key), &mut self.transfer) else { return };
        let (Some(has), Some(super_seed)) = (peer.has(), &mut transfer.super_seed) else { return };
        if !peer.peer_interested {
            super_seed.spurned(self.now.mono, key);
        }
        if let Some(piece) = super_seed.reveal(self.now.mono, key, has, &mut self.rng) {
            self.send(key, vec![Message::Have(piece)]);
        }
    }
}
