//! The v2 hash trees of a torrent's files (BEP 52, Hash requests): what is known, what to ask for, what to serve.
//!
//! A magnet brings only the roots of the files. Their piece layers are fetched in parts of up to 512 hashes, each proven
//! against the root on its own, from peers that have pieces there; a part is *open → asked → known*, and open again when it
//! is rejected, late or its peer is gone. The leaves of a piece are fetched when it fails, to find the bad block.
//! Invariants: nothing is known that is not proven; a part is asked of one peer at a time, and of no peer that refused it.

mod serve;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use base::{Bitfield, Instant};
use metainfo::{FileIndex, Info, PieceIndex, merkle};

use self::serve::LeafCache;
use self::tree::Tree;
use crate::torrent::PeerKey;
use crate::wire::HashRequest;

/// The most hashes of one request, proof not counted (BEP 52: peers may refuse more).
pub const MAX_HASHES: u32 = 512;

/// How long a peer may take to answer. Arbitrary.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// How many requests a peer is sent ahead. Arbitrary: hashes are small beside the pieces they are for.
const MAX_OUTSTANDING: usize = 4;

/// For how many failed pieces leaves are fetched at a time. Arbitrary.
const MAX_LEAF_WANTS: usize = 64;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What a proven answer brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// The expected hashes of these pieces are known now (and of those of other files with the same content).
    Pieces(Range<u32>),
    /// The proven leaves of a piece that was asked for with [`HashTrees::want_leaves`].
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
    /// The leaves of this piece are needed: order `HashLeaves`, then call [`HashTrees::serve_leaves`].
    NeedLeaves(PieceIndex),
    /// Reject it.
    Reject,
}

/// The hash trees. See the module.
#[derive(Debug, Default)]
pub struct HashTrees {
    trees: Vec<Tree>,
    by_root: BTreeMap<Hash, usize>,
    /// The files by their first piece: their pieces and tree.
    files: BTreeMap<u32, (u32, usize)>,
    /// What is to be asked.
    open: BTreeSet<Part>,
    asked: Vec<Asked>,
    refused: BTreeSet<(PeerKey, Part)>,
    leaves: BTreeMap<u32, LeafWant>,
    cache: LeafCache,
}

/// What one request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Leaves of a piece of the torrent, which part.
    Leaves(u32, u32),
    /// A chunk of a tree's piece layer.
    Layer(usize, u32),
}

#[derive(Debug)]
struct Asked {
    peer: PeerKey,
    part: Part,
    until: Instant,
}

#[derive(Debug)]
struct LeafWant {
    hashes: Vec<Hash>,
    missing: BTreeSet<u32>,
}

/// Returns how many uncle hashes answer a request: layers that follow from the hashes themselves need none.
fn proof_len(request: &HashRequest) -> u32 {
    (request.proof_layers + 1).saturating_sub(request.length.max(1).ilog2())
}

impl HashTrees {
    /// Builds the trees of a torrent; none, and complete, for a v1 torrent.
    pub fn new(info: &Info) -> HashTrees {
        let layout = info.layout();
        let files = (0u32..).zip(layout.files()).filter_map(|(index, file)| {
            let pieces = layout.file_pieces(FileIndex(index));
            (!pieces.is_empty()).then_some((file.pieces_root?, file.length, pieces))
        });
        HashTrees::of_files(layout.piece_length(), files)
    }

    fn of_files(piece_length: u32, files: impl IntoIterator<Item = (Hash, u64, Range<u32>)>) -> HashTrees {
        let mut this = HashTrees::default();
        for (root, length, pieces) in files {
            let count = pieces.end - pieces.start;
            let number = match this.by_root.get(&root) {
                // The same root with another length cannot be right; its pieces stay unknown.
                Some(&same) if this.trees[same].length != length => continue,
                Some(&same) => {
                    this.trees[same].places.push(pieces.start);
                    same
                }
                None => {
                    let tree = Tree::new(root, length, piece_length, pieces.start, count);
                    let number = this.trees.len();
                    this.open.extend((0..tree.chunks()).filter(|&c| !tree.is_known(c)).map(|c| Part::Layer(number, c)));
                    this.trees.push(tree);
                    this.by_root.insert(root, number);
                    number
                }
            };
            this.files.insert(pieces.start, (count, number));
        }
        this
    }

