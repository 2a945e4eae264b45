//! The tree of one file: from its piece layer (for a file of one piece: from its root) up.

use base::Bitfield;
use metainfo::{BLOCK_LEN, merkle};

use super::{Hash, MAX_HASHES};

/// The upper part of a file's tree. Invariant: every hash of a chunk that is in `known` is proven against the root; the
/// layers above the lowest are there exactly when all chunks are.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Hash,
    /// In bytes.
    pub(super) length: u64,
    piece_length: u32,
    /// The first pieces of the files that have this content.
    pub(super) places: Vec<u32>,
    /// Pieces of one file.
    pub(super) pieces: u32,
    /// The layer of the pieces' hashes, counted from the leaves.
    pub(super) piece_layer: u32,
    /// The layer of the root.
    pub(super) root_layer: u32,
    /// From the piece layer up, without padding.
    layers: Vec<Vec<Hash>>,
    /// The parts of the piece layer, as requested, that are known.
    known: Bitfield,
}

impl Tree {
    pub(super) fn new(root: Hash, length: u64, piece_length: u32, first_piece: u32, pieces: u32) -> Tree {
        let root_layer = merkle::file_height(length);
        let mut tree = Tree {
            root,
            length,
            piece_length,
            places: vec![first_piece],
            pieces,
            piece_layer: merkle::piece_height(piece_length).min(root_layer),
            root_layer,
            layers: vec![vec![[0; 32]; pieces as usize]],
            known: Bitfield::default(),
        };
        tree.known = Bitfield::new(pieces.div_ceil(tree.chunk_len()));
        if pieces == 1 {
            tree.learn(0, &[root]);
        }
        tree
    }

    /// Returns how many hashes of the piece layer one request asks for, padding counted.
    pub(super) fn chunk_len(&self) -> u32 {
        self.pieces.next_power_of_two().min(MAX_HASHES)
    }

    pub(super) fn chunks(&self) -> u32 {
        self.known.len()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.known.is_all()
    }

    pub(super) fn is_known(&self, chunk: u32) -> bool {
        self.known.get(chunk)
    }

    /// Returns what a piece of the file must hash to.
    pub(super) fn piece_hash(&self, piece: u32) -> Option<Hash> {
        (piece < self.pieces && self.known.get(piece / self.chunk_len())).then(|| self.layers[0][piece as usize])
    }

    /// Returns the piece layer, if all of it is known.
    pub(super) fn layer(&self) -> Option<&[Hash]> {
        self.is_complete().then(|| &self.layers[0][..])
    }

    /// Takes hashes of a chunk that are proven; padding behind the last piece is left out.
    pub(super) fn learn(&mut self, chunk: u32, hashes: &[Hash]) {
        let start = (chunk * self.chunk_len()) as usize;
        let room = &mut self.layers[0][start..];
        let count = room.len().min(hashes.len());
        room[..count].copy_from_slice(&hashes[..count]);
        if self.known.set(chunk) && self.is_complete() {
            for height in self.piece_layer..self.root_layer {
                let below = self.layers.last().map(Vec::as_slice).unwrap_or_default();
                let pad = merkle::pad(height);
                let above = below.chunks(2).map(|pair| merkle::parent(&pair[0], pair.get(1).unwrap_or(&pad))).collect();
                self.layers.push(above);
            }
        }
    }

    /// Takes a whole piece layer, if it is right.
    pub(super) fn learn_layer(&mut self, layer: &[Hash]) -> bool {
        let right =
            layer.len() == self.pieces as usize && merkle::root(layer, self.piece_layer, self.pieces) == self.root;
        if right && !self.is_complete() {
            for (chunk, hashes) in (0u32..).zip(layer.chunks(self.chunk_len() as usize)) {
                self.learn(chunk, hashes);
            }
        }
        right
    }

    /// Returns a node of the piece layer or above; `None` while the layer is not known.
    pub(super) fn node(&self, layer: u32, index: u32) -> Option<Hash> {
        if !self.is_complete() {
            return None;
        }
        let hashes = self.layers.get(layer.checked_sub(self.piece_layer)? as usize)?;
        Some(hashes.get(index as usize).copied().unwrap_or_else(|| merkle::pad(layer)))
    }

    /// Returns how many leaves a piece's subtree is wide.
    pub(super) fn piece_width(&self) -> u32 {
        1 << self.piece_layer
    }

    /// Returns how many blocks of data a piece of the file has.
    pub(super) fn blocks(&self, piece: u32) -> u32 {
        let left = self.length.saturating_sub(u64::from(piece) * u64::from(self.piece_length));
        left.min(u64::from(self.piece_length)).div_ceil(u64::from(BLOCK_LEN)) as u32
    }
}
