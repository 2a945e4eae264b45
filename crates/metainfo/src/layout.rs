//! How the pieces of a torrent lie over its files.
//!
//! All files lie in one *space* of bytes that is cut into pieces of equal length. In a v1 torrent they follow one
//! another; in a hybrid padding fills the room up to the next piece boundary (BEP 47), and counts as content of the
//! piece on the wire; in a v2-only torrent each file begins on a piece boundary and the room behind it does not exist,
//! so that the last piece of every file may be short (BEP 52).

use std::ops::Range;

use crate::{BLOCK_LEN, Block, FileIndex, PieceIndex};

/// A file of a torrent. Padding and symbolic links are not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it lies below the download folder, the torrent's own name first; safe components (see [`crate::names`]).
    pub path: Vec<String>,
    /// In bytes.
    pub length: u64,
    /// Where it begins in the space, in bytes.
    pub offset: u64,
    /// Whether it is meant to be executed (BEP 47).
    pub executable: bool,
    /// The root of its merkle tree (v2 and hybrid; `None` for empty files).
    pub pieces_root: Option<[u8; 32]>,
    /// Its number in the torrent's own list, where padding files count too (what BEP 53 selects by).
    pub position: u32,
}

impl File {
    /// Returns where the file ends in the space, in bytes.
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// How pieces, files and blocks of a torrent lie over one another. Invariant: files are in ascending order, do not
/// overlap, and end within the space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    piece_length: u32,
    piece_count: u32,
    /// Where the last piece ends.
    space: u64,
    payload: u64,
    arrangement: Arrangement,
    files: Vec<File>,
}

/// How files follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrangement {
    /// v1: one after the other; pieces may span files.
    Packed,
    /// Hybrid: each on a piece boundary, padding between.
    Padded,
    /// v2-only: each on a piece boundary, nothing between.
    Aligned,
}

/// A part of a block that lies in one file or in padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The file; `None`: padding, which reads as zeros and is never stored.
    pub file: Option<FileIndex>,
    /// Where it begins in the file, in bytes; 0 in padding.
    pub file_offset: u64,
    /// Where it begins in the block, in bytes.
    pub block_offset: u32,
    /// How long it is, in bytes.
    pub length: u32,
}

/// What a piece is in the merkle tree of its file (v2 and hybrid).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V2Piece {
    /// The only file with bytes in the piece.
    pub file: FileIndex,
    /// How many bytes of the piece are the file's: leaves are hashed over these, never over padding.
    pub length: u32,
    /// How many leaves wide its subtree is, a power of two: leaves beyond the data are zero hashes.
    pub width: u32,
}

/// Why a block cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBlock {
    /// The torrent has no such piece.
    #[error("there is no piece {0:?}")]
    NoSuchPiece(PieceIndex),
    /// Empty, or longer than [`BLOCK_LEN`]: BEP 3 knows no longer requests.
    #[error("a block of {0} bytes: 1 to {BLOCK_LEN} are allowed")]
    BadLength(u32),
    /// Reaches over the end of the piece.
    #[error("{0:?} reaches over the end of its piece")]
    OutOfPiece(Block),
}

impl Layout {
    /// Lays files out that have their `offset` already; `space` is where the last byte (padding too) ends. The caller
    /// has checked that there are at most [`crate::MAX_PIECES`] pieces, and some content.
    pub(crate) fn new(piece_length: u32, arrangement: Arrangement, files: Vec<File>, space: u64) -> Layout {
        let piece_count = space.div_ceil(u64::from(piece_length)) as u32;
        let payload = files.iter().map(|file| file.length).sum();
        debug_assert!(files.windows(2).all(|pair| pair[0].end() <= pair[1].offset), "files in order");
        debug_assert!(files.last().is_none_or(|last| last.end() <= space), "files within the space");
        Layout { piece_length, piece_count, space, payload, arrangement, files }
    }

    /// Returns the nominal length of a piece, in bytes.
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// Returns the number of pieces.
    pub fn piece_count(&self) -> u32 {
        self.piece_count
    }

    /// Returns the bytes of all files, padding not counted.
    pub fn total_length(&self) -> u64 {
        self.payload
    }

    /// Returns the files, padding not listed.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Returns a file; `None` beyond the last.
    pub fn file(&self, index: FileIndex) -> Option<&File> {
        self.files.get(index.0 as usize)
    }

    /// Returns the file that has this number in the torrent's own list (BEP 53); `None` for padding.
    pub fn file_at_position(&self, position: u32) -> Option<FileIndex> {
        self.files.binary_search_by_key(&position, |file| file.position).ok().map(|i| FileIndex(i as u32))
    }

    /// Returns all pieces in ascending order.
    pub fn pieces(&self) -> impl DoubleEndedIterator<Item = PieceIndex> + ExactSizeIterator + use<> {
        (0..self.piece_count).map(PieceIndex)
    }

