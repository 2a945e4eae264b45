//! What goes into the torrent state machine and what comes out of it.

use core::net::SocketAddr;
use std::sync::Arc;

use base::Bitfield;
use bytes::Bytes;
use metainfo::{Block, FileIndex, Info, InfoHashV1, PieceIndex};

use crate::wire::{Message, PeerId, Reserved};

/// A connection of this torrent, numbered by the driver; never used twice in one torrent's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub u32);

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// The remote end dialled us.
    Incoming,
    /// We dialled.
    Outgoing,
}

/// What is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerKind {
    /// A peer of the swarm.
    Wire,
    /// A web seed (BEP 19): it has everything, never chokes and asks for nothing.
    WebSeed,
}

/// Where the address of a peer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The user named it (`--peer`) or a link did (`x.pe`).
    Hint,
    /// A tracker named it.
    Tracker,
    /// It dialled us.
    Incoming,
    /// It was known from an earlier run.
    Resume,
    /// The torrent names it as a web seed.
    WebSeed,
    /// A node of the DHT named it (BEP 5).
    Dht,
    /// A connected peer named it (BEP 11).
    Pex,
    /// It was heard of on the local network (BEP 14).
    Lsd,
    /// It is a node of somebody who may have a confined torrent.
    People,
}

/// How much a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Not fetched.
    Skip,
    /// After everything else.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

/// What the torrent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The info dictionary is being fetched from peers.
    Metadata,
    /// Data on disk is being hashed.
    Checking,
    /// Wanted pieces are missing.
    Downloading,
    /// Nothing wanted is missing.
    Seeding,
    /// The user paused it.
    Paused,
    /// A local failure stopped it; see the [`Event::Failed`] that said so. `Command::Resume` tries again.
    Failed,
}

/// A connection whose handshakes are done.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Its number.
    pub peer: PeerKey,
    /// The remote address. For an incoming connection the port is not one that can be dialled.
    pub address: SocketAddr,
    /// Who opened it.
    pub direction: Direction,
    /// Where its address came from.
    pub source: Source,
    /// What is at the other end.
    pub kind: PeerKind,
    /// The name under which the two met: tells whether the connection speaks v1 or v2.
    pub info_hash: InfoHashV1,
    /// It runs over uTP (BEP 29).
    pub utp: bool,
    /// The remote end's reserved bits.
    pub reserved: Reserved,
    /// The remote end's peer id.
    pub peer_id: PeerId,
}

/// Everything that can happen to a torrent.
#[derive(Debug)]
pub enum Input {
    /// The user or the session wants something.
    Command(Command),
    /// Addresses of peers were learned.
    Candidates {
        /// From whom.
        source: Source,
        /// The addresses; the peer list bounds how many are kept.
        addresses: Vec<SocketAddr>,
    },
    /// A dial asked for by [`Output::Dial`] came to nothing.
    DialFailed {
        /// The address.
        address: SocketAddr,
    },
    /// A connection stands (also the success of a dial).
    Connected(Connected),
    /// What one read of a connection brought.
    Received {
        /// From whom.
        peer: PeerKey,
        /// In order.
        messages: Vec<Message>,
    },
    /// Payload of [`Output::Upload`] was handed to the socket.
    Uploaded {
        /// To whom.
        peer: PeerKey,
        /// The blocks, which no longer count as being uploaded.
        blocks: Vec<Block>,
    },
    /// Blocks asked for by [`Output::Upload`] could not be read; they no longer count as being uploaded.
    UploadFailed {
        /// To whom.
        peer: PeerKey,
        /// The blocks.
        blocks: Vec<Block>,
        /// Why. The torrent stops with it: data that we claim to have is not there.
        error: DiskError,
    },
    /// A connection is gone, whoever closed it (also after [`Output::Disconnect`]).
    Disconnected {
        /// Which.
        peer: PeerKey,
    },
    /// The disk answers a [`DiskOrder`].
    Disk(DiskAnswer),
    /// A time limit that [`super::Torrent::poll_timeout`] named has passed.
    Timeout,
}

