//! What a torrent begins with.

use std::ops::RangeInclusive;
use std::sync::Arc;

use metainfo::{Info, InfoHashes, PieceLayers};

use super::{Priority, Resume};
use crate::wire::PeerId;

/// The most connections of one torrent unless the user says otherwise; libtorrent and Transmission use 50 to 60 too.
pub const DEFAULT_MAX_PEERS: u32 = 60;

/// What a torrent begins with.
#[derive(Clone, Debug)]
pub struct TorrentConfig {
    /// The torrent's names.
    pub hashes: InfoHashes,
    /// The info dictionary, unless it is to be fetched from peers.
    pub info: Option<Arc<Info>>,
    /// The piece layers of v2 files, as far as they are known.
    pub piece_layers: PieceLayers,
    /// What an earlier run left.
    pub resume: Option<Resume>,
    /// The data was hashed just now (the torrent was created from it): no check.
    pub complete: bool,
    /// Only the nodes that `Command::Audience` names may have it: there is no other way to find peers, or to be one.
    pub confined: bool,
    /// Begin paused.
    pub paused: bool,
    /// How much each file is wanted, in the torrent's order; missing entries are `Normal`.
    pub priorities: Vec<Priority>,
    /// A magnet's choice of files (BEP 53): everything else is skipped once the metadata is here.
    pub only_files: Option<Vec<RangeInclusive<u32>>>,
    /// Fetch pieces in order.
    pub sequential: bool,
    /// Offer pieces one by one (BEP 16).
    pub super_seed: bool,
    /// How many peers are unchoked at most; `None`: adapts to capacity.
    pub upload_slots: Option<u32>,
    /// How many connections the torrent may hold.
    pub max_peers: u32,
    /// Our peer id.
    pub peer_id: PeerId,
    /// The TCP port that peers may dial, if any.
    pub listen_port: Option<u16>,
    /// Exchange addresses with peers (BEP 11).
    pub pex: bool,
    /// Take part in hole punching (BEP 55).
    pub holepunch: bool,
    /// Tell peers that encrypted connections are preferred.
    pub prefers_encryption: bool,
    /// The UDP port of our DHT node, told to peers that have one too (BEP 5); `None`: no DHT.
    pub dht_port: Option<u16>,
    /// Our name and version, for the extension handshake.
    pub client: String,
    /// The seed of every random choice.
    pub seed: u64,
}
