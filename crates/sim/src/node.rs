//! One node: a torrent's state machine with a disk, memory permits and connections around it, as the real driver has
//! them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use base::{Instant, Now};
use bytes::Bytes;
use metainfo::{Info, PieceIndex, PieceLayers};
use torrent_proto::torrent::{DEFAULT_MAX_PEERS, PeerKey, Priority, Resume, State, Torrent, TorrentConfig};
use torrent_proto::wire::{ExtensionIds, Message, PeerId};

use crate::content::Content;
use crate::disk::FakeDisk;
use crate::permits::Permits;

/// The port that every node listens on.
const PORT: u16 = 6881;

/// What a node is in the swarm for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Has everything from the start.
    Seed,
    /// Wants it.
    Leecher,
    /// Has everything and sends part of it wrong.
    Liar,
}

/// Why a node is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// It comes back.
    ForNow,
    /// It does not.
    ForGood,
}

/// What goes over a connection.
#[derive(Debug)]
pub(crate) enum Wire {
    /// A message as it is.
    Message(Message),
    /// A message as its bytes.
    Frame(Bytes),
    /// The end.
    Close,
}

/// A message read, its payload under a permit.
#[derive(Debug)]
pub(crate) enum Read {
    Message(Message),
    Frame(Bytes),
}

/// A node's end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    /// The other end.
    pub(crate) other: (usize, PeerKey),
    /// The extension ids under which the other end takes extensions.
    pub(crate) ids: ExtensionIds,
    /// How many entries of the node's list of Haves the other end was told of.
    pub(crate) cursor: usize,
    /// When the last thing sent arrives: what is sent later arrives later.
    pub(crate) last_arrival: Instant,
    /// What has arrived and is not read.
    pub(crate) inbox: VecDeque<Wire>,
    /// What is being read.
    pub(crate) reading: Vec<Read>,
}

/// What survives a crash, the disk aside: the driver's database.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) info: Option<Arc<Info>>,
    pub(crate) layers: PieceLayers,
    pub(crate) resume: Option<Resume>,
    pub(crate) priorities: Vec<Priority>,
    pub(crate) only_files: Option<Vec<RangeInclusive<u32>>>,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) index: usize,
    pub(crate) role: Role,
    pub(crate) torrent: Option<Torrent>,
    pub(crate) disk: FakeDisk,
    pub(crate) permits: Permits,
    pub(crate) ends: BTreeMap<PeerKey, End>,
    /// Pieces in the order they were gained since the start.
    pub(crate) haves: Vec<PieceIndex>,
    pub(crate) stored: Stored,
    /// Connections that wait for a permit.
    pub(crate) starved: VecDeque<PeerKey>,
    /// Counts starts: what an earlier life asked for is not answered to a later one.
    pub(crate) life: u32,
    pub(crate) leaving: Option<Leaving>,
    pub(crate) departed: bool,
    pub(crate) state: Option<State>,
    /// What it was doing before it paused or failed.
    pub(crate) active_state: Option<State>,
    pub(crate) rate_bytes_per_s: u64,
    /// When its line is free to send more payload.
    pub(crate) line_free: Instant,
    pub(crate) timer: Option<Instant>,
    pub(crate) disk_timer: Option<Instant>,
    pub(crate) haves_due: bool,
    pub(crate) pump_due: bool,
    /// Nobody gets in whom it does not dial.
    pub(crate) behind_nat: bool,
    /// Whom it dials at this moment, and how long its router remembers that.
    pub(crate) holes: BTreeMap<usize, Instant>,
    pub(crate) pex: bool,
    /// Whom it was ever connected to.
    pub(crate) met: BTreeSet<usize>,
    /// Timeouts in a row that changed nothing.
    pub(crate) spins: u32,
    next_key: u32,
}

