//! The piece layers of a hybrid that was fetched by its v1 hashes: computed from the data, so that v2 peers can be served.
//!
//! A magnet's metadata holds the roots of v2 files, not their layers. Peers that speak v2 send them; where nobody did,
//! a complete hybrid hashes its own leaves, piece by piece, and takes a layer when it leads to the root.

use std::ops::Range;

use metainfo::{PieceIndex, merkle};

use super::transfer::Finish;
use super::{DiskOrder, Event, Output, Torrent};

/// A layer being computed. Invariant: `hashes` holds those of the first pieces of `pieces`, in order.
#[derive(Debug)]
pub(super) struct LayerWork {
    root: [u8; 32],
    pieces: Range<u32>,
    hashes: Vec<[u8; 32]>,
}

impl LayerWork {
    fn next(&self) -> PieceIndex {
        PieceIndex(self.pieces.start + self.hashes.len() as u32)
    }
}

impl Torrent {
    /// Begins with the next file whose layer is unknown, once everything wanted is here.
    pub(super) fn compute_layers(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        if self.run != super::Run::Running || transfer.finish != Finish::Done || transfer.layer_work.is_some() {
            return;
        }
        let have = transfer.picker.have();
        let here = |pieces: &Range<u32>| pieces.clone().all(|piece| have.get(piece));
        let refuted = &transfer.refuted_layers;
        let next = transfer.hashes.unknown_layers().find(|(root, pieces)| !refuted.contains(root) && here(pieces));
        if let Some((root, pieces)) = next {
            let work = LayerWork { root, pieces, hashes: Vec::new() };
            self.out.push_back(Output::Disk(DiskOrder::HashLeaves { piece: work.next() }));
            transfer.layer_work = Some(work);
        }
    }

    /// The disk hashed the leaves of a piece: perhaps the one that the layer waits for.
    pub(super) fn continue_layer(&mut self, piece: PieceIndex, leaves: Option<&[[u8; 32]]>) {
        let Some(transfer) = &mut self.transfer else { return };
        let Some(mut work) = transfer.layer_work.take_if(|work| work.next() == piece) else { return };
        if self.run != super::Run::Running {
            return;
        }
        let width = transfer.info.layout().v2_piece(piece).map(|piece| piece.width);
        let (Some(leaves), Some(width)) = (leaves, width) else {
            // It cannot be read now; a restart tries again.
            transfer.refuted_layers.insert(work.root);
            return self.compute_layers();
        };
        work.hashes.push(merkle::root(leaves, 0, width));
        if (work.hashes.len() as u32) < work.pieces.end - work.pieces.start {
            self.out.push_back(Output::Disk(DiskOrder::HashLeaves { piece: work.next() }));
            transfer.layer_work = Some(work);
            return;
        }
        if !transfer.hashes.add_layer(work.root, &work.hashes) {
            transfer.refuted_layers.insert(work.root);
        }
        self.say_layers();
        self.compute_layers();
    }

    /// Says once that all layers are known.
    pub(super) fn say_layers(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.hashes.is_complete() && !std::mem::replace(&mut transfer.layers_known, true) {
            self.out.push_back(Output::Event(Event::PieceLayers));
        }
    }
}
