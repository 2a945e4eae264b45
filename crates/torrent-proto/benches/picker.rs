//! What the picker costs a block: `cargo bench -p torrent-proto --bench picker`.
//!
//! Simulates whole downloads without any network: each peer keeps a queue of requests full and sends what was asked first.
//! The cost must stay below a microsecond a block and flat over the number of pieces.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use base::Bitfield;
use metainfo::{BLOCK_LEN, Block, PieceIndex};
use torrent_proto::picker::{Ask, Picker, Received, Share};
use torrent_proto::torrent::PeerKey;

/// Requests of a peer in flight, and how many blocks one read of its socket brings.
const QUEUE: usize = 256;
const BATCH: usize = 16;

struct Peer {
    key: PeerKey,
    has: Bitfield,
    queue: VecDeque<Block>,
    share: Share,
}

/// How the pieces lie over the peers.
#[derive(Clone, Copy)]
enum Spread {
    /// All are seeds.
    Seeds,
    /// A seed, and peers with half of the pieces each.
    Halves,
    /// A seed, and peers that all have the same tenth: the rarest pieces are all at the seed.
    SameTenth,
}

fn main() {
    println!("{:<58} {:>9} {:>9} {:>9} {:>9}", "ns", "a block", "pick", "rest", "a have");
    for (name, peers, share, spread) in [
        ("one seed", 1, Share::Whole, Spread::Seeds),
        ("50 peers, halves", 50, Share::Shared, Spread::Halves),
        ("50 fast peers, halves", 50, Share::Whole, Spread::Halves),
        ("50 peers, the same tenth", 50, Share::Shared, Spread::SameTenth),
        ("500 peers, halves", 500, Share::Whole, Spread::Halves),
    ] {
        for (pieces, blocks) in [(1_000, 16), (8_192, 16), (65_536, 16), (65_536, 1), (1_024, 1_024)] {
            download(name, pieces, blocks, peers, share, spread);
        }
    }
}

fn download(name: &str, pieces: u32, blocks: u32, peers: u32, share: Share, spread: Spread) {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut picker = Picker::new((0..pieces).map(|_| blocks * BLOCK_LEN), &Bitfield::new(pieces));
    let mut peers: Vec<Peer> = (0..peers)
        .map(|key| {
            let mut has = if key == 0 { Bitfield::full(pieces) } else { Bitfield::new(pieces) };
            for piece in 0..pieces {
                let it_has = match spread {
                    Spread::Seeds => true,
                    Spread::Halves => rng.bool(),
                    Spread::SameTenth => piece % 10 == 0,
                };
                if it_has {
                    has.set(piece);
                }
            }
            picker.add_peer_set(&has);
            Peer { key: PeerKey(key), has, queue: VecDeque::new(), share }
        })
        .collect();
    let have_time = haves(&mut picker, pieces);
    let (mut pick_time, mut rest_time, mut done) = (Duration::ZERO, Duration::ZERO, 0u64);
    let mut new = Vec::new();
    while !picker.is_complete() {
        for i in 0..peers.len() {
            let peer = &mut peers[i];
            new.clear();
            let start = Instant::now();
            let ask = Ask {
                peer: peer.key,
                has: &peer.has,
                allowed: None,
                count: QUEUE - peer.queue.len(),
                share: peer.share,
            };
            picker.pick(ask, &mut rng, &mut new);
            let picked = Instant::now();
            pick_time += picked - start;
            peer.queue.extend(&new);
            let count = peer.queue.len().min(BATCH);
            let batch: Vec<Block> = peer.queue.drain(..count).collect();
            let key = peer.key;
            let mut cancels = Vec::new();
            let start = Instant::now();
            for &block in &batch {
                if let Received::Accepted { others, piece_complete } = picker.received(key, block) {
                    done += 1;
                    picker.wrote(block);
                    if piece_complete {
                        picker.verified(block.piece);
                    }
                    cancels.extend(others.into_iter().map(|other| (other, block)));
                }
            }
            rest_time += start.elapsed();
            for (other, block) in cancels {
                peers[other.0 as usize].queue.retain(|queued| *queued != block);
            }
        }
    }
    assert_eq!(done, u64::from(pieces) * u64::from(blocks));
    let per_block = |time: Duration| time.as_nanos() as f64 / done as f64;
    println!(
        "{:<58} {:>9.0} {:>9.0} {:>9.0} {have_time:>9.0}",
        format!("{name}, {pieces} pieces of {blocks} blocks"),
        per_block(pick_time + rest_time),
        per_block(pick_time),
        per_block(rest_time),
    );
}

/// The cost of one Have, in nanoseconds.
fn haves(picker: &mut Picker, pieces: u32) -> f64 {
    const HAVES: u32 = 100_000;
    let order: Vec<PieceIndex> = (0..HAVES).map(|i| PieceIndex(i.wrapping_mul(2_654_435_761) % pieces)).collect();
    let start = Instant::now();
    order.iter().for_each(|&piece| picker.peer_has(piece));
    let time = start.elapsed();
    order.iter().for_each(|&piece| picker.peer_lost(piece));
    time.as_nanos() as f64 / f64::from(HAVES)
}
