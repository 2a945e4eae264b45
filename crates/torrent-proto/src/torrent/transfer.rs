//! What a torrent holds once its metadata is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::{Bitfield, Instant};
use metainfo::{Block, FileIndex, Info, PieceIndex, PieceLayers};

use super::layers::LayerWork;
use super::{PeerKey, PieceHash, Priority, Resume};
use crate::choker::Choker;
use crate::hashes::HashTrees;
use crate::picker::Picker;
use crate::super_seed::SuperSeed;
use crate::wire::HashRequest;

/// Verified pieces are made durable at the latest after this time: what a power failure may cost. A crash of the
/// program alone costs a check of these pieces, not the pieces.
pub(super) const FLUSH_EVERY: Duration = Duration::from_secs(4);
/// Hash requests of peers that wait for leaves from the disk, at most (arbitrary; more are rejected).
pub(super) const MAX_LEAF_REQUESTS: usize = 64;

/// The stages of a storage.
#[derive(Debug)]
pub(super) enum Storage {
    /// `Open` was or will be ordered; what the last run left decides what comes next.
    Opening { resume: Option<Resume>, complete: bool, ordered: bool },
    /// A check runs. `trusted`: the pieces that it leaves out or found good; `lost`: those found gone, to be told.
    Checking { done: u32, of: u32, trusted: Bitfield, lost: Vec<PieceIndex> },
    /// Transfer may happen.
    Ready,
}

/// How far the files are on their way to their final names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// Wanted pieces are missing.
    No,
    /// Everything is verified; waiting for writes and the flush.
    Flushing,
    /// Waiting for the final names.
    Naming,
    /// Done.
    Done,
}

/// The bookkeeping of durability.
///
/// Invariant: `durable` is a subset of what is had and was flushed.
#[derive(Debug)]
pub(super) struct Durability {
    pub(super) durable: Bitfield,
    /// What had been verified when the running flush was ordered.
    pub(super) flushing: Option<Bitfield>,
    /// Since when something verified is not durable.
    pub(super) dirty_since: Option<Instant>,
    /// The stored state says that nothing was written since.
    pub(super) clean: bool,
}

/// A bad v2 piece that waits for proven leaf hashes, so that the liar is found at 16 KiB.
#[derive(Debug)]
pub(super) struct BadPiece {
    pub(super) leaves: Vec<[u8; 32]>,
    pub(super) until: Instant,
}

/// What a torrent holds once its metadata is known.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) info: Arc<Info>,
    pub(super) storage: Storage,
    pub(super) picker: Picker,
    pub(super) hashes: HashTrees,
    pub(super) choker: Choker,
    pub(super) super_seed: Option<SuperSeed>,
    pub(super) priorities: Vec<Priority>,
    pub(super) finish: Finish,
    pub(super) durability: Durability,
    /// Writes and verifications under way.
    pub(super) writes: u32,
    pub(super) verifications: u32,
    /// Complete pieces whose v2 hash is not known yet.
    pub(super) unverifiable: BTreeSet<PieceIndex>,
    pub(super) bad: BTreeMap<PieceIndex, BadPiece>,
    /// Hash requests of peers that wait for the leaves of a piece.
    pub(super) leaf_requests: Vec<(PeerKey, HashRequest, PieceIndex)>,
    /// All piece layers are known, and that was said.
    pub(super) layers_known: bool,
    pub(super) layer_work: Option<LayerWork>,
    /// Files whose data does not lead to their v2 root: their maker's mistake.
    pub(super) refuted_layers: BTreeSet<[u8; 32]>,
    /// Payload of wanted files, and how much of it is verified: kept up to date piece by piece.
    pub(super) wanted_bytes: u64,
    pub(super) done_bytes: u64,
}

impl Transfer {
    pub(super) fn new(
        now: Instant,
        info: Arc<Info>,
        layers: &PieceLayers,
        priorities: Vec<Priority>,
        storage: Storage,
    ) -> Transfer {
        let layout = info.layout();
        let mut hashes = HashTrees::new(&info);
        for (root, layer) in layers.iter() {
            hashes.add_layer(*root, layer);
        }
        let none = Bitfield::new(layout.piece_count());
        let picker = Picker::new(layout.pieces().map(|p| layout.piece_len(p)), &none);
        let mut transfer = Transfer {
            picker,
            hashes,
            choker: Choker::new(now),
            super_seed: None,
            priorities,
            finish: Finish::No,
            durability: Durability { durable: none, flushing: None, dirty_since: None, clean: false },
            writes: 0,
            verifications: 0,
            unverifiable: BTreeSet::new(),
            bad: BTreeMap::new(),
            leaf_requests: Vec::new(),
            layers_known: false,
            layer_work: None,
            refuted_layers: BTreeSet::new(),
            wanted_bytes: 0,
            done_bytes: 0,
            storage,
            info,
        };
        transfer.layers_known = transfer.hashes.is_complete();
        transfer.apply_priorities();
        transfer
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(self.storage, Storage::Opening { .. })
    }