/// What the user or the session wants of a torrent.
#[derive(Clone, Debug)]
pub enum Command {
    /// Stop all transfer and close all connections.
    Pause,
    /// Fetch the metadata, then do what [`Command::Pause`] does before any file is opened; until [`Command::Resume`]. Where
    /// it is known, nothing happens.
    PauseWithMetadata,
    /// Go on; after a failure, try again.
    Resume,
    /// There may be more room on the disk: whoever waits for some asks again.
    RoomMade,
    /// Hash everything on disk again.
    Recheck,
    /// Change how much files are wanted.
    Prioritise(Vec<(FileIndex, Priority)>),
    /// Fetch pieces in order.
    Sequential(bool),
    /// A reader needs these pieces, in this order, as soon as possible; replaces the earlier list.
    Deadlines(Vec<PieceIndex>),
    /// Offer pieces one by one so that the first copy spreads fastest (BEP 16).
    SuperSeed(bool),
    /// Change how many peers are unchoked at most; `None`: adapts to capacity.
    UploadSlots(Option<u32>),
    /// Change how many connections this torrent may hold.
    MaxPeers(u32),
    /// Others reach us by another port now, or not at all.
    ListenPort(Option<u16>),
    /// A router maps this IPv4 UDP port to our DHT node, or none any more.
    MappedDhtPort(Option<u16>),
    /// Of a confined torrent: these nodes may have it, by their stand-ins, and nobody else any more.
    Audience(Vec<SocketAddr>),
}

/// What the torrent wants done. Drained in order after every input.
#[derive(Debug)]
pub enum Output {
    /// Connect to a peer; answered by `Connected` or `DialFailed`.
    Dial {
        /// Whom.
        address: SocketAddr,
        /// Where the address came from, to be echoed in `Connected`.
        source: Source,
        /// The other end dials us at this moment too, told by a relay (BEP 55): over uTP only.
        punch: bool,
    },
    /// Send these messages; never `Piece` (see `Upload`), and `Have` only to reveal a piece to one peer.
    Send {
        /// To whom.
        peer: PeerKey,
        /// In order.
        messages: Vec<Message>,
    },
    /// Read these blocks and send them; answered by `Uploaded` or `UploadFailed`, unless the peer disconnects.
    Upload {
        /// To whom.
        peer: PeerKey,
        /// In order.
        blocks: Vec<Block>,
    },
    /// Tell every connected peer, by its own cursor, that we have this piece.
    Have(PieceIndex),
    /// Close a connection; answered by `Disconnected`.
    Disconnect {
        /// Which.
        peer: PeerKey,
        /// Why, and whose fault it was.
        reason: Reason,
    },
    /// Something for the disk.
    Disk(DiskOrder),
    /// More peers would help: ask trackers and other sources now, within their own limits.
    WantPeers,
    /// A peer says that a node of the DHT answers there (BEP 5): at most one a connection.
    DhtNode {
        /// Where.
        address: SocketAddr,
    },
    /// Store this: a restart begins from it.
    Persist(Resume),
    /// Something that the user may want to know.
    Event(Event),
}

/// An order to the disk. Orders that touch the same piece are carried out in the order given.
#[derive(Debug)]
pub enum DiskOrder {
    /// The metainfo is known: open the storage. Answered by `Opened`.
    Open {
        /// The info dictionary.
        info: Arc<Info>,
    },
    /// Write these blocks; the bytes are hashed while they are warm. Answered by one `Wrote`, or `Failed`.
    Write {
        /// Blocks and their bytes.
        blocks: Vec<(Block, Bytes)>,
    },
    /// All blocks of this piece were given to `Write`: compare its hash. Answered by `Verified`, or `Failed`.
    Verify {
        /// The piece.
        piece: PieceIndex,
        /// What it must hash to.
        expected: PieceHash,
    },
    /// Hash what is on disk. Answered by a `Checked` a piece, in any order, then one `CheckDone`.
    Check {
        /// Which pieces.
        scope: CheckScope,
        /// What they must hash to: one entry a piece of the torrent; `None` where the hash is not known yet.
        expected: Arc<Vec<Option<PieceHash>>>,
    },
    /// Stop the check that runs; `CheckDone` still comes.
    StopCheck,
    /// Hash the leaves (SHA-256 of every 16 KiB block) of a piece that we have. Answered by `Leaves`.
    HashLeaves {
        /// The piece.
        piece: PieceIndex,
    },
    /// These files were changed: no bytes of skipped files are created, wanted ones move out of the part file.
    Wanted {
        /// For each file, whether it is wanted.
        wanted: Vec<bool>,
    },
    /// Writing failed because there was no room: is there any now? Answered by `Room`.
    Room,
    /// Make everything verified so far durable. Answered by `Flushed`, or `Failed`.
    Flush,
    /// All wanted files are complete and flushed: give them their final names. Answered by `Finished`, or `Failed`.
    Finish,
    /// Close all file handles (pause, long idleness); they are opened again as needed. No answer.
    Close,
}

