//! The v2 hash trees of a torrent's files (BEP 52): what is known, what to ask for, what to serve.

use std::ops::Range;

use base::{Bitfield, Instant};
use metainfo::{Info, PieceIndex};

use crate::torrent::PeerKey;
use crate::wire::HashRequest;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What a proven answer brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// The expected hashes of these pieces are known now.
    Pieces(Range<u32>),
    /// The proven leaves of a piece that was asked for with `want_leaves`.
    Leaves {
        /// The piece.
        piece: PieceIndex,
        /// Its leaf hashes.
        leaves: Vec<Hash>,
    },
    /// Nothing new.
    Nothing,
}

/// The answer to a peer's hash request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serve {
    /// Send these.
    Hashes(Vec<Hash>),
    /// The leaves of this piece are needed: order `HashLeaves`, then `serve_leaves`.
    NeedLeaves(PieceIndex),
    /// Reject it.
    Reject,
}

/// The hash trees. See the module.
#[derive(Debug)]
pub struct HashTrees {}

#[allow(missing_docs, unused_variables)]
impl HashTrees {
    /// Empty (and complete) for a v1 torrent.
    pub fn new(info: &Info) -> HashTrees {
        HashTrees {}
    }
    /// A piece layer from the metainfo or an earlier run; false when it does not hash to the root.
    pub fn add_layer(&mut self, root: Hash, layer: &[Hash]) -> bool {
        Default::default()
    }
    /// What the piece must hash to (v2), if known.
    pub fn piece_hash(&self, piece: PieceIndex) -> Option<Hash> {
        Default::default()
    }
    /// Every piece's hash is known.
    pub fn is_complete(&self) -> bool {
        Default::default()
    }
    /// The next request for this peer; counts as outstanding.
    pub fn next_request(&mut self, now: Instant, peer: PeerKey, has: &Bitfield) -> Option<HashRequest> {
        Default::default()
    }
    /// Checks an answer. `Err`: it was not asked for or is wrong, the peer is to blame.
    pub fn received(&mut self, peer: PeerKey, request: &HashRequest, hashes: &[Hash]) -> Result<Learned, &'static str> {
        Ok(Learned::Nothing)
    }
    pub fn rejected(&mut self, peer: PeerKey, request: &HashRequest) {
        Default::default()
    }
    pub fn gone(&mut self, peer: PeerKey) {
        Default::default()
    }
    /// Requests that were not answered in time are asked of others. `None`: nothing outstanding.
    pub fn next_timeout(&self) -> Option<Instant> {
        Default::default()
    }
    pub fn handle_timeout(&mut self, now: Instant) {
        Default::default()
    }
    /// A piece failed: ask for its proven leaves.
    pub fn want_leaves(&mut self, piece: PieceIndex) {
        Default::default()
    }
    pub fn serve(&self, request: &HashRequest, have: &Bitfield) -> Serve {
        Serve::Reject
    }
    /// Continues a `serve` that needed leaves.
    pub fn serve_leaves(&self, request: &HashRequest, piece: PieceIndex, leaves: &[Hash]) -> Serve {
        Serve::Reject
    }
    /// All known piece layers, for `TorrentFile` and resume.
    pub fn layers(&self) -> impl Iterator<Item = (Hash, Vec<Hash>)> + '_ {
        std::iter::empty()
    }
}

/// Returns the numbers of the blocks whose hashes differ.
pub fn bad_blocks(computed: &[Hash], proven: &[Hash]) -> Vec<u32> {
    computed.iter().zip(proven).enumerate().filter(|(_, (a, b))| a != b).map(|(i, _)| i as u32).collect()
}
