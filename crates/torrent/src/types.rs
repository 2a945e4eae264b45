//! What the session is told and what it tells: plain values, without handles to anything that lives.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use base::WallTime;
use bytes::Bytes;
use metainfo::{FileIndex, InfoHashV1, InfoHashes, PieceIndex};
pub use net::Carrier;
pub use torrent_proto::torrent::{Direction, PeerKind, Priority, Source, State};

/// The name by which a torrent is addressed: [`InfoHashes::key`] as it was when the torrent was added. Prints as 40
/// hexadecimal digits.
pub type TorrentId = InfoHashV1;

/// How the session is set up.
#[derive(Debug)]
pub struct SessionConfig {
    /// The addresses to accept peers on; port 0 takes a free one. Empty: no incoming connections.
    pub listen: Vec<SocketAddr>,
    /// By which way everything leaves. With a proxy, what is not TCP is off, whatever `network` says.
    pub egress: net::Egress,
    /// The node's database.
    pub database: db::Db,
    /// Where content goes when an [`Add`] names no folder.
    pub folder: PathBuf,
    /// How files that are not complete yet are marked.
    pub incomplete: Incomplete,
    /// Reserve the room of a file when it is begun, instead of letting it grow sparsely.
    pub preallocate: bool,
    /// What the disk may take.
    pub resources: Resources,
    /// Rates and connection counts.
    pub limits: Limits,
    /// The name and version told to peers and trackers, for example `Compeer 0.1.0`.
    pub client: String,
    /// How peers are found and reached.
    pub network: NetworkConfig,
    /// Whom to meet; `None`: everybody, within the limits. Its limits and the budget behind it become those of `limits`.
    pub gate: Option<net::Gate>,
    /// Nothing is exchanged until [`crate::Session::hold`] says otherwise.
    pub held: bool,
}

/// Who follows all torrents, each at a pace of its own ([`crate::Session::take_changed`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watcher {
    /// Whoever tells others what changed.
    Events,
    /// Whoever keeps how fast each was.
    Rates,
}

/// How much of the computer is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// How many threads write, read and check what is on disk; `None`: the program's own choice, which lets a check have
    /// all cores.
    pub threads: Option<usize>,
    /// How many bytes of payload may be in memory at once, over all torrents.
    pub memory_bytes: usize,
    /// How many bytes have to stay free where downloads are written; on Windows it is not looked at.
    pub keep_free_bytes: u64,
    /// How much room the content of all torrents of which anything was fetched may take; `None`: as much as there is.
    pub most_bytes: Option<u64>,
}

/// By which address and port others reach a node.
#[derive(Clone, Debug, Default)]
pub struct NetworkStatus {
    /// Where connections are listened for, with the ports that were taken.
    pub listen: Vec<SocketAddr>,
    /// The port that trackers, the DHT and peers are told; `None`: nobody can dial us.
    pub announced_port: Option<u16>,
    /// Where the router says that the outside reaches us.
    pub external: Option<SocketAddr>,
    /// What the router was asked and said; `None`: switched off.
    pub mapping: Option<net::MappingStatus>,
    /// What was done to find peers in the local network; `None`: switched off.
    pub lsd: Option<net::LsdStatus>,
}

/// How peers are found and reached. The default is the quietest there is: trackers and hints over plain TCP; a program
/// that people use turns the rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Take part in the DHT (BEP 5); `None`: not.
    pub dht: Option<DhtConfig>,
    /// Exchange addresses with connected peers (BEP 11).
    pub pex: bool,
    /// Find peers on the local network (BEP 14).
    pub lsd: bool,
    /// Dial and accept over TCP.
    pub tcp: bool,
    /// Dial and accept over uTP (BEP 29).
    pub utp: bool,
    /// Which carrier is tried first; `None`: the program's own choice.
    pub prefer: Option<Carrier>,
    /// Stream encryption.
    pub encryption: Encryption,
    /// Ask the router to let peers in (NAT-PMP, PCP, UPnP IGD).
    pub port_mapping: bool,
    /// Help and be helped through address translation (BEP 55); needs `utp` and `pex`.
    pub holepunch: bool,
}

impl Default for NetworkConfig {
    fn default() -> NetworkConfig {
        NetworkConfig {
            dht: None,
            pex: false,
            lsd: false,
            tcp: true,
            utp: false,
            prefer: None,
            encryption: Encryption::Off,
            port_mapping: false,
            holepunch: false,
        }
    }
}