impl Node {
    pub(crate) fn new(index: usize, role: Role, content: &Content, magnet: bool, permits: u32, rate: u64) -> Node {
        let mut disk = FakeDisk::new(index as u64);
        if role != Role::Leecher {
            disk.fill(content);
        }
        let mut stored = Stored::default();
        if !magnet {
            stored.info = Some(content.info.clone());
            stored.layers = content.layers.clone();
        }
        Node {
            index,
            role,
            torrent: None,
            disk,
            permits: Permits::new(permits),
            ends: BTreeMap::new(),
            haves: Vec::new(),
            stored,
            starved: VecDeque::new(),
            life: 0,
            leaving: None,
            departed: false,
            state: None,
            active_state: None,
            rate_bytes_per_s: rate,
            line_free: Instant::START,
            timer: None,
            disk_timer: None,
            haves_due: false,
            pump_due: false,
            behind_nat: false,
            holes: BTreeMap::new(),
            pex: false,
            met: BTreeSet::new(),
            spins: 0,
            next_key: 0,
        }
    }

    /// Begins a life from what is stored.
    pub(crate) fn start(&mut self, now: Now, content: &Content, seed: u64, super_seed: bool) {
        self.life += 1;
        self.haves.clear();
        self.state = None;
        self.active_state = None;
        let config = TorrentConfig {
            hashes: content.info.hashes(),
            info: self.stored.info.clone(),
            piece_layers: self.stored.layers.clone(),
            resume: self.stored.resume.clone(),
            complete: self.role != Role::Leecher,
            confined: false,
            paused: false,
            priorities: self.stored.priorities.clone(),
            only_files: self.stored.only_files.clone(),
            sequential: false,
            super_seed,
            upload_slots: None,
            max_peers: DEFAULT_MAX_PEERS,
            peer_id: self.peer_id(),
            listen_port: Some(PORT),
            pex: self.pex,
            holepunch: self.pex,
            prefers_encryption: false,
            dht_port: None,
            client: "sim".into(),
            seed: seed ^ (self.index as u64) << 32 ^ u64::from(self.life),
        };
        self.torrent = Some(Torrent::new(now, config));
    }

    pub(crate) fn is_up(&self) -> bool {
        self.torrent.is_some()
    }

    /// Everything wanted is complete, durable and named.
    pub(crate) fn is_complete(&self) -> bool {
        self.torrent.as_ref().is_some_and(|torrent| torrent.status().complete)
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        let mut id = *b"-CP0000-            ";
        let text = format!("{:05}.{:06}", self.index, self.life);
        id[8..].copy_from_slice(text.as_bytes());
        PeerId(id)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        address_of(self.index)
    }

    pub(crate) fn next_key(&mut self) -> PeerKey {
        self.next_key += 1;
        PeerKey(self.next_key)
    }

    /// Keeps what the driver would have in its database of a torrent that is about to end.
    pub(crate) fn store(&mut self) {
        let Some(torrent) = &self.torrent else { return };
        if let Some(info) = torrent.info() {
            self.stored.info = Some(info.clone());
            self.stored.layers = torrent.piece_layers();
            self.stored.priorities = torrent.files().iter().map(|file| file.priority).collect();
        }
        self.stored.addresses = torrent.addresses_to_remember(20);
    }
}

/// The address of a node.
pub(crate) fn address_of(index: usize) -> SocketAddr {
    let ip = Ipv4Addr::new(10, 0, (index / 250) as u8, (index % 250) as u8 + 1);
    (ip, PORT).into()
}

/// The node at an address; any port of a node is taken for it.
pub(crate) fn node_at(address: SocketAddr) -> Option<usize> {
    match address {
        SocketAddr::V4(address) => match address.ip().octets() {
            [10, 0, high, low] if low > 0 => Some(usize::from(high) * 250 + usize::from(low) - 1),
            _ => None,
        },
        SocketAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_an_address_of_its_own() {
        for index in [0, 1, 249, 250, 999] {
            assert_eq!(node_at(address_of(index)), Some(index));
        }
    }
}
