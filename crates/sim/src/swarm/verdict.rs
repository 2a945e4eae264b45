//! Is it over, and was it right?

use std::net::SocketAddr;
use std::time::Duration;

use base::Instant;
use metainfo::{FileIndex, PieceIndex};
use torrent_proto::torrent::{PeerStatus, Priority};
use torrent_proto::wire::WireError;

use super::{Event, LOOK_EVERY, Swarm};
use crate::node::{Node, Role};

/// How long everybody is left alone at the end, so that what is under way arrives.
const QUIET: Duration = Duration::from_secs(10);

/// What became of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What went wrong, if anything.
    pub failure: Option<Failure>,
    /// Two runs of one scenario have the same.
    pub trace: u64,
    /// How long it took, in virtual time.
    pub elapsed: Duration,
    /// What happened how often.
    pub stats: Stats,
}

/// What happened how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says it")]
pub struct Stats {
    pub events: u64,
    pub connections: u64,
    pub resets: u64,
    pub leaves: u64,
    pub crashes: u64,
    /// Connections to addresses that a peer named.
    pub by_pex: u64,
    /// Connections through address translation.
    pub punched: u64,
    /// How many others the loneliest node was ever connected to.
    pub met_least: u64,
    pub bad_pieces: u64,
    pub bans: u64,
    pub disk_failures: u64,
    /// Payload that came in vain, in bytes, to nodes that are up at the end.
    pub wasted_bytes: u64,
}

/// What can be wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Not everybody finished in time.
    Stalled(String),
    /// Somebody kept the driver busy without end.
    Spin(String),
    /// A node persisted a piece that a crash would lose.
    FalseClaim {
        /// Who.
        node: usize,
        /// Which.
        piece: PieceIndex,
    },
    /// A node lost a piece in an orderly stop.
    Lost {
        /// Who.
        node: usize,
    },
    /// A verified piece was overwritten with something else.
    Damage {
        /// Whose.
        node: usize,
        /// Which.
        piece: PieceIndex,
    },
    /// A node called itself complete with wrong bytes on its disk.
    WrongBytes {
        /// Who.
        node: usize,
        /// Where.
        file: FileIndex,
    },
    /// An honest node banned another one.
    InnocentBanned {
        /// Who.
        node: usize,
        /// Whom.
        address: SocketAddr,
    },
    /// Permits did not come back.
    PermitsLeaked {
        /// Whose.
        node: usize,
        /// How many.
        permits: u32,
    },
    /// A node has another picture of what a peer has than the peer itself.
    HavesMissed {
        /// Who.
        node: usize,
        /// The peer.
        peer: usize,
    },
    /// A message did not survive its way through the codec.
    Codec(WireError),
}

impl Swarm {
    /// True when the run is over.
    pub(super) fn look(&mut self) -> bool {
        self.seeds_leave();
        let goal = |node: &Node| node.role == Role::Leecher && !node.departed;
        let all = self.nodes.iter().filter(|node| goal(node)).all(Node::is_complete);
        if self.steps_left > 0 || !all {
            self.done_since = None;
        } else if self.now - *self.done_since.get_or_insert(self.now) >= QUIET {
            self.check_end();
            return true;
        }
        if self.now > Instant::from_start(self.scenario.limit) {
            let missing = self.nodes.iter().filter(|node| goal(node) && !node.is_complete());
            let texts: Vec<String> = missing.map(describe).collect();
            self.fail(Failure::Stalled(texts.join("\n")));
            return true;
        }
        self.queue.add(self.now + LOOK_EVERY, Event::Look);
        false
    }

    /// A node says that it is complete: so must its disk.
    pub(super) fn check_complete(&mut self, node: usize) {
        let Some(torrent) = &self.nodes[node].torrent else { return };
        let durable = self.nodes[node].disk.durable();
        let wanted = torrent.files().into_iter().filter(|file| file.priority != Priority::Skip);
        let wrong = wanted.map(|file| file.file).find(|file| !self.content.is_file_right(durable, *file));
        if let Some(file) = wrong {
            self.fail(Failure::WrongBytes { node, file });
        }
    }

    fn check_end(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].is_complete() {
                self.check_complete(node);
            }
            let it = &self.nodes[node];
            let permits = it.permits.out();
            if permits > 0 && it.disk.busy() == 0 && it.ends.values().all(|end| end.reading.is_empty()) {
                self.fail(Failure::PermitsLeaked { node, permits });
            }
            self.check_haves(node);
        }
    }

    /// What peers told one another has arrived.
    fn check_haves(&mut self, node: usize) {
        let Some(torrent) = &self.nodes[node].torrent else { return };
        for status in torrent.peers() {
            let Some(end) = self.nodes[node].ends.get(&status.peer) else { continue };
            let (other, theirs) = end.other;
            let super_seeding = self.scenario.super_seed && other == 0;
            let stands = self.nodes[other].ends.contains_key(&theirs);
            let Some(pieces) = self.nodes[other].torrent.as_ref().and_then(|other| other.pieces()) else { continue };
            // One that began just now may have its first messages under way.
            let stands = stands && self.now - status.since >= QUIET / 2;
            if stands && !super_seeding && pieces.have.count() != status.pieces {
                return self.fail(Failure::HavesMissed { node, peer: other });
            }
        }
    }

    pub(super) fn outcome(mut self) -> Outcome {
        let torrents = self.nodes.iter().filter_map(|node| node.torrent.as_ref());
        self.stats.wasted_bytes = torrents.map(|torrent| torrent.status().wasted_bytes).sum();
        self.stats.met_least = self.nodes.iter().map(|node| node.met.len() as u64).min().unwrap_or(0);
        let (trace, elapsed) = (self.trace.hash(), self.now.since_start());
        Outcome { failure: self.failure, trace, elapsed, stats: self.stats }
    }
}

/// Says what a node that did not finish was doing.
fn describe(node: &Node) -> String {
    let Some(torrent) = &node.torrent else { return format!("node {} is down", node.index) };
    let status = torrent.status();
    let peer = |p: &PeerStatus| {
        let (interested, choked) = (p.am_interested, p.peer_choking);
        format!("{}: {} pieces, interested {interested}, choked {choked}, {} requests", p.address, p.pieces, p.requests)
    };
    let peers: Vec<String> = torrent.peers().iter().map(peer).collect();
    format!(
        "node {} is {:?} with {} of {} pieces, {} permits out, {} disk orders, partial {:?}, peers [{}]",
        node.index,
        status.state,
        status.pieces_done,
        status.piece_count,
        node.permits.out(),
        node.disk.busy(),
        torrent.pieces().map(|pieces| pieces.partial),
        peers.join("; "),
    )
}
