//! The piece layers of a v2 torrent: for each file larger than a piece, the roots of its pieces.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::merkle::{self, Hash};
use crate::{Info, PieceIndex};

/// Piece layers by the root of their file. Invariant: every layer has been checked against its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceLayers {
    layers: BTreeMap<Hash, Arc<[Hash]>>,
}

impl PieceLayers {
    /// Adds a layer if it hashes to `pieces_root`; tells whether it does. An empty layer never does.
    pub fn insert(&mut self, pieces_root: Hash, layer: Vec<Hash>, piece_length: u32) -> bool {
        let right = !layer.is_empty() && merkle::root_of_pieces(&layer, piece_length) == pieces_root;
        if right {
            self.layers.insert(pieces_root, layer.into());
        }
        right
    }

    /// Returns the layer of a file, by its root.
    pub fn get(&self, pieces_root: &Hash) -> Option<&[Hash]> {
        self.layers.get(pieces_root).map(|layer| &layer[..])
    }

    /// Returns all roots and layers, by ascending root.
    pub fn iter(&self) -> impl Iterator<Item = (&Hash, &[Hash])> {
        self.layers.iter().map(|(root, layer)| (root, &layer[..]))
    }

    /// Returns how many layers are known.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Tells whether no layer is known.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Returns the root of a piece's blocks (see [`crate::V2Piece`]); `None` in a v1 torrent and where the layer is not
    /// known yet. The only piece of a small file hashes to the file's root, so that it is always known.
    pub fn piece_hash(&self, info: &Info, piece: PieceIndex) -> Option<Hash> {
        let layout = info.layout();
        let index = layout.v2_piece(piece)?.file;
        let file = layout.file(index)?;
        let root = file.pieces_root?;
        if file.length <= u64::from(layout.piece_length()) {
            return Some(root);
        }
        let nth = piece.0 - layout.file_pieces(index).start;
        self.get(&root)?.get(nth as usize).copied()
    }

    /// Tells whether every file larger than a piece has its layer; always true in a v1 torrent.
    pub fn is_complete(&self, info: &Info) -> bool {
        self.missing(info).next().is_none()
    }

    /// Returns the roots of the files whose layers are not known.
    pub fn missing<'a>(&'a self, info: &'a Info) -> impl Iterator<Item = Hash> + 'a {
        let layout = info.layout();
        let large = layout.files().iter().filter(move |file| file.length > u64::from(layout.piece_length()));
        large.filter_map(|file| file.pieces_root).filter(|root| !self.layers.contains_key(root))
    }
}
