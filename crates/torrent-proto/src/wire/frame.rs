//! Frames: where a message ends, and how long each kind may be.
//!
//! Every limit is checked as soon as the length and the message id are there, before the body is buffered, so that a
//! hostile length costs nothing.

use metainfo::{BLOCK_LEN, Block, MAX_PIECES, PieceIndex};

/// The length before every message, in bytes (BEP 3).
pub const LENGTH_PREFIX: usize = 4;

/// Length, id, piece and offset: what stands before the payload of a `Piece` message, in bytes (BEP 3).
pub const PIECE_HEADER_LEN: usize = LENGTH_PREFIX + 9;

/// The longest bitfield read, in bytes: that of the largest torrent we accept.
pub const MAX_BITFIELD_LEN: u32 = MAX_PIECES.div_ceil(8);

/// The longest body of an extended message: a metadata piece of 16 KiB with its dictionary is the longest that we take
/// ourselves; twice that leaves room for extensions that we only skip (arbitrary).
pub const MAX_EXTENDED_LEN: u32 = 2 * BLOCK_LEN;

/// The most hashes of the base layer in one message (BEP 52: no more than 512 should be asked for).
pub const MAX_HASHES: u32 = 512;

/// The most layers of uncle hashes in one message: a tree over 2^64 bytes has 50 (BEP 52).
pub const MAX_PROOF_LAYERS: u32 = 50;

/// The longest frame of any kind, with its length: what a receive buffer must be able to hold, in bytes.
pub const MAX_FRAME_LEN: usize = LENGTH_PREFIX + 1 + MAX_BITFIELD_LEN as usize;

/// Message ids (BEP 3, 5, 6, 10, 52).
pub(super) mod id {
    pub const CHOKE: u8 = 0;
    pub const UNCHOKE: u8 = 1;
    pub const INTERESTED: u8 = 2;
    pub const NOT_INTERESTED: u8 = 3;
    pub const HAVE: u8 = 4;
    pub const BITFIELD: u8 = 5;
    pub const REQUEST: u8 = 6;
    pub const PIECE: u8 = 7;
    pub const CANCEL: u8 = 8;
    pub const PORT: u8 = 9;
    pub const SUGGEST_PIECE: u8 = 13;
    pub const HAVE_ALL: u8 = 14;
    pub const HAVE_NONE: u8 = 15;
    pub const REJECT_REQUEST: u8 = 16;
    pub const ALLOWED_FAST: u8 = 17;
    pub const EXTENDED: u8 = 20;
    pub const HASH_REQUEST: u8 = 21;
    pub const HASHES: u8 = 22;
    pub const HASH_REJECT: u8 = 23;
}

/// The body of a hash request: root, base layer, index, length, proof layers (BEP 52).
pub(super) const HASH_REQUEST_LEN: usize = 32 + 4 * 4;

/// What a peer did wrong on the wire. The connection cannot go on: where the next message begins is in doubt, or the
/// peer does not speak the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The first bytes are no BitTorrent handshake.
    #[error("the peer did not begin with a BitTorrent handshake")]
    NotBitTorrent,
    /// A frame is longer than its kind may be.
    #[error("message {id} claims {length} bytes, more than its kind may have")]
    TooLong {
        /// Its message id.
        id: u8,
        /// The length it claims, without the prefix.
        length: u32,
    },
    /// A message has not the length of its kind.
    #[error("message {id} has {length} bytes, which its kind cannot have")]
    BadLength {
        /// Its message id.
        id: u8,
        /// Its length, without the prefix.
        length: u32,
    },
    /// An extended message does not hold the dictionary it should.
    #[error("the dictionary of an extended message is malformed")]
    BadDictionary,
    /// A field has a value that its specification forbids.
    #[error("message {id} holds a value that its specification forbids")]
    BadValue {
        /// Its message id.
        id: u8,
    },
}

impl WireError {
    /// Names the offence without its numbers, for counting and for a disconnect reason.
    pub fn kind(self) -> &'static str {
        match self {
            WireError::NotBitTorrent => "no BitTorrent handshake",
            WireError::TooLong { .. } => "a message too long",
            WireError::BadLength { .. } => "a message of a wrong length",
            WireError::BadDictionary => "a malformed dictionary",
            WireError::BadValue { .. } => "a forbidden value",
        }
    }
}

/// Returns how many bytes the first frame in `bytes` takes, its length prefix included, once that is known; `None` while
/// more bytes are needed to tell. The frame itself may still be incomplete. Refuses a length that its kind cannot have.
pub fn frame_len(bytes: &[u8]) -> Result<Option<usize>, WireError> {
    let Some(prefix) = bytes.first_chunk::<LENGTH_PREFIX>() else { return Ok(None) };
    let length = u32::from_be_bytes(*prefix);
    if length == 0 {
        return Ok(Some(LENGTH_PREFIX));
    }
    let Some(&id) = bytes.get(LENGTH_PREFIX) else { return Ok(None) };
    if length - 1 > max_body(id) {
        return Err(WireError::TooLong { id, length });
    }
    Ok(Some(LENGTH_PREFIX + length as usize))
}

/// Returns the length of the first frame in `bytes`, its length prefix included; `None` while it is incomplete. Refuses
/// a length that its kind cannot have.
pub fn split_frame(bytes: &[u8]) -> Result<Option<usize>, WireError> {
    Ok(frame_len(bytes)?.filter(|&length| length <= bytes.len()))
}

/// Returns the block that a frame carries, if the frame is a `Piece` whose header is complete. Lets a reader put the
/// payload where it belongs before all of it is there. Call after [`frame_len`] accepted the frame.
pub fn piece_header(bytes: &[u8]) -> Option<Block> {
    let header = bytes.first_chunk::<PIECE_HEADER_LEN>()?;
    if header[4] != id::PIECE {
        return None;
    }
    let length = u32_at(header, 0).checked_sub(9)?;
    Some(Block { piece: PieceIndex(u32_at(header, 5)), offset: u32_at(header, 9), length })
}

/// Returns the longest body of a kind of message, in bytes.
fn max_body(id: u8) -> u32 {
    match id {
        id::CHOKE | id::UNCHOKE | id::INTERESTED | id::NOT_INTERESTED | id::HAVE_ALL | id::HAVE_NONE => 0,
        id::HAVE | id::SUGGEST_PIECE | id::ALLOWED_FAST => 4,
        id::PORT => 2,
        id::REQUEST | id::CANCEL | id::REJECT_REQUEST => 12,
        id::BITFIELD => MAX_BITFIELD_LEN,
        id::PIECE => 8 + BLOCK_LEN,
        id::HASH_REQUEST | id::HASH_REJECT => HASH_REQUEST_LEN as u32,
        id::HASHES => HASH_REQUEST_LEN as u32 + 32 * (MAX_HASHES + MAX_PROOF_LAYERS),
        // Also what we do not know: nothing that peers send unasked is longer than an extended message.
        _ => MAX_EXTENDED_LEN,
    }
}

/// Reads a big-endian number. Panics when `bytes` ends before it: callers have checked the length.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