    /// Takes a piece layer from the metainfo or an earlier run; false when it does not hash to the root.
    pub fn add_layer(&mut self, root: Hash, layer: &[Hash]) -> bool {
        let Some(&number) = self.by_root.get(&root) else { return false };
        let right = self.trees[number].learn_layer(layer);
        if right {
            self.forget_parts(number);
        }
        right
    }

    /// Returns what the piece must hash to (v2), if that is known.
    pub fn piece_hash(&self, piece: PieceIndex) -> Option<Hash> {
        let (tree, within) = self.locate(piece)?;
        self.trees[tree].piece_hash(within)
    }

    /// Tells whether every piece's hash is known.
    pub fn is_complete(&self) -> bool {
        self.trees.iter().all(Tree::is_complete)
    }

    /// Returns the files whose piece layer is not known, each by its root and the torrent's pieces that hold it.
    pub fn unknown_layers(&self) -> impl Iterator<Item = (Hash, Range<u32>)> + '_ {
        let unknown = self.trees.iter().filter(|tree| !tree.is_complete());
        unknown.filter_map(|tree| tree.places.first().map(|&first| (tree.root, first..first + tree.pieces)))
    }

    /// Returns all known piece layers by their root, for torrent files and the next run.
    pub fn layers(&self) -> impl Iterator<Item = (Hash, Vec<Hash>)> + '_ {
        let larger = self.trees.iter().filter(|tree| tree.pieces > 1);
        larger.filter_map(|tree| tree.layer().map(|layer| (tree.root, layer.to_vec())))
    }

    /// Returns the next request for this peer; it counts as outstanding.
    pub fn next_request(&mut self, now: Instant, peer: PeerKey, has: &Bitfield) -> Option<HashRequest> {
        if self.open.is_empty() || self.asked.iter().filter(|asked| asked.peer == peer).count() >= MAX_OUTSTANDING {
            return None;
        }
        let offers = |part: &Part| match *part {
            Part::Leaves(piece, _) => has.get(piece),
            Part::Layer(tree, chunk) => {
                let tree = &self.trees[tree];
                let start = chunk * tree.chunk_len();
                let end = (start + tree.chunk_len()).min(tree.pieces);
                tree.places.iter().any(|first| (first + start..first + end).any(|piece| has.get(piece)))
            }
        };
        let part = *self.open.iter().find(|part| offers(part) && !self.refused.contains(&(peer, **part)))?;
        self.open.remove(&part);
        self.asked.push(Asked { peer, part, until: now + ANSWER_TIME });
        Some(self.request(part))
    }

    /// Checks an answer. `Err`: it is wrong, and the peer is to blame. One that is of no use any more is not an error: it
    /// may have been asked for before.
    pub fn received(&mut self, peer: PeerKey, request: &HashRequest, hashes: &[Hash]) -> Result<Learned, &'static str> {
        if !self.by_root.contains_key(&request.pieces_root) {
            return Err("hashes of a file that the torrent does not have");
        }
        let Some(part) = self.part_of(request) else { return Ok(Learned::Nothing) };
        let was_asked = self.take_asked(peer, part);
        if self.is_known(part) {
            // Another was faster.
            return Ok(Learned::Nothing);
        }
        if !self.is_proven(part, request, hashes) {
            if was_asked {
                self.refuse(peer, part);
            }
            return Err("hashes that do not lead to the file's root");
        }
        // It may have been asked of another meanwhile.
        self.asked.retain(|asked| asked.part != part);
        self.open.remove(&part);
        let hashes = &hashes[..request.length as usize];
        Ok(match part {
            Part::Layer(number, chunk) => {
                let tree = &mut self.trees[number];
                tree.learn(chunk, hashes);
                let start = tree.places[0] + chunk * tree.chunk_len();
                let end = (start + tree.chunk_len()).min(tree.places[0] + tree.pieces);
                self.refused.retain(|(_, refused)| *refused != part);
                Learned::Pieces(start..end)
            }
            Part::Leaves(piece, which) => self.learn_leaves(piece, which, hashes),
        })
    }

    /// A request is refused: it is asked of others.
    pub fn rejected(&mut self, peer: PeerKey, request: &HashRequest) {
        if let Some(part) = self.part_of(request)
            && self.take_asked(peer, part)
        {
            self.refuse(peer, part);
        }
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: PeerKey) {
        let (theirs, others) = std::mem::take(&mut self.asked).into_iter().partition(|asked| asked.peer == peer);
        self.asked = others;
        let theirs: Vec<Asked> = theirs;
        theirs.into_iter().for_each(|asked| self.reopen(asked.part));
        self.refused.retain(|(refuser, _)| *refuser != peer);
    }

    /// Returns when [`HashTrees::handle_timeout`] is due; `None`: nothing is outstanding.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.asked.iter().map(|asked| asked.until).min()
    }

    /// What was not answered in time is asked of others.
    pub fn handle_timeout(&mut self, now: Instant) {
        let late: Vec<(PeerKey, Part)> =
            self.asked.iter().filter(|asked| asked.until <= now).map(|asked| (asked.peer, asked.part)).collect();
        for (peer, part) in late {
            self.take_asked(peer, part);
            self.refuse(peer, part);
        }
    }

    /// A piece failed: its proven leaves are to be fetched. Returns them where they are known at once: a piece of one
    /// block is its own leaf.
    pub fn want_leaves(&mut self, piece: PieceIndex) -> Option<Vec<Hash>> {
        let (tree, within) = self.locate(piece)?;
        let tree = &self.trees[tree];
        let hash = tree.piece_hash(within)?;
        if tree.piece_width() == 1 {
            return Some(vec![hash]);
        }
        let width = tree.piece_width();
        if self.leaves.len() < MAX_LEAF_WANTS && !self.leaves.contains_key(&piece.0) {
            let parts = width / width.min(MAX_HASHES);
            let want = LeafWant { hashes: vec![[0; 32]; width as usize], missing: (0..parts).collect() };
            self.leaves.insert(piece.0, want);
            self.open.extend((0..parts).map(|part| Part::Leaves(piece.0, part)));
        }
        None
    }

    /// The leaves of a piece are of no use any more.
    pub fn forget_leaves(&mut self, piece: PieceIndex) {
        self.leaves.remove(&piece.0);
        let of_piece = |part: &Part| matches!(*part, Part::Leaves(of, _) if of == piece.0);
        self.open.retain(|part| !of_piece(part));
        self.asked.retain(|asked| !of_piece(&asked.part));
        self.refused.retain(|(_, part)| !of_piece(part));
    }

    /// Returns the tree that a piece of the torrent is in and its number in the file.
    fn locate(&self, piece: PieceIndex) -> Option<(usize, u32)> {
        let (first, &(count, tree)) = self.files.range(..=piece.0).next_back()?;
        (piece.0 - first < count).then_some((tree, piece.0 - first))
    }

    fn request(&self, part: Part) -> HashRequest {
        match part {
            Part::Layer(number, chunk) => {
                let tree = &self.trees[number];
                HashRequest {
                    pieces_root: tree.root,
                    base_layer: tree.piece_layer,
                    index: chunk * tree.chunk_len(),
                    length: tree.chunk_len(),
                    // Up to the children of the root, which is known.
                    proof_layers: tree.root_layer - tree.piece_layer - 1,
                }
            }
            Part::Leaves(piece, which) => {
                let (number, within) = self.locate(PieceIndex(piece)).expect("leaves are wanted of pieces in a tree");
                let tree = &self.trees[number];
                let length = tree.piece_width().min(MAX_HASHES);
                HashRequest {
                    pieces_root: tree.root,
                    base_layer: 0,
                    index: within * tree.piece_width() + which * length,
                    length,
                    // Up to below the piece's hash, which is known.
                    proof_layers: tree.piece_layer - 1,
                }
            }
        }
    }

    /// Returns the part that we would ask for by this very request.
    fn part_of(&self, request: &HashRequest) -> Option<Part> {
        let number = *self.by_root.get(&request.pieces_root)?;
        let tree = &self.trees[number];
        let layer = Part::Layer(number, request.index / tree.chunk_len());
        if tree.pieces > 1 && request.index / tree.chunk_len() < tree.chunks() && self.request(layer) == *request {
            return Some(layer);
        }
        let within = request.index / tree.piece_width();
        let which = request.index % tree.piece_width() / request.length.max(1);
        let wanted = tree.places.iter().map(|first| first + within).filter(|_| within < tree.pieces);
        let mut parts = wanted.filter(|piece| self.leaves.contains_key(piece)).map(|piece| Part::Leaves(piece, which));
        parts.find(|part| self.request(*part) == *request)
    }

    fn is_known(&self, part: Part) -> bool {
        match part {
            Part::Layer(tree, chunk) => self.trees[tree].is_known(chunk),
            Part::Leaves(piece, which) => !self.leaves.get(&piece).is_some_and(|want| want.missing.contains(&which)),
        }
    }

    fn is_proven(&self, part: Part, request: &HashRequest, hashes: &[Hash]) -> bool {
        if hashes.len() as u64 != u64::from(request.length) + u64::from(proof_len(request)) {
            return false;
        }
        let (hashes, uncles) = hashes.split_at(request.length as usize);
        let node = merkle::root(hashes, request.base_layer, request.length);
        let (index, goal) = match part {
            Part::Layer(tree, chunk) => (chunk, Some(self.trees[tree].root)),
            Part::Leaves(piece, which) => (which, self.piece_hash(PieceIndex(piece))),
        };
        Some(merkle::climb(node, index, uncles)) == goal
    }

    fn learn_leaves(&mut self, piece: u32, which: u32, hashes: &[Hash]) -> Learned {
        let Some(want) = self.leaves.get_mut(&piece) else { return Learned::Nothing };
        let start = which as usize * hashes.len();
        want.hashes[start..start + hashes.len()].copy_from_slice(hashes);
        want.missing.remove(&which);
        if !want.missing.is_empty() {
            return Learned::Nothing;
        }
        let mut leaves = std::mem::take(&mut want.hashes);
        let piece = PieceIndex(piece);
        self.forget_leaves(piece);
        if let Some((tree, within)) = self.locate(piece) {
            leaves.truncate(self.trees[tree].blocks(within) as usize);
        }
        Learned::Leaves { piece, leaves }
    }

    /// Takes a part from a peer; false when it was not asked of it (any more).
    fn take_asked(&mut self, peer: PeerKey, part: Part) -> bool {
        let at = self.asked.iter().position(|asked| asked.peer == peer && asked.part == part);
        at.map(|at| self.asked.swap_remove(at)).is_some()
    }

    fn refuse(&mut self, peer: PeerKey, part: Part) {
        self.refused.insert((peer, part));
        self.reopen(part);
    }

    fn reopen(&mut self, part: Part) {
        if !self.is_known(part) {
            self.open.insert(part);
        }
    }

    fn forget_parts(&mut self, number: usize) {
        let of_tree = |part: &Part| matches!(*part, Part::Layer(tree, _) if tree == number);
        self.open.retain(|part| !of_tree(part));
        self.asked.retain(|asked| !of_tree(&asked.part));
        self.refused.retain(|(_, part)| !of_tree(part));
    }

    /// Panics when an invariant is broken.
    #[cfg(any(test, debug_assertions))]
    pub fn assert_invariants(&self) {
        let asked: BTreeSet<Part> = self.asked.iter().map(|asked| asked.part).collect();
        assert_eq!(asked.len(), self.asked.len(), "a part is asked of one peer at a time");
        assert!(asked.is_disjoint(&self.open));
        assert!(self.asked.iter().all(|asked| !self.refused.contains(&(asked.peer, asked.part))));
        for (number, tree) in self.trees.iter().enumerate() {
            for chunk in 0..tree.chunks() {
                let part = Part::Layer(number, chunk);
                assert_eq!(tree.is_known(chunk), !self.open.contains(&part) && !asked.contains(&part));
            }
            if let Some(layer) = tree.layer() {
                assert_eq!(merkle::root(layer, tree.piece_layer, tree.pieces), tree.root);
                assert_eq!(tree.node(tree.root_layer, 0), Some(tree.root));
            }
        }
        for (&piece, want) in &self.leaves {
            for &which in &want.missing {
                let part = Part::Leaves(piece, which);
                assert!(self.open.contains(&part) || asked.contains(&part));
            }
        }
    }
}

/// Returns the numbers of the blocks whose hashes differ.
pub fn bad_blocks(computed: &[Hash], proven: &[Hash]) -> Vec<u32> {
    (0u32..).zip(computed.iter().zip(proven)).filter(|(_, (a, b))| a != b).map(|(number, _)| number).collect()
}
