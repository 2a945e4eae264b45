//! Confined torrents: those that only certain people's nodes may have.
//!
//! The driver names the nodes by their stand-ins ([`base::NodeId::stand_in`]) and does so again whenever they change.
//! They are the only candidates and the only peers: nothing is announced, looked up, exchanged or punched, and whoever
//! is named no longer is disconnected.
//! Invariant: of a confined torrent every candidate and every connection is in `audience`; before the first word of the
//! driver that is nobody.

use core::net::SocketAddr;
use std::collections::BTreeSet;

use base::id::is_stand_in;

use super::{Connected, PeerKey, Reason, Source, Torrent};
use crate::peer_list::MAX_CANDIDATES;

/// Nodes that may have one torrent at most: all can be candidates at once.
pub const MAX_AUDIENCE: usize = MAX_CANDIDATES;

impl Torrent {
    /// Only the nodes of certain people may have it.
    pub(super) fn is_confined(&self) -> bool {
        self.config.confined
    }

    /// Replaces the nodes that may have it. Those that wait for their next dial are tried at once: somebody has a reason to
    /// name them now.
    pub(super) fn set_audience(&mut self, nodes: &[SocketAddr]) {
        if !self.is_confined() {
            return;
        }
        let stand_ins = nodes.iter().filter(|address| is_stand_in(address.ip())).copied();
        self.audience = stand_ins.take(MAX_AUDIENCE).collect::<BTreeSet<SocketAddr>>();
        let audience = &self.audience;
        self.list.retain_addresses(|address| audience.contains(address));
        for &address in audience {
            self.list.add(self.now.mono, Source::People, address);
            self.list.try_now(self.now.mono, address);
        }
        let strangers = self.peers.iter().filter(|(_, peer)| !audience.contains(&peer.address));
        let strangers: Vec<PeerKey> = strangers.map(|(key, _)| *key).collect();
        strangers.into_iter().for_each(|key| self.drop_peer(key, Reason::NotAdmitted));
    }

    /// Whether such a source may name peers of this torrent.
    pub(super) fn hears_of_peers_from(&self, source: Source) -> bool {
        match source {
            Source::Incoming => true,
            Source::People => self.is_confined(),
            _ if self.is_confined() => false,
            // BEP 27 leaves trackers, and whom the user names by hand.
            Source::Tracker | Source::Hint | Source::WebSeed => true,
            Source::Resume | Source::Dht | Source::Pex | Source::Lsd => !self.is_private(),
        }
    }

    /// Whether an address may be a candidate at all.
    pub(super) fn may_be_candidate(&self, address: &SocketAddr) -> bool {
        !self.is_confined() || self.audience.contains(address)
    }

    /// Whether the other end may be a peer of this torrent.
    pub(super) fn admits(&self, connected: &Connected) -> bool {
        !self.is_confined() || self.audience.contains(&connected.address)
    }

    /// A node that comes with another peer id than the connection that stands has been restarted: the old one is dead,
    /// whatever the carrier still thinks. No other computer can come under its name.
    pub(super) fn replace_dead(&mut self, connected: &Connected) {
        if !is_stand_in(connected.address.ip()) {
            return;
        }
        let dead = |peer: &super::peer::Peer| peer.address == connected.address && peer.id != connected.peer_id;
        if let Some(key) = self.peers.iter().find(|(_, peer)| dead(peer)).map(|(key, _)| *key) {
            self.drop_peer(key, Reason::Duplicate);
        }
    }
}