/// Which pieces a check covers.
#[derive(Clone, Debug)]
pub enum CheckScope {
    /// All of them.
    All,
    /// Those not in the set, where the files hold any data (after a crash: what may have been written since the last
    /// flush).
    AllBut(Bitfield),
}

/// What a piece must hash to. Invariant: at least one is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceHash {
    /// SHA-1 of the piece (v1).
    pub v1: Option<[u8; 20]>,
    /// Merkle root of the piece's blocks in its file's tree (v2).
    pub v2: Option<[u8; 32]>,
}

/// What became of an order.
#[derive(Debug)]
pub enum DiskAnswer {
    /// The storage is open.
    Opened {
        /// Whether any file of the torrent was there already, so that a check makes sense.
        found_data: bool,
    },
    /// The blocks of one `Write` are in the files (page cache).
    Wrote {
        /// Which.
        blocks: Vec<Block>,
    },
    /// A `Verify` is done.
    Verified {
        /// The piece.
        piece: PieceIndex,
        /// Its outcome.
        outcome: VerifyOutcome,
    },
    /// A piece of a check is done.
    Checked {
        /// The piece.
        piece: PieceIndex,
        /// Whether its hash is right.
        good: bool,
    },
    /// The check is over.
    CheckDone,
    /// The leaf hashes of a piece; `None` when it could not be read.
    Leaves {
        /// The piece.
        piece: PieceIndex,
        /// SHA-256 of each block.
        leaves: Option<Vec<[u8; 32]>>,
    },
    /// Whether there is room to write, as far as can be told without writing.
    Room(Result<(), DiskError>),
    /// A flush is done: everything written before it is durable.
    Flushed,
    /// The files have their final names.
    Finished,
    /// An order failed for a local reason. Writes of the order did not happen.
    Failed {
        /// The blocks of a `Write` that failed.
        blocks: Vec<Block>,
        /// The piece of a `Verify` that failed.
        piece: Option<PieceIndex>,
        /// Why.
        error: DiskError,
    },
}

/// How a piece came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyOutcome {
    /// Every expected hash matches.
    Good,
    /// One does not.
    Bad {
        /// SHA-256 of each block as written, where the torrent is v2 or hybrid.
        leaves: Option<Vec<[u8; 32]>>,
    },
}

/// A local failure of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    /// No room is left: trying again later makes sense.
    pub full: bool,
    /// What happened, naming the path.
    pub message: String,
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The torrent was paused or removed.
    Stopped,
    /// A second connection to the same peer.
    Duplicate,
    /// We reached ourselves.
    Itself,
    /// Both ends have everything.
    BothSeeds,
    /// Too many connections.
    TooMany,
    /// Nothing was heard for too long.
    TimedOut,
    /// The peer broke the protocol: what it did.
    Protocol(&'static str),
    /// We no longer have a piece that we said we have, and the peer cannot be told.
    LostPiece,
    /// The peer sent bad data (proven).
    BadData,
    /// The peer is banned.
    Banned,
    /// The torrent is confined, and the peer is none of those who may have it.
    NotAdmitted,
    /// The metadata turned out to be private and the peer came from elsewhere than a tracker (BEP 27).
    Private,
}

/// What a restart begins from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Pieces verified and durable.
    pub have: Bitfield,
    /// Nothing was written since the flush behind `have`, so that no check is due.
    pub clean: bool,
    /// Payload bytes ever downloaded and uploaded, and bytes wasted.
    pub downloaded: u64,
    /// See `downloaded`.
    pub uploaded: u64,
}

/// Something that the user may want to know.
#[derive(Clone, Debug)]
pub enum Event {
    /// The info dictionary arrived, checked against the info-hash.
    Metadata(Arc<Info>),
    /// All piece layers of v2 files are known: the .torrent file can be written in full.
    PieceLayers,
    /// The state changed.
    State(State),
    /// All wanted pieces are verified, durable, and the files have their final names.
    Complete,
    /// A pause is complete: all verified data is durable and persisted, the files are closed.
    Settled,
    /// A piece failed its hash.
    BadPiece {
        /// Which.
        piece: PieceIndex,
    },
    /// An address was banned.
    Banned {
        /// Whose.
        address: SocketAddr,
    },
    /// A local failure stopped the torrent.
    Failed(DiskError),
}
