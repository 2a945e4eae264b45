//! Stories of endpoints that talk over a way that can be told what to do.

mod world;

use std::time::Duration;

use super::*;
use world::{World, ms};

#[test]
fn alice_sends_bob_a_megabyte() {
    let mut world = World::new(1);
    let alice = world.connect();
    world.write(0, alice, b"hello");
    world.run(ms(1_000));
    let bob = world.accepted(1);
    assert_eq!(world.read(1, bob), b"hello");
    let data = world.random(1 << 20);
    let got = world.transfer(0, alice, 1, bob, &data);
    assert!(got == data);
    world.ends[0].close(world.now(), alice);
    world.run(ms(1_000));
    assert_eq!(world.read_end(1, bob), Ok(0));
    world.ends[1].close(world.now(), bob);
    world.run(Duration::from_secs(10));
    assert_eq!(world.ends.each_ref().map(|end| end.counts()), [Counts::default(); 2]);
}

#[test]
fn a_bad_way_loses_repeats_and_reorders_and_the_stream_stays_whole() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        (world.loss, world.duplication, world.jitter) = (0.05, 0.05, ms(20));
        let alice = world.connect();
        let data = world.random(100_000);
        world.write(0, alice, &data[..100]);
        world.run(Duration::from_secs(5));
        let bob = world.accepted(1);
        let got = world.transfer(0, alice, 1, bob, &data[100..]);
        assert!(got == data, "{seed}: {} of {}", got.len(), data.len());
    }
}