/// How the DHT is entered.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DhtConfig {
    /// Nodes to ask first, as `host:port`, beside those that are remembered.
    pub bootstrap: Vec<String>,
    /// What an earlier run saved.
    pub snapshot: net::dht::Snapshot,
    /// Ask, but answer nobody and do not become known (BEP 43).
    pub read_only: bool,
}

/// What is asked of peers about stream encryption ("message stream encryption").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Encrypted handshakes are tried first and everything is accepted.
    #[default]
    Prefer,
    /// Encrypted streams only, both ways.
    Require,
    /// None, both ways.
    Off,
}

/// How files that are not complete yet are marked.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Incomplete {
    /// The name ends in `.part` until the file is complete.
    #[default]
    Suffix,
    /// The files lie in this folder until the torrent is complete.
    Folder(PathBuf),
    /// Not at all.
    Plain,
}

impl Incomplete {
    /// Says it in the disk's words.
    pub(crate) fn for_disk(&self) -> disk::Incomplete {
        match self {
            Incomplete::Suffix => disk::Incomplete::default(),
            Incomplete::Folder(folder) => disk::Incomplete::Folder(folder.clone()),
            Incomplete::Plain => disk::Incomplete::Suffix(String::new()),
        }
    }
}

/// Limits over all torrents. `None`: unlimited, or chosen by the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Payload and protocol received, in bytes per second.
    pub down_bytes_per_s: Option<u64>,
    /// Payload and protocol sent, in bytes per second.
    pub up_bytes_per_s: Option<u64>,
    /// Connections of all torrents together.
    pub connections: u32,
    /// Connections of one torrent.
    pub connections_per_torrent: u32,
    /// Connections of a torrent, whatever its own limit says.
    pub most_per_torrent: u32,
    /// Connections to one IP address.
    pub connections_per_address: u32,
    /// Connections with one person.
    pub connections_per_person: u32,
    /// Connections that are being made at once.
    pub dials: u32,
    /// Peers unchoked at once in one torrent; `None` adapts to capacity.
    pub upload_slots: Option<u32>,
}

impl Limits {
    /// Returns a torrent's own limit, as far as it may go.
    pub(crate) fn cap(&self, own: Option<u32>) -> Option<u32> {
        let capped = own.map(|own| own.min(self.most_per_torrent));
        capped.or(Some(self.most_per_torrent).filter(|most| *most < self.connections_per_torrent))
    }

    /// Returns how many connections a torrent may have, whose own limit is `own`.
    pub(crate) fn of_torrent(&self, own: Option<u32>) -> u32 {
        own.unwrap_or(self.connections_per_torrent).min(self.most_per_torrent)
    }
}

impl Default for Limits {
    fn default() -> Limits {
        // 500, 80: within the open-file limit of 1,024 that most systems set, and in the range of other clients'
        // defaults. 16 per address: several people behind one NAT, but no one host fills the table. 64 a
        // person: some nodes with some services and torrents each.
        Limits {
            down_bytes_per_s: None,
            up_bytes_per_s: None,
            connections: 500,
            connections_per_torrent: 80,
            most_per_torrent: u32::MAX,
            connections_per_address: 16,
            connections_per_person: 64,
            dials: net::MAX_DIALS,
            upload_slots: None,
        }
    }
}

/// Limits of one torrent.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TorrentLimits {
    /// Bytes per second received; `None`: only the global limit holds.
    pub down_bytes_per_s: Option<u64>,
    /// Bytes per second sent; `None`: only the global limit holds.
    pub up_bytes_per_s: Option<u64>,
    /// Connections, [`Limits::most_per_torrent`] at most; `None`: [`Limits::connections_per_torrent`].
    pub connections: Option<u32>,
    /// Peers unchoked at once; `None`: [`Limits::upload_slots`].
    pub upload_slots: Option<u32>,
}

/// When seeding ends. Whichever goal is reached first pauses the torrent.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SeedGoal {
    /// Uploaded over downloaded (for content that was here already: over its size).
    pub ratio: Option<f64>,
    /// Time spent seeding.
    pub time: Option<Duration>,
    /// Time in which nothing was sent, of those that seed, since the session or the seeding began.
    pub idle: Option<Duration>,
}

