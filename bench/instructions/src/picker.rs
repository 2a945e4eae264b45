//! A download by the picker alone, from 50 peers.

use std::collections::VecDeque;
use std::time::Duration;

use base::Bitfield;
use metainfo::{BLOCK_LEN, Block};
use torrent_proto::picker::{Ask, Picker, Received, Share};
use torrent_proto::torrent::PeerKey;

use crate::counted;

const PEERS: u32 = 50;
/// Requests of a peer in flight, and how many blocks one read of its socket brings.
const QUEUE: usize = 256;
const BATCH: usize = 16;
/// As many blocks of each download are counted.
const BLOCKS: u64 = 15_000;

/// One seed, and peers that have half of the pieces each.
pub fn download(pieces: u32, blocks_a_piece: u32) -> (u64, Duration) {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut picker = Picker::new((0..pieces).map(|_| blocks_a_piece * BLOCK_LEN), &Bitfield::new(pieces));
    let mut peers: Vec<(PeerKey, Bitfield, VecDeque<Block>)> = Vec::new();
    for key in 0..PEERS {
        let mut has = Bitfield::new(pieces);
        for piece in (0..pieces).filter(|_| key == 0 || rng.bool()) {
            has.set(piece);
        }
        picker.add_peer_set(&has);
        peers.push((PeerKey(key), has, VecDeque::new()));
    }
    let mut done = 0;
    let mut new = Vec::new();
    let took = counted(&mut || {
        while done < BLOCKS {
            for (peer, has, queue) in &mut peers {
                new.clear();
                let count = QUEUE - queue.len();
                picker.pick(Ask { peer: *peer, has, allowed: None, count, share: Share::Shared }, &mut rng, &mut new);
                queue.extend(&new);
                for block in queue.drain(..queue.len().min(BATCH)) {
                    if let Received::Accepted { piece_complete, .. } = picker.received(*peer, block) {
                        done += 1;
                        picker.wrote(block);
                        if piece_complete {
                            picker.verified(block.piece);
                        }
                    }
                }
            }
        }
    });
    (done, took)
}