    /// Returns the length of a piece on the wire, in bytes: padding counts, the room behind a v2-only file does not.
    /// 0 beyond the last piece.
    pub fn piece_len(&self, piece: PieceIndex) -> u32 {
        if piece.0 >= self.piece_count {
            return 0;
        }
        let start = self.start(piece);
        let end = match self.arrangement {
            Arrangement::Aligned => self.files[self.first_file_ending_after(start)].end(),
            Arrangement::Packed | Arrangement::Padded => self.space,
        };
        // No more than a piece length, which is a u32.
        (end - start).min(u64::from(self.piece_length)) as u32
    }

    /// Returns how many blocks a piece has.
    pub fn block_count(&self, piece: PieceIndex) -> u32 {
        self.piece_len(piece).div_ceil(BLOCK_LEN)
    }

    /// Returns the blocks of a piece, all of [`BLOCK_LEN`] but perhaps the last.
    pub fn blocks(&self, piece: PieceIndex) -> impl ExactSizeIterator<Item = Block> + use<> {
        let len = self.piece_len(piece);
        (0..len.div_ceil(BLOCK_LEN)).map(move |i| {
            let offset = i * BLOCK_LEN;
            Block { piece, offset, length: BLOCK_LEN.min(len - offset) }
        })
    }

    /// Checks that a block may be asked for.
    pub fn check(&self, block: Block) -> Result<(), BadBlock> {
        if block.piece.0 >= self.piece_count {
            return Err(BadBlock::NoSuchPiece(block.piece));
        }
        if block.length == 0 || block.length > BLOCK_LEN {
            return Err(BadBlock::BadLength(block.length));
        }
        match block.offset.checked_add(block.length) {
            Some(end) if end <= self.piece_len(block.piece) => Ok(()),
            _ => Err(BadBlock::OutOfPiece(block)),
        }
    }

    /// Returns the parts of a block (of any length), in ascending order and without gaps; what lies beyond the end of
    /// the piece is left out.
    pub fn file_ranges(&self, block: Block) -> impl Iterator<Item = Segment> + '_ {
        let len = u64::from(self.piece_len(block.piece));
        let piece_start = self.start(block.piece);
        let start = piece_start + u64::from(block.offset).min(len);
        let end = piece_start + u64::from(block.end()).min(len);
        Segments { files: &self.files, next: self.first_file_ending_after(start), start, at: start, end }
    }

    /// Returns the pieces that hold bytes of a file; empty for an empty file.
    pub fn file_pieces(&self, file: FileIndex) -> Range<u32> {
        let piece = u64::from(self.piece_length);
        match self.file(file) {
            Some(file) if file.length > 0 => (file.offset / piece) as u32..((file.end() - 1) / piece) as u32 + 1,
            _ => 0..0,
        }
    }

    /// Returns the files with bytes in a piece, in ascending order.
    pub fn piece_files(&self, piece: PieceIndex) -> impl Iterator<Item = FileIndex> + '_ {
        let whole = Block { piece, offset: 0, length: self.piece_len(piece) };
        self.file_ranges(whole).filter_map(|segment| segment.file)
    }

    /// Returns what a piece is in the merkle tree of its file; `None` in a v1 torrent.
    pub fn v2_piece(&self, piece: PieceIndex) -> Option<V2Piece> {
        if self.arrangement == Arrangement::Packed || piece.0 >= self.piece_count {
            return None;
        }
        let start = self.start(piece);
        let index = self.first_file_ending_after(start);
        let file = self.files.get(index)?;
        let length = (file.end().checked_sub(start)?).min(u64::from(self.piece_length)) as u32;
        let width = if file.length > u64::from(self.piece_length) {
            self.piece_length / BLOCK_LEN
        } else {
            length.div_ceil(BLOCK_LEN).next_power_of_two()
        };
        Some(V2Piece { file: FileIndex(index as u32), length, width })
    }

    fn start(&self, piece: PieceIndex) -> u64 {
        u64::from(piece.0) * u64::from(self.piece_length)
    }

    fn first_file_ending_after(&self, at: u64) -> usize {
        self.files.partition_point(|file| file.end() <= at)
    }
}

struct Segments<'a> {
    files: &'a [File],
    next: usize,
    start: u64,
    at: u64,
    end: u64,
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        if self.at >= self.end {
            return None;
        }
        while self.files.get(self.next).is_some_and(|file| file.end() <= self.at) {
            self.next += 1;
        }
        let file = self.files.get(self.next);
        let (index, file_offset, until) = match file {
            Some(file) if file.offset <= self.at => {
                (Some(FileIndex(self.next as u32)), self.at - file.offset, file.end())
            }
            Some(file) => (None, 0, file.offset),
            None => (None, 0, self.end),
        };
        let until = until.min(self.end);
        // Within one block, whose length is a u32.
        let segment = Segment {
            file: index,
            file_offset,
            block_offset: (self.at - self.start) as u32,
            length: (until - self.at) as u32,
        };
        self.at = until;
        Some(segment)
    }
}

#[cfg(test)]
mod tests;