/// Where a torrent comes from.
#[derive(Clone, Debug)]
pub enum AddSource {
    /// A magnet link, or an http(s) URL of a .torrent file.
    Link(String),
    /// The bytes of a .torrent file.
    File(Bytes),
}

/// An order to take up a torrent.
#[derive(Clone, Debug)]
pub struct Add {
    /// Where it comes from.
    pub source: AddSource,
    /// The folder that the content lies in, at `folder/NAME`; `None`: the session's folder.
    pub folder: Option<PathBuf>,
    /// Do not start it yet.
    pub paused: bool,
    /// Fetch the metadata, where it is not known, and do not start it yet: no file is opened, and after a restart it is paused
    /// as it is.
    pub metadata_only: bool,
    /// The content is at `folder/NAME` already and was hashed by the caller just now: skip the check.
    pub have_all: bool,
    /// Files that are not fetched with [`Priority::Normal`].
    pub priorities: Vec<(FileIndex, Priority)>,
    /// Trackers beside those that the source names, each a tier of its own.
    pub trackers: Vec<String>,
    /// Peers to try first, as `host:port`.
    pub peers: Vec<String>,
    /// Ask no tracker.
    pub no_tracker: bool,
    /// Only the nodes that [`crate::Session::admit`] names may have it, over the overlay: no tracker, DHT, peer exchange,
    /// local network, web seed, TCP or uTP. Before the first call that is nobody, also after a restart.
    pub confined: bool,
    /// Fetch pieces in order.
    pub sequential: bool,
    /// Offer pieces one by one (BEP 16).
    pub super_seed: bool,
    /// When seeding ends.
    pub goal: SeedGoal,
    /// Limits of this torrent.
    pub limits: TorrentLimits,
}

impl Add {
    /// Takes up `source` with nothing special about it.
    pub fn new(source: AddSource) -> Add {
        Add {
            source,
            folder: None,
            paused: false,
            metadata_only: false,
            have_all: false,
            priorities: Vec::new(),
            trackers: Vec::new(),
            peers: Vec::new(),
            no_tracker: false,
            confined: false,
            sequential: false,
            super_seed: false,
            goal: SeedGoal::default(),
            limits: TorrentLimits::default(),
        }
    }
}

/// What became of an [`Add`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// The torrent.
    pub id: TorrentId,
    /// It was here before; what the order added (trackers, peers) was merged into it.
    pub known: bool,
}

/// A torrent as it is now.
#[derive(Clone, Debug)]
pub struct TorrentStatus {
    /// Its name in calls.
    pub id: TorrentId,
    /// Its names in the world.
    pub hashes: InfoHashes,
    /// What to call it; the info-hash until a name is known.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// Why it stopped, when `state` is `Failed`: one sentence.
    pub error: Option<String>,
    /// The folder that holds `name`.
    pub folder: PathBuf,
    /// The file or folder of the content, once the metadata is known.
    pub path: Option<PathBuf>,
    /// Peers come from trackers only (BEP 27).
    pub private: bool,
    /// Only certain people's nodes may have it.
    pub confined: bool,
    /// Size of the content in bytes, once known.
    pub total_bytes: Option<u64>,
    /// Size of the wanted files in bytes, once known.
    pub wanted_bytes: Option<u64>,
    /// Bytes of wanted files that are verified.
    pub done_bytes: u64,
    /// The share that is done of the present activity (check, metadata, download), 0 to 1.
    pub progress: f64,
    /// Piece length in bytes, once known.
    pub piece_length: Option<u32>,
    /// Number of pieces, once known.
    pub piece_count: Option<u32>,
    /// Number of pieces verified.
    pub pieces_done: u32,
    /// Payload received, in bytes per second.
    pub down_rate_bytes_per_s: u64,
    /// Payload sent, in bytes per second.
    pub up_rate_bytes_per_s: u64,
    /// Payload ever received, in bytes.
    pub downloaded: u64,
    /// Payload ever sent, in bytes.
    pub uploaded: u64,
    /// Payload received in this run, in bytes.
    pub downloaded_in_run: u64,
    /// Payload sent in this run, in bytes.
    pub uploaded_in_run: u64,
    /// Payload received for nothing (bad or twice), in bytes.
    pub wasted: u64,
    /// Uploaded over downloaded, or over the size where the content was here already.
    pub ratio: f64,
    /// Time until all that is wanted is here, at the present rate.
    pub eta: Option<Duration>,
    /// Connected peers.
    pub peers: u32,
    /// Of them, those that have everything.
    pub seeds: u32,
    /// Addresses known.
    pub known_peers: u32,
    /// Connected peers by where their address came from.
    pub by_source: Vec<(Source, u32)>,
    /// When it was added.
    pub added: WallTime,
    /// When the last wanted piece was verified.
    pub completed: Option<WallTime>,
    /// Time spent seeding.
    pub seeding_time: Duration,
    /// When payload was last seen to move in this run.
    pub active: Option<WallTime>,
    /// Pieces are fetched in order.
    pub sequential: bool,
    /// Pieces are offered one by one (BEP 16).
    pub super_seed: bool,
    /// When seeding ends.
    pub goal: SeedGoal,
    /// Limits of this torrent.
    pub limits: TorrentLimits,
}

