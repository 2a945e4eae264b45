//! The allowed-fast set (BEP 6): pieces that a peer may request while it is choked, so that it has something to trade.

use core::net::Ipv4Addr;

use metainfo::{InfoHashV1, PieceIndex};
use sha1::{Digest as _, Sha1};

/// How many pieces are offered; BEP 6 recommends ten.
pub(crate) const SET_SIZE: usize = 10;

/// Returns the canonical set of `size` pieces for an address: the same for every peer that offers it, so that a
/// newcomer cannot collect the whole torrent from many of them.
pub(crate) fn allowed_fast(ip: Ipv4Addr, info_hash: InfoHashV1, piece_count: u32, size: usize) -> Vec<PieceIndex> {
    let size = size.min(piece_count as usize);
    let [a, b, c, _] = ip.octets();
    let mut seed = vec![a, b, c, 0];
    seed.extend(info_hash.0);
    let mut set: Vec<PieceIndex> = Vec::with_capacity(size);
    while set.len() < size {
        seed = Sha1::digest(&seed).to_vec();
        for word in seed.chunks_exact(4).take(size - set.len()) {
            let number = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
            let piece = PieceIndex(number % piece_count);
            if !set.contains(&piece) {
                set.push(piece);
            }
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of BEP 6.
    #[test]
    fn the_sets_are_those_of_the_specification() {
        let ip = Ipv4Addr::new(80, 4, 4, 200);
        let expected = [1059, 431, 808, 1217, 287, 376, 1188, 353, 508].map(PieceIndex);
        assert_eq!(allowed_fast(ip, InfoHashV1([0xaa; 20]), 1313, 7), expected[..7]);
        assert_eq!(allowed_fast(ip, InfoHashV1([0xaa; 20]), 1313, 9), expected);
    }

    #[test]
    fn a_tiny_torrent_has_a_tiny_set() {
        assert_eq!(allowed_fast(Ipv4Addr::LOCALHOST, InfoHashV1([1; 20]), 2, SET_SIZE).len(), 2);
        assert!(allowed_fast(Ipv4Addr::LOCALHOST, InfoHashV1([1; 20]), 0, SET_SIZE).is_empty());
    }
}