    pub(super) fn is_checking(&self) -> bool {
        matches!(self.storage, Storage::Opening { .. } | Storage::Checking { .. })
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.storage, Storage::Ready)
    }

    pub(super) fn set_super_seed(&mut self, on: bool) {
        self.super_seed = on.then(|| SuperSeed::new(self.info.layout().piece_count()));
    }

    pub(super) fn piece_layers(&self) -> PieceLayers {
        let mut layers = PieceLayers::default();
        for (root, layer) in self.hashes.layers() {
            layers.insert(root, layer, self.info.layout().piece_length());
        }
        layers
    }

    /// What a piece must hash to; `None` while its v2 hash is not known.
    pub(super) fn expected(&self, piece: PieceIndex) -> Option<PieceHash> {
        let v1 = self.info.piece_hash_v1(piece);
        let v2 = self.hashes.piece_hash(piece);
        (v1.is_some() || v2.is_some()).then_some(PieceHash { v1, v2 })
    }

    /// Hands the files' priorities to the picker, piece by piece: the highest of the files in it.
    pub(super) fn apply_priorities(&mut self) {
        let layout = self.info.layout();
        for piece in layout.pieces() {
            let files = layout.piece_files(piece);
            let priority = files.filter_map(|f| self.priorities.get(f.0 as usize)).max().copied();
            // A piece without a file is all padding.
            self.picker.set_priority(piece, priority.unwrap_or(Priority::Normal));
        }
        let wanted = layout.files().iter().zip(&self.priorities).filter(|(_, p)| **p != Priority::Skip);
        self.wanted_bytes = wanted.map(|(file, _)| file.length).sum();
        self.done_bytes = self.picker.have().iter().map(|p| self.wanted_bytes_in(PieceIndex(p))).sum();
    }

    pub(super) fn is_wanted(&self, file: FileIndex) -> bool {
        self.priorities.get(file.0 as usize).is_none_or(|p| *p != Priority::Skip)
    }

    /// Payload bytes of wanted files in a piece.
    fn wanted_bytes_in(&self, piece: PieceIndex) -> u64 {
        self.file_bytes_in(piece).filter(|(file, _)| self.is_wanted(*file)).map(|(_, length)| length).sum()
    }

    /// The files in a piece, with how many bytes of each.
    pub(super) fn file_bytes_in(&self, piece: PieceIndex) -> impl Iterator<Item = (FileIndex, u64)> + '_ {
        let layout = self.info.layout();
        let whole = Block { piece, offset: 0, length: layout.piece_len(piece) };
        layout.file_ranges(whole).filter_map(|s| s.file.map(|file| (file, u64::from(s.length))))
    }

    /// The hash of a piece is right. Returns requests to be cancelled.
    pub(super) fn gain(&mut self, piece: PieceIndex) -> Vec<(PeerKey, Block)> {
        if self.picker.have().get(piece.0) {
            return Vec::new();
        }
        self.done_bytes += self.wanted_bytes_in(piece);
        self.picker.verified(piece)
    }

    /// A piece that was had is not there any more.
    pub(super) fn lose(&mut self, piece: PieceIndex) {
        if self.picker.have().get(piece.0) {
            self.done_bytes -= self.wanted_bytes_in(piece);
            self.picker.lose(piece);
            self.durability.durable.clear(piece.0);
        }
    }

    /// When a flush is due.
    pub(super) fn flush_due(&self) -> Option<Instant> {
        match (&self.durability.flushing, self.durability.dirty_since) {
            (None, Some(since)) => Some(since + FLUSH_EVERY),
            _ => None,
        }
    }

    #[cfg(debug_assertions)]
    pub(super) fn check_invariants(&self) {
        assert!(self.done_bytes <= self.wanted_bytes, "more is done than is wanted");
        let have = self.picker.have();
        assert!(self.durability.durable.count() <= have.count(), "what is durable is had");
        if self.finish == Finish::Done {
            assert!(self.picker.is_complete(), "only what is complete is finished");
        }
    }
}