impl TorrentStatus {
    /// Tells whether everything wanted is verified and in place.
    pub fn is_complete(&self) -> bool {
        self.completed.is_some()
    }
}

/// How much of a connection is hidden from those on its way (Message Stream Encryption). It hides the protocol from
/// equipment that looks for it; it proves nothing about who the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PeerEncryption {
    /// Nothing.
    #[default]
    None,
    /// The handshakes; what follows is plain.
    Handshake,
    /// Everything, by RC4.
    Rc4,
}

/// A connection as it is now.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its number: no other connection of the torrent has it in this run.
    pub number: u32,
    /// The remote address; of a node met over the overlay, what stands for it.
    pub address: SocketAddr,
    /// The node, where it was met over the overlay.
    pub node: Option<base::NodeId>,
    /// What carries the connection.
    pub carrier: Carrier,
    /// How much of it is hidden.
    pub encryption: PeerEncryption,
    /// The client's name, from its extension handshake or peer id; a web seed's URL.
    pub client: String,
    /// Who opened it.
    pub direction: Direction,
    /// Where the address came from.
    pub source: Source,
    /// What is at the other end.
    pub kind: PeerKind,
    /// The share of pieces it has, 0 to 1.
    pub progress: f64,
    /// Payload received from it, in bytes per second.
    pub down_rate_bytes_per_s: u64,
    /// Payload sent to it, in bytes per second.
    pub up_rate_bytes_per_s: u64,
    /// Payload received from it, in bytes.
    pub downloaded: u64,
    /// Payload sent to it, in bytes.
    pub uploaded: u64,
    /// It chokes us.
    pub choking_us: bool,
    /// We choke it.
    pub choked: bool,
    /// It is interested in us.
    pub interested_in_us: bool,
    /// We are interested in it.
    pub interested: bool,
    /// Our requests that are not answered yet.
    pub requests: u32,
    /// It lets our requests wait for too long.
    pub snubbed: bool,
}

/// Which pieces are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PiecesStatus {
    /// Verified pieces.
    pub have: base::Bitfield,
    /// Pieces of which some blocks are requested or here.
    pub begun: Vec<PieceIndex>,
    /// Of each of as many equal runs of pieces: how many connected peers have its rarest piece.
    pub availability: Vec<u32>,
}

/// A file of a torrent as it is now.
#[derive(Clone, Debug)]
pub struct FileStatus {
    /// Its number.
    pub index: FileIndex,
    /// Its path below the torrent's folder, made of safe names.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// Bytes of it that lie in verified pieces.
    pub done_bytes: u64,
    /// How much it is wanted.
    pub priority: Priority,
    /// The pieces that it lies in.
    pub pieces: Range<u32>,
}

/// A tracker of a torrent as it is now.
#[derive(Clone, Debug)]
pub struct TrackerStatus {
    /// Its URL.
    pub url: String,
    /// Its tier, from 0 (BEP 12).
    pub tier: u32,
    /// What it said last: a warning, or why it failed.
    pub message: Option<String>,
    /// The last announce failed.
    pub failing: bool,
    /// When it was last heard.
    pub last_announce: Option<WallTime>,
    /// Time until it is asked next.
    pub next_announce: Option<Duration>,
    /// Seeds that it knows.
    pub seeds: Option<u32>,
    /// Downloaders that it knows.
    pub leechers: Option<u32>,
    /// Peers in its last answer.
    pub peers: u32,
}

