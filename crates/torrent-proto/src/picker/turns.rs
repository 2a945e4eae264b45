//! Who begins which piece first, where some peers fetch the same from one that has all.
//!
//! If each chooses among equally rare pieces by chance, some ask for the same, the more the longer their queues are. Here
//! each piece ranks those who fetch it, alike for all of them and without a word between them (Thaler, Ravishankar, "A
//! name-based mapping scheme for rendezvous", 1996): whoever is the first in its ranking begins it before the others do.

use crate::wire::PeerId;

/// How many others are ranked. Arbitrary: more ask a seed for more than it sends anyway.
const MAX_OTHERS: usize = 16;

/// Those who fetch the same as we do.
#[derive(Debug, Default)]
pub(super) struct Turns {
    own: u64,
    others: Vec<u64>,
}

impl Turns {
    pub(super) fn new(own: &PeerId, others: impl Iterator<Item = PeerId>) -> Turns {
        Turns { own: mark(own), others: others.take(MAX_OTHERS).map(|other| mark(&other)).collect() }
    }

    /// Whether anybody else fetches it.
    pub(super) fn are_taken(&self) -> bool {
        !self.others.is_empty()
    }

    /// Returns how many others begin a piece before us.
    pub(super) fn rank(&self, piece: u32) -> usize {
        let own = weight(self.own, piece);
        self.others.iter().filter(|other| weight(**other, piece) > own).count()
    }
}

/// The part of a peer id that is drawn by chance.
fn mark(id: &PeerId) -> u64 {
    id.0.last_chunk().map_or(0, |chunk| u64::from_be_bytes(*chunk))
}

/// Mixes both as the last step of SplitMix64 does (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
/// 2014).
fn weight(mark: u64, piece: u32) -> u64 {
    let mut mixed = mark ^ u64::from(piece).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
