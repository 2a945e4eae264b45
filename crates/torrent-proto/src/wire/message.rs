//! The messages, decoded. Their bytes are the codec's business.

use core::net::IpAddr;

use bytes::Bytes;
use metainfo::{Block, PieceIndex};

use super::holepunch::HolepunchMessage;
use super::pex::PexMessage;

/// The 20 bytes that a client calls itself by (BEP 20).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

/// The reserved bits of a handshake that we know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Extension protocol (BEP 10).
    pub extension: bool,
    /// Fast extension (BEP 6).
    pub fast: bool,
    /// DHT port messages (BEP 5).
    pub dht: bool,
    /// The peer would rather speak v2 (BEP 52, upgrade of a hybrid's v1 connection).
    pub v2: bool,
}

/// A message of the peer wire. Payloads are slices of the buffer they arrived in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Nothing to say; the connection lives.
    KeepAlive,
    /// BEP 3: requests will not be answered.
    Choke,
    /// BEP 3: requests will be answered.
    Unchoke,
    /// BEP 3: the sender wants pieces that the receiver has.
    Interested,
    /// BEP 3: the sender wants none.
    NotInterested,
    /// BEP 3: the sender has this piece now.
    Have(PieceIndex),
    /// BEP 3: the pieces the sender has; kept raw, since the number of pieces may not be known yet.
    Bitfield(Bytes),
    /// BEP 3: please send.
    Request(Block),
    /// BEP 3: a block. `data` is as long as the block.
    Piece {
        /// Which piece.
        piece: PieceIndex,
        /// Where in it, in bytes.
        offset: u32,
        /// The bytes.
        data: Bytes,
    },
    /// BEP 3: a request is no longer wanted.
    Cancel(Block),
    /// BEP 5: the sender's DHT port.
    Port(u16),
    /// BEP 6: a piece that would be good to request.
    SuggestPiece(PieceIndex),
    /// BEP 6: the sender has everything.
    HaveAll,
    /// BEP 6: the sender has nothing.
    HaveNone,
    /// BEP 6: this request will not be answered.
    RejectRequest(Block),
    /// BEP 6: may be requested while choked.
    AllowedFast(PieceIndex),
    /// BEP 52: please send hashes.
    HashRequest(HashRequest),
    /// BEP 52: the hashes: `length` of the base layer, then the uncle hashes of the proof.
    Hashes {
        /// What they answer.
        request: HashRequest,
        /// The hashes, 32 bytes each.
        hashes: Vec<[u8; 32]>,
    },
    /// BEP 52: this hash request will not be answered.
    HashReject(HashRequest),
    /// BEP 10: the extension handshake.
    ExtensionHandshake(Box<ExtensionHandshake>),
    /// BEP 9: metadata exchange.
    Metadata(MetadataMessage),
    /// BEP 11: whom the sender is connected to.
    Pex(Box<PexMessage>),
    /// BEP 55: meeting behind address translation.
    Holepunch(HolepunchMessage),
    /// BEP 21: the sender will download nothing (more).
    UploadOnly(bool),
    /// BEP 54: the sender no longer has this piece.
    DontHave(PieceIndex),
    /// A message or extension that we do not know; ignored, as BEP 3 and 10 ask.
    Unknown {
        /// Its message id.
        id: u8,
        /// The length of its body, in bytes.
        length: u32,
    },
}

/// A request for hashes of a v2 file's merkle tree (BEP 52).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashRequest {
    /// The file, by the root of its tree.
    pub pieces_root: [u8; 32],
    /// The lowest layer asked for; 0 is the leaf layer of 16 KiB blocks.
    pub base_layer: u32,
    /// The first hash of that layer, a multiple of `length`.
    pub index: u32,
    /// How many hashes of that layer: a power of two. BEP 52 wants 2 to 512; others ask for 1, or for more.
    pub length: u32,
    /// How many layers of uncle hashes prove them.
    pub proof_layers: u32,
}

/// The extension handshake (BEP 10 and the extensions that add keys to it).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionHandshake {
    /// The ids under which the sender takes the extensions we know; 0: not taken.
    pub ids: ExtensionIds,
    /// `v`: the sender's client name and version, cut to 64 characters.
    pub client: Option<String>,
    /// `p`: the sender's listening TCP port.
    pub port: Option<u16>,
    /// `reqq`: how many requests the sender queues.
    pub request_queue: Option<u32>,
    /// `metadata_size` in bytes (BEP 9).
    pub metadata_size: Option<u32>,
    /// `yourip`: the receiver's address as the sender sees it.
    pub your_ip: Option<IpAddr>,
    /// `upload_only` (BEP 21).
    pub upload_only: bool,
    /// `e`: the sender prefers encrypted connections. In no BEP; Transmission and uTorrent say and read it.
    pub prefers_encryption: bool,
}

/// Extended message ids, 0 where an extension is not supported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// `ut_pex` (BEP 11).
    pub pex: u8,
    /// `ut_metadata` (BEP 9).
    pub metadata: u8,
    /// `upload_only` (BEP 21).
    pub upload_only: u8,
    /// `ut_holepunch` (BEP 55).
    pub holepunch: u8,
    /// `lt_donthave` (BEP 54).
    pub dont_have: u8,
}

/// A metadata message (BEP 9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataMessage {
    /// Please send this 16 KiB piece of the info dictionary.
    Request {
        /// Its number.
        piece: u32,
    },
    /// Here it is.
    Data {
        /// Its number.
        piece: u32,
        /// The size of the whole info dictionary, in bytes.
        total_size: u32,
        /// The bytes.
        data: Bytes,
    },
    /// It will not be sent.
    Reject {
        /// Its number.
        piece: u32,
    },
}

impl std::fmt::Debug for PeerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}
