//! Making torrents: a plan of the layout first, then the hashes of its pieces, then the torrent file. No I/O: whoever
//! hashes walks [`Plan::layout`] piece by piece, in any order and in parallel.

use std::sync::Arc;

use crate::merkle::Hash;
use crate::{Layout, TorrentFile};

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
    /// In bytes; `None`: chosen by the total length.
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
    /// SHA-1 of each piece, padding included; empty unless [`Plan::needs_v1`].
    pub v1: Vec<[u8; 20]>,
    /// The merkle root of each piece ([`crate::V2Piece`], [`crate::merkle::root`]); empty unless [`Plan::needs_v2`].
    pub v2: Vec<Hash>,
}

/// Why a torrent cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There is nothing to share.
    #[error("there is no file to share")]
    NoFiles,
}

/// A torrent whose content is known by name and length, but not yet hashed.
#[derive(Clone, Debug)]
pub struct Plan {
    layout: Layout,
    options: Options,
    order: Vec<usize>,
}

impl Plan {
    /// Plans a torrent called `name`, of one file (with an empty path) or of the files of a folder, in any order.
    pub fn new(_name: &str, _files: Vec<SourceFile>, _options: Options) -> Result<Plan, CreateError> {
        Err(CreateError::NoFiles)
    }

    /// Returns how pieces lie over the files: the same layout that the finished torrent has.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the source files' numbers (as handed to [`Plan::new`]) in the order of the layout's files.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Tells whether SHA-1 hashes of pieces are needed.
    pub fn needs_v1(&self) -> bool {
        self.options.mode != Mode::V2
    }

    /// Tells whether merkle roots of pieces are needed.
    pub fn needs_v2(&self) -> bool {
        self.options.mode != Mode::V1
    }

    /// Writes the torrent.
    pub fn finish(self, _hashes: PieceHashes) -> Result<TorrentFile, CreateError> {
        let _ = Arc::new(());
        Err(CreateError::NoFiles)
    }
}
