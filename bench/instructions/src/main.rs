//! `instructions WORK`: one piece of work of the pure crates, to be counted by callgrind. `instructions time`: what a block costs
//! in nanoseconds, in whole downloads.
//!
//! `cargo xtask instructions` runs each under `valgrind --tool=callgrind --toggle-collect=*counted*`, which counts what
//! happens inside [`counted`] and nothing else, and compares with bench/instructions/counts.txt. Prints how many units the
//! work had (blocks, messages), so that the counts can be read as a price each. Instructions do not depend on the load of
//! the machine, as time does; hashing is not here, since valgrind hides the CPU's SHA extensions.

mod codec;
mod picker;
mod torrent;

use torrent::Spread;

use std::time::{Duration, Instant};

/// Does its work and returns how many units it had, and how long [`counted`] took.
type Work = fn() -> (u64, Duration);

/// Every work by name.
const WORKS: &[(&str, Work)] = &[
    ("wire-decode", codec::decode_messages),
    ("wire-encode", codec::encode_messages),
    ("picker-1000", || picker::download(1_000, 16)),
    ("picker-65536", || picker::download(65_536, 16)),
    ("torrent-leech-1000", || torrent::leech(1_000, torrent::COUNTED, Spread::Seeds)),
    ("torrent-leech-65536", || torrent::leech(65_536, torrent::COUNTED, Spread::Seeds)),
    ("torrent-seed", torrent::seed),
];

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match WORKS.iter().find(|(work, _)| *work == name) {
        Some((_, work)) => println!("{}", work().0),
        None if name == "time" => time(),
        None => WORKS.iter().for_each(|(work, _)| println!("{work}")),
    }
}

/// Prints what a block costs the torrent state machine with 50 peers: the median of as many downloads, which is to be below
/// a microsecond and the same for any number of pieces.
fn time() {
    const RUNS: usize = 9;
    for (name, spread) in [("seeds", Spread::Seeds), ("a seed and halves", Spread::Halves)] {
        for pieces in [1_000, 8_192, 65_536] {
            let mut nanoseconds: Vec<u128> = (0..RUNS)
                .map(|_| {
                    let (blocks, took) = torrent::leech(pieces, u64::MAX, spread);
                    took.as_nanos() / u128::from(blocks.max(1))
                })
                .collect();
            nanoseconds.sort_unstable();
            println!("50 peers ({name}), {pieces:>6} pieces: {:>5} ns a block", nanoseconds[RUNS / 2]);
        }
    }
}

/// What callgrind counts, and how long it took. Not generic and never inlined, so that it has one symbol.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}
