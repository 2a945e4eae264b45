//! Whom a torrent is connected to: dialling, accepting, dropping.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeSet;
use std::time::Duration;

use base::Instant;
use base::id::is_stand_in;
use bytes::Bytes;

use super::peer::Peer;
use super::{Connected, Direction, Event, Output, PeerKey, PeerKind, Reason, Source, Torrent};
use crate::allowed_fast::{SET_SIZE, allowed_fast};
use crate::peer_list::Refused;
use crate::wire::{ExtensionHandshake, ExtensionIds, LOCAL_IDS, Message};

/// Dials under way at once, a torrent (arbitrary: a home router's connection table is small).
const MAX_DIALING: u32 = 10;
/// A peer that says nothing for this long is gone: keep-alives come every two minutes (BEP 3), and a little patience.
const SILENCE: Duration = Duration::from_secs(150);
/// A connection that neither end wants anything of is closed after this time when others wait for its place.
const USELESS: Duration = Duration::from_secs(300);
/// How often sources are asked for more peers at most.
const WANT_EVERY: Duration = Duration::from_secs(30);
/// How many requests of a peer are queued (`reqq`): libtorrent's default for what it announces is 2,000.
pub(super) const REQUEST_QUEUE: u32 = 2000;

impl Torrent {
    pub(super) fn candidates(&mut self, source: Source, addresses: &[SocketAddr]) {
        if !self.hears_of_peers_from(source) || addresses.iter().any(|address| !self.may_be_candidate(address)) {
            return;
        }
        for &address in addresses {
            self.list.add(self.now.mono, source, address);
            if source == Source::People {
                // Whoever names it has just seen it.
                self.list.try_now(self.now.mono, address);
            }
        }
    }

    pub(super) fn dial_failed(&mut self, address: SocketAddr) {
        self.dialing = self.dialing.saturating_sub(1);
        self.list.dial_failed(self.now.mono, address);
        if !self.punches.ended(address) {
            self.ask_for_rendezvous(address);
        }
    }

    pub(super) fn may_dial(&self) -> bool {
        let connections = self.peers.len() as u32 + self.dialing;
        self.is_running() && self.dialing < MAX_DIALING && connections < self.config.max_peers
    }

    pub(super) fn wants_no_seeds(&self) -> bool {
        self.is_complete()
    }

    pub(super) fn dial(&mut self) {
        while self.may_dial()
            && let Some((address, source)) = self.list.next(self.now.mono, self.wants_no_seeds())
        {
            self.dialing += 1;
            self.out.push_back(Output::Dial { address, source, punch: false });
        }
    }

    pub(super) fn want_peers(&mut self) {
        if self.last_want.is_none_or(|at| self.now.mono - at >= WANT_EVERY) {
            self.last_want = Some(self.now.mono);
            self.out.push_back(Output::WantPeers);
        }
    }

    pub(super) fn wants_peers(&self) -> bool {
        let few = self.peers.len() < self.config.max_peers.div_ceil(2) as usize;
        few && self.is_running() && !self.is_complete()
    }

    /// When sources are asked for more peers, also where nobody is connected.
    pub(super) fn next_want(&self) -> Option<Instant> {
        self.wants_peers().then(|| self.last_want.map_or(self.now.mono, |at| at + WANT_EVERY))
    }

    pub(super) fn set_max_peers(&mut self, max: u32) {
        self.config.max_peers = max;
        let surplus = self.peers.len().saturating_sub(max as usize);
        let newest: Vec<PeerKey> = self.peers.keys().rev().take(surplus).copied().collect();
        newest.into_iter().for_each(|key| self.drop_peer(key, Reason::TooMany));
    }

    pub(super) fn connected(&mut self, connected: &Connected) {
        let outgoing = connected.direction == Direction::Outgoing && connected.kind == PeerKind::Wire;
        if outgoing {
            self.dialing = self.dialing.saturating_sub(1);
            self.punches.ended(connected.address);
        }
        self.give_way(connected);
        self.replace_dead(connected);
        if let Err(reason) = self.admit(connected) {
            if outgoing {
                self.list.dial_failed(self.now.mono, connected.address);
            }
            if outgoing && reason == Reason::Itself {
                self.list.is_self(connected.address);
            }
            self.out.push_back(Output::Disconnect { peer: connected.peer, reason });
            return;
        }
        if connected.kind == PeerKind::Wire
            && let Err(refused) = self.list.connected(connected.address, connected.source)
        {
            if outgoing {
                self.list.dial_failed(self.now.mono, connected.address);
            }
            let reason = match refused {
                Refused::Banned => Reason::Banned,
                Refused::Duplicate => Reason::Duplicate,
            };
            self.out.push_back(Output::Disconnect { peer: connected.peer, reason });
            return;
        }
        let v2 = self.config.hashes.v2();
        let speaks_v2 = v2.is_some_and(|v2| connected.reserved.v2 || v2.truncated() == connected.info_hash);
        let count = self.transfer.as_ref().map(|t| t.info.layout().piece_count());
        let mut peer = Peer::new(connected, speaks_v2, count, self.now.mono);
        peer.suspicions = u32::from(self.list.is_suspect(connected.address.ip()));
        if let (Some(transfer), Some(set)) = (&mut self.transfer, peer.has()) {
            transfer.picker.add_peer_set(set);
        }
        let web_seed = connected.kind == PeerKind::WebSeed;
        if !web_seed {
            let mut messages = self.greeting(&peer);
            if peer.fast
                && let (IpAddr::V4(ip), Some(transfer)) = (peer.address.ip(), &self.transfer)
                && transfer.super_seed.is_none()
            {
                let count = transfer.info.layout().piece_count();
                let mut set = allowed_fast(ip, connected.info_hash, count, SET_SIZE);
                set.retain(|piece| transfer.picker.have().get(piece.0));
                messages.extend(set.iter().map(|piece| Message::AllowedFast(*piece)));
                peer.offered_fast = set;
            }
            self.send(connected.peer, messages);
        }
        self.peers.insert(connected.peer, peer);
        self.peers_changed();
        if web_seed {
            self.request_more(connected.peer);
        }
    }

