//! Merkle trees over the 16 KiB blocks of a file (BEP 52): SHA-256, binary, leaves beyond the data are zero.

use sha2::{Digest, Sha256};

use crate::BLOCK_LEN;

/// A node of a tree: SHA-256 of its two children, or of the data of a block.
pub type Hash = [u8; 32];

/// Hashes the data of one block.
pub fn leaf(data: &[u8]) -> Hash {
    Sha256::digest(data).into()
}

/// Hashes two children into their parent.
pub fn parent(left: &Hash, right: &Hash) -> Hash {
    let mut sha = Sha256::new();
    sha.update(left);
    sha.update(right);
    sha.finalize().into()
}

/// Returns the root of a subtree of 2^`height` leaves that all lie beyond the data.
pub fn pad(height: u32) -> Hash {
    (0..height).fold([0; 32], |below, _| parent(&below, &below))
}

/// Returns the root over `hashes`, nodes that are each `height` levels above the leaves, filled up with padding to
/// `width` nodes (rounded up to a power of two, and at least as many as there are). The root over nothing is padding.
pub fn root(hashes: &[Hash], height: u32, width: u32) -> Hash {
    let width = (width as usize).max(hashes.len()).max(1).next_power_of_two();
    let mut padding = pad(height);
    let mut layer = hashes.to_vec();
    let mut slots = width;
    while slots > 1 {
        if layer.len() % 2 == 1 {
            layer.push(padding);
        }
        let pairs = layer.len() / 2;
        for i in 0..pairs {
            layer[i] = parent(&layer[2 * i], &layer[2 * i + 1]);
        }
        layer.truncate(pairs);
        padding = parent(&padding, &padding);
        slots /= 2;
    }
    layer.first().copied().unwrap_or(padding)
}

/// Returns the root over data that is hashed block by block, filled up with padding to `width` leaves.
pub fn root_of_data(data: &[u8], width: u32) -> Hash {
    let leaves: Vec<Hash> = data.chunks(BLOCK_LEN as usize).map(leaf).collect();
    root(&leaves, 0, width)
}

/// Returns how many levels above the leaves the nodes of pieces lie.
pub fn piece_height(piece_length: u32) -> u32 {
    (piece_length / BLOCK_LEN).max(1).ilog2()
}

/// Returns the root of a file from its piece layer: the roots of its pieces, in order.
pub fn root_of_pieces(pieces: &[Hash], piece_length: u32) -> Hash {
    root(pieces, piece_height(piece_length), 1)
}

/// Returns how many levels a file's whole tree has above its leaves.
pub fn file_height(length: u64) -> u32 {
    length.div_ceil(u64::from(BLOCK_LEN)).max(1).next_power_of_two().ilog2()
}

/// Climbs from a node to the root with the hashes of its uncles, nearest first. `index` is the node's number in its
/// layer. The result is to be compared with a root that is trusted.
pub fn climb(node: Hash, index: u32, uncles: &[Hash]) -> Hash {
    uncles.iter().enumerate().fold(node, |node, (level, uncle)| {
        let right = level < 32 && index >> level & 1 == 1;
        if right { parent(uncle, &node) } else { parent(&node, uncle) }
    })
}
