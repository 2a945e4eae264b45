//! The info dictionary: what a torrent is (BEP 3, 27, 47, 52).

mod entries;
mod fields;
mod parse;

use std::fmt;

use bytes::Bytes;

use crate::deviation::Deviations;
use crate::{InfoHashes, Layout, MetainfoError, PieceIndex};

/// The largest piece length that is accepted, in bytes: the largest that common clients create (qBittorrent 5).
pub const MAX_PIECE_LENGTH: u32 = 256 * 1024 * 1024;

/// The largest number of pieces that is accepted; libtorrent's limit as well. It bounds what a small v2 info dictionary
/// with huge file lengths makes us allocate.
pub const MAX_PIECES: u32 = 1 << 21;

/// A parsed and validated info dictionary. Invariant: everything agrees with `raw`.
#[derive(Clone, PartialEq, Eq)]
pub struct Info {
    raw: Bytes,
    hashes: InfoHashes,
    name: String,
    private: bool,
    source: Option<String>,
    layout: Layout,
    links: Vec<Link>,
    /// The v1 piece hashes, a slice of `raw`.
    pieces: Option<Bytes>,
    has_v2: bool,
}

/// A symbolic link that a torrent lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it would lie below the download folder; safe components.
    pub path: Vec<String>,
    /// What it would point to, as the torrent says; not made safe.
    pub target: String,
}

impl Info {
    /// Parses and validates an info dictionary. Error offsets count from its first byte.
    pub fn from_bytes(raw: Bytes) -> Result<Info, MetainfoError> {
        parse::parse(raw, &mut Deviations::new())
    }

    /// Parses and validates, and notes what was accepted although it should not be there.
    pub(crate) fn from_bytes_noting(raw: Bytes, deviations: &mut Deviations) -> Result<Info, MetainfoError> {
        parse::parse(raw, deviations)
    }

    /// Returns the bytes that the info-hashes are taken over.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Returns the torrent's names.
    pub fn hashes(&self) -> InfoHashes {
        self.hashes
    }

    /// Returns the name of the file or folder, safe to show and to use as a path component.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells whether peers may come from its trackers only (BEP 27).
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// Returns the `source` key, which some trackers use to give the same content another info-hash.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Returns how pieces lie over files.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the symbolic links that the torrent lists (BEP 47). They are told, never made: one could lead anywhere.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Tells whether it can be fetched as a v1 torrent (v1 or hybrid).
    pub fn has_v1(&self) -> bool {
        self.pieces.is_some()
    }

    /// Tells whether it can be fetched as a v2 torrent (v2 or hybrid).
    pub fn has_v2(&self) -> bool {
        self.has_v2
    }

    /// Returns the SHA-1 of a piece; `None` in a v2-only torrent and beyond the last piece.
    pub fn piece_hash_v1(&self, piece: PieceIndex) -> Option<[u8; 20]> {
        let start = piece.0 as usize * 20;
        self.pieces.as_ref()?.get(start..start + 20)?.try_into().ok()
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Info({:?}, {:?}, {} pieces)", self.name, self.hashes, self.layout.piece_count())
    }
}

#[cfg(test)]
mod tests;
