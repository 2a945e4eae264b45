//! What peers say, message by message.

use core::net::SocketAddr;
use std::sync::Arc;

use base::Bitfield;
use metainfo::{Block, Info, PieceIndex};

use super::metadata::{self, Progress};
use super::peer::Pieces;
use super::{Event, Output, PeerKey, PeerKind, Priority, Reason, Torrent};
use crate::hashes::{Learned, Serve};
use crate::wire::{ExtensionHandshake, HashRequest, Message, MetadataMessage};

/// Pieces that one peer may allow us to request while choked, at most; BEP 6 suggests sets of ten.
const MAX_ALLOWED_FAST: usize = 64;

/// How often a peer may say what it has, all at once. BEP 3 and BEP 6: once, first of all; some say nothing first and
/// correct themselves. Each costs a walk over all pieces.
const MAX_PIECE_SETS: u32 = 4;

/// What one batch of messages adds up to, handed on once at its end.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) writes: Vec<(Block, bytes::Bytes)>,
    pub(super) complete: Vec<PieceIndex>,
    /// More may be requested of the peer.
    pub(super) refill: bool,
    /// Requests of the peer were queued.
    pub(super) serve: bool,
}

impl Torrent {
    pub(super) fn received(&mut self, key: PeerKey, messages: Vec<Message>) {
        let mut batch = Batch::default();
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.last_heard = self.now.mono;
        }
        for message in messages {
            if !self.peers.contains_key(&key) {
                break;
            }
            if let Err(what) = self.message(key, message, &mut batch) {
                self.drop_peer(key, Reason::Protocol(what));
            }
        }
        self.finish_batch(key, batch);
    }

    fn message(&mut self, key: PeerKey, message: Message, batch: &mut Batch) -> Result<(), &'static str> {
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        match message {
            Message::Piece { piece, offset, data } => self.block(key, piece, offset, data, batch),
            Message::Request(block) => {
                self.requested(key, block)?;
                batch.serve = true;
            }
            Message::Cancel(block) => self.cancelled(key, block),
            Message::Choke => self.choked(key),
            Message::Unchoke => {
                peer.peer_choking = false;
                batch.refill = true;
            }
            Message::Interested => {
                peer.peer_interested = true;
                self.unchoke_if_free(key);
            }
            Message::NotInterested => peer.peer_interested = false,
            Message::Have(piece) => self.peer_has(key, piece, &message)?,
            Message::Bitfield(_) | Message::HaveAll | Message::HaveNone => self.peer_has_set(key, &message)?,
            Message::DontHave(piece) => self.peer_lost(key, piece),
            Message::RejectRequest(block) => {
                self.rejected(key, block);
                batch.refill = true;
            }
            Message::AllowedFast(piece) => {
                if peer.allowed_fast.len() < MAX_ALLOWED_FAST {
                    peer.allowed_fast.insert(piece);
                    batch.refill = true;
                }
            }
            Message::UploadOnly(on) => peer.upload_only = on,
            Message::ExtensionHandshake(handshake) => self.extension_handshake(key, &handshake),
            Message::Metadata(message) => self.metadata_message(key, message),
            Message::HashRequest(request) => self.hashes_requested(key, request),
            Message::Hashes { request, hashes } => self.hashes_received(key, &request, &hashes)?,
            Message::HashReject(request) => {
                if let Some(transfer) = &mut self.transfer {
                    transfer.hashes.rejected(key, &request);
                }
            }
            Message::Pex(message) => self.peers_named(key, &message)?,
            Message::Holepunch(message) => self.holepunch_message(key, message),
            Message::Port(port) => self.dht_node(key, port),
            Message::KeepAlive | Message::SuggestPiece(_) | Message::Unknown { .. } => {}
        }
        Ok(())
    }

    fn extension_handshake(&mut self, key: PeerKey, handshake: &ExtensionHandshake) {
        self.peers_changed();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.greeted = true;
        peer.prefers_encryption = handshake.prefers_encryption;
        peer.ids = handshake.ids;
        if handshake.client.is_some() {
            peer.client.clone_from(&handshake.client);
        }
        if let Some(reqq) = handshake.request_queue {
            peer.set_request_queue(reqq);
        }
        peer.upload_only |= handshake.upload_only;
        peer.metadata_size = handshake.metadata_size.or(peer.metadata_size);
        if let Some(port) = handshake.port
            && peer.direction == super::Direction::Incoming
        {
            peer.listens.get_or_insert(SocketAddr::new(peer.address.ip(), port));
            self.list.set_listen_port(self.now.mono, peer.address, port);
        }
        // Heard once a connection, since all candidates are sorted anew.
        if let (Some(ip), Some(port)) = (handshake.your_ip, self.config.listen_port)
            && !std::mem::replace(&mut peer.told_our_address, true)
        {
            self.list.set_own_address((ip, port).into());
        }
        self.request_metadata();
    }

    /// A peer names the port of its DHT node; the first word counts.
    fn dht_node(&mut self, key: PeerKey, port: u16) {
        let wanted = self.config.dht_port.is_some() && !self.is_private();
        if let Some(peer) = self.peers.get_mut(&key)
            && std::mem::take(&mut peer.dht)
            && wanted
            && port != 0
            && !base::id::is_stand_in(peer.address.ip())
        {
            self.out.push_back(Output::DhtNode { address: SocketAddr::new(peer.address.ip(), port) });
        }
    }

    fn peer_has(&mut self, key: PeerKey, piece: PieceIndex, message: &Message) -> Result<(), &'static str> {
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        let Pieces::Known(set) = &mut peer.pieces else {
            peer.keep_raw(message);
            return Ok(());
        };
        if piece.0 >= set.len() {
            return Err("a have beyond the last piece");
        }
        if !set.set(piece.0) {
            return Ok(());
        }
        let Some(transfer) = &mut self.transfer else { return Ok(()) };
        transfer.picker.peer_has(piece);
        let interesting = transfer.picker.wants(piece);
        let now = self.now.mono;
        let others = transfer.super_seed.as_mut().map(|s| s.peer_has(now, key, piece)).unwrap_or_default();
        if interesting {
            self.become_interested(key);
            self.request_more(key);
        }
        others.into_iter().for_each(|other| self.reveal_to(other));
        Ok(())
    }

    fn peer_has_set(&mut self, key: PeerKey, message: &Message) -> Result<(), &'static str> {
        let Some(peer) = self.peers.get_mut(&key) else { return Ok(()) };
        peer.piece_sets += 1;
        if peer.piece_sets > MAX_PIECE_SETS {
            return Err("what it has, over and over");
        }
        let Pieces::Known(old) = &peer.pieces else {
            peer.keep_raw(message);
            return Ok(());
        };
        let set = match message {
            Message::HaveAll => Bitfield::full(old.len()),
            Message::Bitfield(bytes) => {
                Bitfield::from_bytes(bytes, old.len()).ok_or("a bitfield of the wrong length")?
            }
            _ => Bitfield::new(old.len()),
        };
        if let Some(transfer) = &mut self.transfer {
            transfer.picker.remove_peer_set(old);
            transfer.picker.add_peer_set(&set);
            let interesting = transfer.picker.wants_from(&set);
            peer.pieces = Pieces::Known(set);
            if interesting {
                self.become_interested(key);
            }
        }
        self.take_turns();
        self.reveal_to(key);
        Ok(())
    }

    fn peer_lost(&mut self, key: PeerKey, piece: PieceIndex) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if let (Pieces::Known(set), Some(transfer)) = (&mut peer.pieces, &mut self.transfer)
            && set.clear(piece.0)
        {
            transfer.picker.peer_lost(piece);
        }
    }

    // Metadata (BEP 9).

    pub(super) fn request_metadata(&mut self) {
        if self.transfer.is_some() || !self.is_running() {
            return;
        }
        self.fetch.expire(self.now.mono);
        let offers = self.peers.iter().filter(|(_, peer)| peer.ids.metadata != 0);
        let offers = offers.filter_map(|(key, peer)| Some((self.fetch.strikes(*key), *key, peer.metadata_size?)));
        let mut offers: Vec<(u32, PeerKey, u32)> = offers.collect();
        offers.sort_unstable();
        for (_, key, size) in offers {
            let requests = self.fetch.requests(key, size, self.now.mono);
            self.send(key, requests.into_iter().map(Message::Metadata).collect());
        }
    }

    fn metadata_message(&mut self, key: PeerKey, message: MetadataMessage) {
        match message {
            MetadataMessage::Request { piece } => {
                let answer = metadata::serve(self.info().map(|info| info.raw()), piece);
                self.send(key, vec![Message::Metadata(answer)]);
            }
            MetadataMessage::Reject { piece } => self.fetch.rejected(key, piece),
            MetadataMessage::Data { piece, data, .. } => match self.fetch.data(key, piece, &data) {
                Progress::More => self.request_metadata(),
                Progress::Assembled(raw) => self.metadata_assembled(raw),
            },
        }
    }

    fn metadata_assembled(&mut self, raw: bytes::Bytes) {
        if self.transfer.is_some() {
            return;
        }
        if !self.config.hashes.verify(&raw) {
            let liar = self.fetch.refuted();
            if let Some(key) = liar {
                self.drop_peer(key, Reason::Protocol("metadata that does not match the info-hash"));
            }
            self.request_metadata();
            return;
        }
        match Info::from_bytes(raw) {
            Ok(info) => self.metadata_known(Arc::new(info)),
            Err(error) => self.fail(super::DiskError {
                full: false,
                message: format!("the metadata matches the link, but is not a torrent that can be used: {error}"),
            }),
        }
    }

    fn metadata_known(&mut self, info: Arc<Info>) {
        if let Some(only) = &self.config.only_files {
            let positions = info.layout().files().iter().map(|file| file.position);
            let wanted = |i: u32| only.iter().any(|range| range.contains(&i));
            let choose = |i| if wanted(i) { Priority::Normal } else { Priority::Skip };
            self.config.priorities = positions.map(choose).collect();
        }
        self.config.hashes = info.hashes();
        self.out.push_back(Output::Event(Event::Metadata(info.clone())));
        let pause = std::mem::take(&mut self.pause_with_metadata);
        if pause {
            // Before the files would be opened.
            self.run = super::Run::Paused;
        }
        self.begin_transfer(info.clone(), &metainfo::PieceLayers::default(), None);
        self.offer_metadata();
        if info.is_private() {
            self.keep_to_trackers();
        }
        let count = info.layout().piece_count();
        let mut wrong = Vec::new();
        for (key, peer) in &mut self.peers {
            match (peer.learn_piece_count(count), &mut self.transfer) {
                (Ok(set), Some(transfer)) => transfer.picker.add_peer_set(set),
                (Err(what), _) => wrong.push((*key, what)),
                (Ok(_), None) => {}
            }
        }
        for (key, what) in wrong {
            // The picker never saw this one's pieces: an empty set makes forgetting it right.
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.pieces = Pieces::Known(Bitfield::new(count));
            }
            self.drop_peer(key, Reason::Protocol(what));
        }
        if pause {
            self.stop_transfer();
            return self.settle();
        }
        self.refresh_interest();
    }

    // Hashes of v2 files (BEP 52).

    pub(super) fn request_hashes(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        if self.run != super::Run::Running {
            return;
        }
        transfer.hashes.handle_timeout(self.now.mono);
        let mut asks = Vec::new();
        for (key, peer) in self.peers.iter().filter(|(_, p)| p.v2 && p.kind == PeerKind::Wire) {
            let Some(has) = peer.has() else { continue };
            while let Some(request) = transfer.hashes.next_request(self.now.mono, *key, has) {
                asks.push((*key, vec![Message::HashRequest(request)]));
            }
        }
        asks.into_iter().for_each(|(key, messages)| self.send(key, messages));
    }

    fn hashes_requested(&mut self, key: PeerKey, request: HashRequest) {
        let Some(transfer) = &mut self.transfer else {
            return self.send(key, vec![Message::HashReject(request)]);
        };
        let answer = match transfer.hashes.serve(&request, transfer.picker.have()) {
            Serve::Hashes(hashes) => Message::Hashes { request, hashes },
            Serve::NeedLeaves(piece) if transfer.leaf_requests.len() < super::transfer::MAX_LEAF_REQUESTS => {
                transfer.leaf_requests.push((key, request, piece));
                return self.out.push_back(Output::Disk(super::DiskOrder::HashLeaves { piece }));
            }
            Serve::NeedLeaves(_) | Serve::Reject => Message::HashReject(request),
        };
        self.send(key, vec![answer]);
    }

    fn hashes_received(
        &mut self,
        key: PeerKey,
        request: &HashRequest,
        hashes: &[[u8; 32]],
    ) -> Result<(), &'static str> {
        let Some(transfer) = &mut self.transfer else { return Ok(()) };
        match transfer.hashes.received(key, request, hashes)? {
            Learned::Leaves { piece, leaves } => self.leaves_proven(piece, &leaves),
            Learned::Pieces(_) => {
                self.verify_what_waited();
                self.say_layers();
            }
            Learned::Nothing => {}
        }
        self.request_hashes();
        Ok(())
    }
}
