//! Super-seeding (BEP 16): which piece to reveal to whom.

use base::Bitfield;
use metainfo::PieceIndex;

use crate::torrent::PeerKey;

/// Super-seeding. See the module.
#[derive(Debug)]
pub struct SuperSeed {}

#[allow(missing_docs, unused_variables)]
impl SuperSeed {
    pub fn new(piece_count: u32) -> SuperSeed {
        todo!()
    }
    /// The next piece to reveal to this peer (send `Have`), if it has spread what it got.
    pub fn reveal(&mut self, peer: PeerKey, has: &Bitfield, rng: &mut fastrand::Rng) -> Option<PieceIndex> {
        todo!()
    }
    /// Whether a request for the piece may be served: it was revealed to this peer.
    pub fn is_revealed(&self, peer: PeerKey, piece: PieceIndex) -> bool {
        todo!()
    }
    /// A peer announced a piece; returns the peers that may be revealed another (call `reveal`).
    pub fn peer_has(&mut self, peer: PeerKey, piece: PieceIndex) -> Vec<PeerKey> {
        todo!()
    }
    pub fn gone(&mut self, peer: PeerKey) {
        todo!()
    }
}