    /// Two who dial one another at once each hear of the other's connection first, and would each refuse its own. Of two
    /// connections in opposite directions both ends keep the one that the greater peer id dialled.
    fn give_way(&mut self, connected: &Connected) {
        let ours_counts = self.config.peer_id > connected.peer_id;
        if connected.kind != PeerKind::Wire || (connected.direction == Direction::Outgoing) != ours_counts {
            return;
        }
        let other_way = |p: &Peer| {
            p.id == connected.peer_id && p.direction != connected.direction && p.address.ip() == connected.address.ip()
        };
        if let Some(key) = self.peers.iter().find(|(_, p)| other_way(p)).map(|(key, _)| *key) {
            self.drop_peer(key, Reason::Duplicate);
        }
    }

    fn admit(&self, connected: &Connected) -> Result<(), Reason> {
        if !self.is_running() {
            return Err(Reason::Stopped);
        }
        if connected.kind == PeerKind::WebSeed {
            return if self.is_complete() { Err(Reason::BothSeeds) } else { Ok(()) };
        }
        if connected.peer_id == self.config.peer_id {
            return Err(Reason::Itself);
        }
        if !self.admits(connected) {
            return Err(Reason::NotAdmitted);
        }
        if !self.hears_of_peers_from(connected.source) {
            return Err(Reason::Private);
        }
        if self.list.is_banned(connected.address.ip()) {
            return Err(Reason::Banned);
        }
        if self.peers.values().any(|p| p.id == connected.peer_id && p.address.ip() == connected.address.ip()) {
            return Err(Reason::Duplicate);
        }
        if self.peers.len() >= self.config.max_peers as usize {
            return Err(Reason::TooMany);
        }
        Ok(())
    }

    /// The first messages on a connection: what we have comes first (BEP 3, BEP 6), then the extension handshake.
    fn greeting(&self, peer: &Peer) -> Vec<Message> {
        let mut messages = Vec::new();
        let have = self.transfer.as_ref().filter(|t| t.super_seed.is_none()).map(|t| t.picker.have());
        match have {
            Some(have) if have.is_all() && peer.fast && have.len() > 0 => messages.push(Message::HaveAll),
            Some(have) if !have.is_none() => {
                messages.push(Message::Bitfield(Bytes::copy_from_slice(have.as_bytes())));
            }
            _ if peer.fast => messages.push(Message::HaveNone),
            _ => {}
        }
        if peer.extension {
            messages.push(self.extension_greeting(peer));
        }
        if let Some(port) = self.config.dht_port.filter(|_| peer.dht && !self.is_private()) {
            let mapped = self.mapped_dht_port.filter(|_| peer.address.ip().to_canonical().is_ipv4());
            messages.push(Message::Port(mapped.unwrap_or(port)));
        }
        messages
    }

    fn extension_greeting(&self, peer: &Peer) -> Message {
        Message::ExtensionHandshake(Box::new(ExtensionHandshake {
            ids: ExtensionIds {
                pex: if self.exchanges_peers() { LOCAL_IDS.pex } else { 0 },
                holepunch: if self.punches_holes() { LOCAL_IDS.holepunch } else { 0 },
                ..LOCAL_IDS
            },
            client: Some(self.config.client.clone()),
            port: self.config.listen_port.filter(|_| !is_stand_in(peer.address.ip())),
            request_queue: Some(REQUEST_QUEUE),
            metadata_size: self.info().map(|info| info.raw().len() as u32),
            // What stands for a node is no address of it.
            your_ip: Some(peer.address.ip()).filter(|ip| !is_stand_in(*ip)),
            upload_only: self.is_complete(),
            prefers_encryption: self.config.prefers_encryption,
        }))
    }

