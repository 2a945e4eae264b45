//! Stories of how much waits for the line of one peer.

use metainfo::{Block, PieceIndex};

use super::super::*;
use super::world::{World, info};
use crate::wire::Message;

const BLOCK: u32 = 16 << 10;

/// Alice has all and serves bob, whose line takes `blocks_per_s`; -> how many bytes wait for it, in the first moment and
/// after some seconds.
fn waiting(blocks_per_s: usize) -> (u64, u64) {
    let info = info(false);
    let mut world = World::default();
    let alice = world.seed(&info);
    let bob = world.leech(&info);
    // What alice orders to be sent is taken by hand.
    world.nodes[alice].silent = true;
    world.connect(bob, alice, Source::Tracker);
    let key = *world.nodes[alice].links.keys().next().unwrap();
    let block = Block { piece: PieceIndex(1), offset: 0, length: BLOCK };
    let waits = |world: &World| world.nodes[alice].torrent.peers[&key].uploading_bytes;
    let mut first = 0;
    for _ in 0..24 {
        let messages = vec![Message::Request(block); 300];
        world.input(alice, Input::Received { peer: key, messages });
        first = if first == 0 { waits(&world) } else { first };
        for _ in 0..blocks_per_s {
            let blocks = vec![block];
            world.input(alice, Input::Uploaded { peer: key, blocks });
        }
        world.pass(1);
    }
    (first, waits(&world))
}

#[test]
fn little_waits_for_a_slow_line_once_its_speed_is_known_and_much_for_a_fast_one() {
    let (first, later) = waiting(1);
    assert!(first >= 256 << 10, "{first}");
    assert!(later <= 48 << 10, "{later}: two seconds of 16 KiB, and a block");
    let (_, later) = waiting(200);
    assert_eq!(later, 2 << 20);
}
