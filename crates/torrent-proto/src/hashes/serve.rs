//! Serving hashes: the piece layer and above from memory, what lies below from the leaves of a piece, which the disk hashes.

use std::collections::VecDeque;

use base::Bitfield;
use metainfo::{PieceIndex, merkle};

use super::tree::Tree;
use super::{Hash, HashTrees, MAX_HASHES, Serve, proof_len};
use crate::wire::HashRequest;

/// How many leaf hashes are kept for requests that need those of several pieces, and for the next one. Arbitrary: 256 KiB,
/// sixteen of the largest requests.
const CACHED_LEAVES: usize = 8192;

/// Leaves of pieces, checked against the piece's hash; the oldest go first.
#[derive(Debug, Default)]
pub(super) struct LeafCache {
    /// By tree and piece of its file.
    entries: VecDeque<((usize, u32), Vec<Hash>)>,
    hashes: usize,
}

impl LeafCache {
    fn get(&self, key: (usize, u32)) -> Option<&[Hash]> {
        self.entries.iter().find(|(of, _)| *of == key).map(|(_, leaves)| &leaves[..])
    }

    fn insert(&mut self, key: (usize, u32), leaves: Vec<Hash>) {
        if self.get(key).is_none() {
            self.hashes += leaves.len();
            self.entries.push_back((key, leaves));
            while self.hashes > CACHED_LEAVES
                && self.entries.len() > 1
                && let Some((_, leaves)) = self.entries.pop_front()
            {
                self.hashes -= leaves.len();
            }
        }
    }
}

/// Tells whether a request is one that BEP 52 allows and that lies inside the tree.
fn is_valid(request: &HashRequest, tree: &Tree) -> bool {
    let HashRequest { base_layer, index, length, proof_layers, .. } = *request;
    let inside = || (u64::from(index) + u64::from(length)) << base_layer <= 1 << tree.root_layer;
    (2..=MAX_HASHES).contains(&length)
        && length.is_power_of_two()
        && index % length == 0
        && base_layer < tree.root_layer
        && proof_layers < tree.root_layer - base_layer
        && inside()
}

impl HashTrees {
    /// Answers a peer's request, as far as that goes without the disk. `have`: pieces whose leaves the disk can hash.
    pub fn serve(&self, request: &HashRequest, have: &Bitfield) -> Serve {
        self.answer(request, |piece| have.get(piece))
    }

    /// Goes on with a request after [`Serve::NeedLeaves`].
    pub fn serve_leaves(&mut self, request: &HashRequest, piece: PieceIndex, leaves: &[Hash]) -> Serve {
        if let Some((tree, within)) = self.locate(piece) {
            // Padding of a hybrid's piece is no part of the tree.
            let leaves = &leaves[..leaves.len().min(self.trees[tree].blocks(within) as usize)];
            let expected = self.trees[tree].piece_hash(within);
            if expected != Some(merkle::root(leaves, 0, self.trees[tree].piece_width())) {
                return Serve::Reject;
            }
            self.cache.insert((tree, within), leaves.to_vec());
        }
        match self.answer(request, |_| true) {
            // It was just given: asking again would go on for ever.
            Serve::NeedLeaves(again) if again == piece => Serve::Reject,
            answer => answer,
        }
    }

    fn answer(&self, request: &HashRequest, have: impl Fn(u32) -> bool) -> Serve {
        let Some(&number) = self.by_root.get(&request.pieces_root) else { return Serve::Reject };
        let tree = &self.trees[number];
        if !is_valid(request, tree) {
            return Serve::Reject;
        }
        let mut hashes = Vec::with_capacity(request.length as usize + proof_len(request) as usize);
        let top = request.length.ilog2();
        // The uncles: the sibling of the root over the hashes asked for, then of each of its ancestors.
        let uncles = (0..proof_len(request)).map(|level| {
            let index = (request.index >> (top + level)) ^ 1;
            (request.base_layer + top + level, index)
        });
        let asked = (request.index..request.index + request.length).map(|index| (request.base_layer, index));
        for (layer, index) in asked.chain(uncles) {
            if layer >= tree.piece_layer {
                match tree.node(layer, index) {
                    Some(hash) => hashes.push(hash),
                    None => return Serve::Reject,
                }
                continue;
            }
            let piece = index >> (tree.piece_layer - layer);
            if piece >= tree.pieces {
                hashes.push(merkle::pad(layer));
            } else if let Some(leaves) = self.cache.get((number, piece)) {
                let start = ((index << layer) - (piece << tree.piece_layer)) as usize;
                let start = start.min(leaves.len());
                let end = (start + (1 << layer)).min(leaves.len());
                hashes.push(merkle::root(&leaves[start..end], 0, 1 << layer));
            } else {
                let place = tree.places.iter().map(|first| first + piece).find(|&piece| have(piece));
                return place.map_or(Serve::Reject, |piece| Serve::NeedLeaves(PieceIndex(piece)));
            }
        }
        Serve::Hashes(hashes)
    }
}