/// One of the ways in which a torrent finds peers, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// The way.
    pub source: Source,
    /// Whether it is used for this torrent: switched on, and allowed where the torrent is private.
    pub enabled: bool,
    /// How many addresses it named in this run.
    pub given: u32,
    /// Of the connections that stand, those to addresses that it named first.
    pub connected: u32,
    /// What it last said or did: a sentence; empty where nothing happened yet.
    pub last_words: String,
    /// When that was.
    pub last_at: Option<WallTime>,
    /// When it is asked next.
    pub next_at: Option<WallTime>,
}

/// A web seed of a torrent as it is now.
#[derive(Clone, Debug)]
pub struct WebSeedStatus {
    /// Its URL.
    pub url: String,
    /// Why it failed last.
    pub message: Option<String>,
    /// The last request failed, or it cannot be asked.
    pub failing: bool,
    /// It has sent content.
    pub answered: bool,
}

/// Something that happened, for those who follow.
#[derive(Clone, Debug)]
pub enum SessionEvent {
    /// A torrent was added.
    Added(TorrentId),
    /// A torrent was removed.
    Removed(TorrentId),
    /// A torrent's metadata arrived: name, size and files are known.
    Metadata(TorrentId),
    /// A torrent does something else now.
    State(TorrentId, State),
    /// Everything wanted is verified, durable, and has its final name.
    Complete(TorrentId),
    /// A local failure stopped a torrent: one sentence.
    Failed(TorrentId, String),
    /// A goal was reached and seeding ended.
    GoalReached(TorrentId),
    /// A tracker said something (a warning or a failure).
    Tracker(TorrentId, String),
    /// A piece failed its hash.
    BadPiece(TorrentId, u32),
    /// A peer's address was banned.
    Banned(TorrentId, SocketAddr),
}

/// Why the session could not start.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// An address could not be listened on.
    #[error(transparent)]
    Listen(#[from] net::ListenError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::DbError),
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Http(#[from] net::HttpError),
    /// Something of the system failed.
    #[error("cannot start the file-sharing engine: {0}")]
    System(String),
}

/// Why a torrent could not be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The link or the file is not what it should be.
    #[error("{input}: {reason}")]
    Source {
        /// What was given, shortened.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The .torrent file could not be fetched.
    #[error("{url}: cannot fetch the torrent file: {reason}; check the link, or try again later")]
    Fetch {
        /// Its URL.
        url: String,
        /// What happened.
        reason: String,
    },
    /// A peer hint or a tracker is not usable.
    #[error("{0}")]
    Hint(String),
    /// It is here already, and others may have it or know of it.
    #[error("this torrent is here already under other rules of who may have it: remove it first")]
    OtherAudience(TorrentId),
    /// The torrent is here already with another folder.
    #[error("this torrent is here already, in {folder}: remove it first, or leave the folder as it is")]
    OtherFolder {
        /// The torrent.
        id: TorrentId,
        /// Where it is.
        folder: PathBuf,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::DbError),
    /// The session is shutting down.
    #[error("the node is shutting down: try again when it is started again")]
    ShuttingDown,
}

/// Why a call on a torrent failed.
#[derive(Debug, thiserror::Error)]
pub enum TorrentError {
    /// There is no such torrent.
    #[error("there is no torrent {0}: `compeer list` and GET /api/v1/torrents show those that are here")]
    Unknown(TorrentId),
    /// The torrent has no metadata yet.
    #[error("the torrent's metadata is not here yet: try again once it has found a peer")]
    NoMetadata,
    /// Only people's nodes may have it.
    #[error(
        "this torrent is confined to the people it was shared with: nobody else can be named; share its content with \
         them"
    )]
    Confined,
    /// A number names no file of the torrent.
    #[error("the torrent has no file {0}: its files are counted from 0")]
    NoSuchFile(u32),
    /// What somebody wants to read is not here and will not come as things are.
    #[error("{0}")]
    NotComing(String),
    /// Something given is not usable.
    #[error("{0}")]
    Input(String),
    /// The disk failed.
    #[error("{0}")]
    Disk(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] db::DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrents_own_limit_stands_for_the_general_one_but_not_above_the_most() {
        let limits = Limits { connections_per_torrent: 5, most_per_torrent: 9, ..Limits::default() };
        assert_eq!([None, Some(3), Some(7), Some(99)].map(|own| limits.of_torrent(own)), [5, 3, 7, 9]);
    }
}
