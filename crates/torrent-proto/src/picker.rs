//! The picker: which blocks to ask of which peer.

use base::Bitfield;
use metainfo::{Block, PieceIndex};

use crate::torrent::{PeerKey, Priority};

/// How a peer shares pieces with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Joins pieces that others are fetching: for slow and average peers.
    Shared,
    /// Begins pieces and keeps them to itself while it goes on asking for their blocks; joins others only where nothing
    /// else is left. For a peer fast enough to finish a piece alone within some seconds.
    Whole,
    /// Strictly pieces of its own, so that a bad hash names the culprit: for peers on parole.
    Alone,
}

/// A peer that can take requests.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Who.
    pub peer: PeerKey,
    /// What it has.
    pub has: &'a Bitfield,
    /// Only these pieces may be asked for (choked: the allowed-fast set, BEP 6).
    pub allowed: Option<&'a [PieceIndex]>,
    /// How many blocks at most.
    pub count: usize,
    /// How it shares pieces.
    pub share: Share,
}

/// What a block that arrived was worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// It goes to the disk.
    Accepted {
        /// Others of whom it was requested too: to be sent `Cancel`.
        others: Vec<PeerKey>,
        /// Every block of the piece is given to the disk: order `Verify` behind the write.
        piece_complete: bool,
    },
    /// A duplicate, or never requested of this peer: wasted.
    Unwanted,
}

/// What becomes of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockState {
    /// To be requested.
    Open,
    /// Requested.
    Requested,
    /// Given to the disk.
    Writing,
    /// In the file.
    Written,
}

/// The picker. See the module.
#[derive(Debug)]
pub struct Picker {}

#[allow(missing_docs, unused_variables)]
impl Picker {
    /// `lengths`: of every piece, in bytes. All missing pieces begin as `Priority::Normal`.
    pub fn new(lengths: impl IntoIterator<Item = u32>, have: &Bitfield) -> Picker {
        todo!()
    }
    pub fn peer_has(&mut self, piece: PieceIndex) {
        todo!()
    }
    pub fn peer_lost(&mut self, piece: PieceIndex) {
        todo!()
    }
    pub fn add_peer_set(&mut self, set: &Bitfield) {
        todo!()
    }
    pub fn remove_peer_set(&mut self, set: &Bitfield) {
        todo!()
    }
    pub fn availability(&self, piece: PieceIndex) -> u32 {
        todo!()
    }
    /// Appends up to `ask.count` blocks and counts them as requested.
    pub fn pick(&mut self, ask: Ask<'_>, rng: &mut fastrand::Rng, out: &mut Vec<Block>) {
        todo!()
    }
    /// A request was cancelled, rejected, timed out, or its peer is gone.
    pub fn abandon(&mut self, peer: PeerKey, block: Block) {
        todo!()
    }
    /// A block that is requested of `peer` came.
    pub fn received(&mut self, peer: PeerKey, block: Block) -> Received {
        todo!()
    }
    /// A block came whose request was abandoned: taken if it is still missing from a wanted piece.
    pub fn received_late(&mut self, peer: PeerKey, block: Block) -> Received {
        todo!()
    }
    pub fn wrote(&mut self, block: Block) {
        todo!()
    }
    pub fn write_failed(&mut self, block: Block) {
        todo!()
    }
    /// Returns requests still open for blocks of this piece (to be cancelled).
    pub fn verified(&mut self, piece: PieceIndex) -> Vec<(PeerKey, Block)> {
        todo!()
    }
    /// `bad_blocks`: block numbers in the piece where they are known. Returns who sent the blocks freed; nobody when
    /// the piece was not complete any more (a write failed in between).
    pub fn failed(&mut self, piece: PieceIndex, bad_blocks: Option<&[u32]>) -> Vec<(PeerKey, Vec<Block>)> {
        todo!()
    }
    /// A piece we had turned out bad.
    pub fn lose(&mut self, piece: PieceIndex) {
        todo!()
    }
    pub fn set_priority(&mut self, piece: PieceIndex, priority: Priority) {
        todo!()
    }
    pub fn priority(&self, piece: PieceIndex) -> Priority {
        todo!()
    }
    pub fn set_sequential(&mut self, sequential: bool) {
        todo!()
    }
    pub fn set_deadlines(&mut self, pieces: Vec<PieceIndex>) {
        todo!()
    }
    /// Whether a peer with this set has a wanted piece that we lack: our interest.
    pub fn wants_from(&self, has: &Bitfield) -> bool {
        todo!()
    }
    /// Whether the piece is wanted and missing.
    pub fn wants(&self, piece: PieceIndex) -> bool {
        todo!()
    }
    pub fn have(&self) -> &Bitfield {
        todo!()
    }
    /// No wanted piece is missing.
    pub fn is_complete(&self) -> bool {
        todo!()
    }
    pub fn missing_pieces(&self) -> u32 {
        todo!()
    }
    /// Bytes of wanted pieces that have not arrived.
    pub fn bytes_left(&self) -> u64 {
        todo!()
    }
    pub fn end_game(&self) -> bool {
        todo!()
    }
    /// The pieces begun, with the state of each block.
    pub fn partials(&self) -> impl Iterator<Item = (PieceIndex, Vec<BlockState>)> + '_ {
        std::iter::empty()
    }
}
