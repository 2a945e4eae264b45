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

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<Hash> {
        (1..=count).map(|i| [i; 32]).collect()
    }

    /// The definition, without any shortcut: every slot is there.
    fn plain_root(mut layer: Vec<Hash>, width: usize) -> Hash {
        layer.resize(width, [0; 32]);
        while layer.len() > 1 {
            layer = layer.chunks(2).map(|pair| parent(&pair[0], &pair[1])).collect();
        }
        layer[0]
    }

    #[test]
    fn padding_counts_as_zero_leaves() {
        assert_eq!(pad(0), [0; 32]);
        for count in 0..20 {
            for width in [1u32, 2, 4, 16, 64] {
                let whole = width.max(u32::from(count)).next_power_of_two() as usize;
                assert_eq!(root(&leaves(count), 0, width), plain_root(leaves(count), whole), "{count} in {width}");
            }
        }
    }

    #[test]
    fn the_root_of_a_file_is_the_root_over_its_pieces() {
        // 11 blocks in pieces of 4: the last piece is filled up, and so is the row of pieces.
        let pieces: Vec<Hash> = leaves(11).chunks(4).map(|piece| root(piece, 0, 4)).collect();
        assert_eq!(root_of_pieces(&pieces, 4 * BLOCK_LEN), plain_root(leaves(11), 16));
        assert_eq!((piece_height(BLOCK_LEN), piece_height(4 * BLOCK_LEN)), (0, 2));
        assert_eq!((file_height(1), file_height(16_384), file_height(16_385), file_height(11 * 16_384)), (0, 0, 1, 4));
    }

    #[test]
    fn data_is_hashed_block_by_block() {
        let data = vec![7; BLOCK_LEN as usize + 1];
        let expected = parent(&leaf(&data[..BLOCK_LEN as usize]), &leaf(&data[BLOCK_LEN as usize..]));
        assert_eq!(root_of_data(&data, 2), expected);
        // SHA-256 of nothing, from FIPS 180-4's examples.
        assert!(data_encoding::HEXLOWER.encode(&leaf(b"")).starts_with("e3b0c44298fc1c14"));
    }

    #[test]
    fn a_proof_climbs_to_the_root() {
        let leaves = leaves(8);
        let pairs: Vec<Hash> = leaves.chunks(2).map(|pair| parent(&pair[0], &pair[1])).collect();
        let top = root(&leaves, 0, 8);
        // Leaf 5: its neighbour 4, the pair 6 and 7, the first four.
        let uncles = [leaves[4], pairs[3], root(&leaves[..4], 0, 4)];
        assert_eq!(climb(leaves[5], 5, &uncles), top);
        assert_ne!(climb(leaves[5], 4, &uncles), top);
        assert_eq!(climb(top, 0, &[]), top);
    }
}
