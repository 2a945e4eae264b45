//! Making torrents: a plan of the layout first, then the hashes of its pieces, then the torrent file. No I/O: whoever
//! hashes walks [`Plan::layout`] piece by piece, in any order and in parallel, and nothing else needs to be known of
//! versions, padding or trees.
//!
//! What is written is what libtorrent and mktorrent write for the same files and piece length, so that info-hashes
//! agree:
//!
//! - v1 lists files by the bytes of the whole path (`a-b/c` before `a/d`), as mktorrent and libtorrent 2.1 do;
//! - v2 and hybrids have the order of the file tree, by component (`a/d` before `a-b/c`), which BEP 52 demands;
//!   libtorrent 2.1 sorts hybrids by the whole path too, and then cannot read those where it matters;
//! - padding follows every file of a hybrid that does not end on a piece boundary, the last one too (as libtorrent does,
//!   although BEP 47 does not ask for it), but not a single file;
//! - `private` is left out unless set; executable files have `attr` `x` (mktorrent leaves that out).

mod plan;
mod write;

use crate::merkle::Hash;
use crate::{BLOCK_LEN, MAX_PIECE_LENGTH, MAX_PIECES};

pub use plan::Plan;

/// Automatic piece lengths make about this many pieces at most: few enough for a magnet's metadata to be small (40 KiB),
/// many enough for the swarm to spread. Arbitrary between what other programs do (1,000 to 3,000).
const TARGET_PIECES: u64 = 2048;

/// The largest automatic piece length, in bytes: above, a piece takes too long to be passed on. Transmission and mktorrent
/// stop at 16 MiB too.
const MAX_AUTOMATIC_PIECE_LENGTH: u64 = 16 * 1024 * 1024;

/// Which protocol versions a torrent can be fetched by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// BEP 3: every client takes it.
    #[default]
    V1,
    /// Both in one; padding files between the content.
    Hybrid,
    /// BEP 52 only.
    V2,
}

/// What the torrent is to say besides its content. The same options and content give the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which versions.
    pub mode: Mode,
    /// In bytes, a power of two of at least 16 KiB; `None`: chosen by the total length.
    pub piece_length: Option<u32>,
    /// Peers only from trackers (BEP 27).
    pub private: bool,
    /// Tracker URLs in tiers (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// Web seeds (BEP 19).
    pub web_seeds: Vec<String>,
    /// A remark.
    pub comment: Option<String>,
    /// The program that makes it.
    pub created_by: Option<String>,
    /// Gives the same content another info-hash.
    pub source: Option<String>,
    /// Random bytes in the info dictionary: whoever has the same content cannot tell from the info-hash that it is this.
    pub salt: Option<[u8; 32]>,
    /// Seconds since the UNIX epoch; left out by default, so that the output is deterministic.
    pub creation_date: Option<u64>,
}

/// A file to be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its components below the folder; empty when the torrent is this one file.
    pub path: Vec<String>,
    /// In bytes.
    pub length: u64,
    /// Whether it may be executed (BEP 47).
    pub executable: bool,
}

/// The hashes of all pieces of [`Plan::layout`], by piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceHashes {
    /// SHA-1 of each piece, padding (zeros) included; empty unless [`Plan::needs_v1`].
    pub v1: Vec<[u8; 20]>,
    /// The root over the leaves of each piece ([`crate::Layout::v2_piece`], [`crate::merkle::root`]); empty unless
    /// [`Plan::needs_v2`].
    pub v2: Vec<Hash>,
}

/// Why a torrent cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There is nothing to share.
    #[error("there is nothing to share: no file, or only empty ones")]
    NoContent,
    /// A name would arrive changed.
    #[error("{0:?} cannot be shared: receivers would have to change its name (control characters, \\ or not UTF-8)")]
    BadName(String),
    /// Two files with the same path, or a file in place of a folder.
    #[error("{0:?} is there twice")]
    Duplicate(String),
    /// The piece length is not allowed.
    #[error("a piece length of {0} bytes is not allowed: a power of two from {BLOCK_LEN} to {MAX_PIECE_LENGTH} is")]
    BadPieceLength(u32),
    /// Too many pieces.
    #[error("with pieces of {0} bytes there would be more than {MAX_PIECES} of them: choose longer ones")]
    TooManyPieces(u32),
    /// Folders are nested deeper than readers accept.
    #[error("{0:?} lies too deep in folders")]
    TooDeep(String),
    /// BEP 52 cannot tell a folder with one file of the same name from that file alone.
    #[error("a folder with only a file {0:?} of the same name cannot be shared as v2: share the file, or as v1")]
    LikeItsFolder(String),
    /// The hashes do not fit the plan: a bug of the caller, or files that changed.
    #[error("{given} hashes of pieces were given where {expected} are needed")]
    WrongHashes {
        /// How many came.
        given: usize,
        /// How many pieces there are.
        expected: u32,
    },
}

/// Returns the piece length for content of this many bytes.
pub fn automatic_piece_length(total: u64) -> u32 {
    let least = total.div_ceil(TARGET_PIECES).next_power_of_two();
    let mut length = least.clamp(u64::from(BLOCK_LEN), MAX_AUTOMATIC_PIECE_LENGTH);
    while total.div_ceil(length) > u64::from(MAX_PIECES) && length < u64::from(MAX_PIECE_LENGTH) {
        length *= 2;
    }
    // At most MAX_PIECE_LENGTH, a u32.
    length as u32
}