    /// The metadata is known now: who connected before heard of no size, and would never ask for it. BEP 10 lets the
    /// extension handshake be sent again.
    pub(super) fn offer_metadata(&mut self) {
        self.greet_again();
    }

    fn greet_again(&mut self) {
        let peers = self.peers.iter().filter(|(_, p)| p.extension && p.kind == PeerKind::Wire);
        let news: Vec<_> = peers.map(|(key, peer)| (*key, self.extension_greeting(peer))).collect();
        news.into_iter().for_each(|(key, message)| self.send(key, vec![message]));
    }

    /// Others reach us by another port now. Connected peers hear of it too, since they may tell others of us (BEP 11).
    pub(super) fn set_listen_port(&mut self, port: Option<u16>) {
        if std::mem::replace(&mut self.config.listen_port, port) != port {
            self.greet_again();
        }
    }

    pub(super) fn send(&mut self, peer: PeerKey, messages: Vec<Message>) {
        if !messages.is_empty() {
            self.out.push_back(Output::Send { peer, messages });
        }
    }

    pub(super) fn drop_peer(&mut self, key: PeerKey, reason: Reason) {
        if self.forget(key, reason == Reason::BothSeeds) {
            self.out.push_back(Output::Disconnect { peer: key, reason });
        }
    }

    pub(super) fn disconnected(&mut self, key: PeerKey) {
        self.forget(key, false);
    }

    /// Lets go of everything that a connection holds; false when it is not known (any more).
    fn forget(&mut self, key: PeerKey, is_seed: bool) -> bool {
        let Some(peer) = self.peers.remove(&key) else { return false };
        self.fetch.gone(key);
        self.peers_changed();
        if let Some(transfer) = &mut self.transfer {
            for request in &peer.requests {
                transfer.picker.abandon(key, request.block);
            }
            if let Some(set) = peer.has() {
                transfer.picker.remove_peer_set(set);
            }
            transfer.picker.release(key);
            transfer.choker.gone(key);
            transfer.hashes.gone(key);
            transfer.leaf_requests.retain(|(who, _, _)| *who != key);
            if let Some(super_seed) = &mut transfer.super_seed {
                super_seed.gone(key);
            }
        }
        if peer.kind == PeerKind::Wire {
            if is_seed || peer.is_seed() {
                self.list.set_seed(peer.address, true);
            }
            let useful = peer.down.total() + peer.up.total() > 0;
            self.list.disconnected(self.now.mono, peer.address, useful);
        }
        true
    }

    pub(super) fn drop_all(&mut self, reason: Reason) {
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        keys.into_iter().for_each(|key| self.drop_peer(key, reason));
    }

    pub(super) fn ban(&mut self, ip: IpAddr) {
        let theirs: Vec<(PeerKey, SocketAddr, PeerKind)> =
            self.peers.iter().filter(|(_, p)| p.address.ip() == ip).map(|(k, p)| (*k, p.address, p.kind)).collect();
        self.list.ban(ip);
        for (key, address, _) in theirs {
            self.out.push_back(Output::Event(Event::Banned { address }));
            self.drop_peer(key, Reason::BadData);
        }
    }

    pub(super) fn drop_idle_peers(&mut self) {
        let now = self.now.mono;
        let crowded = self.peers.len() as u32 >= self.config.max_peers && self.list.candidates() > 0;
        let we_are_done = self.is_complete() && self.transfer.as_ref().is_some_and(|t| t.is_ready());
        let mut gone = Vec::new();
        for (key, peer) in &mut self.peers {
            if peer.am_interested || peer.peer_interested {
                peer.last_useful = now;
            }
            if peer.kind == PeerKind::WebSeed {
                if we_are_done {
                    gone.push((*key, Reason::BothSeeds));
                }
            } else if we_are_done && (peer.is_seed() || peer.upload_only) {
                gone.push((*key, Reason::BothSeeds));
            } else if now - peer.last_heard > SILENCE {
                gone.push((*key, Reason::TimedOut));
            } else if crowded && now - peer.last_useful > USELESS {
                gone.push((*key, Reason::TooMany));
            }
        }
        gone.into_iter().for_each(|(key, reason)| self.drop_peer(key, reason));
    }

    /// The metadata says that the torrent is private: only its trackers may have named peers (BEP 27).
    pub(super) fn keep_to_trackers(&mut self) {
        const KEPT: [Source; 5] = [Source::Hint, Source::Tracker, Source::Incoming, Source::WebSeed, Source::People];
        self.list.retain_sources(&KEPT);
        let strangers = self.peers.iter().filter(|(_, p)| !self.hears_of_peers_from(p.source));
        let strangers: BTreeSet<PeerKey> = strangers.map(|(key, _)| *key).collect();
        strangers.into_iter().for_each(|key| self.drop_peer(key, Reason::Private));
    }

    /// Nobody is told of it, or asked about it, but trackers; of a confined one not even they.
    pub(super) fn is_private(&self) -> bool {
        self.is_confined() || self.info().is_some_and(|info| info.is_private())
    }
}
