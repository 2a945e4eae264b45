//! Indices and ranges inside a torrent.

use std::fmt;

/// The size of a block: the unit of requests and of v2 leaf hashes, in bytes (BEP 3, BEP 52).
pub const BLOCK_LEN: u32 = 16 * 1024;

/// The number of a piece, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PieceIndex(pub u32);

/// The number of a file in the torrent's order, padding files not counted, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileIndex(pub u32);

/// A range of bytes inside one piece, as requested and sent on the peer wire; usually 16 KiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// The piece.
    pub piece: PieceIndex,
    /// Where the range begins in the piece, in bytes.
    pub offset: u32,
    /// How long it is, in bytes.
    pub length: u32,
}

impl Block {
    /// Returns the offset of the first byte after the range.
    pub fn end(&self) -> u32 {
        self.offset.saturating_add(self.length)
    }
}

impl fmt::Debug for PieceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl fmt::Debug for FileIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}+{}..{}", self.piece, self.offset, self.end())
    }
}
